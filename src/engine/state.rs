//! What the watch tells about the running stack.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::{Mode, Release, Routes, Slot};
use crate::policy::Decision;
use crate::runtime::EngineInfo;
use crate::telemetry::Measured;

/// Whether the target's engine answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// Not asked yet.
    Connecting,
    /// It answers.
    Up(EngineInfo),
    /// It does not; it is asked again and again.
    Down {
        /// Why, and what to do.
        reason: String,
        /// When it is asked again.
        retry_in: Duration,
    },
}

/// Whether the generated files are what the manifest means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GeneratedState {
    /// Not looked at yet.
    #[default]
    Unknown,
    /// There are none.
    Absent,
    /// Some differ.
    Stale,
    /// All as they should be.
    UpToDate,
}

/// What serves.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Live {
    /// The slot with most of the traffic.
    pub slot: Option<Slot>,
    /// What runs in it.
    pub release: Option<Release>,
    /// The other slot's release, if something runs there.
    pub other: Option<Release>,
    /// Who gets what.
    pub routes: Option<Routes>,
    /// For people: where what runs differs from what the manifest declares.
    pub drift: Option<String>,
}

/// Figures of one mode in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The mode.
    pub mode: Mode,
    /// The slot.
    pub slot: Slot,
    /// The figures, or why there are none.
    pub measured: Result<Measured, String>,
    /// How much of the window has passed, while that is all that is missing.
    pub passed: Option<Duration>,
}

/// A look at the running service.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When.
    pub taken_at: DateTime<Utc>,
    /// The manifest's mode.
    pub mode: Mode,
    /// Per slot that runs, stable first.
    pub readings: Vec<Reading>,
    /// Requests a verdict needs (`canary.min_requests`).
    pub samples_needed: u64,
    /// The nominal window.
    pub window: Duration,
}

impl Sample {
    /// The figures that the screen leads with: the canary's while one runs,
    /// else the stable's.
    #[must_use]
    pub fn leading(&self) -> Option<&Reading> {
        self.readings.iter().find(|reading| reading.mode == Mode::Canary).or_else(|| self.readings.first())
    }
}

/// What a gate says now.
#[derive(Debug, Clone, PartialEq)]
pub struct GateView {
    /// The package.
    pub gate: String,
    /// What it blocks when it does not pass: `deploy`, `promote stable`.
    pub blocks: String,
    /// The answer; `None` while it does not apply (no canary runs) or was not
    /// asked yet.
    pub decision: Option<Decision>,
}

/// A fault that is active.
#[derive(Debug, Clone, PartialEq)]
pub struct ChaosStatus {
    /// `slow` or `error`.
    pub fault: String,
    /// For people: `error rate 50 %`, or `error` when it was injected past us.
    pub detail: String,
    /// The slot.
    pub slot: Slot,
    /// When it ends by itself, where known.
    pub until: Option<DateTime<Utc>>,
}
