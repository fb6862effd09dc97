//! Pane 2: what the service does. A figure that is not known is "no data",
//! never a zero; limits and signs are the policy's own words.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::engine::{Reading, Sample};
use crate::policy::CheckLine;
use crate::telemetry::Measured;
use crate::tui::command::{Ask, Command};
use crate::tui::state::{State, total_rate};
use crate::tui::theme::Theme;
use crate::tui::{format, keymap, text};

use super::spark;

/// Facts under which a policy speaks of the share of errors.
const ERROR_FACTS: [&str; 1] = ["error_rate"];
/// Facts under which a policy speaks of the P99.
const P99_FACTS: [&str; 2] = ["p99_latency_ms", "p99_ms"];

/// Columns of the name, of the value and of what is right of the history.
const NAME: usize = 10;
const VALUE: usize = 9;
const RIGHT: usize = 17;

/// What is shown for a figure whose window is not complete yet.
const MEASURING: &str = "measuring";

/// The window and whose figures lead, for the title.
pub fn note(state: &State) -> String {
    let Some(sample) = &state.watch.sample else { return String::new() };
    let window = format::setting(sample.window);
    match sample.readings.len() {
        0 | 1 => format!("last {window}"),
        _ => {
            let leading = sample.leading().map_or("", |reading| reading.mode.as_str());
            format!("last {window} · P99 and errors of {leading}")
        }
    }
}

/// A figure with its history.
struct Row {
    name: &'static str,
    value: Option<String>,
    /// What stands in the place of a value that is not known.
    absent: &'static str,
    history: Vec<Option<f64>>,
    /// The value of a full bar at least.
    floor: f64,
    right: Vec<Span<'static>>,
    style: Style,
}

/// Three figures with their histories, then what they are made of.
pub fn lines(state: &State, theme: &Theme, width: usize, height: usize) -> Vec<Line<'static>> {
    let sample = state.watch.sample.as_deref();
    let rows = [rate(state, sample, theme), p99(state, theme), errors(state, theme)];
    // A zoomed pane has room for higher histories.
    let tall = (height.saturating_sub(2) / 3).clamp(1, 12);
    let tall = if height < 9 { 1 } else { tall - 1 };
    let mut lines = Vec::new();
    for row in rows {
        print(&row, &mut lines, width, tall, theme);
        if tall > 1 {
            lines.push(Line::default());
        }
    }
    lines.push(summary(state, sample, theme));
    lines.extend(other_faults(sample, theme));
    lines
}

fn print(row: &Row, lines: &mut Vec<Line<'static>>, width: usize, tall: usize, theme: &Theme) {
    let fixed = 1 + NAME + VALUE + 2 + 2 + RIGHT;
    let room = width.saturating_sub(fixed);
    let top = spark::top(&row.history, row.floor);
    let bars = spark::rows(&row.history, room, tall, top);
    let (value, style) = match &row.value {
        Some(value) => (value.as_str(), theme.strong),
        None => (row.absent, theme.dim),
    };
    let last = bars.len().saturating_sub(1);
    for (place, bar) in bars.into_iter().enumerate() {
        if place < last {
            let indent = " ".repeat(1 + NAME + VALUE + 2);
            lines.push(Line::from(vec![Span::raw(indent), Span::styled(bar, row.style)]));
            continue;
        }
        let mut spans = vec![
            Span::styled(format!(" {}", text::left(row.name, NAME)), theme.dim),
            Span::styled(text::left(value, VALUE), style),
            Span::raw("  "),
            Span::styled(bar, row.style),
            Span::raw("  "),
        ];
        spans.extend(row.right.iter().cloned());
        lines.push(Line::from(spans));
    }
}

