//! Values with a unit: durations, memory, processors.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::super::problem::Complaint;
use super::super::scalar::{Scalar, Value};
use super::quoted;

/// A duration of `MIN` to `MAX` milliseconds, written `30s`, `5m`, `500ms`,
/// `1h`, `1m30s`; a bare number counts seconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Scalar")]
pub(in super::super) struct Time<const MIN: u32, const MAX: u32>(pub(in super::super) Duration);

const TIME: &str = "^([0-9]+(\\.[0-9]+)?(h|ms|m|s))+$";

impl<const MIN: u32, const MAX: u32> TryFrom<Scalar> for Time<MIN, MAX> {
    type Error = Complaint;

    fn try_from(scalar: Scalar) -> Result<Self, Complaint> {
        let how = "write 30s, 5m, 500ms or 1h; a bare number counts seconds";
        let millis = match scalar.value {
            Value::Integer(seconds) => scaled(&seconds.to_string(), 1000),
            Value::Float(_) => scaled(&scalar.spelling, 1000),
            Value::Text(text) => {
                if text.parse::<f64>().is_ok() {
                    return Err(Complaint::new(format!("the duration {} has no unit", quoted(&text)))
                        .help(format!("write {text}s, or the number without quotes")));
                }
                millis(&text)
            }
            Value::Bool(_) => None,
        };
        let Some(millis) = millis else {
            return Err(Complaint::new(format!("{} is not a duration", quoted(&scalar.spelling))).help(how));
        };
        if millis < u64::from(MIN) || millis > u64::from(MAX) {
            let range = format!("use {} to {}", spelled(MIN), spelled(MAX));
            return Err(
                Complaint::new(format!("the duration {} is out of range", scalar.spelling)).help(range)
            );
        }
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Time<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Time_{MIN}_{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number"],
            "pattern": TIME,
            "minimum": f64::from(MIN) / 1000.0,
            "maximum": f64::from(MAX) / 1000.0,
        })
    }
}

/// Milliseconds of `1m30s`.
fn millis(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let (number, after) = leading_number(rest)?;
        // `ms` before `m`: the longer unit wins.
        let units = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
        let (unit, factor) = units.into_iter().find(|(unit, _)| after.starts_with(unit))?;
        sum = sum.checked_add(scaled(number, factor)?)?;
        rest = &after[unit.len()..];
    }
    (!text.is_empty()).then_some(sum)
}

/// Digits with at most one point inside, and what follows them.
fn leading_number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let whole_and_part = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (digits(whole_and_part.0) && digits(whole_and_part.1)).then_some((number, rest))
}

/// A decimal number times a factor, exactly; `None` where a fraction is left
/// over (half a millisecond) or it is no such number.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (number, rest) = leading_number(number)?;
    if !rest.is_empty() || number.len() > 30 {
        return None;
    }
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let part = part.trim_end_matches('0');
    let power = 10_u128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let whole: u128 = whole.parse().ok()?;
    let part: u128 = if part.is_empty() { 0 } else { part.parse().ok()? };
    let product = whole.checked_mul(power)?.checked_add(part)?.checked_mul(u128::from(factor))?;
    if product % power != 0 {
        return None;
    }
    u64::try_from(product / power).ok()
}

