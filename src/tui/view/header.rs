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
    /// The same in fewer columns; empty where there is no shorter way.
    short: Vec<Span<'static>>,
    /// 0 stays longest.
    rank: u8,
}

/// Columns between two parts.
const GAP: usize = 3;

/// Draws the first row.
pub fn draw(state: &State, frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    let clock = state.now.wall.format("%H:%M:%S").to_string();
    let mut segments = vec![brand(state, theme), connection(state, theme)];
    segments.extend(version(state, theme));
    segments.push(mode(state, theme));
    segments.extend(chaos(state, theme));
    let room = usize::from(area.width).saturating_sub(clock.len() + 2);
    let segments = fitting(segments, room);
    let mut spans = vec![Span::raw(" ")];
    for (place, segment) in segments.into_iter().enumerate() {
        if place > 0 {
            spans.push(Span::raw(" ".repeat(GAP)));
        }
        spans.extend(segment.spans);
    }
    frame.render_widget(Paragraph::new(cut_line(Line::from(spans), room)), area);
    let clock = Line::styled(format!("{clock} "), theme.dim).right_aligned();
    let right = Rect { x: area.x + area.width.saturating_sub(9), width: area.width.min(9), ..area };
    frame.render_widget(Paragraph::new(clock), right);
}

/// What there is room for, the most important first, in full or short.
fn fitting(segments: Vec<Segment>, room: usize) -> Vec<Segment> {
    let mut by_rank: Vec<usize> = (0..segments.len()).collect();
    by_rank.sort_by_key(|place| segments[*place].rank);
    let mut left = room.saturating_sub(1);
    let mut kept: Vec<Option<Vec<Span<'static>>>> = vec![None; segments.len()];
    for place in by_rank {
        let segment = &segments[place];
        let found = [&segment.spans, &segment.short]
            .into_iter()
            .filter(|spans| !spans.is_empty())
            .find(|spans| columns(spans) <= left || segment.rank == 0);
        if let Some(spans) = found {
            left = left.saturating_sub(columns(spans) + GAP);
            kept[place] = Some(spans.clone());
        }
    }
    segments
        .into_iter()
        .zip(kept)
        .filter_map(|(segment, kept)| kept.map(|spans| Segment { spans, ..segment }))
        .collect()
}

fn columns(spans: &[Span<'static>]) -> usize {
    spans.iter().map(|span| text::width(&span.content)).sum()
}

fn brand(state: &State, theme: &Theme) -> Segment {
    let project = text::cut(&text::clean(&state.header.project), 24).into_owned();
    Segment {
        spans: vec![
            Span::styled("swiftdeploy", theme.brand),
            Span::styled(" ▸ ", theme.dim),
            Span::styled(project, theme.strong),
        ],
        short: Vec::new(),
        rank: 0,
    }
}

fn connection(state: &State, theme: &Theme) -> Segment {
    let target = state.header.target;
    let name = |text: String| Span::styled(text, theme.text);
    let (about, sign, word, style) = match &state.watch.connection {
        Connection::Connecting => (String::new(), "◌", " connecting", theme.warn),
        Connection::Up(info) => (format!(" {}", text::clean(&info.version)), "●", "", theme.ok),
        Connection::Down { .. } => (String::new(), "○", " not reachable", theme.fail),
    };
    let about = text::cut(&about, 15).into_owned();
    Segment {
        spans: vec![name(format!("{target}{about} ")), Span::styled(format!("{sign}{word}"), style)],
        short: vec![name(format!("{target} ")), Span::styled(sign, style)],
        rank: 3,
    }
}

/// The version that serves; before a deploy nothing.
fn version(state: &State, theme: &Theme) -> Option<Segment> {
    let release = state.watch.live.release.as_ref()?;
    let version = text::cut(&text::clean(&release.version), 20).into_owned();
    let spans = vec![Span::styled("app ", theme.dim), Span::styled(version, theme.text)];
    Some(Segment { spans, short: Vec::new(), rank: 4 })
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
    Segment { spans: vec![span], short: Vec::new(), rank: 1 }
}

fn chaos(state: &State, theme: &Theme) -> Option<Segment> {
    let chaos = state.watch.chaos.as_ref()?;
    let detail = text::cut(&text::clean(&chaos.detail), 28).into_owned();
    let left = chaos.until.map(|until| {
        let seconds = (until - state.now.wall.to_utc()).num_seconds();
        format::countdown(seconds)
    });
    let (full, short) = match left {
        Some(left) => (format!("chaos {detail} · {left} left"), format!("chaos {left}")),
        None => (format!("chaos {detail}"), "chaos".to_owned()),
    };
    let span = |text| vec![Span::styled(text, theme.chaos)];
    Some(Segment { spans: span(full), short: span(short), rank: 2 })
}

/// Whether something is wrong that no pane must hide.
pub const fn has_banner(state: &State) -> bool {
    matches!(state.watch.connection, Connection::Down { .. }) || matches!(state.watch.manifest, Some(Err(_)))
}

/// The first problem of the manifest and where it is, in a line. The rest stands in
/// the pane of the manifest.
fn of_manifest(error: &str) -> String {
    let line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    match error.split_once("\n\n") {
        Some((file, problems)) => {
            let place = line_number(problems).map(|number| format!("line {number}: ")).unwrap_or_default();
            format!("{place}{} · {}", line(problems), line(file))
        }
        None => line(error),
    }
}

/// The line of the first problem, from `--> manifest.yaml:7:3`.
fn line_number(problems: &str) -> Option<usize> {
    let place = problems.lines().nth(1)?.trim_start().strip_prefix("--> ")?;
    let (file_and_line, _column) = place.rsplit_once(':')?;
    file_and_line.rsplit_once(':')?.1.parse().ok()
}

/// Says that the target is not reachable and when it is tried again, or why the
/// manifest cannot be used.
pub fn banner(state: &State, frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    let line = match (&state.watch.connection, &state.watch.manifest) {
        (Connection::Down { reason, retry_in }, _) => {
            let told = state.watch.connection_at.unwrap_or(state.now.instant);
            let waited = state.now.instant.saturating_duration_since(told);
            let left = retry_in.saturating_sub(waited).as_secs_f64().ceil();
            let retry =
                if left > 0.0 { format!("retrying in {left:.0} s") } else { "retrying now".to_owned() };
            let target = state.header.target;
            format!(" ✗ {target}: not reachable, {retry} · {}", text::clean(reason))
        }
        (_, Some(Err(error))) => format!(" ✗ {}", text::clean(&of_manifest(error))),
        _ => return,
    };
    let line = text::left(&line, usize::from(area.width));
    frame.render_widget(Paragraph::new(Line::styled(line, theme.banner)), area);
}

#[cfg(test)]
mod tests {
    use super::of_manifest;

    #[test]
    fn a_banner_tells_the_first_problem_before_the_file() {
        let text = include_str!("../../../assets/starter.yaml").replacen("  port:", "  prot:", 1);
        let path = std::path::Path::new("shop/manifest.yaml");
        let error = crate::manifest::Document::parse(path, text).unwrap_err().to_string();
        let told = of_manifest(&error);
        assert!(told.starts_with("line 6: services.prot: unknown key `prot` in `services` · "), "{told}");
        assert!(told.ends_with(" in shop/manifest.yaml"), "{told}");
        assert_eq!(of_manifest("the file is gone\nand more"), "the file is gone");
    }
}
