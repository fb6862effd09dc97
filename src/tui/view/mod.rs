//! Draws the state and changes nothing. Each pane and each overlay has a file
//! that turns the state into lines; `panel` frames, cuts and scrolls them.
//!
//! Words and signs carry the meaning, colour repeats it.

mod activity;
mod chaos;
mod containers;
mod footer;
pub(super) mod header;
mod manifest;
mod overlay;
mod panel;
mod policy;
mod small;
mod spark;
mod toasts;
mod traffic;

pub use panel::{frame_box, render};

use ratatui::Frame;

use super::command::Pane;
use super::keymap;
use super::layout::{self, Placed, Wanted};
use super::state::State;
use super::text;

use panel::{Panel, Scroll};

/// How much there was to show and how much of it was shown, in lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measure {
    /// Lines there are.
    pub content: usize,
    /// Lines that fit.
    pub page: usize,
}

impl Measure {
    /// The largest useful scroll position.
    #[must_use]
    pub const fn most(self) -> usize {
        self.content.saturating_sub(self.page)
    }
}

/// What a frame measured, so that scrolling knows its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measured {
    panes: [Measure; 6],
    /// What lies on top.
    pub overlay: Measure,
}

impl Measured {
    /// Of a pane.
    #[must_use]
    pub const fn pane(&self, pane: Pane) -> Measure {
        self.panes[pane.index()]
    }
}

/// Draws everything.
pub fn draw(state: &State, frame: &mut Frame<'_>) -> Measured {
    let theme = state.theme();
    let screen = frame.area();
    let mut measured = Measured::default();
    let wanted = Wanted {
        focus: state.focus,
        tab: state.tab,
        is_zoomed: state.is_zoomed,
        has_banner: header::has_banner(state),
    };
    let Some(areas) = layout::areas(screen.width, screen.height, wanted) else {
        small::draw(state, frame, &theme);
        return measured;
    };
    header::draw(state, frame, areas.header, &theme);
    if let Some(area) = areas.banner {
        header::banner(state, frame, area, &theme);
    }
    for placed in &areas.panes {
        measured.panes[placed.pane.index()] = pane(state, frame, placed);
    }
    footer::draw(frame, areas.footer, &theme);
    let mut question = None;
    if let Some(top) = state.overlays.last() {
        // What lies below steps back, so that the eye finds what has the keys.
        frame.buffer_mut().set_style(screen, theme.behind);
        let drawn = overlay::draw(state, top, frame, areas.body, &theme);
        measured.overlay = drawn.measure;
        question = drawn.question;
    }
    toasts::draw(state, frame, &toasts::Room { body: areas.body, footer: areas.footer, question }, &theme);
    measured
}

fn pane(state: &State, frame: &mut Frame<'_>, placed: &Placed) -> Measure {
    let theme = state.theme();
    let is_focused = state.focus == placed.pane && state.overlays.is_empty();
    let width = usize::from(placed.area.width.saturating_sub(2));
    let height = usize::from(placed.area.height.saturating_sub(2));
    let mut panel = Panel::new(placed, is_focused, &theme);
    let has_enter = placed.pane != Pane::Activity || state.activity.plan.is_some();
    panel.enter = has_enter.then(|| keymap::enter_of(placed.pane)).flatten();
    let offset = state.scroll[placed.pane.index()];
    let mut scroll = Scroll::FromTop(offset);
    let lines = match placed.pane {
        Pane::Manifest => {
            panel.bottom = manifest::bottom(state, &theme);
            manifest::lines(state, &theme, width)
        }
        Pane::Traffic => {
            panel.note = traffic::note(state);
            traffic::lines(state, &theme, width, height)
        }
        Pane::Containers => containers::lines(state, &theme, width),
        Pane::Policy => {
            panel.bottom = policy::bottom(state, &theme);
            policy::lines(state, &theme, width)
        }
        Pane::Chaos => chaos::lines(state, &theme, width),
        Pane::Activity => {
            scroll = Scroll::FromEnd(offset);
            panel.pinned = activity::pinned(state, &theme, width);
            activity::lines(state, &theme, width)
        }
    };
    panel.draw(frame, placed.area, lines, scroll)
}
