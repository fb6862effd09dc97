//! How many requests an app had answered so long ago that those beside them
//! cannot still hang unseen: a proxy that cannot tell which requests wait shows
//! one that hangs only when its time is up. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// What an instance had answered by a moment, since it was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answered {
    /// Which one.
    pub instance: String,
    /// When it said so.
    pub at: DateTime<Utc>,
    /// Without the paths that are no traffic.
    pub requests: u64,
}

/// How many requests these instances, each with the moment of its start where
/// known, are known to have answered in the time that ended at a moment: at
/// least so many. `known` is sorted by time.
pub(super) fn settled<'a>(
    known: &[Answered],
    instances: impl IntoIterator<Item = (&'a str, Option<DateTime<Utc>>)>,
    until: DateTime<Utc>,
    length: Duration,
) -> u64 {
    let begin = until - TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
    let of_instance = |(instance, started): (&str, Option<DateTime<Utc>>)| {
        // The process before it counted by itself.
        let is_own = |seen: &&Answered| {
            seen.instance == instance && seen.at <= until && started.is_none_or(|started| seen.at >= started)
        };
        let last = known.iter().rev().find(is_own).filter(|seen| seen.at > begin)?;
        let before = known.iter().rev().filter(is_own).find(|seen| seen.at <= begin);
        let first = known.iter().find(is_own);
        let answered_before = match before {
            Some(before) => before.requests,
            None if started.is_some_and(|started| started >= begin) => 0,
            None => first?.requests,
        };
        last.requests.checked_sub(answered_before)
    };
    instances.into_iter().filter_map(of_instance).sum()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap()
    }

    /// Until half a minute ago, over half a minute.
    #[rstest]
    #[case::nothing_is_known(&[], -900, 0)]
    #[case::all_that_was_seen_is_newer(&[("a", -29, 70)], -900, 0)]
    #[case::between_both_ends(&[("a", -70, 5), ("a", -61, 20), ("a", -45, 50), ("a", -31, 70), ("a", -2, 99)], -900, 50)]
    #[case::exactly_at_both_ends(&[("a", -60, 20), ("a", -30, 70)], -900, 50)]
    #[case::since_its_start(&[("a", -45, 50), ("a", -31, 70)], -50, 70)]
    #[case::since_it_was_first_seen(&[("a", -45, 50), ("a", -31, 70)], -900, 20)]
    #[case::seen_once(&[("a", -45, 50)], -900, 0)]
    #[case::seen_last_before(&[("a", -61, 50)], -900, 0)]
    #[case::of_the_process_before(&[("a", -70, 50), ("a", -45, 60)], -40, 0)]
    #[case::of_the_new_process(&[("a", -50, 500), ("a", -35, 9)], -40, 9)]
    #[case::of_another_instance(&[("b", -61, 20), ("b", -31, 70)], -900, 0)]
    #[case::a_counter_that_fell(&[("a", -61, 20), ("a", -31, 7)], -900, 0)]
    fn requests_that_were_answered_long_enough_ago_are_counted(
        #[case] known: &[(&str, i64, u64)],
        #[case] started: i64,
        #[case] expected: u64,
    ) {
        let known: Vec<Answered> = known
            .iter()
            .map(|(instance, seconds, requests)| Answered {
                instance: (*instance).to_owned(),
                at: at(*seconds),
                requests: *requests,
            })
            .collect();
        let count = |instances: &[(&str, Option<DateTime<Utc>>)]| {
            settled(&known, instances.iter().copied(), at(-30), Duration::from_secs(30))
        };
        assert_eq!(count(&[("a", Some(at(started)))]), expected);
        let of_both = [("a", Some(at(started))), ("b", Some(at(-900)))];
        let of_the_other = if known.iter().any(|seen| seen.instance == "b") { 50 } else { 0 };
        assert_eq!(count(&of_both), expected + of_the_other);
    }

    #[test]
    fn where_the_start_is_not_known_only_what_was_seen_to_grow_counts() {
        let seen = |seconds, requests| Answered { instance: "a".to_owned(), at: at(seconds), requests };
        let known = [seen(-45, 50), seen(-31, 70)];
        assert_eq!(settled(&known, [("a", None)], at(-30), Duration::from_secs(30)), 20);
    }
}
