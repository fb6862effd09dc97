//! The log of requests that a slot was given and did not answer as it should:
//! not at all, not to the end, or with an error of its own.
//! Both proxies write it, a line for each:
//! `1764061167.123 | 502 unanswered 0.004 | swiftdeploy_green | 172.18.0.3:3000 | GET / HTTP/1.1`
//! with seconds since 1970, the status that the client got, what went wrong, how
//! long each try took, the slot, where it was tried, and the request.
//!
//! Invariant: a line in the time asked about that cannot be read, and a log of
//! which too little is read, make the count unknown, never smaller.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::unanswered::{Unanswered, in_three_digits};
use crate::domain::Slot;

/// What the slots are called in the log, as in the generated configuration.
pub const UPSTREAM: &str = "swiftdeploy_";

/// What went wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// No answer began.
    Unanswered,
    /// The answer began and broke off.
    Broken,
    /// The client gave up before an answer began.
    Abandoned,
    /// The answer says that the slot failed: 500 to 599.
    Error,
}

impl Failing {
    const fn word(self) -> &'static str {
        match self {
            Self::Unanswered => "unanswered",
            Self::Broken => "broken",
            Self::Abandoned => "abandoned",
            Self::Error => "error",
        }
    }
}

/// A line of the log, with its end.
pub fn line(
    at: DateTime<Utc>,
    (status, failing, waited): (u16, Failing, Duration),
    slot: Slot,
    tried: &str,
    request: &str,
) -> String {
    let (seconds, millis) = (at.timestamp(), at.timestamp_subsec_millis());
    let (word, waited) = (failing.word(), waited.as_secs_f64());
    format!("{seconds}.{millis:03} | {status} {word} {waited:.3} | {UPSTREAM}{slot} | {tried} | {request}\n")
}

/// Stands in the log where lines could not be written.
pub fn gap(at: DateTime<Utc>, lines: u64) -> String {
    lost(at, &format!("{lines} lines are missing here: the disk was too slow, or full"))
}

/// Stands in the log where a proxy was ended before it had written what it knew.
pub fn cut_off(at: DateTime<Utc>) -> String {
    lost(at, "lines may be missing here: the proxy was ended before it could write its last ones")
}

fn lost(at: DateTime<Utc>, why: &str) -> String {
    let (seconds, millis) = (at.timestamp(), at.timestamp_subsec_millis());
    format!("{seconds}.{millis:03} | - | {LOST} | - | {why}\n")
}

/// What a client gets when the proxy has waited as long as it waits.
const TIMED_OUT: u16 = 504;

/// In the place of a slot: nobody knows which.
const LOST: &str = "lost";

/// The longest request in a line of the log of unanswered requests, in bytes:
/// long addresses must not fill it.
pub const LONGEST_REQUEST: usize = 2048;

/// What stands in the log about a slot since a moment.
///
/// # Errors
/// As [`each_since`].
pub fn count(log: &str, is_whole: bool, slot: Slot, since: DateTime<Utc>) -> Result<Unanswered, String> {
    let of_slot = format!("{UPSTREAM}{slot}");
    let mut found = Unanswered::default();
    each_since(log, is_whole, since, fields, |line, Fields { what, upstream }| {
        if upstream == LOST {
            return Err(line.rsplit(" | ").next().unwrap_or_default().to_owned());
        }
        let Some((status, failing, waited)) = outcome(what) else { return Err(unreadable(line)) };
        match failing {
            _ if upstream != of_slot => {}
            Failing::Unanswered => {
                found.failed += 1;
                found.timed_out += u64::from(status == TIMED_OUT);
            }
            Failing::Error => found.errors += 1,
            Failing::Broken => found.broken += 1,
            Failing::Abandoned => *found.abandoned.entry(in_three_digits(waited)).or_default() += 1,
        }
        Ok(())
    })?;
    Ok(found)
}

/// Goes through the lines of a log since a moment, the newest first. `is_whole`
/// tells whether nothing was written before the first line; otherwise that may
/// be half of one and is left out, and what follows must reach back beyond the
/// moment.
///
/// # Errors
/// The line that cannot be read, since the moment asked about; or that the log
/// goes on before the part that was read.
pub fn each_since<'a, T>(
    log: &'a str,
    is_whole: bool,
    since: DateTime<Utc>,
    read: impl Fn(&'a str) -> Option<(DateTime<Utc>, T)>,
    mut take: impl FnMut(&'a str, T) -> Result<(), String>,
) -> Result<(), String> {
    let begin = if is_whole { 0 } else { log.find('\n').map_or(log.len(), |end| end + 1) };
    // What has no line end yet is being written at this moment.
    let end = log.rfind('\n').map_or(begin, |end| end.max(begin));
    // The newest are at the end: what is older is not even looked at.
    for line in log[begin..end].lines().rev() {
        let Some((at, line_read)) = read(line) else { return Err(unreadable(line)) };
        // Lines of several writers may stand in another order by a little.
        if at < since - ORDER {
            return Ok(());
        }
        if at >= since {
            take(line, line_read)?;
        }
    }
    if is_whole {
        return Ok(());
    }
    Err(format!("too many lines for one look: the part that was read begins after {since}"))
}

fn unreadable(line: &str) -> String {
    format!("the line {:?} cannot be read", line.chars().take(120).collect::<String>())
}

/// How far lines may stand out of order: every worker writes its own.
pub const ORDER: chrono::TimeDelta = chrono::TimeDelta::seconds(5);

struct Fields<'a> {
    what: &'a str,
    upstream: &'a str,
}

