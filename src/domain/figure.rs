//! Figures as people read them, rounded the same way in the app, the commands and
//! the history's words. Machines get them exact.

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

/// An observed value or a limit of a policy. Rates between 0 and 1 are read as
/// percents; anything that is no figure is shown as it is.
#[must_use]
pub fn fact(name: &str, value: &Value, unit: &str) -> String {
    match value {
        Value::Null => NO_DATA.to_owned(),
        Value::Number(number) => {
            let Some(figure) = number.as_f64() else { return number.to_string() };
            match unit {
                "" | "ratio" if is_share(name, figure) => percent(figure),
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

/// An observed value beside its limit. Where rounding would make the two look the
/// same and they are not, both are exact: a figure that is called too large must not
/// be printed as its limit.
#[must_use]
pub fn compared(name: &str, observed: &Value, limit: &Value, unit: &str) -> (String, String) {
    let rounded = (fact(name, observed, unit), fact(name, limit, unit));
    let is_same = observed == limit || observed.as_f64() == limit.as_f64();
    if is_same || rounded.0 != rounded.1 {
        return rounded;
    }
    let exact = |value: &Value| match value.as_f64() {
        Some(figure) if unit.is_empty() && is_share(name, figure) => {
            format!("{} %", trimmed(figure * 100.0, 9))
        }
        _ if unit.is_empty() => value.to_string(),
        _ => format!("{value} {unit}"),
    };
    (exact(observed), exact(limit))
}

/// Whether a figure is a part of a whole: an error rate is, requests per second are not.
fn is_share(name: &str, figure: f64) -> bool {
    name.ends_with("_rate") && name != "request_rate" && (0.0..=1.0).contains(&figure)
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
    #[case("error_rate", json!(5), "", "5")]
    #[case("request_rate", json!(15.625), "", "15.62")]
    #[case("request_rate", json!(0.5), "", "0.5")]
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
    #[case("disk_free_gb", json!(67.746_123), json!(10), "GB", ("67.75 GB", "10 GB"))]
    #[case("error_rate", json!(0.52), json!(0.01), "", ("52 %", "1 %"))]
    #[case::equal("cpu_load", json!(2), json!(2.0), "", ("2", "2"))]
    #[case::just_below("disk_free_gb", json!(9.999), json!(10), "GB", ("9.999 GB", "10 GB"))]
    #[case::just_above("error_rate", json!(0.010_04), json!(0.01), "", ("1.004 %", "1 %"))]
    #[case::unknown("error_rate", json!(null), json!(0.01), "", ("no data", "1 %"))]
    fn what_is_not_at_its_limit_does_not_look_so(
        #[case] name: &str,
        #[case] observed: Value,
        #[case] limit: Value,
        #[case] unit: &str,
        #[case] expected: (&str, &str),
    ) {
        let (observed, limit) = compared(name, &observed, &limit, unit);
        assert_eq!((observed.as_str(), limit.as_str()), expected);
    }
}
