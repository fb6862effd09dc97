//! The log viewer.

use super::{Input, Ring};

/// Lines kept.
const LINES: usize = 5_000;
/// Lines that stay on screen when the ones being read are forgotten.
const OLDEST_PAGE: usize = 60;
/// Lines asked for at the beginning.
pub const TAIL: usize = 500;

/// A line of a log, clean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogText {
    /// Whether it came by standard error.
    pub is_stderr: bool,
    /// The text.
    pub text: String,
}

/// Where the log stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogStatus {
    /// Nothing came yet.
    Opening,
    /// Lines come.
    Open,
    /// It ended.
    Ended,
    /// It could not be read.
    Failed(String),
}

/// The log viewer.
#[derive(Debug, Clone)]
pub struct Logs {
    /// The services to choose from.
    pub services: Vec<String>,
    /// Which one is shown.
    pub selected: usize,
    /// Replies with another one belong to another log.
    pub generation: u64,
    /// The lines.
    pub lines: Ring<LogText>,
    /// Where it stands.
    pub status: LogStatus,
    /// The number of the last line shown; `None` follows the newest.
    pub bottom: Option<usize>,
    /// Only lines that contain this are shown.
    pub filter: Input,
    /// Whether the filter is being typed.
    pub is_filtering: bool,
    /// Whether long lines are broken.
    pub is_wrapped: bool,
}

impl Logs {
    /// A viewer for these services.
    #[must_use]
    pub fn new(services: Vec<String>, selected: usize, generation: u64) -> Self {
        Self {
            services,
            selected,
            generation,
            lines: Ring::new(LINES),
            status: LogStatus::Opening,
            bottom: None,
            filter: Input::default(),
            is_filtering: false,
            is_wrapped: true,
        }
    }

    /// The chosen service.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.services.get(self.selected).map(String::as_str)
    }

    /// Another service: its log begins anew.
    pub fn choose(&mut self, selected: usize, generation: u64) {
        self.selected = selected;
        self.generation = generation;
        self.lines = Ring::new(LINES);
        self.status = LogStatus::Opening;
        self.bottom = None;
    }

    /// Whether a line passes the filter.
    #[must_use]
    pub fn passes(&self, line: &LogText) -> bool {
        let wanted = self.filter.text();
        wanted.is_empty() || line.text.to_lowercase().contains(&wanted.to_lowercase())
    }

    /// The lines that pass the filter with their numbers, newest first, from
    /// the one at the bottom.
    pub fn upwards(&self) -> impl Iterator<Item = (usize, &LogText)> {
        let first = self.lines.forgotten();
        let count = self.lines.len();
        // A line that was forgotten while it was being read gives way to the oldest ones kept.
        let oldest_page = first + count.min(OLDEST_PAGE);
        let bottom = self.bottom.map_or(usize::MAX, |bottom| bottom.max(oldest_page));
        let bottom = if first == 0 { self.bottom.unwrap_or(usize::MAX) } else { bottom };
        self.lines
            .iter()
            .rev()
            .enumerate()
            .map(move |(back, line)| (first + count - 1 - back, line))
            .filter(move |(number, line)| *number <= bottom && self.passes(line))
    }

    /// Moves the bottom line up by so many lines that pass the filter.
    pub fn up(&mut self, lines: usize) {
        let target = self.upwards().map(|(number, _)| number).take(lines + 1).last();
        if let Some(number) = target {
            self.bottom = Some(number);
        }
    }

    /// Moves the bottom line down; at the end it follows again.
    pub fn down(&mut self, lines: usize) {
        let Some(bottom) = self.bottom else { return };
        let first = self.lines.forgotten();
        let below = self
            .lines
            .iter()
            .enumerate()
            .map(|(place, line)| (first + place, line))
            .filter(|(number, line)| *number > bottom && self.passes(line))
            .map(|(number, _)| number);
        let mut after = below.skip(lines.saturating_sub(1));
        let target = after.next();
        self.bottom = if after.next().is_some() { target } else { None };
    }

    /// Stays where it is, or follows.
    pub fn toggle_follow(&mut self) {
        self.bottom = match self.bottom {
            None => self.upwards().next().map(|(number, _)| number),
            Some(_) => None,
        };
    }

    /// To the oldest line: the page that begins with it.
    pub fn home(&mut self, page: usize) {
        let first = self.lines.forgotten();
        let numbers = self
            .lines
            .iter()
            .enumerate()
            .filter(|(_, line)| self.passes(line))
            .map(|(place, _)| first + place);
        self.bottom = numbers.take(page.max(1)).last();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(count: usize) -> Logs {
        let mut logs = Logs::new(vec!["app-blue".into()], 0, 1);
        for number in 0..count {
            logs.lines.push(LogText { is_stderr: false, text: format!("line {number}") });
        }
        logs
    }

    fn shown(logs: &Logs, count: usize) -> Vec<usize> {
        logs.upwards().take(count).map(|(number, _)| number).collect()
    }

    #[test]
    fn scrolling_up_leaves_following_and_down_to_the_end_takes_it_up_again() {
        let mut logs = logs(10);
        assert_eq!(shown(&logs, 2), [9, 8]);
        logs.up(3);
        assert_eq!(shown(&logs, 2), [6, 5]);
        logs.down(1);
        assert_eq!(logs.bottom, Some(7));
        logs.down(5);
        assert_eq!(logs.bottom, None);
    }

    #[test]
    fn new_lines_do_not_move_what_is_being_read() {
        let mut logs = logs(10);
        logs.up(2);
        let before = shown(&logs, 3);
        logs.lines.push(LogText { is_stderr: false, text: "new".into() });
        assert_eq!(shown(&logs, 3), before);
    }

    #[test]
    fn scrolling_counts_only_lines_that_pass_the_filter() {
        let mut logs = logs(30);
        logs.filter.type_text("LINE 2");
        assert_eq!(shown(&logs, 3), [29, 28, 27]);
        logs.up(10);
        assert_eq!(shown(&logs, 3), [2]);
    }

    #[test]
    fn lines_beyond_the_limit_are_forgotten() {
        let logs = logs(LINES + 7);
        assert_eq!((logs.lines.len(), logs.lines.forgotten()), (LINES, 7));
        assert_eq!(shown(&logs, 1), [LINES + 6]);
    }

    #[test]
    fn the_oldest_page_begins_with_the_oldest_line() {
        let mut logs = logs(30);
        logs.home(5);
        assert_eq!(shown(&logs, 9), [4, 3, 2, 1, 0]);
    }
}
