//! Why a question could not be answered, with what to do about it: each cause has
//! its own next step, and whoever asked cannot know it.

use super::owner::Stranger;
use crate::manifest::ManifestError;
use crate::runtime::RuntimeError;

/// Why a question could not be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// What is in the way, and where.
    pub error: String,
    /// What to do.
    pub next: String,
}

impl Obstacle {
    pub(super) fn new(error: impl Into<String>, next: impl Into<String>) -> Self {
        Self { error: error.into(), next: next.into() }
    }
}

impl From<ManifestError> for Obstacle {
    fn from(error: ManifestError) -> Self {
        Self::new(error.to_string(), error.next_step())
    }
}

impl From<RuntimeError> for Obstacle {
    fn from(error: RuntimeError) -> Self {
        Self::new(error.to_string(), error.next_step())
    }
}

impl From<Stranger> for Obstacle {
    fn from(Stranger { error, next }: Stranger) -> Self {
        Self { error, next }
    }
}
