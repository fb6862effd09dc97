//! Values that are text with a rule.

use std::borrow::Cow;
use std::net::IpAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::super::problem::Complaint;
use super::super::rules;
use super::super::scalar::{Scalar, Value};
use super::{quoted, text_of};

macro_rules! text_values {
    ($($(#[$doc:meta])* $name:ident: $rule:path, $pattern:path;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(try_from = "Scalar")]
        pub(in super::super) struct $name(pub(in super::super) String);

        impl TryFrom<Scalar> for $name {
            type Error = Complaint;

            fn try_from(scalar: Scalar) -> Result<Self, Complaint> {
                let text = text_of(scalar)?;
                check(&text, $rule)?;
                Ok(Self(text))
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    )*};
}

text_values! {
    /// A project or a service.
    Name: rules::name, rules::NAME;
    /// A container image.
    ImageRef: rules::image, rules::IMAGE;
    /// A version.
    Version: rules::version, rules::VERSION;
    /// Whom the error pages name.
    Contact: rules::contact, rules::CONTACT;
    /// A Docker network.
    NetworkName: rules::network, rules::NETWORK;
    /// A network driver.
    Driver: rules::driver, rules::DRIVER;
    /// An environment variable's name.
    EnvName: rules::env_name, rules::ENV_NAME;
    /// A program or one of its arguments.
    Plain: rules::plain, rules::PLAIN;
    /// A path of a URL.
    UrlPath: rules::path, rules::PATH;
    /// A metric.
    MetricName: rules::metric, rules::METRIC;
    /// A label of a metric.
    LabelName: rules::label, rules::LABEL;
    /// A Rego package.
    Package: rules::package, rules::PACKAGE;
}

/// Adds what was found to what the rule says.
fn check(text: &str, rule: fn(&str) -> rules::Verdict) -> Result<(), Complaint> {
    if text.is_empty() && rule(text).is_err() {
        return Err(Complaint::new("is empty").help("write a value or remove the key"));
    }
    rule(text).map_err(|complaint| complaint.about(&quoted(text)))
}

/// An environment variable's value. Numbers and truth values are taken as
/// they are written, as Compose does with numbers.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Scalar")]
pub(in super::super) struct EnvValue(pub(in super::super) String);

impl TryFrom<Scalar> for EnvValue {
    type Error = Complaint;

    fn try_from(scalar: Scalar) -> Result<Self, Complaint> {
        let text = match scalar.value {
            Value::Text(text) => text,
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) => scalar.spelling,
        };
        check(&text, rules::plain)?;
        Ok(Self(text))
    }
}

impl JsonSchema for EnvValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "EnvValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"], "pattern": rules::PLAIN })
    }
}

/// An IP address of the host.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Scalar")]
pub(in super::super) struct Address(pub(in super::super) IpAddr);

impl TryFrom<Scalar> for Address {
    type Error = Complaint;

    fn try_from(scalar: Scalar) -> Result<Self, Complaint> {
        let text = text_of(scalar)?;
        text.parse().map(Self).map_err(|_| {
            Complaint::new(format!("{} is not an IP address", quoted(&text)))
                .help("0.0.0.0 listens on every address, 127.0.0.1 only on this host")
        })
    }
}

impl JsonSchema for Address {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] })
    }
}
