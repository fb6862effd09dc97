//! A framed, scrolled list of lines.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};

use crate::tui::layout::Placed;
use crate::tui::theme::Theme;

use super::{Measure, text};

/// Where the lines are scrolled to.
#[derive(Debug, Clone, Copy)]
pub enum Scroll {
    /// So many lines above are hidden.
    FromTop(usize),
    /// So many lines below are hidden.
    FromEnd(usize),
}

/// The frame of a pane.
pub struct Panel<'a> {
    placed: &'a Placed,
    is_focused: bool,
    theme: &'a Theme,
    /// Added to the title.
    pub note: String,
    /// Shown in the lower border: the first of these that fits.
    pub bottom: Vec<Line<'static>>,
    /// Shown above the lines, and never scrolled.
    pub pinned: Vec<Line<'static>>,
    /// What Enter does here.
    pub enter: Option<&'static str>,
}

impl<'a> Panel<'a> {
    /// The frame of a pane.
    pub const fn new(placed: &'a Placed, is_focused: bool, theme: &'a Theme) -> Self {
        Self {
            placed,
            is_focused,
            theme,
            note: String::new(),
            bottom: Vec::new(),
            pinned: Vec::new(),
            enter: None,
        }
    }

    /// Draws frame and lines.
    pub fn draw(
        self,
        frame: &mut Frame<'_>,
        area: Rect,
        lines: Vec<Line<'static>>,
        scroll: Scroll,
    ) -> Measure {
        let theme = self.theme;
        let border = if self.is_focused { theme.focus } else { theme.border };
        let mut block =
            Block::bordered().border_type(BorderType::Rounded).border_style(border).title(self.title(area));
        let inner = block.inner(area);
        let (above, below) = pin(inner, self.pinned.len());
        let measure = Measure { content: lines.len(), page: usize::from(below.height) };
        let first = match scroll {
            Scroll::FromTop(hidden) => hidden.min(measure.most()),
            Scroll::FromEnd(hidden) => measure.most().saturating_sub(hidden),
        };
        let position = (measure.most() > 0).then(|| position(first, measure, theme));
        let enter = self.is_focused.then_some(self.enter).flatten().map(|word| {
            Line::from(vec![Span::styled(" Enter ", theme.key), Span::styled(format!("{word} "), theme.dim)])
        });
        // The state of the pane matters most, then where it is scrolled to, then its key.
        let mut room = usize::from(inner.width);
        if let Some(position) = position {
            room = room.saturating_sub(position.width() + 1);
            block = block.title_bottom(position.right_aligned());
        } else if let Some(enter) = enter
            && self.bottom.last().map_or(0, Line::width) + enter.width() < room
        {
            room = room.saturating_sub(enter.width() + 1);
            block = block.title_bottom(enter.right_aligned());
        }
        if let Some(bottom) = first_that_fits(self.bottom, room) {
            block = block.title_bottom(bottom);
        }
        frame.render_widget(block, area);
        render(frame, above, self.pinned, 0);
        render(frame, below, lines, first);
        measure
    }

    /// `▸1 manifest`, or the tabs that share the place.
    fn title(&self, area: Rect) -> Line<'static> {
        let theme = self.theme;
        let mark = if self.is_focused { "▸" } else { " " };
        let chosen = if self.is_focused { theme.title_focus } else { theme.title };
        let mut spans = vec![Span::styled(mark, chosen)];
        if self.placed.tabs.is_empty() {
            let pane = self.placed.pane;
            spans.push(Span::styled(format!("{} ", pane.index() + 1), theme.key));
            spans.push(Span::styled(pane.title(), chosen));
            if !self.note.is_empty() {
                spans.push(Span::styled(format!(" · {}", self.note), theme.dim));
            }
        } else {
            // Where all names do not fit, the chosen one keeps its name and the others their number.
            let names: usize = self.placed.tabs.iter().map(|pane| pane.title().len() + 3).sum();
            let has_room = names + 6 <= usize::from(area.width);
            for (place, pane) in self.placed.tabs.iter().enumerate() {
                if place > 0 {
                    spans.push(Span::raw(" "));
                }
                let is_chosen = *pane == self.placed.pane;
                let name = if is_chosen || has_room { format!(" {}", pane.title()) } else { String::new() };
                let (open, close) = if is_chosen { ("[", "]") } else { ("", "") };
                let style = if is_chosen { chosen } else { theme.dim };
                spans.push(Span::styled(open, style));
                spans.push(Span::styled((pane.index() + 1).to_string(), theme.key));
                spans.push(Span::styled(format!("{name}{close}"), style));
            }
        }
        spans.push(Span::raw(" "));
        cut_line(Line::from(spans), usize::from(area.width.saturating_sub(2)))
    }
}