fn rate(state: &State, sample: Option<&Sample>, theme: &Theme) -> Row {
    let history: Vec<_> = state.watch.history.rate.iter().copied().collect();
    let peak = spark::top(&history, 0.0);
    let total = sample.and_then(total_rate);
    let is_partial = sample.is_some_and(|sample| !sample.readings.is_empty()) && total.is_none();
    let right = if is_partial {
        // A part of the whole is told as what it is.
        sample.and_then(rates_by_slot).map(|parts| Span::styled(parts, theme.dim)).into_iter().collect()
    } else if history.iter().any(Option::is_some) {
        vec![Span::styled(format!("peak  {}", format::rate(peak)), theme.dim)]
    } else {
        Vec::new()
    };
    Row {
        name: "requests",
        value: total.map(format::rate),
        absent: absent(sample.is_some_and(|sample| sample.readings.iter().any(|one| one.passed.is_some()))),
        history,
        floor: 1.0,
        right,
        style: theme.spark,
    }
}

/// `stable 12/s`: the slots whose rate is known, where one of them is not.
fn rates_by_slot(sample: &Sample) -> Option<String> {
    let known = sample.readings.iter().filter_map(|reading| {
        let rate = reading.measured.as_ref().ok()?.request_rate;
        Some(format!("{} {}", reading.mode, format::rate(rate)))
    });
    let known: Vec<_> = known.collect();
    (!known.is_empty()).then(|| text::cut(&known.join(" · "), RIGHT).into_owned())
}

/// What stands where no figure is: it is on its way, or there is none.
const fn absent(is_on_its_way: bool) -> &'static str {
    if is_on_its_way { MEASURING } else { format::NO_DATA }
}

/// Whether only time is wanting for the figures that lead.
fn is_on_its_way(state: &State) -> bool {
    state.watch.leading().is_some_and(|reading| reading.passed.is_some())
}

fn p99(state: &State, theme: &Theme) -> Row {
    let check = state.watch.check(&P99_FACTS);
    let history: Vec<_> = state.watch.history.p99.iter().copied().collect();
    let value = leading(state).and_then(|measured| measured.p99).map(|p99| {
        // In the last bucket the bound is all that is known.
        let above = if p99.high_ms.is_none() { ">" } else { "" };
        format!("{above}{}", beside_limit(p99.ms, check, format::millis))
    });
    Row {
        name: "P99",
        value,
        absent: absent(is_on_its_way(state)),
        // Without a limit the largest value must not look like one.
        floor: limit_of(check).unwrap_or_else(|| spark::top(&history, 0.8) * 1.25),
        history,
        right: limit(check, theme),
        style: spark_style(check, theme),
    }
}

fn errors(state: &State, theme: &Theme) -> Row {
    let check = state.watch.check(&ERROR_FACTS);
    Row {
        name: "errors",
        value: leading(state)
            .and_then(|measured| measured.error_rate)
            .map(|rate| beside_limit(rate, check, format::percent)),
        absent: absent(is_on_its_way(state)),
        history: state.watch.history.errors.iter().copied().collect(),
        // Twice the limit, so that what keeps to it stays in the lower half.
        floor: limit_of(check).map_or(0.02, |limit| limit * 2.0),
        right: limit(check, theme),
        style: spark_style(check, theme),
    }
}

fn leading(state: &State) -> Option<&Measured> {
    state.watch.leading().and_then(|reading| reading.measured.as_ref().ok())
}

/// A figure as it is shown beside its limit: not rounded to it where it is another.
fn beside_limit(figure: f64, check: Option<&CheckLine>, alone: fn(f64) -> String) -> String {
    check.filter(|check| check.limit.is_number()).map_or_else(
        || alone(figure),
        |check| format::compared(&check.fact, &figure.into(), &check.limit, &check.unit).0,
    )
}

fn limit_of(check: Option<&CheckLine>) -> Option<f64> {
    check.and_then(|check| check.limit.as_f64()).filter(|limit| *limit > 0.0)
}

fn spark_style(check: Option<&CheckLine>, theme: &Theme) -> Style {
    match check {
        Some(check) if !check.ok && !check.observed.is_null() => theme.fail,
        Some(_) | None => theme.spark,
    }
}

