//! The two ways in which the service runs.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a release runs: as the trusted version, or as the one under test.
/// The service learns it from its environment (`MODE`) and reports it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, Default,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The release that is trusted.
    #[default]
    Stable,
    /// The release under test: chaos may be injected, the gate watches it.
    Canary,
}

impl Mode {
    /// The word used in the manifest, in `MODE` and in `X-Mode`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
