//! The classic-histogram cases of Prometheus' own tests
//! (`promql/promqltest/testdata/histograms.test`, `promql/quantile_test.go`,
//! Apache-2.0), and properties. `tests/telemetry_prometheus.rs` compares with a
//! real Prometheus.

use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::telemetry::model::Names;
use crate::telemetry::report::compare;

const INF: f64 = f64::INFINITY;

fn histogram(buckets: &[(f64, f64)]) -> Vec<Bucket> {
    let one = |&(le, count): &(f64, f64)| Bucket { le_ms: le.is_finite().then_some(le), count };
    cumulative(buckets.iter().map(one).collect())
}

#[track_caller]
fn check(q: f64, buckets: &[(f64, f64)], expected: f64) {
    let found = quantile(q, &histogram(buckets)).map_or(f64::NAN, |found| found.ms);
    assert_close(found, expected, &format!("quantile {q}"));
}

#[track_caller]
fn assert_close(found: f64, expected: f64, what: &str) {
    let is_close = (found - expected).abs() <= 1e-9 * expected.abs().max(1.0);
    assert!(is_close || (found.is_nan() && expected.is_nan()), "{what}: found {found}, expected {expected}");
}

/// The cases of `histograms.test`; where they are from is said in the file.
const CASES: &str = include_str!("prometheus.cases");

/// The window in which the series of a name with all of these labels counted
/// what the file says, from scrapes as an app would give them.
fn window_of(name: &str, labels: &str) -> Vec<Bucket> {
    let wanted: Vec<&str> = labels.split(',').filter(|label| *label != "*").collect();
    let (mut earlier, mut later) = (String::new(), String::new());
    for line in CASES.lines().filter(|line| line.starts_with("series ")) {
        let mut words = line.split_whitespace().skip(1);
        let (series, has) = (words.next().unwrap(), words.next().unwrap());
        let has: Vec<&str> = has.split(',').collect();
        if series != name || !wanted.iter().all(|label| has.contains(label)) {
            continue;
        }
        for (le, count) in words.map(|bucket| bucket.split_once(':').unwrap()) {
            let mut bucket = format!("{name}_bucket{{le=\"{le}\"");
            for (label, value) in has.iter().filter_map(|label| label.split_once('=')) {
                write!(bucket, ",{label}=\"{value}\"").unwrap();
            }
            writeln!(earlier, "{bucket}}} 0").unwrap();
            writeln!(later, "{bucket}}} {count}").unwrap();
        }
    }
    assert!(!later.is_empty(), "no series {name} {labels}");
    let names = Names { requests: "requests".to_owned(), duration: name.to_owned(), ..Names::default() };
    let body = |buckets: &str, requests: u8| {
        format!("requests{{path=\"/\",status_code=\"200\"}} {requests}\n{buckets}")
    };
    compare(&body(&earlier, 0), &body(&later, 1), &names, Duration::from_secs(30)).unwrap().buckets
}

/// The share of the requests at or below an edge.
fn share(edge: f64, buckets: &[Bucket]) -> f64 {
    let all = buckets.last().unwrap().count;
    let found = buckets.iter().find(|bucket| bucket.le_ms == Some(edge * 1e3)).unwrap();
    found.count / all
}

#[test]
fn answers_as_prometheus_in_its_own_cases() {
    let mut counted = [0, 0];
    for line in CASES.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (found, answer) = match words[..] {
            ["quantile", q, name, labels, answer] => {
                counted[0] += 1;
                let found = quantile(q.parse().unwrap(), &window_of(name, labels));
                (found.map_or(f64::NAN, |found| found.ms / 1e3), answer)
            }
            ["share", edge, name, labels, answer] => {
                counted[1] += 1;
                (share(edge.parse().unwrap(), &window_of(name, labels)), answer)
            }
            _ => continue,
        };
        assert_close(found, answer.parse().unwrap(), line);
    }
    assert_eq!(counted, [52, 3]);
}

#[rstest]
#[case::equal_infinities_only(0.5, &[(INF, 0.0), (INF, 0.0)])]
#[case::one_bucket(0.5, &[(INF, 5.0)])]
#[case::no_infinite_bucket(0.5, &[(0.1, 5.0), (0.2, 7.0)])]
#[case::no_bucket(0.5, &[])]
fn what_is_no_histogram_has_no_quantile(#[case] q: f64, #[case] buckets: &[(f64, f64)]) {
    check(q, buckets, f64::NAN);
}

