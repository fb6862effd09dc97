//! Where time comes from: the one place of this crate that reads the
//! machine's clocks. Everything else takes a moment as an input.

use std::time::Instant;

use chrono::{DateTime, Utc};

/// The wall time, for people and records. It may jump.
#[expect(clippy::disallowed_methods, reason = "the runtime boundary: the only reader of the wall clock")]
pub fn wall() -> DateTime<Utc> {
    Utc::now()
}

/// The monotonic time, for durations.
#[expect(clippy::disallowed_methods, reason = "the runtime boundary: the only reader of the monotonic clock")]
pub fn instant() -> Instant {
    Instant::now()
}
