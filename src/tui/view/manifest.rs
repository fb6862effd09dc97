//! Pane 1: what the person wrote, and whether the rest follows it.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::domain::Mode;
use crate::engine::GeneratedState;
use crate::manifest::{Manifest, Split};
use crate::tui::state::State;
use crate::tui::theme::Theme;
use crate::tui::{format, text};

/// The values that matter, as the manifest spells their keys.
pub fn lines(state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(drift) = &state.watch.live.drift {
        for (row, part) in text::wrap(&text::clean(drift), width.saturating_sub(4)).into_iter().enumerate() {
            let sign = if row == 0 { " ≠ " } else { "   " };
            lines.push(Line::from(vec![Span::styled(sign, theme.warn), Span::styled(part, theme.warn)]));
        }
    }
    match &state.watch.manifest {
        None => lines.push(Line::styled(" reading the manifest …", theme.dim)),
        Some(Err(error)) => {
            lines.push(Line::styled(" ✗ the manifest cannot be used", theme.fail));
            let room = width.saturating_sub(2);
            let shown = text::clean_lines(error).flat_map(|line| {
                // What points into the file by columns keeps its shape.
                if is_excerpt(&line) { vec![line] } else { text::wrap(&line, room) }
            });
            lines.extend(shown.map(|line| Line::styled(format!(" {line}"), theme.text)));
        }
        Some(Ok(manifest)) => {
            for section in sections(manifest, theme) {
                section.print(&mut lines, theme);
            }
        }
    }
    lines
}

/// Whether a line shows a line of the file, or points into the one above it.
fn is_excerpt(line: &str) -> bool {
    line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).starts_with('|')
}

/// Whether the generated files follow the manifest, for the lower border.
pub fn bottom(state: &State, theme: &Theme) -> Vec<Line<'static>> {
    let (word, style) = match state.watch.generated {
        GeneratedState::Unknown => ("· not looked at", theme.dim),
        GeneratedState::Absent => ("○ not yet: i", theme.warn),
        GeneratedState::Stale => ("✗ stale: i", theme.fail),
        GeneratedState::UpToDate => ("✓ up to date", theme.ok),
    };
    let line = Line::from(vec![Span::styled(" generated ", theme.dim), Span::styled(word, style)]);
    let mut spaced = line.clone();
    spaced.push_span(" ");
    vec![spaced, line]
}

/// A section of the manifest.
struct Section {
    name: &'static str,
    rows: Vec<(&'static str, String, Style)>,
}

impl Section {
    fn print(self, lines: &mut Vec<Line<'static>>, theme: &Theme) {
        let column = self.rows.iter().map(|(key, ..)| key.len()).max().unwrap_or(0).max(7) + 2;
        lines.push(Line::styled(format!(" {}", self.name), theme.dim));
        for (key, value, style) in self.rows {
            // A value without a key needs no column for it.
            let key = if key.is_empty() { String::new() } else { text::left(key, column) };
            lines.push(Line::from(vec![
                Span::styled(format!("   {key}"), theme.dim),
                Span::styled(text::clean(&value).into_owned(), style),
            ]));
        }
    }
}

fn sections(manifest: &Manifest, theme: &Theme) -> Vec<Section> {
    let (service, nginx, canary) = (&manifest.services, &manifest.nginx, &manifest.canary);
    let plain = |key, value: String| (key, value, theme.text);
    let (mode, mode_style) = match service.mode {
        Mode::Stable => ("■ stable", theme.stable),
        Mode::Canary => ("▲ canary", theme.canary),
    };
    let mut under_test = Vec::new();
    under_test.extend(canary.image.clone().map(|image| plain("image", image)));
    under_test.extend(canary.version.clone().map(|version| plain("version", version)));
    let steps: Vec<_> = canary.steps.iter().map(u8::to_string).collect();
    let split = match canary.split {
        Split::Request => "request",
        Split::Cookie => "cookie",
        Split::Ip => "ip",
    };
    under_test.push(plain("steps", format!("{} %", steps.join(" → "))));
    let window = format!("{}, {} requests", format::setting(canary.window), canary.min_requests);
    under_test.push(plain("window", window));
    under_test.push(plain("split", split.to_owned()));
    let engine = manifest.policy.engine.map_or("the target's own", crate::manifest::EngineKind::as_str);
    vec![
        Section {
            name: "services",
            rows: vec![
                plain("name", service.name.clone()),
                plain("image", service.image.clone()),
                plain("port", service.port.to_string()),
                plain("version", service.version.clone()),
                ("mode", mode.to_owned(), mode_style),
            ],
        },
        Section {
            name: "nginx",
            rows: vec![
                plain("image", nginx.image.clone()),
                plain("port", nginx.port.to_string()),
                plain("proxy_timeout", format::setting(nginx.proxy_timeout)),
            ],
        },
        Section {
            name: "network",
            rows: vec![plain("", format!("{} ({})", manifest.network.name, manifest.network.driver_type))],
        },
        Section { name: "canary", rows: under_test },
        Section {
            name: "policy",
            rows: vec![
                plain("engine", engine.to_owned()),
                plain("timeout", format::setting(manifest.policy.timeout)),
            ],
        },
    ]
}
