//! Everything that is shown. Only [`super::update`] changes it.

mod activity;
mod input;
mod logs;
mod overlay;
mod possible;
mod ring;
mod toasts;
mod watch;

pub use activity::{Activity, End, Item, OperationView, StepView};
pub use input::Input;
pub use logs::{LogStatus, LogText, Logs, TAIL};
pub use overlay::{ChaosMenu, DecisionView, Overlay, ReplayView, Teardown};
pub use possible::{Promotions, chaos_obstacle};
pub use ring::Ring;
pub use toasts::{Toast, Toasts, Tone};
pub use watch::{Watch, total_rate};

use std::time::{Duration, Instant};

use super::backend::Header;
use super::command::Pane;
use super::keymap::Mode;
use super::moment::Now;
use super::theme::{Theme, ThemeName};
use super::view::Measured;

/// How long a picture of the spinner stays.
pub const SPINNER: Duration = Duration::from_millis(100);

/// Everything that is shown.
#[derive(Debug, Clone)]
pub struct State {
    /// What does not change.
    pub header: Header,
    /// The moment of the last update.
    pub now: Now,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The colours.
    pub theme: ThemeName,
    /// Whether colours are forbidden.
    pub no_color: bool,
    /// The pane that has the keys.
    pub focus: Pane,
    /// The pane that is shown where a small screen has room for one of several.
    pub tab: Pane,
    /// Whether the focused pane fills the screen.
    pub is_zoomed: bool,
    /// First line shown, per pane; for the activity pane counted from the end.
    pub scroll: [usize; 6],
    /// What the last frame measured.
    pub measured: Measured,
    /// What is watched.
    pub watch: Watch,
    /// What was done.
    pub activity: Activity,
    /// What lies on top; the last one has the keys.
    pub overlays: Vec<Overlay>,
    /// Short messages.
    pub toasts: Toasts,
    /// Whether the app waits for a cancelled operation to end, and until when
    /// at most.
    pub leaving: Option<Instant>,
    /// Makes the generation of the next view that asks for something.
    pub generation: u64,
}

impl State {
    /// The state before anything is known.
    #[must_use]
    pub fn new(header: Header, theme: ThemeName, size: (u16, u16), now: Now) -> Self {
        Self {
            header,
            now,
            size,
            theme,
            no_color: theme == ThemeName::Mono,
            focus: Pane::Activity,
            tab: Pane::Containers,
            is_zoomed: false,
            scroll: [0; 6],
            measured: Measured::default(),
            watch: Watch::default(),
            activity: Activity::default(),
            overlays: Vec::new(),
            toasts: Toasts::default(),
            leaving: None,
            generation: 0,
        }
    }

    /// The tokens of the current theme.
    #[must_use]
    pub const fn theme(&self) -> Theme {
        self.theme.tokens()
    }

    /// Who gets the keys.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.overlays.last().map_or(Mode::Screen(self.focus), Overlay::mode)
    }

    /// A new generation for a view that asks for something.
    pub const fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// When the screen changes by itself next: the clock's next second, the
    /// spinner's next picture, the end of a toast.
    #[must_use]
    pub fn next_deadline(&self) -> Instant {
        let into_second = u64::from(self.now.wall.timestamp_subsec_millis() % 1000);
        let second = self.now.instant + Duration::from_millis(1000 - into_second);
        let spinner = self.activity.is_anything_running().then(|| self.now.instant + SPINNER);
        [Some(second), spinner, self.toasts.next_end(), self.leaving]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(second)
    }
}
