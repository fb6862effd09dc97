//! The rules of the window, one case each.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::telemetry::model::{P99, ScrapeFault};

const NOMINAL: Duration = Duration::from_secs(30);
/// 2025-11-23, a moment like any other.
const START: i64 = 1_763_901_711;

fn names() -> Names {
    Names {
        requests: "http_requests_total".to_owned(),
        duration: "http_request_duration_seconds".to_owned(),
        path_label: "path".to_owned(),
        status_label: "status_code".to_owned(),
        own_paths: Vec::new(),
    }
}

/// A scrape of an instance, so many seconds after the start.
fn at(instance: &str, seconds: i64, body: &str) -> Snapshot {
    Snapshot {
        instance: instance.to_owned(),
        taken_at: DateTime::from_timestamp(START + seconds, 0).unwrap(),
        is_openmetrics: body.ends_with("# EOF\n"),
        body: body.to_owned(),
    }
}

/// One process, thirty seconds.
fn between(earlier: &str, later: &str) -> Result<Measured, MeasureFault> {
    measure(&[at("a", 0, earlier)], &[at("a", 30, later)], &names(), NOMINAL)
}

/// Series of the counter of requests, written as `path status value`.
fn requests(series: &[(&str, &str, f64)]) -> String {
    use std::fmt::Write;
    let mut body = String::from("# TYPE http_requests_total counter\n");
    for (path, status, value) in series {
        writeln!(body, "http_requests_total{{path=\"{path}\",status_code=\"{status}\"}} {value}").unwrap();
    }
    body
}

#[track_caller]
fn counted(measured: Result<Measured, MeasureFault>, requests: u64, errors: u64, resets: u64) {
    let measured = measured.unwrap();
    assert_eq!((measured.requests, measured.errors, measured.resets), (requests, errors, resets));
}

#[test]
fn deltas_of_each_series_are_summed() {
    let measured = between(
        &requests(&[("/", "200", 100.0), ("/", "500", 1.0), ("/b", "200", 7.0)]),
        &requests(&[("/", "200", 190.0), ("/", "500", 3.0), ("/b", "200", 15.0)]),
    )
    .unwrap();
    assert_eq!((measured.requests, measured.errors, measured.resets), (100, 2, 0));
    assert_eq!(measured.error_rate, Some(0.02));
    assert!((measured.request_rate - 100.0 / 30.0).abs() < 1e-12);
    assert_eq!((measured.window, measured.vanished), (NOMINAL, 0));
}

#[test]
fn not_more_than_all_requests_fail_down_to_the_last_digit() {
    let of = |a, b, c| {
        [
            at("a", a, &requests(&[("/", "500", b)])),
            at("b", a, &requests(&[("/", "500", b), ("/b", "500", c)])),
        ]
    };
    let measured = measure(&of(0, 0.0, 0.0), &of(30, 0.1, 0.4), &names(), NOMINAL).unwrap();
    assert_eq!(measured.error_rate, Some(1.0));
}

#[test]
fn a_series_that_is_new_counts_in_full() {
    counted(
        between(
            &requests(&[("/", "200", 100.0)]),
            &requests(&[("/", "200", 110.0), ("/", "503", 1.0), ("/b", "200", 5.0)]),
        ),
        16,
        1,
        0,
    );
}

#[rstest]
#[case::errors(&[("/", "200", 110.0)], "path=\"/\",status_code=\"500\"")]
#[case::excluded_too(&[("/", "200", 110.0), ("/", "500", 1.0)], "path=\"/chaos\",status_code=\"200\"")]
#[case::all(&[], "path=\"/\",status_code=\"200\"")]
fn a_series_of_requests_that_is_gone_from_a_living_process_is_a_fault(
    #[case] later: &[(&str, &str, f64)],
    #[case] lost: &str,
) {
    let earlier = requests(&[("/", "200", 100.0), ("/", "500", 1.0), ("/chaos", "200", 50.0)]);
    let series = format!("http_requests_total{{{lost}}}");
    let found = between(&earlier, &requests(later));
    assert_eq!(found, Err(WindowFault::SeriesLost { series }.into()));
}