/// `limit 500 ms ✓`, as the gate says it.
fn limit(check: Option<&CheckLine>, theme: &Theme) -> Vec<Span<'static>> {
    let Some(check) = check else { return Vec::new() };
    let limit = format::fact(&check.fact, &check.limit, &check.unit);
    let (sign, style) = match (check.observed.is_null(), check.ok) {
        (true, _) => ("?", theme.warn),
        (false, true) => ("✓", theme.ok),
        (false, false) => ("✗", theme.fail),
    };
    vec![
        Span::styled(format!("limit {}", text::left(&limit, RIGHT - 9)), theme.dim),
        Span::styled(format!(" {sign}"), style),
    ]
}

/// `1204 requests (50 needed) · stable 903 · canary 301 · 0 resets`, or why
/// there is nothing to count.
fn summary(state: &State, sample: Option<&Sample>, theme: &Theme) -> Line<'static> {
    let Some(sample) = sample else {
        let text = if state.watch.instances.is_some() && !state.watch.is_deployed() {
            " nothing is deployed: d deploys"
        } else {
            " nothing measured yet"
        };
        return Line::styled(text, theme.dim);
    };
    let Some(leading) = sample.leading() else {
        return Line::styled(" nothing runs that could be measured", theme.dim);
    };
    let measured = match &leading.measured {
        Ok(measured) => measured,
        Err(reason) => return missing(sample, leading, reason, theme),
    };
    let needed = sample.samples_needed;
    // Only a hint: whether it is enough is for the policy to say.
    if measured.requests < needed {
        return Line::from(vec![
            Span::styled(" ? ", theme.warn),
            Span::styled(format!("{} of {needed} requests", measured.requests), theme.warn),
            Span::styled(format!(" from {} · probe traffic: ", leading.mode), theme.dim),
            Span::styled(keymap::key_of(Command::Ask(Ask::Probe)).unwrap_or_default(), theme.key),
        ]);
    }
    let counts: Vec<_> = sample
        .readings
        .iter()
        .filter_map(|reading| reading.measured.as_ref().ok().map(|measured| (reading, measured)))
        .collect();
    let total: u64 = counts.iter().map(|(_, measured)| measured.requests).sum();
    let resets: u64 = counts.iter().map(|(_, measured)| measured.resets).sum();
    let mut parts = vec![format!(" {total} requests ({needed} needed)")];
    parts.extend(counts.iter().map(|(reading, measured)| format!("{} {}", reading.mode, measured.requests)));
    parts.push(if resets == 1 { "1 reset".to_owned() } else { format!("{resets} resets") });
    Line::styled(parts.join(" · "), theme.dim)
}

/// Slots beside the leading one that could not be read.
fn other_faults(sample: Option<&Sample>, theme: &Theme) -> Vec<Line<'static>> {
    let Some(sample) = sample else { return Vec::new() };
    let leading = sample.leading().map(|reading| reading.slot);
    sample
        .readings
        .iter()
        .filter(|reading| Some(reading.slot) != leading)
        .filter_map(|reading| {
            reading.measured.as_ref().err().map(|reason| missing(sample, reading, reason, theme))
        })
        .collect()
}

/// Why a slot has no figures: they are on their way, or something is wrong.
fn missing(sample: &Sample, reading: &Reading, reason: &str, theme: &Theme) -> Line<'static> {
    if let Some(passed) = reading.passed {
        let (passed, window) = (passed.min(sample.window).as_secs(), sample.window.as_secs());
        return Line::from(vec![
            Span::styled(format!(" … {}: ", reading.mode), theme.dim),
            Span::styled(format!("measuring: {passed} of {window} s"), theme.text),
        ]);
    }
    Line::from(vec![
        Span::styled(format!(" ✗ {}: ", reading.mode), theme.fail),
        Span::styled(text::clean(reason).into_owned(), theme.text),
    ])
}
