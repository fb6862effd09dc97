//! What lies on top of the screen.

use std::time::Duration;

use crate::engine::{Action, ChaosFault, Replayed};
use crate::policy::explain::Explanation;
use crate::tui::keymap::Mode;

use super::{Input, Logs};

/// What lies on top of the screen.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// Everything that can be done; which line is chosen.
    Menu {
        /// The chosen line of [`crate::tui::catalog::ALL`].
        selected: usize,
    },
    /// Everything that can be done, by typing.
    Palette {
        /// What was typed.
        input: Input,
        /// The chosen line of those that match.
        selected: usize,
    },
    /// All keys.
    Help {
        /// First line shown.
        scroll: usize,
    },
    /// Canary or stable?
    Promote {
        /// Whether `stable` is chosen.
        is_stable: bool,
    },
    /// Which fault?
    Chaos(ChaosMenu),
    /// Really remove everything?
    Teardown(Teardown),
    /// Logs.
    Logs(Box<Logs>),
    /// The decisions in full.
    Decision(Box<DecisionView>),
    /// The recorded decisions asked again.
    Replay(Box<ReplayView>),
    /// The last plan.
    Plan {
        /// First line shown.
        scroll: usize,
    },
    /// Cancel what runs?
    ConfirmCancel {
        /// What runs.
        operation: &'static str,
    },
    /// Leave although something runs?
    ConfirmQuit {
        /// What runs.
        operation: &'static str,
    },
}

impl Overlay {
    /// Which keys it has.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match self {
            Self::Menu { .. } => Mode::Menu,
            Self::Palette { .. } => Mode::Palette,
            Self::Help { .. } | Self::Plan { .. } | Self::Replay(_) => Mode::Reader,
            Self::Promote { .. } => Mode::Promote,
            Self::Chaos(_) => Mode::Chaos,
            Self::Teardown(_) => Mode::Teardown,
            Self::Logs(logs) if logs.is_filtering => Mode::LogFilter,
            Self::Logs(_) => Mode::Logs,
            Self::Decision(_) => Mode::Decision,
            Self::ConfirmCancel { .. } | Self::ConfirmQuit { .. } => Mode::Confirm,
        }
    }
}

/// A decision in full. The decision is the one of now; where it comes from is
/// asked for when it is shown, and again when it becomes another one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DecisionView {
    /// Which gate.
    pub gate: usize,
    /// First line shown.
    pub scroll: usize,
    /// Replies with another one belong to another decision.
    pub generation: u64,
    /// What was asked about last.
    pub asked: Option<String>,
    /// Where it comes from; `None` while it is being found out.
    pub explanation: Option<Box<Explanation>>,
}

/// The recorded decisions asked again.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayView {
    /// First line shown.
    pub scroll: usize,
    /// Replies with another one belong to another view.
    pub generation: u64,
    /// What was found; `None` while it is under way.
    pub found: Option<Result<Box<Replayed>, String>>,
}

/// The chaos menu: a fault and its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChaosMenu {
    /// The chosen line.
    pub selected: usize,
    /// Index in [`ChaosMenu::SLOW`].
    pub slow: usize,
    /// Index in [`ChaosMenu::RATE`].
    pub rate: usize,
    /// Index in [`ChaosMenu::LASTING`].
    pub lasting: usize,
}

impl Default for ChaosMenu {
    fn default() -> Self {
        Self { selected: 0, slow: 3, rate: 3, lasting: 2 }
    }
}

impl ChaosMenu {
    /// Lines: slow, error, kill, recover.
    pub const LINES: usize = 4;
    /// Seconds that an answer can take longer.
    pub const SLOW: [f64; 6] = [0.5, 1.0, 2.0, 3.0, 5.0, 10.0];
    /// Shares of answers that can fail.
    pub const RATE: [f64; 6] = [0.05, 0.1, 0.25, 0.5, 0.75, 1.0];
    /// Seconds that a fault can last.
    pub const LASTING: [u64; 6] = [15, 30, 60, 120, 300, 600];

    /// How long the fault lasts.
    #[must_use]
    pub fn lasting(&self) -> Duration {
        Duration::from_secs(Self::LASTING[self.lasting.min(Self::LASTING.len() - 1)])
    }

    /// The slow fault with its values.
    #[must_use]
    pub fn slow(&self) -> ChaosFault {
        let duration = Self::SLOW[self.slow.min(Self::SLOW.len() - 1)];
        ChaosFault::Slow { duration, ttl: self.lasting() }
    }

    /// The error fault with its values.
    #[must_use]
    pub fn error(&self) -> ChaosFault {
        let rate = Self::RATE[self.rate.min(Self::RATE.len() - 1)];
        ChaosFault::Error { rate, ttl: self.lasting() }
    }

    /// The value of the chosen line, one step up or down.
    pub fn change(&mut self, is_up: bool) {
        let value = match self.selected {
            0 => &mut self.slow,
            1 => &mut self.rate,
            _ => return,
        };
        *value = step(*value, Self::SLOW.len(), is_up);
    }

    /// How long it lasts, one step up or down.
    pub fn change_lasting(&mut self, is_up: bool) {
        self.lasting = step(self.lasting, Self::LASTING.len(), is_up);
    }
}

/// The index beside this one, without running over.
fn step(index: usize, count: usize, is_up: bool) -> usize {
    if is_up { (index + 1).min(count - 1) } else { index.saturating_sub(1) }
}

/// The teardown dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Teardown {
    /// The name that has to be typed.
    pub project: String,
    /// What was typed.
    pub input: Input,
    /// Whether the generated files go too.
    pub clean: bool,
    /// Replies with another one belong to another dialog.
    pub generation: u64,
    /// What would be removed; `None` while it is being found out.
    pub belongings: Option<Result<Vec<String>, String>>,
    /// First line of the list shown.
    pub scroll: usize,
}

impl Teardown {
    /// The action, once the name is typed.
    #[must_use]
    pub fn action(&self) -> Option<Action> {
        (self.input.text().trim() == self.project).then_some(Action::Teardown { clean: self.clean })
    }
}
