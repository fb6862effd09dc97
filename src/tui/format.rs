//! Figures as people read them, rounded the same way everywhere.

use std::time::Duration;

use crate::domain::figure::whole;
pub use crate::domain::figure::{NO_DATA, compared, fact, millis, percent, trimmed};

/// How long something took.
#[must_use]
pub fn duration(value: Duration) -> String {
    millis(value.as_secs_f64() * 1000.0)
}

/// A duration from a manifest, in its largest whole unit: `30 s`, `5 m`.
#[must_use]
pub fn setting(value: Duration) -> String {
    let millis = value.as_millis();
    if millis == 0 {
        "0 s".to_owned()
    } else if !millis.is_multiple_of(1000) {
        format!("{millis} ms")
    } else if millis.is_multiple_of(3_600_000) {
        format!("{} h", millis / 3_600_000)
    } else if millis.is_multiple_of(60_000) {
        format!("{} m", millis / 60_000)
    } else {
        format!("{} s", millis / 1000)
    }
}

/// How old something is, in one unit: `40 s`, `3 m`, `3 h`, `2 d`.
#[must_use]
pub fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} m", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A countdown: `00:42`.
#[must_use]
pub fn countdown(seconds: i64) -> String {
    let seconds = seconds.max(0);
    if seconds >= 3600 {
        format!("{}:{:02}:{:02}", seconds / 3600, seconds % 3600 / 60, seconds % 60)
    } else {
        format!("{:02}:{:02}", seconds / 60, seconds % 60)
    }
}

/// Bytes: `900K`, `12M`, `1.2G`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    const GIB: u64 = 1024 * MIB;
    if count < KIB {
        format!("{count}B")
    } else if count < MIB {
        format!("{}K", count / KIB)
    } else if count < GIB {
        format!("{}M", (count + MIB / 2) / MIB)
    } else {
        format!("{}G", trimmed(real(count) / real(GIB), 1))
    }
}

/// Requests per second: `152.3/s`, `1.2k/s`.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if per_second < 999.95 {
        format!("{}/s", trimmed(per_second, 1))
    } else {
        format!("{}k/s", trimmed(per_second / 1000.0, 1))
    }
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "counts on screen stay far below 2^53")]
#[must_use]
pub const fn real(count: u64) -> f64 {
    count as f64
}

/// The nearest whole figure as an index.
#[must_use]
pub fn index(value: f64) -> usize {
    usize::try_from(whole(value)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(12 * 1024 * 1024, "12M")]
    #[case(1_288_490_189, "1.2G")]
    #[case(900, "900B")]
    fn bytes_are_short(#[case] count: u64, #[case] expected: &str) {
        assert_eq!(bytes(count), expected);
    }

    #[rstest]
    #[case(Duration::from_secs(30), "30 s")]
    #[case(Duration::from_mins(5), "5 m")]
    #[case(Duration::from_millis(500), "500 ms")]
    fn settings_keep_their_unit(#[case] value: Duration, #[case] expected: &str) {
        assert_eq!(setting(value), expected);
    }
}
