//! Whole numbers with bounds.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::super::problem::Complaint;
use super::super::scalar::{Scalar, Value};
use super::quoted;

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Scalar", bound(deserialize = "T: TryFrom<i128>"))]
pub(in super::super) struct Number<T, const MIN: u32, const MAX: u32>(pub(in super::super) T);

impl<T: TryFrom<i128>, const MIN: u32, const MAX: u32> TryFrom<Scalar> for Number<T, MIN, MAX> {
    type Error = Complaint;

    fn try_from(scalar: Scalar) -> Result<Self, Complaint> {
        let number = match scalar.value {
            Value::Integer(number) => number,
            Value::Text(text) if text.parse::<u32>().is_ok() => {
                return Err(Complaint::new(format!("expected a number, found the text {}", quoted(&text)))
                    .help(format!("write it without quotes: {text}")));
            }
            Value::Text(text) => {
                return Err(Complaint::new(format!("expected a number, found the text {}", quoted(&text)))
                    .help(format!("use a whole number from {MIN} to {MAX}")));
            }
            Value::Float(_) | Value::Bool(_) => {
                return Err(Complaint::new(format!("expected a whole number, found {}", scalar.spelling))
                    .help(format!("use a whole number from {MIN} to {MAX}")));
            }
        };
        let in_range = (i128::from(MIN)..=i128::from(MAX)).contains(&number);
        match T::try_from(number) {
            Ok(number) if in_range => Ok(Self(number)),
            _ => Err(Complaint::new(format!("{number} is out of range"))
                .help(format!("use a whole number from {MIN} to {MAX}"))),
        }
    }
}

impl<T, const MIN: u32, const MAX: u32> JsonSchema for Number<T, MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Number_{MIN}_{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}
