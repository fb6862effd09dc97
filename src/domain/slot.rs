//! The two places where a release can run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the two places that take turns: while one serves, the next release
/// starts in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The slot that the generated files declare.
    Blue,
    /// The other one.
    Green,
}

impl Slot {
    /// Both slots, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::Blue, Self::Green];

    /// The slot beside this one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Blue => Self::Green,
            Self::Green => Self::Blue,
        }
    }

    /// The word used in labels and names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Green => "green",
        }
    }

    /// The slot that a label names.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|slot| slot.as_str() == label)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
