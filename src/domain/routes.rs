//! Which slot gets which part of the traffic: data, apart from what the
//! manifest declares.

use serde::{Deserialize, Serialize};

use super::Slot;

/// A slot's part of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Who serves.
    pub slot: Slot,
    /// How much of the traffic, in percent, 1 to 100.
    pub percent: u8,
}

/// The routing state of the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// A name for this state, unique in the life of a stack (letters, digits
    /// and `-`). The proxy serves it at [`Routes::MARKER_PATH`], which proves
    /// that the configuration in force is this one.
    pub generation: String,
    /// Who gets what; the percentages add up to 100. Empty while nothing runs.
    pub shares: Vec<Share>,
}

impl Routes {
    /// Where the proxy tells its generation, as plain text.
    pub const MARKER_PATH: &'static str = "/.swiftdeploy/generation";

    /// The generation of the files that `init` writes.
    pub const DECLARED: &'static str = "declared";

    /// All traffic to one slot.
    #[must_use]
    pub fn all_to(slot: Slot, generation: impl Into<String>) -> Self {
        Self { generation: generation.into(), shares: vec![Share { slot, percent: 100 }] }
    }

    /// What the generated files declare: everything to blue.
    #[must_use]
    pub fn declared() -> Self {
        Self::all_to(Slot::Blue, Self::DECLARED)
    }

    /// A slot's part in percent, 0 when it gets nothing.
    #[must_use]
    pub fn percent(&self, slot: Slot) -> u8 {
        self.shares.iter().find(|share| share.slot == slot).map_or(0, |share| share.percent)
    }
}
