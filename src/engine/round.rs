//! Which earlier scrapes make a window with those just taken, where several
//! instances are judged together. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::telemetry::{Snapshot, WindowFault, choose};

/// A window may be this many times the nominal length before it no longer
/// counts as "the last 30 s".
pub(super) const LONGEST_WINDOW: u32 = 2;

/// An instance that was scraped now.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    /// What it said.
    pub snapshot: Snapshot,
    /// Since when it runs, where known.
    pub started_at: Option<DateTime<Utc>>,
}

/// The earlier end of the window, from what is `known` of the group.
///
/// - An instance that was started after its earlier scrape restarted: that
///   scrape is of another process, which the new one took the place of.
/// - An instance without an earlier scrape must have started in the window; one
///   that ran before it was missed, and its life is no window.
/// - One that is gone now but was seen in the window stands in it, so that the
///   figures tell of it.
///
/// # Errors
/// [`WindowFault::TooShort`], with as much as there is.
pub(super) fn earlier(
    known: &[Snapshot],
    now: &[Taken],
    nominal: Duration,
) -> Result<Vec<Snapshot>, WindowFault> {
    let longest = nominal * LONGEST_WINDOW;
    let chosen: Vec<Option<&Snapshot>> =
        now.iter().map(|taken| choose(known, &taken.snapshot, nominal, longest)).collect();
    let Some(begin) = chosen.iter().flatten().map(|snapshot| snapshot.taken_at).min() else {
        return Err(too_short(known, now, nominal));
    };
    let was_missed = |taken: &Taken| taken.started_at.is_none_or(|started| started < begin);
    let missed: Vec<Taken> = now
        .iter()
        .zip(&chosen)
        .filter(|(taken, chosen)| chosen.is_none() && was_missed(taken))
        .map(|(taken, _)| taken.clone())
        .collect();
    if !missed.is_empty() {
        return Err(too_short(known, &missed, nominal));
    }
    let of_its_process = |(taken, chosen): (&Taken, Option<&Snapshot>)| -> Option<Snapshot> {
        let seen = chosen?.clone();
        let restarted = taken.started_at.filter(|started| *started > seen.taken_at);
        Some(match restarted {
            Some(started) => Snapshot { instance: life_before(&seen.instance, started), ..seen },
            None => seen,
        })
    };
    let mut earlier: Vec<Snapshot> = now.iter().zip(chosen).filter_map(of_its_process).collect();
    let present: BTreeSet<&str> = now.iter().map(|taken| taken.snapshot.instance.as_str()).collect();
    let gone: BTreeSet<&str> = known
        .iter()
        .filter(|seen| seen.taken_at >= begin && !present.contains(seen.instance.as_str()))
        .map(|seen| seen.instance.as_str())
        .collect();
    for instance in gone {
        let of_it = known.iter().filter(|seen| seen.instance == instance);
        earlier.extend(of_it.min_by_key(|seen| (seen.taken_at - begin).abs()).cloned());
    }
    Ok(earlier)
}

/// What the process of an instance is called that ran until it was restarted.
fn life_before(instance: &str, started: DateTime<Utc>) -> String {
    format!("{instance} until {}", started.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// How much of the window there is: as much as of the instance known longest.
fn too_short(known: &[Snapshot], now: &[Taken], nominal: Duration) -> WindowFault {
    // What is too old to begin a window is no part of one that grows.
    let longest = TimeDelta::from_std(nominal * LONGEST_WINDOW).unwrap_or(TimeDelta::MAX);
    let age = |taken: &Taken| {
        let of_it = known.iter().filter(|seen| seen.instance == taken.snapshot.instance);
        of_it.map(|seen| taken.snapshot.taken_at - seen.taken_at).filter(|age| *age <= longest).max()
    };
    let actual = now.iter().filter_map(age).max().unwrap_or(TimeDelta::zero()).to_std().unwrap_or_default();
    WindowFault::TooShort { actual_ms: millis(actual), nominal_ms: millis(nominal) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NOMINAL: Duration = Duration::from_secs(30);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap()
    }

    fn seen(instance: &str, seconds: i64) -> Snapshot {
        Snapshot {
            instance: instance.into(),
            taken_at: at(seconds),
            is_openmetrics: false,
            body: "up 1\n".into(),
        }
    }

    fn now(instance: &str, started: i64) -> Taken {
        Taken { snapshot: seen(instance, 0), started_at: Some(at(started)) }
    }

    fn told(found: Result<Vec<Snapshot>, WindowFault>) -> Result<Vec<(String, i64)>, u64> {
        match found {
            Ok(earlier) => {
                let mut told: Vec<(String, i64)> = earlier
                    .into_iter()
                    .map(|seen| (seen.instance.clone(), (seen.taken_at - at(0)).num_seconds()))
                    .collect();
                told.sort();
                Ok(told)
            }
            Err(WindowFault::TooShort { actual_ms, .. }) => Err(actual_ms / 1000),
            Err(other) => panic!("{other}"),
        }
    }

    #[rstest]
    #[case::two_that_stayed(&[("a", -31), ("b", -30)], &[("a", -90), ("b", -90)], Ok(vec![("a", -31), ("b", -30)]))]
    #[case::one_came_in_the_window(&[("a", -30)], &[("a", -90), ("b", -10)], Ok(vec![("a", -30)]))]
    #[case::one_was_missed(&[("a", -30), ("b", -8)], &[("a", -90), ("b", -50)], Err(8))]
    #[case::none_is_known_for_long(&[("a", -12), ("b", -9)], &[("a", -90), ("b", -90)], Err(12))]
    #[case::nothing_is_known(&[], &[("a", -90)], Err(0))]
    #[case::what_is_known_is_too_old(&[("a", -75), ("a", -6)], &[("a", -90)], Err(6))]
    #[case::one_went_away(&[("a", -30), ("b", -30), ("b", -20)], &[("a", -90)], Ok(vec![("a", -30), ("b", -30)]))]
    #[case::one_went_away_before(&[("a", -30), ("b", -50), ("b", -34)], &[("a", -90)], Ok(vec![("a", -30)]))]
    #[case::one_came_and_went(&[("a", -30), ("b", -9), ("b", -4)], &[("a", -90)], Ok(vec![("a", -30), ("b", -9)]))]
    #[case::one_restarted_in_the_window(&[("a", -30), ("b", -30), ("b", -5)], &[("a", -90), ("b", -7)], Ok(vec![("a", -30), ("b until 1970-01-12T13:46:33.000Z", -30)]))]
    #[case::one_started_as_it_was_scraped(&[("a", -30)], &[("a", -30)], Ok(vec![("a", -30)]))]
    #[case::another_takes_the_place_of_the_only_one(&[("a", -30), ("a", -20), ("b", -6)], &[("b", -10)], Err(6))]
    fn the_earlier_end_of_a_window_is_chosen(
        #[case] known: &[(&str, i64)],
        #[case] running: &[(&str, i64)],
        #[case] expected: Result<Vec<(&str, i64)>, u64>,
    ) {
        let known: Vec<Snapshot> = known.iter().map(|(instance, seconds)| seen(instance, *seconds)).collect();
        let running: Vec<Taken> = running.iter().map(|(instance, started)| now(instance, *started)).collect();
        let expected = expected.map(|list| {
            list.into_iter().map(|(instance, seconds)| (instance.to_owned(), seconds)).collect::<Vec<_>>()
        });
        assert_eq!(told(earlier(&known, &running, NOMINAL)), expected);
    }
}
