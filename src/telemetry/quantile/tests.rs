//! The classic-histogram cases of Prometheus' own tests
//! (`promql/promqltest/testdata/histograms.test`, `promql/quantile_test.go`,
//! Apache-2.0), and properties.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

const INF: f64 = f64::INFINITY;

fn histogram(buckets: &[(f64, f64)]) -> Vec<Bucket> {
    let one = |&(le, count): &(f64, f64)| Bucket { le_ms: le.is_finite().then_some(le), count };
    cumulative(buckets.iter().map(one).collect())
}

#[track_caller]
fn check(q: f64, buckets: &[(f64, f64)], expected: f64) {
    let found = quantile(q, &histogram(buckets)).map_or(f64::NAN, |found| found.ms);
    let is_close = (found - expected).abs() <= 1e-9 * expected.abs().max(1.0);
    assert!(is_close || (found.is_nan() && expected.is_nan()), "found {found}, expected {expected}");
}

const POSITIVE: &[(f64, f64)] = &[(0.1, 50.0), (0.2, 70.0), (1.0, 110.0), (INF, 120.0)];
const NEGATIVE: &[(f64, f64)] = &[(-0.2, 10.0), (-0.1, 20.0), (0.3, 20.0), (INF, 30.0)];
const MIDDLE: &[(f64, f64)] = &[(0.0, 0.0), (2.0, 1.0), (4.0, 2.0), (6.0, 3.0), (INF, 3.0)];
const POSITIVE_3: &[(f64, f64)] = &[(0.0, 0.0), (0.1, 50.0), (0.2, 70.0), (1.0, 110.0), (INF, 110.0)];
const NEGATIVE_3: &[(f64, f64)] = &[(-0.25, 0.0), (-0.2, 10.0), (-0.1, 20.0), (0.3, 20.0), (INF, 20.0)];
const AGGREGATED: &[(f64, f64)] = &[(0.1, 10.0), (0.2, 19.0), (INF, 25.0)];
const NONMONOTONIC: &[(f64, f64)] =
    &[(0.1, 20.0), (1.0, 10.0), (10.0, 50.0), (100.0, 40.0), (1000.0, 90.0), (INF, 80.0)];
const MIXED: &[(f64, f64)] = &[(0.1, 10.0), (0.2, 10.0), (0.2, 10.0), (0.2, 10.0), (INF, 40.0)];

#[rstest]
#[case::lowest_bucket_positive(0.0, POSITIVE, 0.0)]
#[case::lowest_bucket_negative(0.0, NEGATIVE, -0.2)]
#[case::highest_bucket_positive(1.0, POSITIVE, 1.0)]
#[case::highest_bucket_negative(1.0, NEGATIVE, 0.3)]
#[case::fifth_positive(0.2, POSITIVE, 0.048)]
#[case::fifth_negative(0.2, NEGATIVE, -0.2)]
#[case::median_positive(0.5, POSITIVE, 0.15)]
#[case::median_negative(0.5, NEGATIVE, -0.15)]
#[case::high_positive(0.8, POSITIVE, 0.72)]
#[case::high_negative(0.8, NEGATIVE, 0.3)]
#[case::middle_of_first(1.0 / 6.0, MIDDLE, 1.0)]
#[case::middle_of_second(0.5, MIDDLE, 3.0)]
#[case::middle_of_third(5.0 / 6.0, MIDDLE, 5.0)]
#[case::zero_bound_holds_the_minimum(0.0, POSITIVE_3, 0.0)]
#[case::quarter_positive(0.25, POSITIVE_3, 0.055)]
#[case::median_positive_3(0.5, POSITIVE_3, 0.125)]
#[case::three_quarters_positive(0.75, POSITIVE_3, 0.45)]
#[case::all_positive(1.0, POSITIVE_3, 1.0)]
#[case::minimum_negative(0.0, NEGATIVE_3, -0.25)]
#[case::quarter_negative(0.25, NEGATIVE_3, -0.225)]
#[case::median_negative_3(0.5, NEGATIVE_3, -0.2)]
#[case::three_quarters_negative(0.75, NEGATIVE_3, -0.15)]
#[case::all_negative(1.0, NEGATIVE_3, -0.1)]
#[case::aggregated_low(0.3, AGGREGATED, 0.075)]
#[case::aggregated_median(0.5, AGGREGATED, 0.127_777_777_777_777_8)]
#[case::one_process_low(0.3, &[(0.1, 10.0), (0.2, 30.0), (INF, 40.0)], 0.11)]
#[case::one_process_median(0.5, &[(0.1, 30.0), (0.2, 40.0), (INF, 60.0)], 0.1)]
#[case::nonmonotonic_low(0.01, NONMONOTONIC, 0.0045)]
#[case::nonmonotonic_median(0.5, NONMONOTONIC, 8.5)]
#[case::nonmonotonic_p99(0.99, NONMONOTONIC, 979.75)]
#[case::equal_bounds_median(0.5, MIXED, 0.15)]
#[case::equal_bounds_high(0.75, MIXED, 0.2)]
#[case::equal_bounds_all(1.0, MIXED, 0.2)]
#[case::no_requests(0.2, &[(0.1, 0.0), (0.2, 0.0), (INF, 0.0)], f64::NAN)]
#[case::equal_infinities_only(0.5, &[(INF, 0.0), (INF, 0.0)], f64::NAN)]
#[case::one_bucket(0.5, &[(INF, 5.0)], f64::NAN)]
#[case::no_infinite_bucket(0.5, &[(0.1, 5.0), (0.2, 7.0)], f64::NAN)]
#[case::no_bucket(0.5, &[], f64::NAN)]
fn answers_as_prometheus(#[case] q: f64, #[case] buckets: &[(f64, f64)], #[case] expected: f64) {
    check(q, buckets, expected);
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