const RATES: [(f64, f64); 11] = [
    (1.0, 6_454_661.301_416_622_5),
    (5.0, 8_339_611.200_191_296),
    (10.0, 14_118_319.244_476_216),
    (25.0, 14_130_031.527_285_65),
    (50.0, 46_001_270.303_000_82),
    (64.0, 46_008_473.858_556_38),
    (80.0, 46_008_473.858_556_39),
    (100.0, 46_008_473.858_556_38),
    (250.0, 46_008_473.858_556_38),
    (1000.0, 46_008_473.858_556_39),
    (INF, 46_008_473.858_556_38),
];
const SIMPLE: [(f64, f64); 5] =
    [(10.0, 10.0), (15.0, 15.0), (20.0, 15.000_000_000_01), (30.0, 15.0), (INF, 15.0)];

#[rstest]
#[case(1.0, &SIMPLE, 15.0)]
#[case(0.99, &SIMPLE, 14.85)]
#[case(0.9, &SIMPLE, 13.5)]
#[case(0.5, &SIMPLE, 7.5)]
#[case(1.0, &RATES, 64.0)]
#[case(0.99, &RATES, 49.644_757_153_764_06)]
#[case(0.9, &RATES, 46.396_716_909_384_54)]
#[case(0.5, &RATES, 31.960_982_489_920_02)]
fn rounding_errors_between_counts_do_not_matter(
    #[case] q: f64,
    #[case] buckets: &[(f64, f64)],
    #[case] expected: f64,
) {
    check(q, buckets, expected);
}

#[test]
fn in_the_last_bucket_only_the_highest_finite_bound_is_known() {
    let found = p99(&histogram(&[(100.0, 50.0), (500.0, 90.0), (INF, 100.0)]));
    assert_eq!(found, Some(P99 { ms: 500.0, low_ms: 500.0, high_ms: None }));
}

#[test]
fn the_bucket_that_holds_the_p99_is_told() {
    let found = p99(&histogram(&[(100.0, 90.0), (500.0, 100.0), (INF, 100.0)]));
    assert_eq!(found, Some(P99 { ms: 460.0, low_ms: 100.0, high_ms: Some(500.0) }));
}

#[test]
fn ninety_nine_percent_exactly_at_a_bound_is_inside_it() {
    let found = p99(&histogram(&[(250.0, 40.0), (500.0, 99.0), (INF, 100.0)])).unwrap();
    assert_eq!((found.ms, found.high_ms), (500.0, Some(500.0)));
}

fn counts() -> impl Strategy<Value = Vec<(f64, u32)>> {
    proptest::collection::vec(
        (prop::sample::select(vec![5.0, 10.0, 25.0, 100.0, 500.0, INF]), 0_u32..1000),
        0..20,
    )
}

proptest! {
    #[test]
    fn order_and_merging_never_change_the_result(counts in counts(), seed in any::<u64>()) {
        let buckets: Vec<(f64, f64)> = counts.iter().map(|&(le, count)| (le, f64::from(count))).collect();
        let mut shuffled = buckets.clone();
        shuffled.sort_by_key(|&(le, count)| (le.to_bits() ^ count.to_bits()).wrapping_mul(seed | 1));
        let mut merged: Vec<(f64, f64)> = Vec::new();
        for &(le, count) in &buckets {
            match merged.iter_mut().find(|(known, _)| known.total_cmp(&le).is_eq()) {
                Some((_, sum)) => *sum += count,
                None => merged.push((le, count)),
            }
        }
        let expected = histogram(&buckets);
        prop_assert_eq!(&histogram(&shuffled), &expected);
        prop_assert_eq!(&histogram(&merged), &expected);
    }

    #[test]
    fn a_histogram_in_order_stays_as_it_is_and_its_p99_lies_in_its_bucket(counts in counts()) {
        let buckets: Vec<(f64, f64)> = counts.iter().map(|&(le, count)| (le, f64::from(count))).collect();
        let ordered = histogram(&buckets);
        prop_assert_eq!(&cumulative(ordered.clone()), &ordered);
        prop_assert!(ordered.windows(2).all(|pair| pair[0].count <= pair[1].count));
        if let Some(found) = p99(&ordered) {
            prop_assert!(found.low_ms <= found.ms);
            prop_assert!(found.high_ms.is_none_or(|high| found.ms <= high));
        }
    }
}
