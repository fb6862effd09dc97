//! One of a few words.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::super::model::{EngineKind, GatePoint, OperatorAccess, Pull, Split};
use super::super::problem::Complaint;
use super::super::scalar::Scalar;
use super::super::suggest;
use super::{quoted, text_of};
use crate::domain::{Mode, Target};

/// A type whose values are words of the manifest.
pub(in super::super) trait Words: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

/// One of the words of a type.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Choice<T>(pub(in super::super) T);

fn pick<T: Words>(scalar: Scalar) -> Result<T, Complaint> {
    let text = text_of(scalar)?;
    if let Some((_, value)) = T::WORDS.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let words = || T::WORDS.iter().map(|(word, _)| *word);
    let complaint =
        Complaint::new(format!("{} is not one of {}", quoted(&text), words().collect::<Vec<_>>().join(", ")));
    Err(match suggest::nearest(&text, words()) {
        Some(near) => complaint.help(format!("did you mean `{near}`?")),
        None => complaint,
    })
}

impl<'de, T: Words> Deserialize<'de> for Choice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        pick(Scalar::deserialize(deserializer)?).map(Self).map_err(serde::de::Error::custom)
    }
}

impl<T: Words> JsonSchema for Choice<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Choice".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

/// Where to run. Swarm is a word that deserves its own answer.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Scalar")]
pub(in super::super) struct TargetWord(pub(in super::super) Target);

impl TryFrom<Scalar> for TargetWord {
    type Error = Complaint;

    fn try_from(scalar: Scalar) -> Result<Self, Complaint> {
        if scalar.value == super::Value::Text("swarm".to_owned()) {
            return Err(Complaint::new("the target `swarm` is not available yet")
                .help("use `docker` for one Docker host or `local` for this machine alone"));
        }
        pick(scalar).map(Self)
    }
}

impl JsonSchema for TargetWord {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Choice::<Target>::json_schema(generator)
    }
}

impl Words for Target {
    const WORDS: &'static [(&'static str, Self)] =
        &[(Self::Docker.as_str(), Self::Docker), (Self::Local.as_str(), Self::Local)];
}

impl Words for Mode {
    const WORDS: &'static [(&'static str, Self)] =
        &[(Self::Stable.as_str(), Self::Stable), (Self::Canary.as_str(), Self::Canary)];
}

impl Words for Pull {
    const WORDS: &'static [(&'static str, Self)] = &[("never", Self::Never), ("missing", Self::Missing)];
}

impl Words for OperatorAccess {
    const WORDS: &'static [(&'static str, Self)] =
        &[("host", Self::Host), ("closed", Self::Closed), ("open", Self::Open)];
}

impl Words for Split {
    const WORDS: &'static [(&'static str, Self)] =
        &[("request", Self::Request), ("cookie", Self::Cookie), ("ip", Self::Ip)];
}

impl Words for EngineKind {
    const WORDS: &'static [(&'static str, Self)] =
        &[(Self::Opa.as_str(), Self::Opa), (Self::Embedded.as_str(), Self::Embedded)];
}

impl Words for GatePoint {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("deploy", Self::Deploy),
        ("promote_canary", Self::PromoteCanary),
        ("promote_stable", Self::PromoteStable),
    ];
}

/// When an engine starts a container again.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Restart(pub(in super::super) &'static str);

impl Words for Restart {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("no", Self("no")),
        ("on-failure", Self("on-failure")),
        ("always", Self("always")),
        ("unless-stopped", Self("unless-stopped")),
    ];
}
