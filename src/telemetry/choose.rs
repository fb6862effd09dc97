//! Which earlier scrape makes a window with the one just taken.

use std::time::Duration;

use super::model::Snapshot;

/// The scrape that makes the best window with `now`: of the same process, at
/// least 80 % of `nominal` older (less is no window), at most `longest`, and
/// of those the one whose distance is closest to `nominal`; the newer one of
/// two that are equally close.
#[must_use]
pub fn choose<'s>(
    snapshots: &'s [Snapshot],
    now: &Snapshot,
    nominal: Duration,
    longest: Duration,
) -> Option<&'s Snapshot> {
    snapshots
        .iter()
        .filter(|snapshot| snapshot.instance == now.instance)
        .filter_map(|snapshot| {
            let distance = (now.taken_at - snapshot.taken_at).to_std().ok()?;
            let is_enough = !distance.is_zero() && distance.saturating_mul(5) >= nominal.saturating_mul(4);
            (is_enough && distance <= longest).then_some((distance, snapshot))
        })
        .min_by_key(|&(distance, _)| (distance.abs_diff(nominal), distance))
        .map(|(_, snapshot)| snapshot)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use rstest::rstest;

    use super::*;

    fn at(instance: &str, seconds: i64) -> Snapshot {
        Snapshot {
            instance: instance.to_owned(),
            taken_at: DateTime::from_timestamp(seconds, 0).unwrap(),
            is_openmetrics: false,
            body: "up 1\n".to_owned(),
        }
    }

    #[rstest]
    #[case::the_closest(&[940, 968, 971, 990], Some(971))]
    #[case::exactly_eighty_percent(&[976], Some(976))]
    #[case::less_than_eighty_percent(&[977, 990, 1000], None)]
    #[case::longer_rather_than_none(&[900], Some(900))]
    #[case::never_longer_than_allowed(&[879], None)]
    #[case::the_newer_of_two_as_close(&[968, 972], Some(972))]
    #[case::not_from_the_future(&[1030], None)]
    #[case::nothing_to_choose_from(&[], None)]
    fn chooses_the_best_window(#[case] seconds: &[i64], #[case] expected: Option<i64>) {
        let snapshots: Vec<Snapshot> = seconds.iter().map(|&second| at("a", second)).collect();
        let found = choose(&snapshots, &at("a", 1000), Duration::from_secs(30), Duration::from_mins(2));
        assert_eq!(found.map(|snapshot| snapshot.taken_at.timestamp()), expected);
    }

    #[test]
    fn another_process_is_no_choice() {
        let snapshots = [at("b", 970)];
        let limits = (Duration::from_secs(30), Duration::from_mins(2));
        assert_eq!(choose(&snapshots, &at("a", 1000), limits.0, limits.1), None);
    }
}