#[test]
fn a_series_that_went_with_an_earlier_life_counts_nothing() {
    counted(
        between(&requests(&[("/", "200", 100.0), ("/b", "200", 50.0)]), &requests(&[("/", "200", 10.0)])),
        10,
        0,
        1,
    );
}

const HISTOGRAM: &str = "http_request_duration_seconds_bucket{path=\"/\",le=\"0.5\"} 100\n\
    http_request_duration_seconds_bucket{path=\"/\",le=\"+Inf\"} 100\n\
    http_request_duration_seconds_count{path=\"/\"} 100\n\
    http_request_duration_seconds_bucket{path=\"/b\",le=\"0.5\"} 10\n\
    http_request_duration_seconds_bucket{path=\"/b\",le=\"+Inf\"} 90\n\
    http_request_duration_seconds_count{path=\"/b\"} 90\n";

#[rstest]
#[case::nothing(6, false)]
#[case::the_last_count(5, true)]
#[case::the_last_bucket(4, true)]
#[case::a_path(3, true)]
#[case::all(0, true)]
fn durations_that_are_gone_from_a_living_process_leave_the_error_rate_alone(
    #[case] lines: usize,
    #[case] is_lost: bool,
) {
    let kept: String = HISTOGRAM.split_inclusive('\n').take(lines).collect();
    let earlier = requests(&SERVED) + HISTOGRAM;
    let later = requests(&SERVED_MORE) + &kept.replace(" 100\n", " 140\n");
    let measured = between(&earlier, &later).unwrap();
    assert_eq!((measured.requests, measured.error_rate, measured.resets), (40, Some(0.0), 0));
    assert_eq!(measured.p99.is_none(), is_lost);
    assert_eq!(lacks_series(&at("a", 0, &earlier), &at("a", 30, &later), &names()), is_lost);
}

#[rstest]
#[case::the_same(&[("/", "200", 140.0), ("/", "500", 1.0)], false)]
#[case::more(&[("/", "200", 140.0), ("/", "500", 1.0), ("/b", "200", 1.0)], false)]
#[case::fewer(&[("/", "200", 140.0)], true)]
#[case::fewer_in_another_life(&[("/", "200", 14.0)], false)]
fn a_scrape_may_lack_series_only_in_another_life(#[case] later: &[(&str, &str, f64)], #[case] lacks: bool) {
    let earlier = at("a", 0, &requests(&[("/", "200", 100.0), ("/", "500", 1.0)]));
    assert_eq!(lacks_series(&earlier, &at("a", 1, &requests(later)), &names()), lacks);
}

#[rstest]
#[case::one_series_fell_the_other_grew(&[("/a", "200", 2.0), ("/b", "200", 50.0)], &[("/a", "200", 4.0), ("/b", "200", 40.0)], 44)]
#[case::the_larger_series_grew(&[("/a", "200", 100.0), ("/b", "500", 9.0)], &[("/a", "200", 160.0), ("/b", "500", 0.0)], 160)]
#[case::excluded_series_fell(&[("/", "200", 10.0), ("/metrics", "200", 9.0)], &[("/", "200", 12.0), ("/metrics", "200", 1.0)], 12)]
fn a_restart_starts_every_series_from_zero(
    #[case] earlier: &[(&str, &str, f64)],
    #[case] later: &[(&str, &str, f64)],
    #[case] expected: u64,
) {
    counted(between(&requests(earlier), &requests(later)), expected, 0, 1);
}

const SERVED: [(&str, &str, f64); 1] = [("/", "200", 100.0)];
const SERVED_MORE: [(&str, &str, f64); 1] = [("/", "200", 140.0)];

