//! What runs in a slot.

use serde::{Deserialize, Serialize};

use super::Mode;

/// What runs in a slot: enough to start the very same thing again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The image as the manifest names it (on the local target the command).
    pub image: String,
    /// The exact content behind the name, where the runtime has one (Docker:
    /// the image id). A tag can move; a rollback must not follow it.
    pub image_id: Option<String>,
    /// The version that the service must report.
    pub version: String,
    /// How it runs.
    pub mode: Mode,
}

impl Release {
    /// Whether this is the same content, whatever the mode.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        self.image == other.image && self.image_id == other.image_id && self.version == other.version
    }
}
