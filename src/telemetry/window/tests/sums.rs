//! What is summed: the deltas of each series that is traffic.

use super::*;

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
    let measured = measure(&of(0, 0.0, 0.0), &of(30, 0.1, 0.4), &Names::default(), NOMINAL).unwrap();
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
    let names =
        Names { own_paths: vec!["/up".to_owned(), "/internal/metrics".to_owned()], ..Names::default() };
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
    let found =
        measure(&[], &[at("a", 30, &requests(&SERVED)), at("b", 30, "up 1\n")], &Names::default(), NOMINAL);
    assert_eq!(found.unwrap_err().code(), "metrics_absent");
}

#[rstest]
#[case::no_label("http_requests_total{path=\"/\"} 5\n")]
#[case::a_word("http_requests_total{path=\"/\",status_code=\"OK\"} 5\n")]
#[case::empty("http_requests_total{path=\"/\",status_code=\"\"} 5\n")]
fn requests_without_a_status_are_no_good_requests(#[case] line: &str) {
    let found = between(&requests(&SERVED), &(requests(&SERVED_MORE) + line)).unwrap_err();
    assert_eq!(found.code(), "metrics_no_status");
}
