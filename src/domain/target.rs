//! Where a stack runs.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a stack runs. Never chosen silently: the manifest or `--target`
/// names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Child processes on this machine behind the built-in proxy; nothing to
    /// install.
    Local,
    /// One Docker host, through its API, with nginx and Open Policy Agent.
    Docker,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 2] = [Self::Local, Self::Docker];

    /// The word used in the manifest and by `--target`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Docker => "docker",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
