//! Values and timestamps.

use super::cursor::{Reason, excerpt};

/// A sample's value: decimal, `NaN` or an infinity in any of the spellings
/// that Prometheus reads. Also used for `le`.
pub(in super::super) fn value(word: &str) -> Result<f64, Reason> {
    if word.is_empty() {
        return Err("no value".to_owned());
    }
    let not_a_number = || format!("value {} is not a number", excerpt(word));
    if word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E')) {
        let number: f64 = word.parse().map_err(|_| not_a_number())?;
        if number.is_infinite() {
            return Err(format!("value {} is out of range", excerpt(word)));
        }
        return Ok(number);
    }
    if word.eq_ignore_ascii_case("nan") {
        return Ok(f64::NAN);
    }
    let (sign, magnitude) = match word.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, word.strip_prefix('+').unwrap_or(word)),
    };
    if magnitude.eq_ignore_ascii_case("inf") || magnitude.eq_ignore_ascii_case("infinity") {
        return Ok(sign * f64::INFINITY);
    }
    Err(not_a_number())
}

/// A timestamp of text 0.0.4, in milliseconds.
pub(super) fn millis(word: &str) -> Result<i64, Reason> {
    word.parse().map_err(|_| format!("timestamp {} is not a whole number of milliseconds", excerpt(word)))
}

/// A timestamp of OpenMetrics, in seconds.
pub(super) fn seconds(word: &str) -> Result<f64, Reason> {
    value(word)
        .ok()
        .filter(|seconds| seconds.is_finite())
        .ok_or_else(|| format!("timestamp {} is not a number of seconds", excerpt(word)))
}
