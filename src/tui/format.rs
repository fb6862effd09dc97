//! Figures as people read them, rounded the same way everywhere.

use std::time::Duration;

use serde_json::Value;

/// What is shown where there is no figure. Never a zero.
pub const NO_DATA: &str = "no data";

/// `0.52` as `52 %`: whole percents from ten on, one decimal below.
#[must_use]
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.01 {
        return "<0.01 %".to_owned();
    }
    let decimals = if percent.abs() >= 9.95 {
        0
    } else if percent.abs() >= 0.995 {
        1
    } else {
        2
    };
    format!("{} %", trimmed(percent, decimals))
}

/// A figure with at most so many decimals and without trailing zeros.
#[must_use]
pub fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Milliseconds: `0.8 ms`, `430 ms`, `1.2 s`, `2 m 05 s`.
#[must_use]
pub fn millis(ms: f64) -> String {
    if ms < 9.95 {
        format!("{} ms", trimmed(ms, 1))
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if ms < 9_950.0 {
        format!("{:.1} s", ms / 1000.0)
    } else if ms < 59_500.0 {
        format!("{:.0} s", ms / 1000.0)
    } else {
        let seconds = whole(ms / 1000.0);
        if seconds < 3600 {
            format!("{} m {:02} s", seconds / 60, seconds % 60)
        } else {
            format!("{} h {:02} m", seconds / 3600, seconds % 3600 / 60)
        }
    }
}

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

/// An observed value or a limit of a policy. Rates between 0 and 1 are read as
/// percents; anything that is no figure is shown as it is.
#[must_use]
pub fn fact(name: &str, value: &Value, unit: &str) -> String {
    match value {
        Value::Null => NO_DATA.to_owned(),
        Value::Number(number) => {
            let Some(figure) = number.as_f64() else { return number.to_string() };
            match unit {
                "" | "ratio" if name.ends_with("_rate") => percent(figure),
                "%" => format!("{} %", trimmed(figure, 2)),
                "ms" => millis(figure),
                "" | "ratio" => trimmed(figure, 2),
                unit => format!("{} {unit}", trimmed(figure, 2)),
            }
        }
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "counts on screen stay far below 2^53")]
#[must_use]
pub const fn real(count: u64) -> f64 {
    count as f64
}

/// The nearest whole figure; negative ones and NaN are 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer cast saturates, which is what a screen needs"
)]
#[must_use]
pub const fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// The nearest whole figure as an index.
#[must_use]
pub fn index(value: f64) -> usize {
    usize::try_from(whole(value)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(0.0, "0 %")]
    #[case(0.52, "52 %")]
    #[case(0.01, "1 %")]
    #[case(0.0126, "1.3 %")]
    #[case(0.0025, "0.25 %")]
    #[case(0.099_96, "10 %")]
    #[case(0.000_001, "<0.01 %")]
    #[case(1.0, "100 %")]
    fn shares_are_percents(#[case] share: f64, #[case] expected: &str) {
        assert_eq!(percent(share), expected);
    }

    #[rstest]
    #[case(0.84, "0.8 ms")]
    #[case(9.96, "10 ms")]
    #[case(430.2, "430 ms")]
    #[case(999.6, "1.0 s")]
    #[case(1234.0, "1.2 s")]
    #[case(9960.0, "10 s")]
    #[case(59_600.0, "1 m 00 s")]
    #[case(125_000.0, "2 m 05 s")]
    #[case(7_500_000.0, "2 h 05 m")]
    fn milliseconds_take_the_unit_that_fits(#[case] ms: f64, #[case] expected: &str) {
        assert_eq!(millis(ms), expected);
    }

    #[rstest]
    #[case("error_rate", json!(0.52), "", "52 %")]
    #[case("p99_latency_ms", json!(500), "ms", "500 ms")]
    #[case("disk_free_gb", json!(80.126), "GB", "80.13 GB")]
    #[case("cpu_load", json!(2.0), "", "2")]
    #[case("cpu_load", json!(null), "", "no data")]
    #[case("branch", json!("main"), "", "main")]
    fn facts_read_like_the_rest_of_the_screen(
        #[case] name: &str,
        #[case] value: Value,
        #[case] unit: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(fact(name, &value, unit), expected);
    }

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
