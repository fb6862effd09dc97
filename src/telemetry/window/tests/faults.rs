//! Scrapes of which no window can be made.

use chrono::TimeDelta;

use super::*;
use crate::telemetry::model::ScrapeFault;

#[rstest]
#[case::nan("http_requests_total{path=\"/\",status_code=\"200\"} NaN\n", "NaN")]
#[case::infinite("http_requests_total{path=\"/\",status_code=\"200\"} +Inf\n", "inf")]
#[case::negative("http_requests_total{path=\"/\",status_code=\"200\"} -1\n", "-1")]
#[case::excluded_path("http_requests_total{path=\"/metrics\",status_code=\"200\"} -1\n", "-1")]
#[case::bucket("http_request_duration_seconds_bucket{le=\"1\"} NaN\n", "NaN")]
#[case::sum("http_request_duration_seconds_sum NaN\n", "NaN")]
#[case::count("http_request_duration_seconds_count -2\n", "-2")]
#[case::uptime("app_uptime_seconds -1\n", "-1")]
#[case::beyond_exact_counts(
    "http_requests_total{path=\"/\",status_code=\"500\"} 9007199254740994\n",
    "9007199254740994"
)]
#[case::bucket_beyond_exact_counts(
    "http_request_duration_seconds_bucket{le=\"1\"} 1e17\n",
    "100000000000000000"
)]
#[case::bound_missing("http_request_duration_seconds_bucket 1\n", "a bucket without a number in le")]
#[case::bound_no_number(
    "http_request_duration_seconds_bucket{le=\"fast\"} 1\n",
    "a bucket without a number in le"
)]
#[case::bound_nan("http_request_duration_seconds_bucket{le=\"NaN\"} 1\n", "a bucket without a number in le")]
#[case::bound_beyond_milliseconds(
    "http_request_duration_seconds_bucket{le=\"1.7e308\"} 1\n",
    "a bucket without a number in le"
)]
fn a_value_that_cannot_be_is_an_error_in_either_scrape(#[case] line: &str, #[case] expected: &str) {
    let good = requests(&SERVED);
    let bad = format!("# TYPE http_requests_total counter\n{line}");
    for (found, side) in [(between(&bad, &good), Side::Earlier), (between(&good, &bad), Side::Later)] {
        let MeasureFault::Window(WindowFault::BadValue { scrape, line, value, .. }) = found.unwrap_err()
        else {
            panic!("no bad value")
        };
        assert_eq!((scrape, line, value.as_str()), (side, 2, expected));
    }
}

#[test]
fn strange_values_in_other_families_do_not_matter() {
    let other = "# TYPE t gauge\nt -5\n# TYPE u counter\nu NaN\n";
    counted(between(&(requests(&SERVED) + other), &(requests(&SERVED_MORE) + other)), 40, 0, 0);
}

#[rstest]
#[case::earlier("a 1", "", "cut off: the last line has no line feed (earlier scrape)")]
#[case::later("", "a 1", "cut off: the last line has no line feed (later scrape)")]
fn a_scrape_that_does_not_parse_is_an_error(
    #[case] earlier: &str,
    #[case] later: &str,
    #[case] reason: &str,
) {
    let found = between(&(requests(&SERVED) + earlier), &(requests(&SERVED) + later));
    let expected = ScrapeFault::Malformed { line: 3, reason: reason.to_owned() };
    assert_eq!(found, Err(expected.into()));
}

#[rstest]
#[case::exactly_eighty_percent(24_000, None)]
#[case::just_below(23_999, Some(23_999))]
#[case::none(0, Some(0))]
#[case::backwards(-30_000, Some(0))]
fn a_window_needs_eighty_percent_of_its_length(#[case] millis: i64, #[case] refused: Option<u64>) {
    let mut later = at("a", 0, &requests(&SERVED));
    later.taken_at += TimeDelta::milliseconds(millis);
    let found = measure(&[at("a", 0, &requests(&SERVED))], &[later], &Names::default(), NOMINAL);
    let expected = refused.map(|actual_ms| WindowFault::TooShort { actual_ms, nominal_ms: 30_000 }.into());
    assert_eq!(found.err(), expected);
}

#[test]
fn without_an_earlier_scrape_there_is_no_window() {
    let found = measure(&[], &[at("a", 30, &requests(&SERVED))], &Names::default(), NOMINAL);
    assert_eq!(found.unwrap_err().code(), "window_too_short");
}