#[rstest]
#[case::nothing_else("", "", 0)]
#[case::another_counter_fell("# TYPE jobs counter\njobs 5\n", "# TYPE jobs counter\njobs 4\n", 1)]
#[case::a_gauge_fell("# TYPE jobs gauge\njobs 5\n", "# TYPE jobs gauge\njobs 4\n", 0)]
#[case::an_untyped_one_fell("jobs 5\n", "jobs 4\n", 0)]
#[case::histogram_count_fell("# TYPE h histogram\nh_count 5\n", "# TYPE h histogram\nh_count 4\n", 1)]
#[case::histogram_bucket_fell(
    "# TYPE h histogram\nh_bucket{le=\"1\"} 5\n",
    "# TYPE h histogram\nh_bucket{le=\"1.0\"} 4\n",
    1
)]
#[case::histogram_sum_fell("# TYPE h histogram\nh_sum 5\n", "# TYPE h histogram\nh_sum 4\n", 1)]
#[case::sum_with_negative_bounds_fell(
    "# TYPE h histogram\nh_bucket{le=\"-1\"} 1\nh_sum 5\n",
    "# TYPE h histogram\nh_bucket{le=\"-1\"} 1\nh_sum 4\n",
    0
)]
#[case::untyped_durations_fell(
    "http_request_duration_seconds_count 5\n",
    "http_request_duration_seconds_count 4\n",
    1
)]
#[case::summary_count_fell("# TYPE s summary\ns_count 5\n", "# TYPE s summary\ns_count 4\n", 1)]
#[case::summary_quantile_fell(
    "# TYPE s summary\ns{quantile=\"0.5\"} 5\n",
    "# TYPE s summary\ns{quantile=\"0.5\"} 4\n",
    0
)]
#[case::uptime_fell("app_uptime_seconds 500\n", "app_uptime_seconds 12\n", 1)]
#[case::uptime_goes_on("app_uptime_seconds 500\n", "app_uptime_seconds 530\n", 0)]
#[case::uptime_grew_too_little("app_uptime_seconds 3\n", "app_uptime_seconds 20\n", 1)]
#[case::uptime_in_whole_seconds("app_uptime_seconds 3\n", "app_uptime_seconds 32\n", 0)]
#[case::wall_clock_jumped("app_uptime_seconds 500\n", "app_uptime_seconds 510\n", 0)]
#[case::same_start_time(
    "process_start_time_seconds 1700000000.25\n",
    "process_start_time_seconds 1.70000000025e9\n",
    0
)]
#[case::start_time_jitters(
    "process_start_time_seconds 1700000000\n",
    "process_start_time_seconds 1700000001\n",
    0
)]
#[case::start_time_changed(
    "process_start_time_seconds 1700000000\n",
    "process_start_time_seconds 1700000020\n",
    1
)]
#[case::start_time_went_back(
    "process_start_time_seconds 1700000020\n",
    "process_start_time_seconds 1700000000\n",
    1
)]
#[case::created_lines_are_no_counters(
    "# TYPE c counter\nc_total 1\nc_created 1700000020\n# EOF\n",
    "# TYPE c counter\nc_total 1\nc_created 1700000010\n# EOF\n",
    0
)]
#[case::openmetrics_counter_fell(
    "# TYPE c counter\nc_total 5\n# EOF\n",
    "# TYPE c counter\nc_total 4\n# EOF\n",
    1
)]
fn a_restart_is_recognised(#[case] earlier: &str, #[case] later: &str, #[case] resets: u64) {
    let measured = between(&(requests(&SERVED) + earlier), &(requests(&SERVED_MORE) + later)).unwrap();
    assert_eq!((measured.resets, measured.requests), (resets, if resets == 0 { 40 } else { 140 }));
}

#[test]
fn excluded_paths_are_compared_exactly() {
    let later = requests(&[
        ("/metrics", "500", 50.0),
        ("/healthz", "500", 50.0),
        ("/chaos", "500", 50.0),
        ("/metrics/", "200", 1.0),
        ("/healthz2", "200", 1.0),
        ("/Chaos", "200", 1.0),
        ("/api/metrics", "200", 1.0),
    ]);
    counted(between(&requests(&[]), &later), 4, 0, 0);
}

#[test]
fn the_paths_of_this_apps_health_and_metrics_are_no_traffic_either() {
    let names = Names { own_paths: vec!["/up".to_owned(), "/internal/metrics".to_owned()], ..names() };
    let later = requests(&[
        ("/up", "200", 50.0),
        ("/internal/metrics", "200", 50.0),
        ("/healthz", "200", 50.0),
        ("/upper", "200", 1.0),
        ("/", "500", 1.0),
    ]);
    let measured = measure(&[at("a", 0, &requests(&[]))], &[at("a", 30, &later)], &names, NOMINAL).unwrap();
    assert_eq!((measured.requests, measured.errors), (2, 1));
}

