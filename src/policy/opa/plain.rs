//! Numbers in the form that OPA compares rightly.
//!
//! Up to 1.20, OPA cuts every zero off the end of a number's text that has a
//! point: `20.0` is compared as `2`, so that a load of 20 kept a limit of 2
//! (open-policy-agent/opa issue 9098). Whole numbers are therefore sent
//! without a point. The policies here do the same with the limits; a gate of
//! the user's own is protected on the side of the facts.

use serde_json::{Number, Value};

/// Above, not every whole number has a form of its own as a float.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The same JSON, whole numbers without a point.
pub(super) fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(without_point(number)),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

fn without_point(number: &Number) -> Number {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= MAX_EXACT => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole and within the exact range, checked above"
            )]
            let whole = float as i64;
            Number::from(whole)
        }
        _ => number.clone(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::plain;

    #[rstest]
    #[case(json!(20.0), "20")]
    #[case(json!(-0.0), "0")]
    #[case(json!(20), "20")]
    #[case(json!(0.52), "0.52")]
    #[case(json!(1e300), "1e+300")]
    #[case(json!(u64::MAX), "18446744073709551615")]
    #[case(json!({"a": [1.0, null, "2.0", true]}), r#"{"a":[1,null,"2.0",true]}"#)]
    fn whole_numbers_lose_their_point_and_nothing_else_changes(#[case] value: Value, #[case] text: &str) {
        assert_eq!(plain(&value).to_string(), text);
    }
}