fn fields(line: &str) -> Option<(DateTime<Utc>, Fields<'_>)> {
    let mut parts = line.splitn(4, " | ");
    let (seconds, millis) = parts.next()?.split_once('.')?;
    let millis = seconds.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(millis.parse().ok()?)?;
    let (what, upstream) = (parts.next()?, parts.next()?);
    Some((DateTime::from_timestamp_millis(millis)?, Fields { what, upstream }))
}

/// The status, what went wrong, and how long the request waited over all its
/// tries, which nginx tells as `0.004, 1.003` or `0.004 : 1.003`, with `-` for none. A
/// status alone is a line of an older configuration: a request without answer.
fn outcome(what: &str) -> Option<(u16, Failing, Duration)> {
    let mut words = what.split([' ', ',', ':']).filter(|word| !word.is_empty());
    let status = words.next()?.parse().ok()?;
    let failing = match words.next() {
        None | Some("unanswered") => Failing::Unanswered,
        Some("broken") => Failing::Broken,
        Some("abandoned") => Failing::Abandoned,
        Some("error") => Failing::Error,
        Some(_) => return None,
    };
    let waited = words.filter(|word| *word != "-").try_fold(Duration::ZERO, |waited, word| {
        waited.checked_add(Duration::try_from_secs_f64(word.parse().ok()?).ok()?)
    })?;
    Some((status, failing, waited))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    const REFUSED: (u16, Failing, Duration) = (502, Failing::Unanswered, Duration::from_millis(4));

    /// The number of those without any answer, where that is all there is.
    fn failed(log: &str, is_whole: bool, slot: Slot, since: DateTime<Utc>) -> Result<u64, String> {
        let found = count(log, is_whole, slot, since)?;
        assert_eq!(found, Unanswered { failed: found.failed, ..Unanswered::default() });
        Ok(found.failed)
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_764_061_000 + seconds, 0).unwrap()
    }

    fn log(entries: &[(i64, Slot)]) -> String {
        let lines = entries.iter().map(|(seconds, slot)| {
            line(at(*seconds), REFUSED, *slot, "172.18.0.3:3000", "GET /a|b | c HTTP/1.1")
        });
        lines.collect()
    }

    #[test]
    fn a_line_reads_as_nginx_writes_it() {
        let moment = at(0) + chrono::TimeDelta::milliseconds(7);
        let written = line(moment, REFUSED, Slot::Green, "172.18.0.3:3000", "GET / HTTP/1.1");
        let expected =
            "1764061000.007 | 502 unanswered 0.004 | swiftdeploy_green | 172.18.0.3:3000 | GET / HTTP/1.1\n";
        assert_eq!(written, expected);
        assert_eq!(failed(&written, true, Slot::Green, moment), Ok(1));
        assert_eq!(failed(&written, true, Slot::Green, moment + chrono::TimeDelta::milliseconds(1)), Ok(0));
    }

    #[rstest]
    #[case::nothing_failed(&[], 0)]
    #[case::of_this_slot_alone(&[(1, Slot::Blue), (2, Slot::Green), (3, Slot::Green)], 2)]
    #[case::since_the_moment(&[(-9, Slot::Green), (-1, Slot::Green), (0, Slot::Green)], 1)]
    #[case::in_whatever_order(&[(1, Slot::Green), (-2, Slot::Green), (2, Slot::Green)], 2)]
    fn requests_are_counted(#[case] entries: &[(i64, Slot)], #[case] expected: u64) {
        assert_eq!(failed(&log(entries), true, Slot::Green, at(0)), Ok(expected));
    }

    #[test]
    fn the_ends_of_a_part_of_the_log_are_left_out() {
        let whole = log(&[(1, Slot::Green), (2, Slot::Green), (3, Slot::Green)]);
        assert_eq!(failed(&whole[10..], false, Slot::Green, at(8)), Ok(0));
        assert_eq!(failed(&whole[..whole.len() - 5], true, Slot::Green, at(0)), Ok(2));
        assert_eq!(failed("half a line", true, Slot::Green, at(0)), Ok(0));
    }

    #[rstest]
    #[case::nothing_is_older(&[(-9, Slot::Green), (1, Slot::Green)], None)]
    #[case::one_is_but_not_by_enough(&[(-9, Slot::Green), (-4, Slot::Green), (1, Slot::Green)], None)]
    #[case::one_is_older(&[(-9, Slot::Green), (-6, Slot::Green), (1, Slot::Green)], Some(1))]
    #[case::there_is_but_half_a_line(&[(-9, Slot::Green)], None)]
    fn a_part_must_reach_back_beyond_the_moment(
        #[case] entries: &[(i64, Slot)],
        #[case] expected: Option<u64>,
    ) {
        let whole = log(entries);
        let counted = failed(&whole[10..], false, Slot::Green, at(0));
        assert_eq!(counted.as_ref().ok(), expected.as_ref());
        assert!(expected.is_some() || counted.unwrap_err().contains("too many lines"));
        assert!(failed(&whole, true, Slot::Green, at(0)).is_ok());
    }

    #[test]
    fn a_line_that_cannot_be_read_makes_the_count_unknown() {
        let spoilt = |line: &str| format!("{}{line}\n{}", log(&[(1, Slot::Green)]), log(&[(2, Slot::Green)]));
        for line in ["7 lines are missing here", "x.1 | 502 | swiftdeploy_green | a | b", "1.0 | 502"] {
            let reason = failed(&spoilt(line), true, Slot::Green, at(0)).unwrap_err();
            assert!(reason.contains(line), "{reason}");
        }
        let lost = log(&[(1, Slot::Green)]) + &gap(at(2), 7);
        let reason = failed(&lost, true, Slot::Green, at(0)).unwrap_err();
        assert_eq!(reason, "7 lines are missing here: the disk was too slow, or full");
        assert_eq!(failed(&lost, true, Slot::Green, at(3)), Ok(0));
        // Long ago it does no harm.
        let old = format!("rubbish\n{}", log(&[(-20, Slot::Green), (1, Slot::Green)]));
        assert_eq!(failed(&old, true, Slot::Green, at(0)), Ok(1));
    }

    fn none() -> Unanswered {
        Unanswered::default()
    }

    fn gave_up(waited: u64) -> Unanswered {
        Unanswered { abandoned: [(waited, 1)].into(), ..none() }
    }

    #[rstest]
    #[case::nothing_began("502 unanswered 0.001", Some(Unanswered { failed: 1, ..none() }))]
    #[case::in_an_older_configuration("502", Some(Unanswered { failed: 1, ..none() }))]
    #[case::another_took_over("200 unanswered 0.000, 0.004", Some(Unanswered { failed: 1, ..none() }))]
    #[case::it_timed_out("504 unanswered 30.001", Some(Unanswered { failed: 1, timed_out: 1, ..none() }))]
    #[case::it_says_that_it_failed("503 error 0.004", Some(Unanswered { errors: 1, ..none() }))]
    #[case::it_says_that_it_timed_out("504 error 0.004", Some(Unanswered { errors: 1, ..none() }))]
    #[case::it_broke_off("200 broken 0.101", Some(Unanswered { broken: 1, ..none() }))]
    #[case::it_was_given_up("499 abandoned 0.507", Some(gave_up(507)))]
    #[case::after_seconds_three_digits_are_kept("499 abandoned 12.999", Some(gave_up(12_900)))]
    #[case::at_once("499 abandoned 0.000", Some(gave_up(0)))]
    #[case::the_second_try("499 abandoned 0.004, 1.003", Some(gave_up(1000)))]
    #[case::without_a_time("499 abandoned - : 0.250", Some(gave_up(250)))]
    #[case::of_no_such_kind("200 strange 0.001", None)]
    #[case::without_a_status("abandoned 0.001", None)]
    #[case::with_half_a_time("499 abandoned 0.x", None)]
    #[case::with_a_time_before_it("499 abandoned -1", None)]
    fn each_kind_is_told_apart(#[case] what: &str, #[case] expected: Option<Unanswered>) {
        let log = format!("1764061001.000 | {what} | swiftdeploy_green | a:1, b:2 | GET / HTTP/1.1\n");
        let found = count(&log, true, Slot::Green, at(0));
        assert_eq!(found.as_ref().ok(), expected.as_ref(), "{found:?}");
        if expected.is_some() {
            assert_eq!(count(&log, true, Slot::Blue, at(0)), Ok(none()));
        }
    }

    #[test]
    fn those_that_waited_as_long_are_one_figure() {
        let gave_up = |millis| {
            let what = (499, Failing::Abandoned, Duration::from_millis(millis));
            line(at(1), what, Slot::Green, "-", "GET / HTTP/1.1")
        };
        let log: String = [1000, 1003, 1009, 1010, 501].map(gave_up).concat();
        let mut found = count(&log, true, Slot::Green, at(0)).unwrap();
        assert_eq!(found.abandoned, BTreeMap::from([(501, 1), (1000, 3), (1010, 1)]));
        found += count(&log, true, Slot::Green, at(0)).unwrap();
        assert_eq!(found.abandoned, BTreeMap::from([(501, 2), (1000, 6), (1010, 2)]));
    }
}
