//! The first row: what is deployed where, and how it stands.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::domain::Mode;
use crate::engine::Connection;
use crate::tui::state::State;
use crate::tui::theme::Theme;
use crate::tui::{format, text};

use super::panel::cut_line;

/// A part of the header; those that matter least go first where there is no
/// room.
struct Segment {
    spans: Vec<Span<'static>>,
    /// 0 stays longest.
    rank: u8,
}

/// Draws the first row.
pub fn draw(state: &State, frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    let clock = state.now.wall.format("%H:%M:%S").to_string();
    let mut segments = vec![brand(state, theme), connection(state, theme)];
    segments.extend(version(state, theme));
    segments.push(mode(state, theme));
    segments.extend(chaos(state, theme));
    let room = usize::from(area.width).saturating_sub(clock.len() + 2);
    while total(&segments) > room && segments.len() > 1 {
        let least = segments.iter().enumerate().max_by_key(|(_, segment)| segment.rank).map(|(i, _)| i);
        if let Some(least) = least {
            segments.remove(least);
        }
    }
    let mut spans = vec![Span::raw(" ")];
    for (place, segment) in segments.into_iter().enumerate() {
        if place > 0 {
            spans.push(Span::raw("   "));
        }
        spans.extend(segment.spans);
    }
    frame.render_widget(Paragraph::new(cut_line(Line::from(spans), room)), area);
    let clock = Line::styled(format!("{clock} "), theme.dim).right_aligned();
    let right = Rect { x: area.x + area.width.saturating_sub(9), width: area.width.min(9), ..area };
    frame.render_widget(Paragraph::new(clock), right);
}

fn total(segments: &[Segment]) -> usize {
    let spans: usize =
        segments.iter().flat_map(|segment| &segment.spans).map(|span| text::width(&span.content)).sum();
    1 + spans + 3 * segments.len().saturating_sub(1)
}

fn brand(state: &State, theme: &Theme) -> Segment {
    let project = text::cut(&text::clean(&state.header.project), 24).into_owned();
    Segment {
        spans: vec![
            Span::styled("swiftdeploy", theme.brand),
            Span::styled(" ▸ ", theme.dim),
            Span::styled(project, theme.strong),
        ],
        rank: 0,
    }
}

fn connection(state: &State, theme: &Theme) -> Segment {
    let target = state.header.target;
    let spans = match &state.watch.connection {
        Connection::Connecting => {
            vec![Span::styled(format!("{target} "), theme.text), Span::styled("◌ connecting", theme.warn)]
        }
        Connection::Up(info) => {
            let version = text::cut(&text::clean(&info.version), 14).into_owned();
            vec![Span::styled(format!("{target} {version} "), theme.text), Span::styled("●", theme.ok)]
        }
        Connection::Down { .. } => {
            vec![Span::styled(format!("{target} "), theme.text), Span::styled("○ not reachable", theme.fail)]
        }
    };
    Segment { spans, rank: 3 }
}

/// The version that serves; before a deploy nothing.
fn version(state: &State, theme: &Theme) -> Option<Segment> {
    let release = state.watch.live.release.as_ref()?;
    let version = text::cut(&text::clean(&release.version), 20).into_owned();
    let spans = vec![Span::styled("app ", theme.dim), Span::styled(version, theme.text)];
    Some(Segment { spans, rank: 4 })
}

fn mode(state: &State, theme: &Theme) -> Segment {
    let watch = &state.watch;
    let span = if let Some((_, slot)) = watch.canary() {
        let share = watch.share(slot).map(|percent| format!(" {percent} %")).unwrap_or_default();
        Span::styled(format!("▲ canary{share}"), theme.canary)
    } else if watch.is_deployed() {
        Span::styled("■ stable", theme.stable)
    } else if watch.instances.is_some() {
        Span::styled("□ not deployed", theme.dim)
    } else {
        let declared = watch.manifest().map_or(Mode::Stable, |manifest| manifest.services.mode);
        Span::styled(format!("· {declared}"), theme.dim)
    };
    Segment { spans: vec![span], rank: 1 }
}

fn chaos(state: &State, theme: &Theme) -> Option<Segment> {
    let chaos = state.watch.chaos.as_ref()?;
    let detail = text::cut(&text::clean(&chaos.detail), 28).into_owned();
    let left = chaos
        .until
        .map(|until| {
            format!(" · {} left", format::countdown((until - state.now.wall.to_utc()).num_seconds()))
        })
        .unwrap_or_default();
    Some(Segment { spans: vec![Span::styled(format!("chaos {detail}{left}"), theme.chaos)], rank: 2 })
}

/// Says that the target is not reachable and when it is tried again.
pub fn banner(state: &State, frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    let Connection::Down { reason, retry_in } = &state.watch.connection else { return };
    let told = state.watch.connection_at.unwrap_or(state.now.instant);
    let waited = state.now.instant.saturating_duration_since(told);
    let left = retry_in.saturating_sub(waited).as_secs_f64().ceil();
    let retry = if left > 0.0 { format!("retrying in {left:.0} s") } else { "retrying now".to_owned() };
    let target = state.header.target;
    let line = format!(" ✗ {target}: not reachable, {retry} · {}", text::clean(reason));
    let line = text::left(&line, usize::from(area.width));
    frame.render_widget(Paragraph::new(Line::styled(line, theme.banner)), area);
}
