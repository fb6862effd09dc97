//! A single value as it stands in the file.

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

/// The name under which a [`Scalar`] asks `decode` for more than serde's data
/// model has: the spelling.
pub(super) const SCALAR: &str = "$scalar";

/// A single value as it stands in the file, before anything is asked of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scalar {
    /// What YAML takes it for.
    pub(super) value: Value,
    /// How it is written, with its quotes: `1.10` is not `1.1` in a version.
    pub(super) spelling: String,
}

/// What YAML takes a single value for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Integer(i128),
    Float(f64),
    Bool(bool),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl<'de> Visitor<'de> for Parts {
            type Value = Scalar;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a spelling and a value")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Scalar, A::Error> {
                let spelling = parts.next_element()?.unwrap_or_default();
                let value = parts.next_element()?.unwrap_or(Value::Bool(false));
                Ok(Scalar { value, spelling })
            }
        }

        deserializer.deserialize_tuple_struct(SCALAR, 2, Parts)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl Visitor<'_> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a single value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
                Ok(Value::Integer(value))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(Value::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(Value::Text(value.to_owned()))
            }
        }

        deserializer.deserialize_any(Any)
    }
}
