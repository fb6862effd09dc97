//! What was done in this session: operations with their steps.

use std::time::{Duration, Instant};

use chrono::{DateTime, FixedOffset};

use crate::engine::{Action, FileChange, OperationId, Outcome, PlanReport, StepId, StepResult};
use crate::policy::Decision;

use super::Ring;

/// Operations kept.
const OPERATIONS: usize = 40;
/// Lines kept of one operation: more than any has, unless something is wrong.
const ITEMS: usize = 200;

/// Announcements kept.
const ANNOUNCEMENTS: usize = 40;

/// What was done in this session, the newest last.
#[derive(Debug, Clone)]
pub struct Activity {
    /// The operations.
    pub operations: Ring<OperationView>,
    /// What was said outside of any operation.
    pub announcements: Ring<Announcement>,
    /// The plan that was made last.
    pub plan: Option<Box<PlanReport>>,
}

impl Default for Activity {
    fn default() -> Self {
        Self { operations: Ring::new(OPERATIONS), announcements: Ring::new(ANNOUNCEMENTS), plan: None }
    }
}

impl Activity {
    /// The operation with this id, unless it was forgotten.
    pub fn find_mut(&mut self, id: &OperationId) -> Option<&mut OperationView> {
        self.operations.iter_mut().rev().find(|operation| operation.id == *id)
    }

    /// How many operations have begun in this session.
    #[must_use]
    pub fn begun(&self) -> usize {
        self.operations.forgotten() + self.operations.len()
    }

    /// Something is said outside of any operation.
    pub fn announce(&mut self, text: String) {
        let before = self.begun();
        self.announcements.push(Announcement { before, text });
    }

    /// What was said last.
    #[must_use]
    pub fn announced(&self) -> Option<&Announcement> {
        self.announcements.iter().next_back()
    }

    /// The operation that keeps an action from starting.
    #[must_use]
    pub fn blocking(&self, action: &Action) -> Option<&OperationView> {
        let blocks = |operation: &&OperationView| {
            operation.is_running()
                && !action.may_begin_beside(&operation.action)
                && !action.ends(&operation.action)
        };
        self.operations.iter().rev().find(blocks)
    }

    /// The operation that changes something now.
    fn changing(&self) -> Option<&OperationView> {
        self.operations
            .iter()
            .rev()
            .find(|operation| operation.is_running() && operation.action.is_mutating())
    }

    /// The operation that `cancel` would end.
    #[must_use]
    pub fn running(&self) -> Option<&OperationView> {
        self.changing().or_else(|| self.operations.iter().rev().find(|operation| operation.is_running()))
    }

    /// Whether anything runs.
    #[must_use]
    pub fn is_anything_running(&self) -> bool {
        self.running().is_some()
    }
}

/// Something that is said to the person, outside of any operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// How many operations had begun before: its place among them.
    pub before: usize,
    /// What is said, clean.
    pub text: String,
}

/// An operation as it is shown.
#[derive(Debug, Clone)]
pub struct OperationView {
    /// Its id.
    pub id: OperationId,
    /// What was asked.
    pub action: Action,
    /// When it began, to show.
    pub at: DateTime<FixedOffset>,
    /// When it began, to count.
    pub started: Instant,
    /// What happened in it.
    pub items: Ring<Item>,
    /// How it ended.
    pub end: Option<End>,
}

/// How an operation ended.
#[derive(Debug, Clone)]
pub enum End {
    /// As the engine told.
    Told(Outcome, Duration),
    /// It ended while events were missed.
    Missed,
}

/// Something that happened in an operation.
#[derive(Debug, Clone)]
pub enum Item {
    /// A step.
    Step(StepView),
    /// A gate answered.
    Decided(Box<Decision>),
    /// A generated file.
    File(FileChange),
    /// A line.
    Notice(String),
}

/// A step as it is shown.
#[derive(Debug, Clone)]
pub struct StepView {
    /// Which.
    pub step: StepId,
    /// Its name, clean.
    pub name: String,
    /// What it tells, clean; may be empty.
    pub detail: String,
    /// 0 to 1, where it can be told.
    pub fraction: Option<f64>,
    /// When it began.
    pub started: Instant,
    /// How it ended and how long it took; `None` while it runs.
    pub end: Option<(StepResult, Duration)>,
}

impl OperationView {
    /// An operation that begins.
    #[must_use]
    pub const fn new(id: OperationId, action: Action, at: DateTime<FixedOffset>, started: Instant) -> Self {
        Self { id, action, at, started, items: Ring::new(ITEMS), end: None }
    }

    /// Whether it has not ended.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.end.is_none()
    }

    /// The step, begun now if it was not known: its beginning may have been
    /// missed.
    pub fn step_mut(&mut self, step: StepId, now: Instant) -> Option<&mut StepView> {
        let is_known = self.items.iter().any(|item| matches!(item, Item::Step(view) if view.step == step));
        if !is_known {
            self.items.push(Item::Step(StepView {
                step,
                name: format!("step {}", step + 1),
                detail: String::new(),
                fraction: None,
                started: now,
                end: None,
            }));
        }
        self.items.iter_mut().rev().find_map(|item| match item {
            Item::Step(view) if view.step == step => Some(view),
            Item::Step(_) | Item::Decided(_) | Item::File(_) | Item::Notice(_) => None,
        })
    }
}
