//! Several processes, which come and go.

use super::*;

/// Several processes: which ids at which end, each with 100 requests at first
/// and 140 at the end.
fn processes(earlier: &[&str], later: &[&str]) -> Result<Measured, MeasureFault> {
    let first: Vec<Snapshot> = earlier.iter().map(|id| at(id, 0, &requests(&SERVED))).collect();
    let last: Vec<Snapshot> = later.iter().map(|id| at(id, 30, &requests(&SERVED_MORE))).collect();
    measure(&first, &last, &Names::default(), NOMINAL)
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
    let shown = explain(&earlier, &later, &Names::default(), NOMINAL).unwrap();
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
    let found = measure(&earlier, &later, &Names::default(), NOMINAL);
    assert_eq!(found.err().map(|fault| fault.code()), fault);
}

#[test]
fn the_newest_of_several_scrapes_of_a_process_counts() {
    let earlier = [at("a", -30, &requests(&[("/", "200", 1.0)])), at("a", 0, &requests(&SERVED))];
    let later = [at("a", 30, &requests(&SERVED_MORE)), at("a", 29, &requests(&SERVED))];
    counted(measure(&earlier, &later, &Names::default(), NOMINAL), 40, 0, 0);
}

#[test]
fn the_shortest_distance_is_the_window() {
    let earlier = [at("a", 0, &requests(&SERVED)), at("b", 4, &requests(&SERVED))];
    let later = [at("a", 31, &requests(&SERVED)), at("b", 31, &requests(&SERVED))];
    let found = measure(&earlier, &later, &Names::default(), NOMINAL).unwrap();
    assert_eq!(found.window, Duration::from_secs(27));
}
