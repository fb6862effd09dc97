//! The time as the update function gets it.

use std::time::Instant;

use chrono::{DateTime, FixedOffset, Local};

use crate::clock::Clock;

/// A moment, on both clocks: wall time (in the person's time zone) to show,
/// monotonic time to wait by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// To show.
    pub wall: DateTime<FixedOffset>,
    /// To wait by.
    pub instant: Instant,
}

impl Now {
    /// Reads the clock.
    #[must_use]
    pub fn read(clock: &dyn Clock) -> Self {
        Self { wall: clock.wall().with_timezone(&Local).fixed_offset(), instant: clock.instant() }
    }
}
