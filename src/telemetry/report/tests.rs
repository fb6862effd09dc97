//! The figures of saved scrapes.

use rstest::rstest;

use super::*;
use crate::telemetry::model::Side;

const WINDOW: Duration = Duration::from_secs(30);

fn figures(from: &str, to: &str) -> Figures {
    compare(from, to, &Names::default(), WINDOW).unwrap()
}

const FROM: &str = "http_requests_total{path=\"/\",status_code=\"200\"} 100\n\
    http_request_duration_seconds_bucket{le=\"0.1\"} 100\n\
    http_request_duration_seconds_bucket{le=\"0.5\"} 100\n\
    http_request_duration_seconds_bucket{le=\"+Inf\"} 100\n";

#[test]
fn the_json_of_a_window() {
    let to = "http_requests_total{path=\"/\",status_code=\"200\"} 240\n\
        http_requests_total{path=\"/\",status_code=\"500\"} 10\n\
        http_request_duration_seconds_bucket{le=\"0.1\"} 220\n\
        http_request_duration_seconds_bucket{le=\"0.5\"} 250\n\
        http_request_duration_seconds_bucket{le=\"+Inf\"} 250\n";
    insta::assert_snapshot!(serde_json::to_string_pretty(&figures(FROM, to)).unwrap());
}

#[test]
fn the_json_of_a_p99_above_every_bound() {
    let to = "http_requests_total{path=\"/\",status_code=\"200\"} 130\n\
        http_request_duration_seconds_bucket{le=\"0.1\"} 100\n\
        http_request_duration_seconds_bucket{le=\"0.5\"} 110\n\
        http_request_duration_seconds_bucket{le=\"+Inf\"} 130\n";
    let json = serde_json::to_value(figures(FROM, to)).unwrap();
    assert_eq!(json["p99_latency_ms"], 500.0);
    assert_eq!(json["p99_bucket"], serde_json::json!([500.0, null]));
}

#[test]
fn the_json_without_data_has_nulls() {
    let json = serde_json::to_value(figures(FROM, FROM)).unwrap();
    for field in ["error_rate", "p99_latency_ms", "p99_bucket"] {
        assert!(json[field].is_null(), "{field}");
    }
    assert_eq!(json["requests"], 0);
}

#[test]
fn figures_read_back_from_their_json() {
    let found = figures(FROM, &FROM.replace(" 100\n", " 150\n"));
    let json = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Figures>(&json).unwrap(), found);
}

#[rstest]
#[case::uptime_is_not_checked_against_a_word("app_uptime_seconds 5\n", "app_uptime_seconds 6\n", 0)]
#[case::uptime_fell("app_uptime_seconds 50\n", "app_uptime_seconds 6\n", 1)]
fn files_have_no_clock(#[case] from: &str, #[case] to: &str, #[case] resets: u64) {
    assert_eq!(figures(&format!("{FROM}{from}"), &format!("{FROM}{to}")).resets, resets);
}

#[test]
fn saved_files_may_be_in_different_formats() {
    let to = "# TYPE http_requests counter\nhttp_requests_total{status_code=\"200\",path=\"/\"} 130 # {} 1\n# EOF\n";
    assert_eq!(figures(FROM, to).requests, 30);
}

#[test]
fn a_fault_names_the_file_line_and_reason() {
    let fault = compare(FROM, "http_requests_total 1\nx\n", &Names::default(), WINDOW).unwrap_err();
    assert_eq!(
        (fault.code(), fault.to_string().as_str()),
        ("metrics_malformed", "metrics malformed in line 2: no value (later scrape)")
    );
    let fault = compare("http_requests_total -1\n", FROM, &Names::default(), WINDOW).unwrap_err();
    let MeasureFault::Window(crate::telemetry::WindowFault::BadValue { scrape, .. }) = &fault else {
        panic!()
    };
    assert_eq!((*scrape, fault.code()), (Side::Earlier, "metrics_malformed"));
}

#[test]
fn a_window_of_no_length_has_no_rate() {
    let fault = compare(FROM, FROM, &Names::default(), Duration::ZERO).unwrap_err();
    assert_eq!(fault.code(), "window_too_short");
}

#[test]
fn checking_counts_samples_and_families() {
    assert_eq!(check(FROM.as_bytes()), Ok(Checked { samples: 4, families: 2 }));
}

#[test]
fn checking_says_where_a_file_is_wrong() {
    let malformed = check(b"a 1\na 1\n").unwrap_err();
    let json = serde_json::to_value(malformed).unwrap();
    assert_eq!(json, serde_json::json!({ "line": 2, "reason": "duplicate series a, first in line 1" }));
}