#[test]
fn requests_without_a_path_may_be_health_checks() {
    let line = "http_requests_total{status_code=\"200\"} 5\n";
    let found = between(&requests(&SERVED), &(requests(&SERVED_MORE) + line)).unwrap_err();
    assert_eq!(found.code(), "metrics_no_path");
    let told = found.to_string();
    assert!(
        told.contains("in line 3: http_requests_total{status_code=\"200\"} has no path in the label path"),
        "{told}"
    );
}

#[test]
fn other_names_are_taken_from_the_manifest() {
    let names = Names {
        requests: "handled".to_owned(),
        duration: "took".to_owned(),
        path_label: "route".to_owned(),
        status_label: "code".to_owned(),
        own_paths: Vec::new(),
    };
    let later = "handled{route=\"/\",code=\"502\"} 3\nhandled{route=\"/chaos\",code=\"200\"} 9\n\
                 took_bucket{le=\"1\"} 3\ntook_bucket{le=\"+Inf\"} 3\nhttp_requests_total 100\n";
    let measured = measure(
        &[at("a", 0, "handled{code=\"502\",route=\"/\"} 1\n")],
        &[at("a", 30, later)],
        &names,
        NOMINAL,
    )
    .unwrap();
    assert_eq!((measured.requests, measured.errors), (2, 2));
    assert_eq!(measured.p99.map(|p99| p99.high_ms), Some(Some(1000.0)));
}

#[test]
fn without_requests_there_is_no_error_rate() {
    let body = requests(&SERVED) + &durations(&[("0.5", 100.0), ("+Inf", 100.0)]);
    let measured = between(&body, &body).unwrap();
    assert_eq!((measured.requests, measured.error_rate, measured.p99), (0, None, None));
    assert!(measured.request_rate.abs() < f64::EPSILON);
}

#[test]
fn a_counter_that_is_absent_later_is_absent_and_never_zero() {
    let found = between(&requests(&SERVED), "app_uptime_seconds 530\n");
    assert_eq!(found, Err(WindowFault::Absent { family: "http_requests_total".to_owned() }.into()));
}

#[test]
fn a_counter_that_is_absent_at_first_counts_from_zero() {
    counted(
        between("app_uptime_seconds 500\n", &(requests(&SERVED) + "app_uptime_seconds 530\n")),
        100,
        0,
        0,
    );
}

#[rstest]
#[case::text("# TYPE http_requests_total counter\n")]
#[case::openmetrics("# TYPE http_requests counter\n# EOF\n")]
fn a_counter_that_is_declared_but_has_no_series_yet_is_no_data(#[case] later: &str) {
    let measured = between("app_uptime_seconds 500\n", later).unwrap();
    assert_eq!((measured.requests, measured.error_rate), (0, None));
}

#[test]
fn a_counter_must_be_in_every_process() {
    let found = measure(&[], &[at("a", 30, &requests(&SERVED)), at("b", 30, "up 1\n")], &names(), NOMINAL);
    assert_eq!(found.unwrap_err().code(), "metrics_absent");
}

/// Buckets of the histogram of durations, written as `le count`.
fn durations(buckets: &[(&str, f64)]) -> String {
    use std::fmt::Write;
    let mut body = String::new();
    for (le, count) in buckets {
        writeln!(body, "http_request_duration_seconds_bucket{{path=\"/\",le=\"{le}\"}} {count}").unwrap();
    }
    body
}

#[test]
fn the_histogram_of_the_window_gives_the_p99() {
    let measured = between(
        &(requests(&SERVED) + &durations(&[("0.1", 90.0), ("0.5", 100.0), ("1", 100.0), ("+Inf", 100.0)])),
        &(requests(&SERVED_MORE)
            + &durations(&[("0.1", 110.0), ("0.5", 138.0), ("1", 140.0), ("+Inf", 140.0)])),
    )
    .unwrap();
    let bounds: Vec<_> = measured.buckets.iter().map(|bucket| (bucket.le_ms, bucket.count)).collect();
    assert_eq!(bounds, [(Some(100.0), 20.0), (Some(500.0), 38.0), (Some(1000.0), 40.0), (None, 40.0)]);
    let P99 { ms, low_ms, high_ms } = measured.p99.unwrap();
    assert_eq!((low_ms, high_ms), (500.0, Some(1000.0)));
    assert!((ms - 900.0).abs() < 1e-9, "{ms}");
}

