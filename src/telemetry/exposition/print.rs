//! An exposition as text again: metadata first, then the samples. What is
//! printed reads back as the same exposition.

use std::fmt::{self, Display, Formatter, Write};

use super::Format;
use super::cursor::{is_classic_label_name, is_classic_metric_name};
use super::model::{Exposition, Family, Sample, Timestamp};

impl Display for Exposition<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let is_openmetrics = self.format() == Format::OpenMetrics;
        for family in self.families() {
            // Two families of OpenMetrics may have one name; what begins the
            // second is its type.
            if is_openmetrics {
                write_kind(f, family)?;
                write_unit(f, family)?;
                write_help(f, family)?;
            } else {
                write_help(f, family)?;
                write_kind(f, family)?;
            }
        }
        for sample in self.samples() {
            write_series(f, sample)?;
            write!(f, " {}", Value(sample.value))?;
            match sample.timestamp {
                Some(Timestamp::Millis(millis)) => write!(f, " {millis}")?,
                Some(Timestamp::Seconds(seconds)) => write!(f, " {}", Value(seconds))?,
                None => {}
            }
            f.write_char('\n')?;
        }
        if is_openmetrics {
            writeln!(f, "{}", Format::END)?;
        }
        Ok(())
    }
}

fn write_help(f: &mut Formatter<'_>, family: &Family<'_>) -> fmt::Result {
    let Some(help) = family.help else { return Ok(()) };
    let gap = if help.is_empty() { "" } else { " " };
    writeln!(f, "# HELP {}{gap}{help}", Name(&family.name))
}

fn write_kind(f: &mut Formatter<'_>, family: &Family<'_>) -> fmt::Result {
    let Some(kind) = family.kind else { return Ok(()) };
    writeln!(f, "# TYPE {} {}", Name(&family.name), kind.as_str())
}

fn write_unit(f: &mut Formatter<'_>, family: &Family<'_>) -> fmt::Result {
    let Some(unit) = family.unit else { return Ok(()) };
    let gap = if unit.is_empty() { "" } else { " " };
    writeln!(f, "# UNIT {}{gap}{unit}", Name(&family.name))
}

/// A sample without its value.
pub(super) fn series(sample: &Sample<'_>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_series(&mut text, sample);
    text
}

fn write_series(out: &mut impl Write, sample: &Sample<'_>) -> fmt::Result {
    let is_classic = is_classic_metric_name(&sample.name);
    if is_classic {
        out.write_str(&sample.name)?;
        if sample.labels.is_empty() {
            return Ok(());
        }
    }
    out.write_char('{')?;
    let mut gap = "";
    if !is_classic {
        write!(out, "{}", Quoted(&sample.name))?;
        gap = ",";
    }
    for label in &sample.labels {
        out.write_str(gap)?;
        if is_classic_label_name(&label.name) {
            out.write_str(&label.name)?;
        } else {
            write!(out, "{}", Quoted(&label.name))?;
        }
        write!(out, "={}", Quoted(&label.value))?;
        gap = ",";
    }
    out.write_char('}')
}

/// A family's name, in quotes where it needs them.
struct Name<'a>(&'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if is_classic_metric_name(self.0) { f.write_str(self.0) } else { Quoted(self.0).fmt(f) }
    }
}

struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')
    }
}

/// A number in the formats' spelling: shortest decimal that reads back as the
/// same number.
struct Value(f64);

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.abs();
        if self.0.is_nan() {
            f.write_str("NaN")
        } else if self.0.is_infinite() {
            f.write_str(if self.0 > 0.0 { "+Inf" } else { "-Inf" })
        } else if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
            write!(f, "{}", self.0)
        } else {
            write!(f, "{:e}", self.0)
        }
    }
}
