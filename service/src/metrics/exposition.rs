//! The Prometheus text format, version 0.0.4, as it is written.

use std::fmt::{Display, Write as _};

/// The content type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What kind of number a family holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
}

/// A text that is being written. Every line ends with a line feed, the last
/// one too.
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// Begins a family; its samples follow.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// Writes a sample. Names are the program's own, label values may be
    /// anything.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.push(format_args!("{name}"));
        for (nth, (label, text)) in labels.iter().enumerate() {
            let open = if nth == 0 { '{' } else { ',' };
            self.push(format_args!("{open}{label}=\"{}\"", escaped(text)));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        self.push(format_args!("{close} {value}\n"));
    }

    /// The text.
    #[must_use]
    pub fn finish(self) -> String {
        self.0
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(text);
    }
}

/// Backslash first, or it would escape the escapes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_family_is_help_type_and_samples() {
        let mut text = Exposition::default();
        text.family("up_total", Kind::Counter, "Two\nlines \\ one");
        text.sample("up_total", &[], 3);
        text.sample("up_total", &[("a", "x"), ("b", "y")], 0.25);
        assert_eq!(
            text.finish(),
            "# HELP up_total Two\\nlines \\\\ one\n# TYPE up_total counter\nup_total 3\n\
             up_total{a=\"x\",b=\"y\"} 0.25\n"
        );
    }

    #[rstest]
    #[case("plain {,=} é", "plain {,=} é")]
    #[case("a\"b", "a\\\"b")]
    #[case("a\\b", "a\\\\b")]
    #[case("a\nb", "a\\nb")]
    #[case("\\n", "\\\\n")]
    fn label_values_are_escaped(#[case] value: &str, #[case] written: &str) {
        let mut text = Exposition::default();
        text.sample("m", &[("l", value)], 1);
        assert_eq!(text.finish(), format!("m{{l=\"{written}\"}} 1\n"));
    }
}
