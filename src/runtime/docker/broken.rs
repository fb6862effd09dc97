//! Answers that broke off after their head, from nginx' error log.
//!
//! Nothing else tells of all of them: of an answer in pieces (chunked) that ends
//! too early, a line of the access log says the same as of a complete one. What
//! nginx says in its error log was held to the real one, 1.22 and 1.28: one line
//! at level `error` for each answer that broke off while its client was there,
//! and none where the client went away, which is `info`.
//!
//! Invariant: what cannot be read is an error, never fewer.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::domain::Slot;
use crate::runtime::failures::{UPSTREAM, each_since};

/// Its name: a log of errors only, and of all of them.
pub const LOG: &str = "broken.log";

/// The name of the server where more than one slot is served: an answer that
/// broke off may be of either, and counts for the one that is asked about.
const ANY: &str = "swiftdeploy_slots";

/// What nginx is doing while an answer is on its way. Before its head it says
/// `while reading response header from upstream`; those are in the other log.
const ON_THE_WAY: [&str; 2] = [" while reading upstream", " while sending to client"];

/// Zones differ by quarters of an hour.
const ZONE_STEP: i64 = 15 * 60;

/// How many answers of a slot broke off since a moment. `written` is when the
/// log was written to last: its lines have the time of a zone that they do not
/// name, and no more than seconds.
///
/// # Errors
/// The line that cannot be read, or that the log goes on before the part that
/// was read.
pub fn count(
    log: &str,
    is_whole: bool,
    slot: Slot,
    since: DateTime<Utc>,
    written: DateTime<Utc>,
) -> Result<u64, String> {
    let zone = zone(log, written);
    let of_slot = format!("{UPSTREAM}{slot}");
    let mut found = 0;
    let read = |line| entry(line).map(|(local, rest)| (local.and_utc() - zone, rest));
    // The second in which the moment lies counts in full.
    let since = DateTime::from_timestamp(since.timestamp(), 0).unwrap_or(since);
    each_since(log, is_whole, since, read, |_, rest| {
        found += u64::from(broke(rest).is_some_and(|server| server == of_slot || server == ANY));
        Ok(())
    })?;
    Ok(found)
}

/// How far the clock of the lines is ahead, by the last of them.
fn zone(log: &str, written: DateTime<Utc>) -> TimeDelta {
    let end = log.rfind('\n').unwrap_or(0);
    let Some((last, _)) = log[..end].lines().next_back().and_then(entry) else { return TimeDelta::zero() };
    let ahead = (last.and_utc() - written).num_seconds();
    TimeDelta::seconds((ahead + ZONE_STEP / 2).div_euclid(ZONE_STEP) * ZONE_STEP)
}

/// The time of a line, and what follows: `[error] 29#29: *12 ...`.
fn entry(line: &str) -> Option<(NaiveDateTime, &str)> {
    let (time, rest) = line.split_at_checked("2025/11/25 16:36:43".len())?;
    let time = NaiveDateTime::parse_from_str(time, "%Y/%m/%d %H:%M:%S").ok()?;
    Some((time, rest.strip_prefix(" [")?))
}

