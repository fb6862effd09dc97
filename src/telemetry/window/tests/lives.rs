//! One process: its restarts, and series that come and go while it lives.

use super::*;

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
    assert_eq!(lacks_series(&at("a", 0, &earlier), &at("a", 30, &later), &Names::default()), is_lost);
}

#[rstest]
#[case::the_same(&[("/", "200", 140.0), ("/", "500", 1.0)], false)]
#[case::more(&[("/", "200", 140.0), ("/", "500", 1.0), ("/b", "200", 1.0)], false)]
#[case::fewer(&[("/", "200", 140.0)], true)]
#[case::fewer_in_another_life(&[("/", "200", 14.0)], false)]
fn a_scrape_may_lack_series_only_in_another_life(#[case] later: &[(&str, &str, f64)], #[case] lacks: bool) {
    let earlier = at("a", 0, &requests(&[("/", "200", 100.0), ("/", "500", 1.0)]));
    assert_eq!(lacks_series(&earlier, &at("a", 1, &requests(later)), &Names::default()), lacks);
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