/// The place of what is pinned, at most half of it all, and the rest.
fn pin(inner: Rect, wanted: usize) -> (Rect, Rect) {
    let height = u16::try_from(wanted).unwrap_or(u16::MAX).min(inner.height / 2);
    let above = Rect { height, ..inner };
    (above, Rect { y: inner.y + height, height: inner.height - height, ..inner })
}

/// The first line that fits; the last one, cut, where none does.
fn first_that_fits(mut lines: Vec<Line<'static>>, width: usize) -> Option<Line<'static>> {
    let last = lines.len().checked_sub(1)?;
    let place = lines.iter().position(|line| line.width() <= width).unwrap_or(last);
    Some(cut_line(lines.swap_remove(place), width))
}

/// `↕17/40`: the last line shown, and how many there are.
pub fn position(first: usize, measure: Measure, theme: &Theme) -> Line<'static> {
    let last = (first + measure.page).min(measure.content);
    Line::from(Span::styled(format!(" ↕{last}/{} ", measure.content), theme.dim))
}

/// Draws the lines from `first` on, each cut to the width.
pub fn render(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>, first: usize) {
    let width = usize::from(area.width);
    let shown: Vec<_> = lines
        .into_iter()
        .skip(first)
        .take(usize::from(area.height))
        .map(|line| cut_line(line, width))
        .collect();
    frame.render_widget(Paragraph::new(shown), area);
}

/// An empty box on top of everything; returns its inside.
pub fn frame_box(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    bottom: Line<'static>,
    border: Style,
    theme: &Theme,
) -> Rect {
    let room = usize::from(area.width.saturating_sub(4));
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(border)
        .title(Span::styled(format!(" {} ", text::cut(title, room)), theme.title_focus))
        .title_bottom(cut_line(bottom, room + 2));
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    inner
}

/// The line in at most `width` columns, with an ellipsis when it was cut.
#[must_use]
pub fn cut_line(line: Line<'static>, width: usize) -> Line<'static> {
    if line.width() <= width {
        return line;
    }
    let mut room = width;
    let mut spans = Vec::with_capacity(line.spans.len());
    let mut rest = line.spans.into_iter().peekable();
    while let Some(span) = rest.next() {
        let w = text::width(&span.content);
        // The last column belongs to the ellipsis unless this span ends the line.
        if w < room || (w == room && rest.peek().is_none()) {
            room -= w;
            spans.push(span);
            continue;
        }
        if room > 0 {
            let head = text::head(&span.content, room - 1);
            spans.push(Span::styled(format!("{head}…"), span.style));
        }
        break;
    }
    Line { spans, style: line.style, alignment: line.alignment }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&["ab", "cd"], 4, "abcd")]
    #[case(&["ab", "cd"], 3, "ab…")]
    #[case(&["ab", "cd"], 2, "a…")]
    #[case(&["ab", "cd", "ef"], 4, "abc…")]
    #[case(&["ab"], 0, "")]
    fn a_line_of_spans_is_cut_with_an_ellipsis(
        #[case] spans: &[&'static str],
        #[case] width: usize,
        #[case] expected: &str,
    ) {
        let line = Line::from(spans.iter().map(|span| Span::raw(*span)).collect::<Vec<_>>());
        let cut = cut_line(line, width);
        assert_eq!(cut.to_string(), expected);
        assert!(cut.width() <= width);
    }
}
