//! The log of requests that a slot was given and did not answer. Both proxies
//! write it, a line for each:
//! `1764061167.123 | 502 | swiftdeploy_green | 172.18.0.3:3000 | GET / HTTP/1.1`
//! with seconds since 1970, the status that the client got, the slot, where it
//! was tried, and the request.
//!
//! Invariant: a line in the time asked about that cannot be read, and a log of
//! which too little is read, make the count unknown, never smaller.

use chrono::{DateTime, Utc};

use crate::domain::Slot;

/// What the slots are called in the log, as in the generated configuration.
const UPSTREAM: &str = "swiftdeploy_";

/// A line of the log, with its end.
pub fn line(at: DateTime<Utc>, status: u16, slot: Slot, tried: &str, request: &str) -> String {
    let (seconds, millis) = (at.timestamp(), at.timestamp_subsec_millis());
    format!("{seconds}.{millis:03} | {status} | {UPSTREAM}{slot} | {tried} | {request}\n")
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

/// In the place of a slot: nobody knows which.
const LOST: &str = "lost";

/// The longest request in a line of the log of unanswered requests, in bytes:
/// long addresses must not fill it.
pub const LONGEST_REQUEST: usize = 2048;

/// How many requests of a slot stand in the log since a moment. `is_whole`
/// tells whether nothing was written before the first line; otherwise that may
/// be half of one and is left out, and what follows must reach back beyond the
/// moment.
///
/// # Errors
/// The line that cannot be read, since the moment asked about; or that the log
/// goes on before the part that was read.
pub fn count(log: &str, is_whole: bool, slot: Slot, since: DateTime<Utc>) -> Result<u64, String> {
    let begin = if is_whole { 0 } else { log.find('\n').map_or(log.len(), |end| end + 1) };
    // What has no line end yet is being written at this moment.
    let end = log.rfind('\n').map_or(begin, |end| end.max(begin));
    let wanted = format!("{UPSTREAM}{slot}");
    let mut found = 0;
    // The newest are at the end: what is older is not even looked at.
    for line in log[begin..end].lines().rev() {
        let Some((at, upstream)) = fields(line) else {
            return Err(format!("the line {:?} cannot be read", line.chars().take(120).collect::<String>()));
        };
        // Lines of several writers may stand in another order by a little.
        if at < since - ORDER {
            return Ok(found);
        }
        if at >= since && upstream == LOST {
            return Err(line.rsplit(" | ").next().unwrap_or_default().to_owned());
        }
        found += u64::from(at >= since && upstream == wanted);
    }
    if is_whole {
        return Ok(found);
    }
    Err(format!("too many lines for one look: the part that was read begins after {since}"))
}

/// How far lines may stand out of order: every worker writes its own.
pub const ORDER: chrono::TimeDelta = chrono::TimeDelta::seconds(5);

fn fields(line: &str) -> Option<(DateTime<Utc>, &str)> {
    let mut parts = line.splitn(4, " | ");
    let (seconds, millis) = parts.next()?.split_once('.')?;
    let millis = seconds.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(millis.parse().ok()?)?;
    let upstream = parts.nth(1)?;
    Some((DateTime::from_timestamp_millis(millis)?, upstream))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_764_061_000 + seconds, 0).unwrap()
    }

    fn log(entries: &[(i64, Slot)]) -> String {
        let lines = entries.iter().map(|(seconds, slot)| {
            line(at(*seconds), 502, *slot, "172.18.0.3:3000", "GET /a|b | c HTTP/1.1")
        });
        lines.collect()
    }

    #[test]
    fn a_line_reads_as_nginx_writes_it() {
        let moment = at(0) + chrono::TimeDelta::milliseconds(7);
        let written = line(moment, 502, Slot::Green, "172.18.0.3:3000", "GET / HTTP/1.1");
        assert_eq!(written, "1764061000.007 | 502 | swiftdeploy_green | 172.18.0.3:3000 | GET / HTTP/1.1\n");
        assert_eq!(count(&written, true, Slot::Green, moment), Ok(1));
        assert_eq!(count(&written, true, Slot::Green, moment + chrono::TimeDelta::milliseconds(1)), Ok(0));
    }

    #[rstest]
    #[case::nothing_failed(&[], 0)]
    #[case::of_this_slot_alone(&[(1, Slot::Blue), (2, Slot::Green), (3, Slot::Green)], 2)]
    #[case::since_the_moment(&[(-9, Slot::Green), (-1, Slot::Green), (0, Slot::Green)], 1)]
    #[case::in_whatever_order(&[(1, Slot::Green), (-2, Slot::Green), (2, Slot::Green)], 2)]
    fn requests_are_counted(#[case] entries: &[(i64, Slot)], #[case] expected: u64) {
        assert_eq!(count(&log(entries), true, Slot::Green, at(0)), Ok(expected));
    }

    #[test]
    fn the_ends_of_a_part_of_the_log_are_left_out() {
        let whole = log(&[(1, Slot::Green), (2, Slot::Green), (3, Slot::Green)]);
        assert_eq!(count(&whole[10..], false, Slot::Green, at(8)), Ok(0));
        assert_eq!(count(&whole[..whole.len() - 5], true, Slot::Green, at(0)), Ok(2));
        assert_eq!(count("half a line", true, Slot::Green, at(0)), Ok(0));
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
        let counted = count(&whole[10..], false, Slot::Green, at(0));
        assert_eq!(counted.as_ref().ok(), expected.as_ref());
        assert!(expected.is_some() || counted.unwrap_err().contains("too many lines"));
        assert!(count(&whole, true, Slot::Green, at(0)).is_ok());
    }

    #[test]
    fn a_line_that_cannot_be_read_makes_the_count_unknown() {
        let spoilt = |line: &str| format!("{}{line}\n{}", log(&[(1, Slot::Green)]), log(&[(2, Slot::Green)]));
        for line in ["7 lines are missing here", "x.1 | 502 | swiftdeploy_green | a | b", "1.0 | 502"] {
            let reason = count(&spoilt(line), true, Slot::Green, at(0)).unwrap_err();
            assert!(reason.contains(line), "{reason}");
        }
        let lost = log(&[(1, Slot::Green)]) + &gap(at(2), 7);
        let reason = count(&lost, true, Slot::Green, at(0)).unwrap_err();
        assert_eq!(reason, "7 lines are missing here: the disk was too slow, or full");
        assert_eq!(count(&lost, true, Slot::Green, at(3)), Ok(0));
        // Long ago it does no harm.
        let old = format!("rubbish\n{}", log(&[(-20, Slot::Green), (1, Slot::Green)]));
        assert_eq!(count(&old, true, Slot::Green, at(0)), Ok(1));
    }
}
