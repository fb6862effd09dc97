//! Breaking the service on purpose: which fault is active, what it does to
//! the next request, when it ends. Pure; the moment is an input.
//!
//! The share of failing requests is exact, not random: after `n` requests
//! `floor(n * rate)` have failed. A test of a gate then knows what it sees.

mod command;

pub use command::Command;

use std::time::{Duration, Instant};

use serde::Serialize;

/// Rates are counted in billionths, so that `0.1` ten times is exactly one.
const WHOLE: u64 = 1_000_000_000;

/// A way in which requests go wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Every answer takes this much longer.
    Slow(Duration),
    /// This part of the answers is a 500.
    Error(Rate),
}

/// A part of all requests, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(u64);

impl Rate {
    /// `None` outside 0 to 1 and for what is no number.
    #[must_use]
    pub fn new(part: f64) -> Option<Self> {
        if !(0.0..=1.0).contains(&part) {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "the range is checked above: 0 to one billion"
        )]
        Some(Self((part * WHOLE as f64).round() as u64))
    }

    /// The part as it is written in requests and answers.
    #[must_use]
    pub fn part(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "at most one billion, far below 2^53")]
        let (part, whole) = (self.0 as f64, WHOLE as f64);
        part / whole
    }
}

/// What is to be done with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Answer it.
    Answer,
    /// Wait, then answer it.
    Delay(Duration),
    /// Answer it with a 500.
    Fail,
}

/// The active fault and its end.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Active {
    fault: Fault,
    until: Option<Instant>,
    /// Part of a failure that earlier requests left over, in billionths.
    debt: u64,
}

/// The state: at most one fault at a time.
#[derive(Debug, Default)]
pub struct Chaos {
    active: Option<Active>,
}

/// What `/chaos` tells about the state.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Status {
    /// `none`, `slow` or `error`.
    pub mode: &'static str,
    /// Seconds added to each answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// Part of the answers that fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Seconds until it ends by itself; null when it does not.
    pub seconds_left: Option<f64>,
}

impl Chaos {
    /// Does what was asked. A new fault replaces the old one; recovering
    /// without a fault is fine.
    pub fn apply(&mut self, command: Command, now: Instant) {
        self.active = match command {
            Command::Recover => None,
            // An end beyond what the clock can count is no end.
            Command::Inject { fault, ttl } => {
                Some(Active { fault, until: ttl.and_then(|ttl| now.checked_add(ttl)), debt: 0 })
            }
        };
    }

    /// What happens to a request that comes now.
    pub fn verdict(&mut self, now: Instant) -> Verdict {
        let Some(active) = self.active.as_mut().filter(|active| !active.has_ended(now)) else {
            return Verdict::Answer;
        };
        match active.fault {
            Fault::Slow(delay) => Verdict::Delay(delay),
            Fault::Error(Rate(part)) => {
                active.debt += part;
                if active.debt < WHOLE {
                    return Verdict::Answer;
                }
                active.debt -= WHOLE;
                Verdict::Fail
            }
        }
    }

    /// The fault that is active now.
    #[must_use]
    pub fn status(&self, now: Instant) -> Status {
        let none = Status { mode: "none", duration: None, rate: None, seconds_left: None };
        let Some(active) = self.active.filter(|active| !active.has_ended(now)) else { return none };
        let seconds_left = active.until.map(|until| until.duration_since(now).as_secs_f64());
        match active.fault {
            Fault::Slow(delay) => {
                Status { mode: "slow", duration: Some(delay.as_secs_f64()), seconds_left, ..none }
            }
            Fault::Error(rate) => Status { mode: "error", rate: Some(rate.part()), seconds_left, ..none },
        }
    }

    /// The value of the gauge `chaos_active`: 0 none, 1 slow, 2 error.
    #[must_use]
    pub fn gauge(&self, now: Instant) -> u8 {
        match self.active.filter(|active| !active.has_ended(now)).map(|active| active.fault) {
            None => 0,
            Some(Fault::Slow(_)) => 1,
            Some(Fault::Error(_)) => 2,
        }
    }
}

impl Active {
    fn has_ended(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}

#[cfg(test)]
mod tests;