#[test]
fn bounds_are_numbers_whatever_their_spelling() {
    let measured = between(
        &(requests(&SERVED) + &durations(&[("5e-1", 90.0), ("+Inf", 100.0)])),
        &(requests(&SERVED_MORE) + &durations(&[("0.50", 110.0), (".5", 15.0), ("inf", 140.0)])),
    )
    .unwrap();
    let bounds: Vec<_> = measured.buckets.iter().map(|bucket| (bucket.le_ms, bucket.count)).collect();
    assert_eq!(bounds, [(Some(500.0), 35.0), (None, 40.0)]);
    assert_eq!(measured.resets, 0);
}

#[test]
fn without_a_histogram_the_error_rate_stands() {
    let measured = between(&requests(&SERVED), &requests(&SERVED_MORE)).unwrap();
    assert_eq!((measured.error_rate, measured.p99, measured.buckets), (Some(0.0), None, Vec::new()));
}

#[test]
fn durations_of_some_processes_are_not_those_of_all() {
    let with = requests(&SERVED) + &durations(&[("0.5", 100.0), ("+Inf", 100.0)]);
    let found = |second: &str| {
        let later = [at("a", 30, &with), at("b", 30, second)];
        measure(&[at("a", 0, &requests(&[])), at("b", 0, &requests(&[]))], &later, &names(), NOMINAL).unwrap()
    };
    assert_eq!(found(&requests(&SERVED)).p99, None);
    assert_eq!(found(&requests(&SERVED)).buckets, []);
    // A process without requests has nothing to tell.
    assert!(found(&requests(&[])).p99.is_some());
}

#[test]
fn durations_of_excluded_paths_do_not_count() {
    let slow = "http_request_duration_seconds_bucket{path=\"/chaos\",le=\"0.5\"} 0\n\
                http_request_duration_seconds_bucket{path=\"/chaos\",le=\"+Inf\"} 900\n";
    let measured =
        between(&requests(&[]), &(requests(&SERVED) + &durations(&[("0.5", 100.0), ("+Inf", 100.0)]) + slow))
            .unwrap();
    assert_eq!(measured.buckets.last().map(|bucket| bucket.count), Some(100.0));
}

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
#[case::no_label("http_requests_total{path=\"/\"} 5\n")]
#[case::a_word("http_requests_total{path=\"/\",status_code=\"OK\"} 5\n")]
#[case::empty("http_requests_total{path=\"/\",status_code=\"\"} 5\n")]
fn requests_without_a_status_are_no_good_requests(#[case] line: &str) {
    let found = between(&requests(&SERVED), &(requests(&SERVED_MORE) + line)).unwrap_err();
    assert_eq!(found.code(), "metrics_no_status");
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
    let found = measure(&[at("a", 0, &requests(&SERVED))], &[later], &names(), NOMINAL);
    let expected = refused.map(|actual_ms| WindowFault::TooShort { actual_ms, nominal_ms: 30_000 }.into());
    assert_eq!(found.err(), expected);
}

#[test]
fn without_an_earlier_scrape_there_is_no_window() {
    let found = measure(&[], &[at("a", 30, &requests(&SERVED))], &names(), NOMINAL);
    assert_eq!(found.unwrap_err().code(), "window_too_short");
}

/// Several processes: which ids at which end, each with 100 requests at first
/// and 140 at the end.
fn processes(earlier: &[&str], later: &[&str]) -> Result<Measured, MeasureFault> {
    let first: Vec<Snapshot> = earlier.iter().map(|id| at(id, 0, &requests(&SERVED))).collect();
    let last: Vec<Snapshot> = later.iter().map(|id| at(id, 30, &requests(&SERVED_MORE))).collect();
    measure(&first, &last, &names(), NOMINAL)
}

