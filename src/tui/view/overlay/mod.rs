//! What lies on top of the screen, a file each.

mod chaos;
mod confirm;
mod decision;
mod help;
mod list;
mod logs;
mod plan;
mod promote;
mod replay;
mod teardown;

use std::cell::Cell;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::tui::layout;
use crate::tui::state::{Overlay, State};
use crate::tui::theme::Theme;

use super::{Measure, footer, frame_box, panel};

/// What was drawn on top.
pub struct Drawn {
    /// What it measured.
    pub measure: Measure,
    /// Where a question is that nothing may hide.
    pub question: Option<Rect>,
}

/// Draws what lies on top.
pub fn draw(state: &State, top: &Overlay, frame: &mut Frame<'_>, body: Rect, theme: &Theme) -> Drawn {
    let canvas = Canvas { body, theme, top, area: Cell::new(None) };
    let measure = measured(state, top, frame, &canvas);
    Drawn { measure, question: canvas.area.get().filter(|_| asks(top)) }
}

/// Whether it asks something whose words must be seen before a key is pressed.
const fn asks(top: &Overlay) -> bool {
    match top {
        Overlay::Promote { .. }
        | Overlay::Chaos(_)
        | Overlay::Teardown(_)
        | Overlay::ConfirmCancel { .. }
        | Overlay::ConfirmQuit { .. } => true,
        Overlay::Menu { .. }
        | Overlay::Palette { .. }
        | Overlay::Help { .. }
        | Overlay::Logs(_)
        | Overlay::Decision(_)
        | Overlay::Replay(_)
        | Overlay::Plan { .. } => false,
    }
}

fn measured(state: &State, top: &Overlay, frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    match top {
        Overlay::Menu { selected } => list::menu(*selected, frame, canvas),
        Overlay::Palette { input, selected } => list::palette(input, *selected, frame, canvas),
        Overlay::Help { scroll } => help::draw(*scroll, frame, canvas),
        Overlay::Promote { is_stable } => promote::draw(state, *is_stable, frame, canvas),
        Overlay::Chaos(menu) => chaos::draw(state, menu, frame, canvas),
        Overlay::Teardown(teardown) => teardown::draw(state, teardown, frame, canvas),
        Overlay::Logs(logs) => logs::draw(logs, frame, canvas),
        Overlay::Decision(view) => decision::draw(state, view, frame, canvas),
        Overlay::Replay(view) => replay::draw(view, frame, canvas),
        Overlay::Plan { scroll } => plan::draw(state, *scroll, frame, canvas),
        Overlay::ConfirmCancel { operation } => confirm::cancel(operation, frame, canvas),
        Overlay::ConfirmQuit { operation } => confirm::quit(operation, frame, canvas),
    }
}

/// Where an overlay draws.
struct Canvas<'a> {
    body: Rect,
    theme: &'a Theme,
    top: &'a Overlay,
    /// Where the box was opened.
    area: Cell<Option<Rect>>,
}

impl Canvas<'_> {
    /// A box in the middle, large enough for so many columns and lines inside;
    /// returns its inside.
    fn open(&self, frame: &mut Frame<'_>, title: &str, columns: usize, lines: usize) -> Rect {
        let size = |inside: usize| u16::try_from(inside + 2).unwrap_or(u16::MAX);
        let area = layout::centred(self.body, size(columns), size(lines));
        self.area.set(Some(area));
        let bottom = footer::border(self.top.mode(), self.theme);
        frame_box(frame, area, title, bottom, self.theme.focus, self.theme)
    }

    /// Like [`Canvas::fill`], for a box that is all text: tells in its lower
    /// border where it is scrolled to.
    fn read(&self, frame: &mut Frame<'_>, inside: Rect, lines: Vec<Line<'static>>, first: usize) -> Measure {
        let measure = Self::fill(frame, inside, lines, first);
        if measure.most() > 0 {
            let position = panel::position(first.min(measure.most()), measure, self.theme);
            let below = Rect { y: inside.bottom(), height: 1, ..inside }.intersection(frame.area());
            frame.render_widget(position.right_aligned(), below);
        }
        measure
    }

    /// Lines in the open box, from `first` on.
    fn fill(frame: &mut Frame<'_>, inside: Rect, lines: Vec<Line<'static>>, first: usize) -> Measure {
        let measure = Measure { content: lines.len(), page: usize::from(inside.height) };
        panel::render(frame, inside, lines, first.min(measure.most()));
        measure
    }
}
