//! One thing that is wrong in a manifest, with the place, the line and a way
//! out; how it is shown.

use std::fmt;

use unicode_width::UnicodeWidthChar;

use super::place::Place;

/// What is wrong with a value and how to put it right, without a place.
///
/// serde carries errors of values as text only, so the two parts travel as
/// two lines; neither ever holds a line feed of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    message: String,
    help: Option<String>,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: printable(&message.into()), help: None }
    }

    /// Adds a way out.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(printable(&help.into()));
        self
    }

    /// Puts what it is about in front.
    pub(super) fn about(mut self, subject: &str) -> Self {
        self.message = format!("{} {}", printable(subject), self.message);
        self
    }

    /// Reads what [`fmt::Display`] wrote.
    pub(super) fn from_text(text: &str) -> Self {
        match text.split_once('\n') {
            Some((message, help)) => Self::new(message).help(help),
            None => Self::new(text),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n{help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Complaint {}

impl serde::de::Error for Complaint {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::from_text(&message.to_string())
    }
}

/// One thing that is wrong in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    line: usize,
    column: usize,
    width: usize,
    line_text: String,
    key: Option<String>,
    message: String,
    help: Option<String>,
    /// The key that was meant, when this one is misspelt.
    meant: Option<String>,
}

impl Problem {
    pub(super) fn new(text: &str, place: Place, key: Option<String>, complaint: Complaint) -> Self {
        let (line, column) = place.line_and_column(text);
        Self {
            line,
            column,
            width: place.width_on_line(text),
            line_text: place.line_text(text).to_owned(),
            key: key.map(|key| printable(&key)),
            message: complaint.message,
            help: complaint.help,
            meant: None,
        }
    }

    /// Adds which key was meant, so that it is not reported as missing too.
    pub(super) fn meaning(mut self, key: String) -> Self {
        self.meant = Some(key);
        self
    }

    /// Whether this is a misspelling of that key.
    pub(super) fn means(&self, key: &str) -> bool {
        self.meant.as_deref() == Some(key)
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// The path of the key, as in `services.port`; `None` where the text is
    /// not even YAML.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What is wrong, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to put it right, in one line.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The lines below the message: place, excerpt with a caret, way out.
    pub(super) fn write_report(&self, f: &mut fmt::Formatter<'_>, file: &str) -> fmt::Result {
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let excerpt = Excerpt::around(&self.line_text, self.column, self.width);
        match &self.key {
            Some(key) => writeln!(f, "{key}: {}", self.message)?,
            None => writeln!(f, "{}", self.message)?,
        }
        writeln!(f, "{gutter}--> {file}:{}:{}", self.line, self.column)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {}", excerpt.text)?;
        write!(f, "{gutter} | {}{}", " ".repeat(excerpt.indent), "^".repeat(excerpt.width))?;
        if let Some(help) = &self.help {
            write!(f, "\n{gutter} = help: {help}")?;
        }
        Ok(())
    }
}

/// A part of a line that fits a terminal, with the caret's place in cells.
struct Excerpt {
    text: String,
    indent: usize,
    width: usize,
}

impl Excerpt {
    /// Cells of text around the caret that are shown of a long line.
    const CELLS: usize = 90;

    fn around(line: &str, column: usize, width: usize) -> Self {
        let cells = |c: char| c.width().unwrap_or(1);
        let shown: Vec<char> = line.chars().map(visible).collect();
        let caret = (column - 1).min(shown.len());
        let mut first = caret;
        let mut used = 0;
        while first > 0 && used < Self::CELLS / 2 {
            first -= 1;
            used += cells(shown[first]);
        }
        let mut last = caret;
        while last < shown.len() && used < Self::CELLS {
            used += cells(shown[last]);
            last += 1;
        }
        let before: String = shown[first..caret].iter().collect();
        let after: String = shown[caret..last].iter().collect();
        let lead = if first > 0 { "…" } else { "" };
        let trail = if last < shown.len() { "…" } else { "" };
        let sum = |text: &[char]| text.iter().map(|c| cells(*c)).sum::<usize>();
        let marked = &shown[caret..(caret + width).min(last).max(caret)];
        Self {
            text: format!("{lead}{before}{after}{trail}"),
            indent: lead.chars().count() + sum(&shown[first..caret]),
            width: sum(marked).max(1),
        }
    }
}

/// A character as it can be shown on one line of a terminal.
fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        // Zero-width and direction marks would shift the caret or reorder the line.
        c if c.width() == Some(0) => '\u{fffd}',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => '\u{fffd}',
        c => c,
    }
}

/// Text as one line of bearable length without control characters.
fn printable(text: &str) -> String {
    const MOST: usize = 400;
    let mut line: String = text.chars().take(MOST).map(visible).collect();
    if text.chars().nth(MOST).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Report<'a>(&'a Problem);

    impl fmt::Display for Report<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.write_report(f, "manifest.yaml")
        }
    }

    fn problem(text: &str, needle: &str) -> String {
        let start = text.find(needle).unwrap();
        let place = Place { start, end: start + needle.len() };
        let complaint = Complaint::new("is wrong").help("put it right");
        Report(&Problem::new(text, place, Some("a.b".into()), complaint)).to_string()
    }

    #[test]
    fn the_caret_stands_below_the_value_also_behind_wide_characters_and_tabs() {
        insta::assert_snapshot!(problem("a:\n  \tb: 世界 \u{1b}[31m port # x", "port"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("{}port{}", "x".repeat(500), "y".repeat(500));
        let report = problem(&text, "port");
        assert!(report.lines().all(|line| line.chars().count() < 110), "{report}");
        let lines: Vec<&str> = report.lines().collect();
        let byte = lines[3].find("port").unwrap();
        assert_eq!(lines[3][..byte].chars().count(), lines[4].find('^').unwrap(), "{report}");
    }

    #[test]
    fn a_complaint_survives_the_way_through_serde() {
        let complaint = Complaint::new("bad \u{1b}[2J\nvalue").help("do\nthis");
        let through = <Complaint as serde::de::Error>::custom(&complaint);
        assert_eq!(through, complaint);
        assert!(!complaint.to_string().contains('\u{1b}'));
    }
}