#[rstest]
#[case::the_same(&["a", "b"], &["b", "a"], 80, 0, 0)]
#[case::one_replaced(&["a", "b"], &["a", "c"], 180, 1, 0)]
#[case::all_replaced(&["a"], &["b"], 140, 1, 0)]
#[case::one_more(&["a"], &["a", "b"], 180, 0, 0)]
#[case::one_gone(&["a", "b"], &["a"], 40, 0, 1)]
#[case::two_gone_one_new(&["a", "b", "c"], &["a", "d"], 180, 1, 1)]
fn processes_that_come_and_go_are_told(
    #[case] earlier: &[&str],
    #[case] later: &[&str],
    #[case] requests: u64,
    #[case] resets: u64,
    #[case] vanished: u64,
) {
    let found = processes(earlier, later).unwrap();
    assert_eq!((found.requests, found.resets, found.vanished), (requests, resets, vanished));
}

#[test]
fn each_process_is_told_with_how_it_lived() {
    let scrape = |id: &str, seconds, value: f64| at(id, seconds, &requests(&[("/", "200", value)]));
    let earlier = [scrape("whole", 0, 5.0), scrape("restarted", 0, 5.0), scrape("gone", 0, 5.0)];
    let later = [scrape("whole", 30, 7.0), scrape("restarted", 30, 3.0), scrape("new", 30, 4.0)];
    let shown = explain(&earlier, &later, &names(), NOMINAL).unwrap();
    let told: Vec<_> = shown
        .instances
        .iter()
        .map(|one| (one.instance.as_str(), one.life, one.requests.first().map(|series| series.counted)))
        .collect();
    assert_eq!(
        told,
        [
            ("whole", Life::Whole, Some(2.0)),
            ("restarted", Life::Restarted, Some(3.0)),
            ("new", Life::New, Some(4.0)),
            ("gone", Life::Gone, None),
        ]
    );
}

#[test]
fn when_every_process_is_gone_there_is_nothing_to_judge() {
    assert_eq!(processes(&["a"], &[]).unwrap_err().code(), "metrics_absent");
}

#[rstest]
#[case::started_in_the_window("app_uptime_seconds 12\n", None)]
#[case::missed_by_the_first_round("app_uptime_seconds 4000\n", Some("window_too_short"))]
#[case::missed_by_start_time("process_start_time_seconds 1763800000\n", Some("window_too_short"))]
fn an_additional_process_must_not_bring_its_whole_past(#[case] age: &str, #[case] fault: Option<&str>) {
    let earlier = [at("a", 0, &requests(&SERVED))];
    let later = [at("a", 30, &requests(&SERVED_MORE)), at("b", 30, &(requests(&SERVED) + age))];
    let found = measure(&earlier, &later, &names(), NOMINAL);
    assert_eq!(found.err().map(|fault| fault.code()), fault);
}

#[test]
fn the_newest_of_several_scrapes_of_a_process_counts() {
    let earlier = [at("a", -30, &requests(&[("/", "200", 1.0)])), at("a", 0, &requests(&SERVED))];
    let later = [at("a", 30, &requests(&SERVED_MORE)), at("a", 29, &requests(&SERVED))];
    counted(measure(&earlier, &later, &names(), NOMINAL), 40, 0, 0);
}

#[test]
fn the_shortest_distance_is_the_window() {
    let earlier = [at("a", 0, &requests(&SERVED)), at("b", 4, &requests(&SERVED))];
    let later = [at("a", 31, &requests(&SERVED)), at("b", 31, &requests(&SERVED))];
    let found = measure(&earlier, &later, &names(), NOMINAL).unwrap();
    assert_eq!(found.window, Duration::from_secs(27));
}

/// Two scrapes of a process that may have restarted, as lines.
fn lines() -> impl Strategy<Value = Vec<(String, u32, u32)>> {
    let series =
        |path: &str, status: &str| format!("http_requests_total{{path=\"{path}\",status_code=\"{status}\"}}");
    let bucket = |le: &str| format!("http_request_duration_seconds_bucket{{le=\"{le}\",path=\"/\"}}");
    let known = [
        series("/", "200"),
        series("/", "500"),
        series("/b", "200"),
        series("/chaos", "200"),
        bucket("0.1"),
        bucket("0.5"),
        bucket("+Inf"),
    ];
    proptest::collection::vec((0_u32..200, 0_u32..200), known.len()).prop_map(move |values| {
        known.iter().cloned().zip(values).map(|(name, (a, b))| (name, a, b)).collect()
    })
}