/// Milliseconds as a person would write them.
fn spelled(millis: u32) -> String {
    match millis {
        0 => "0s".to_owned(),
        _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}

/// Memory in bytes, written `512Mi`, `1.5Gi`, `800M`; a bare number counts
/// bytes.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Scalar")]
pub(in super::super) struct Memory(pub(in super::super) u64);

impl Memory {
    /// Docker refuses less.
    const MIN: u64 = 6 << 20;
    /// More is a slip of the pen.
    const MAX: u64 = 16 << 40;
    const UNITS: [(&'static str, u64); 8] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
    ];

    fn parse(text: &str) -> Option<u64> {
        let (number, unit) = leading_number(text)?;
        let (_, factor) = Self::UNITS.into_iter().find(|(name, _)| *name == unit)?;
        scaled(number, factor)
    }
}

impl TryFrom<Scalar> for Memory {
    type Error = Complaint;

    fn try_from(scalar: Scalar) -> Result<Self, Complaint> {
        let bytes = match &scalar.value {
            Value::Integer(bytes) => u64::try_from(*bytes).ok(),
            Value::Text(text) => Self::parse(text),
            Value::Float(_) | Value::Bool(_) => None,
        };
        match bytes {
            Some(bytes) if (Self::MIN..=Self::MAX).contains(&bytes) => Ok(Self(bytes)),
            Some(bytes) => Err(Complaint::new(format!("{bytes} bytes of memory are out of range"))
                .help("use 6Mi to 16Ti; a bare number counts bytes")),
            None => Err(Complaint::new(format!("{} is not an amount of memory", quoted(&scalar.spelling)))
                .help("write 512Mi, 1.5Gi or 800M (Mi = 1024², M = 1000²)")),
        }
    }
}

impl JsonSchema for Memory {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Memory".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "pattern": "^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)$",
            "minimum": Self::MIN,
            "maximum": Self::MAX,
        })
    }
}

/// Processors in thousandths, written `1.5`, with quotes or without, as
/// Compose does.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Scalar")]
pub(in super::super) struct Cpus(pub(in super::super) u32);

impl Cpus {
    const MIN: u32 = 10;
    const MAX: u32 = 1_024_000;
}

impl TryFrom<Scalar> for Cpus {
    type Error = Complaint;

    fn try_from(scalar: Scalar) -> Result<Self, Complaint> {
        let milli = match &scalar.value {
            Value::Integer(number) => scaled(&number.to_string(), 1000),
            Value::Float(_) => scaled(&scalar.spelling, 1000),
            Value::Text(text) => scaled(text, 1000),
            Value::Bool(_) => None,
        };
        match milli.map(u32::try_from) {
            Some(Ok(milli)) if (Self::MIN..=Self::MAX).contains(&milli) => Ok(Self(milli)),
            Some(_) => Err(Complaint::new(format!("{} processors are out of range", scalar.spelling))
                .help("use 0.01 to 1024")),
            None => {
                Err(Complaint::new(format!("{} is not a number of processors", quoted(&scalar.spelling)))
                    .help("write 0.5, 1 or 1.5, with at most three decimals"))
            }
        }
    }
}

impl JsonSchema for Cpus {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Cpus".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["number", "string"],
            "pattern": "^[0-9]+(\\.[0-9]{1,3})?$",
            "minimum": f64::from(Self::MIN) / 1000.0,
            "maximum": f64::from(Self::MAX) / 1000.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::seconds("30s", Some(30_000))]
    #[case::minutes("5m", Some(300_000))]
    #[case::millis("500ms", Some(500))]
    #[case::hours("1h", Some(3_600_000))]
    #[case::compound("1m30s", Some(90_000))]
    #[case::fraction("1.5s", Some(1_500))]
    #[case::tenth_is_exact("0.1s", Some(100))]
    #[case::half_a_millisecond("0.5ms", None)]
    #[case::no_unit("30", None)]
    #[case::space("30 s", None)]
    #[case::negative("-1s", None)]
    #[case::days("1d", None)]
    #[case::word("soon", None)]
    #[case::empty("", None)]
    #[case::two_points("1.2.3s", None)]
    #[case::too_long_to_count("99999999999999999999h", None)]
    fn durations(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(millis(text), expected);
    }

    #[rstest]
    #[case::binary("512Mi", Some(512 << 20))]
    #[case::fraction("1.5Gi", Some(3 << 29))]
    #[case::decimal("800M", Some(800_000_000))]
    #[case::docker_style_is_ambiguous("512m", None)]
    #[case::no_unit("512", None)]
    fn memory(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(Memory::parse(text), expected);
    }

    #[rstest]
    #[case(0, "0s")]
    #[case(1, "1ms")]
    #[case(1_500, "1500ms")]
    #[case(60_000, "1m")]
    #[case(7_200_000, "2h")]
    fn bounds_are_spelled_with_units(#[case] millis: u32, #[case] expected: &str) {
        assert_eq!(spelled(millis), expected);
    }
}
