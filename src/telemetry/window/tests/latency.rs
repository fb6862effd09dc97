//! The histogram of the window.

use super::*;
use crate::telemetry::model::P99;

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
        measure(&[at("a", 0, &requests(&[])), at("b", 0, &requests(&[]))], &later, &Names::default(), NOMINAL)
            .unwrap()
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