/// The labels of a series in the other order.
fn turned(series: &str) -> String {
    let (name, labels) = series.trim_end_matches('}').split_once('{').unwrap();
    let (first, second) = labels.split_once(',').unwrap();
    format!("{name}{{ {second} , {first}, }}")
}

/// One end of a window as a body.
fn body(lines: &[(String, u32, u32)], value: fn(&(String, u32, u32)) -> u32) -> String {
    let lines: Vec<String> = lines.iter().map(|line| format!("{} {}\n", line.0, value(line))).collect();
    lines.concat()
}

proptest! {
    #[test]
    fn the_figures_are_those_of_a_plain_count(lines in lines()) {
        let found = between(&body(&lines, |line| line.1), &body(&lines, |line| line.2)).unwrap();
        let has_restarted = lines.iter().any(|(_, a, b)| b < a);
        let grown = |index: usize| {
            let (_, a, b) = &lines[index];
            u64::from(if has_restarted { *b } else { b - a })
        };
        prop_assert_eq!(found.requests, grown(0) + grown(1) + grown(2));
        prop_assert_eq!((found.errors, found.resets), (grown(1), u64::from(has_restarted)));
    }

    #[test]
    fn order_of_series_and_labels_never_changes_the_figures(lines in lines(), turn in 0_usize..7) {
        let mut other: Vec<_> = lines.iter().map(|(name, a, b)| (turned(name), *a, *b)).collect();
        other.rotate_left(turn);
        let figures = |lines: &[_]| between(&body(lines, |line| line.1), &body(lines, |line| line.2));
        prop_assert_eq!(figures(&other), figures(&lines));
    }

    #[test]
    fn what_is_shown_of_each_series_adds_up_to_the_figures(lines in lines()) {
        let (earlier, later) = (body(&lines, |line| line.1), body(&lines, |line| line.2));
        let shown = explain(&[at("a", 0, &earlier)], &[at("a", 30, &later)], &names(), NOMINAL).unwrap();
        prop_assert_eq!(&shown.measured, &between(&earlier, &later).unwrap());
        let [instance] = &shown.instances[..] else { panic!("one process") };
        let has_restarted = lines.iter().any(|(_, a, b)| b < a);
        prop_assert_eq!(instance.life, if has_restarted { Life::Restarted } else { Life::Whole });
        let counted = |series: &[SeriesDetail]| series.iter().map(|one| one.counted).sum::<f64>();
        prop_assert_eq!(whole(counted(&instance.requests)), shown.measured.requests);
        let excluded = instance.requests.iter().find(|one| one.why == Some(Why::ExcludedPath)).unwrap();
        prop_assert!(excluded.series.contains("path=\"/chaos\""));
        let gained = f64::from(if has_restarted { lines[3].2 } else { lines[3].2 - lines[3].1 });
        prop_assert_eq!((excluded.gained, excluded.counted), (gained, 0.0));
        prop_assert_eq!(instance.durations.len(), 3);
    }

    #[test]
    fn splitting_the_traffic_over_two_processes_never_changes_the_sums(lines in lines()) {
        let first = |times: u32| body(&lines.iter().map(|(name, a, _)| (name.clone(), a * times, 0)).collect::<Vec<_>>(), |line| line.1);
        let last = |times: u32| body(&lines.iter().map(|(name, a, b)| (name.clone(), (a + b) * times, 0)).collect::<Vec<_>>(), |line| line.1);
        let one = between(&first(2), &last(2)).unwrap();
        let earlier = [at("a", 0, &first(1)), at("b", 0, &first(1))];
        let later = [at("a", 30, &last(1)), at("b", 30, &last(1))];
        prop_assert_eq!(measure(&earlier, &later, &names(), NOMINAL).unwrap(), one);
    }
}
