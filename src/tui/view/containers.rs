//! Pane 3: what runs.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::domain::Mode;
use crate::domain::stack::Role;
use crate::runtime::{Health, Instance};
use crate::tui::state::State;
use crate::tui::theme::Theme;
use crate::tui::{format, text};

/// Width from which the further columns are shown: version, processor,
/// address.
const ROOMY: usize = 80;

/// A line for each container, and why it is not well.
pub fn lines(state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let Some(instances) = &state.watch.instances else {
        return vec![Line::styled(" looking …", theme.dim)];
    };
    if instances.is_empty() {
        return vec![Line::styled(" nothing runs", theme.dim), Line::styled(" d deploys", theme.dim)];
    }
    let longest = instances.iter().map(|instance| text::width(&instance.service)).max().unwrap_or(0);
    let word = instances.iter().map(|instance| instance.health.as_str().len()).max().unwrap_or(0);
    let columns = Columns { name: longest.clamp(3, width.saturating_sub(29).max(9)), word, width };
    let mut lines = Vec::new();
    for instance in instances {
        lines.push(line(instance, state, columns, theme));
        lines.extend(trouble(instance, width, theme));
    }
    lines
}

/// Columns of the parts, the same in all lines.
#[derive(Clone, Copy)]
struct Columns {
    name: usize,
    word: usize,
    width: usize,
}

fn line(instance: &Instance, state: &State, columns: Columns, theme: &Theme) -> Line<'static> {
    let (sign, word, style) = health(&instance.health, theme);
    let (mode, mode_style) = match instance.role {
        Role::App { mode: Mode::Stable, .. } => ("stable", theme.text),
        Role::App { mode: Mode::Canary, .. } => ("canary", theme.canary),
        Role::Proxy => ("proxy", theme.dim),
        Role::Policy => ("policy", theme.dim),
    };
    let age = instance
        .started_at
        .map(|since| format::age((state.now.wall.to_utc() - since).num_seconds()))
        .unwrap_or_default();
    let memory = instance.usage.map(|usage| format::bytes(usage.memory)).unwrap_or_default();
    let mut spans = vec![
        Span::styled(format!(" {sign} "), style),
        Span::styled(text::left(&text::clean(&instance.service), columns.name), theme.text),
        Span::styled(format!(" {}", text::left(mode, 6)), mode_style),
        Span::styled(format!(" {}", text::left(word, columns.word)), style),
        Span::styled(text::right(&age, 5), theme.dim),
    ];
    if instance.restarts > 0 {
        spans.push(Span::styled(format!(" ↻{}", instance.restarts), theme.warn));
    }
    // The memory has a column of its own as far as there is room for it.
    let used: usize = spans.iter().map(|span| text::width(&span.content)).sum();
    let place = 3 + columns.name + 7 + 1 + columns.word + 5 + 9;
    let edge = place.min(columns.width.saturating_sub(1));
    if edge > used + text::width(&memory) {
        spans.push(Span::styled(text::right(&memory, edge - used), theme.dim));
    }
    if columns.width >= ROOMY {
        let version = instance.release.as_ref().map_or("", |release| release.version.as_str());
        let cpu = instance
            .usage
            .map(|usage| format!("{} % cpu", format::trimmed(usage.cpu_percent, 1)))
            .unwrap_or_default();
        let endpoint = instance.endpoint.map(|endpoint| endpoint.to_string()).unwrap_or_default();
        spans.push(Span::styled(text::right(&cpu, 12), theme.dim));
        spans.push(Span::styled(format!("   {}", text::left(&text::clean(version), 14)), theme.text));
        spans.push(Span::styled(format!(" {endpoint}"), theme.dim));
    }
    Line::from(spans)
}

/// Sign, word and style of a state.
const fn health(health: &Health, theme: &Theme) -> (&'static str, &'static str, Style) {
    match health {
        Health::Starting => ("◌", health.as_str(), theme.warn),
        Health::Healthy => ("●", health.as_str(), theme.ok),
        Health::Unhealthy(_) | Health::Exited(_) => ("✗", health.as_str(), theme.fail),
    }
}

/// Why it is not well.
fn trouble(instance: &Instance, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut reasons = Vec::new();
    if instance.oom_killed {
        reasons.push("killed: it used more memory than it may".to_owned());
    }
    match &instance.health {
        Health::Unhealthy(reason) if !reason.is_empty() => reasons.push(text::clean(reason).into_owned()),
        Health::Exited(Some(code)) => reasons.push(format!("exit code {code}")),
        Health::Exited(None) | Health::Unhealthy(_) | Health::Starting | Health::Healthy => {}
    }
    reasons
        .iter()
        .flat_map(|reason| text::wrap(reason, width.saturating_sub(5)).into_iter().take(2))
        .map(|part| Line::styled(format!("     {part}"), theme.dim))
        .collect()
}
