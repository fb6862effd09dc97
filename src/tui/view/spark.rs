//! Histories as rows of bars, and bars of progress.

use crate::tui::format;

const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What stands where there was no data; never a bar of height zero.
const GAP: char = '·';

/// The last `width` values as bars, one row of text each, the top one first.
/// `top` is the value of a full bar. Missing history at the left is blank.
#[must_use]
pub fn rows(values: &[Option<f64>], width: usize, height: usize, top: f64) -> Vec<String> {
    let shown = &values[values.len().saturating_sub(width)..];
    let blank = width - shown.len();
    let full = format::real(u64::try_from(height * 8).unwrap_or(8));
    let levels: Vec<Option<usize>> = shown
        .iter()
        .map(|value| {
            value.map(|value| {
                let share = if top > 0.0 { (value / top).clamp(0.0, 1.0) } else { 0.0 };
                format::index(share * full).max(1)
            })
        })
        .collect();
    (0..height)
        .rev()
        .map(|row| {
            let bars = levels.iter().map(|level| match level {
                Some(level) => EIGHTHS[level.saturating_sub(row * 8).min(8)],
                None if row == 0 => GAP,
                None => ' ',
            });
            std::iter::repeat_n(' ', blank).chain(bars).collect()
        })
        .collect()
}

/// The largest value there is, at least `floor`.
#[must_use]
pub fn top(values: &[Option<f64>], floor: f64) -> f64 {
    values.iter().flatten().copied().filter(|value| value.is_finite()).fold(floor, f64::max)
}

/// A bar of progress.
#[must_use]
pub fn bar(share: f64, width: usize) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let done = format::index(share * format::real(u64::try_from(width).unwrap_or(0))).min(width);
    "▓".repeat(done) + &"░".repeat(width - done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_the_value_and_gaps_are_no_zeros() {
        let values = [Some(0.0), None, Some(4.0), Some(8.0)];
        assert_eq!(rows(&values, 6, 1, 8.0), ["  ▁·▄█"]);
        assert_eq!(rows(&values, 2, 1, 8.0), ["▄█"]);
        assert_eq!(rows(&values, 4, 2, 8.0), ["   █", "▁·██"]);
    }

    #[test]
    fn nothing_measured_is_blank_and_odd_values_do_no_harm() {
        assert_eq!(rows(&[], 3, 1, 1.0), ["   "]);
        assert_eq!(rows(&[Some(f64::NAN), Some(f64::INFINITY)], 2, 1, 1.0), ["▁█"]);
        assert_eq!(bar(f64::NAN, 4), "░░░░");
        assert_eq!(bar(0.5, 4), "▓▓░░");
    }
}