/// The server whose answer broke off, where a line tells of one. What a client
/// sent stands behind `, client: `, so it can forge nothing before it.
fn broke(rest: &str) -> Option<&str> {
    let (level, rest) = rest.split_once("] ")?;
    let (message, rest) = rest.split_once(", client: ")?;
    let is_meant = ["error", "crit", "alert"].contains(&level)
        && ON_THE_WAY.iter().any(|doing| message.ends_with(doing));
    let (_, rest) = rest.split_once(", server: ").filter(|_| is_meant)?;
    rest.split_once(", ").map(|(server, _)| server)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_764_088_600 + seconds, 0).unwrap()
    }

    /// In the words of nginx, by a clock that is `ahead` hours ahead.
    fn line(seconds: i64, ahead: i64, message: &str, server: &str) -> String {
        let time = (at(seconds) + TimeDelta::hours(ahead)).format("%Y/%m/%d %H:%M:%S");
        let client = "client: 172.18.0.1, server:";
        let request = r#"request: "GET /a HTTP/1.1", upstream: "http://172.18.0.3:3000/a", host: "shop""#;
        format!("{time} [error] 29#29: *9 {message}, {client} {server}, {request}\n")
    }

    const CUT: &str = "upstream prematurely closed connection while reading upstream";

    #[rstest]
    #[case::closed(CUT, 1)]
    #[case::closed_at_once("upstream prematurely closed connection while sending to client", 1)]
    #[case::reset("recv() failed (104: Connection reset by peer) while reading upstream", 1)]
    #[case::no_pieces("upstream sent invalid chunked response while reading upstream", 1)]
    #[case::silent("upstream timed out (110: Connection timed out) while reading upstream", 1)]
    #[case::no_head("upstream prematurely closed connection while reading response header from upstream", 0)]
    #[case::refused("connect() failed (111: Connection refused) while connecting to upstream", 0)]
    #[case::a_tunnel("recv() failed (104: Connection reset by peer) while proxying upgraded connection", 0)]
    fn what_nginx_says_is_understood(#[case] message: &str, #[case] expected: u64) {
        let log = line(1, 0, message, "swiftdeploy_green");
        assert_eq!(count(&log, true, Slot::Green, at(0), at(1)), Ok(expected));
    }

    #[test]
    fn it_counts_for_its_slot_or_for_any_where_two_serve() {
        let log = line(1, 0, CUT, "swiftdeploy_blue") + &line(2, 0, CUT, "swiftdeploy_slots");
        assert_eq!(count(&log, true, Slot::Green, at(0), at(2)), Ok(1));
        assert_eq!(count(&log, true, Slot::Blue, at(0), at(2)), Ok(2));
        assert_eq!(count(&log, true, Slot::Blue, at(2), at(2)), Ok(1));
    }

    #[test]
    fn other_lines_and_what_a_client_sends_are_no_answers_that_broke() {
        let warning = line(1, 0, CUT, "swiftdeploy_green").replace("[error]", "[warn]");
        let forged = line(1, 0, "connect() failed while connecting to upstream", "swiftdeploy_green")
            .replace("/a HTTP", "/ while reading upstream, client: 1, server: swiftdeploy_green, HTTP");
        let own = format!("{} [emerg] 1#1: host not found\n", at(1).format("%Y/%m/%d %H:%M:%S"));
        assert_eq!(count(&(warning + &forged + &own), true, Slot::Green, at(0), at(1)), Ok(0));
    }

    #[rstest]
    fn the_zone_is_known_by_when_the_log_was_written(#[values(-10, 0, 5)] ahead: i64) {
        let log = line(1, ahead, CUT, "swiftdeploy_green") + &line(30, ahead, CUT, "swiftdeploy_green");
        for written in [at(28), at(31), at(90)] {
            assert_eq!(count(&log, true, Slot::Green, at(20), written), Ok(1));
            assert_eq!(count(&log, true, Slot::Green, at(0), written), Ok(2));
        }
    }

    #[test]
    fn the_second_of_the_moment_counts_in_full() {
        let log = line(1, 0, CUT, "swiftdeploy_green");
        let within = at(1) + TimeDelta::milliseconds(900);
        assert_eq!(count(&log, true, Slot::Green, within, at(1)), Ok(1));
        assert_eq!(count(&log, true, Slot::Green, at(2), at(1)), Ok(0));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_so_is_too_little() {
        let log = format!("rubbish\n{}", line(1, 0, CUT, "swiftdeploy_green"));
        let reason = count(&log, true, Slot::Green, at(0), at(1)).unwrap_err();
        assert!(reason.contains("\"rubbish\" cannot be read"), "{reason}");
        let reason = count(&log, false, Slot::Green, at(0), at(1)).unwrap_err();
        assert!(reason.contains("too many lines"), "{reason}");
        assert_eq!(count("", true, Slot::Green, at(0), at(1)), Ok(0));
        assert_eq!(count("half a li", true, Slot::Green, at(0), at(1)), Ok(0));
    }
}
