//! Where time comes from: the one place that reads the machine's clocks.
//! Everything else takes a [`Clock`] or a moment as an input, so that tests
//! decide what time it is.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};

/// A source of time. Wall time is for people and records; the monotonic
/// instant is for durations, since wall time may jump.
pub trait Clock: Send + Sync {
    /// The wall time, for records and screens.
    fn wall(&self) -> DateTime<Utc>;
    /// The monotonic time, for durations.
    fn instant(&self) -> Instant;
}

/// A clock that can be shared between tasks.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The machine's clocks, ready to be shared.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the runtime boundary: the only reader of the machine's clocks"
)]
impl Clock for SystemClock {
    fn wall(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }
}
