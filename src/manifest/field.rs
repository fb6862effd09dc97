//! A key of a section as the reader hands it over: the value, if there is a
//! good one, and where it stands.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use super::place::Place;

/// The name under which a [`Field`] asks `decode` for more than serde's data
/// model has: the places.
pub(super) const FIELD: &str = "$field";

/// A key of a section: not there, there but wrong (the problem is noted
/// already), or there.
#[derive(Debug, Default)]
pub(super) enum Field<T> {
    #[default]
    Absent,
    Refused,
    Given {
        value: T,
        /// Where the value stands.
        place: Place,
        /// Where its key stands; in a list, the value itself.
        key: Place,
    },
}

impl<T> Field<T> {
    /// The value, if there is one.
    pub(super) fn into_option(self) -> Option<T> {
        match self {
            Self::Given { value, .. } => Some(value),
            Self::Absent | Self::Refused => None,
        }
    }

    /// What is made of the value, or else the default.
    pub(super) fn map_or<U>(self, default: U, make: impl FnOnce(T) -> U) -> U {
        self.into_option().map_or(default, make)
    }

    /// The value and where it stands, if there is one.
    pub(super) fn given(&self) -> Option<(&T, Place)> {
        match self {
            Self::Given { value, place, .. } => Some((value, *place)),
            Self::Absent | Self::Refused => None,
        }
    }
}

impl<T: Default> Field<T> {
    /// The section, or an empty one.
    pub(super) fn or_default(self) -> T {
        self.into_option().unwrap_or_default()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Field<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a place and a value")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Field<T>, A::Error> {
                let mut number = || parts.next_element::<usize>().map(Option::unwrap_or_default);
                let place = Place { start: number()?, end: number()? };
                let key = Place { start: number()?, end: number()? };
                Ok(match parts.next_element()? {
                    Some(value) => Field::Given { value, place, key },
                    None => Field::Refused,
                })
            }
        }

        deserializer.deserialize_tuple_struct(FIELD, 5, Parts(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}
