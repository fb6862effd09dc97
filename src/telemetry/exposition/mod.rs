//! The exposition formats: Prometheus text 0.0.4 and OpenMetrics 1.0, as the
//! common client libraries write them.
//!
//! Invariant: strict and whole. Every line that is neither blank nor a comment
//! becomes a sample, or the whole body is an error with line and reason. There
//! is no third way, because a line that is left out reads like traffic that
//! never happened.
//!
//! Lenient only where nothing can be lost: OpenMetrics' rules about single
//! blanks and about the order of metadata are not enforced (the Go client
//! breaks the latter), and exemplars are checked, then left out.

mod body;
mod cursor;
mod labels;
mod metadata;
mod model;
mod number;
mod print;
mod sample;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::{Deserialize, Serialize};

pub use model::{Exposition, Family, Kind, Label, Sample, Timestamp};
pub(super) use number::value as read_number;

use metadata::{Comment, FamilyTable};

/// Which of the two formats a body is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0 text.
    OpenMetrics,
}

impl Format {
    /// The last line of an OpenMetrics body.
    pub const END: &'static str = "# EOF";

    /// The format that a `Content-Type` announces, whatever its version and
    /// other parameters; `None` when it is not an exposition.
    #[must_use]
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("text/plain") {
            Some(Self::Text)
        } else if media_type.eq_ignore_ascii_case("application/openmetrics-text") {
            Some(Self::OpenMetrics)
        } else {
            None
        }
    }

    /// The format of a saved body, which has lost its content type:
    /// OpenMetrics exactly when `# EOF` is the last line.
    #[must_use]
    pub fn of_saved(body: &[u8]) -> Self {
        let body = body.strip_suffix(b"\n").unwrap_or(body);
        match body.strip_suffix(Self::END.as_bytes()) {
            Some(before) if before.is_empty() || before.ends_with(b"\n") => Self::OpenMetrics,
            _ => Self::Text,
        }
    }
}

/// Why a body is no exposition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Malformed {
    /// Counted from 1; 0 when it is the body as a whole.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

impl Malformed {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into() }
    }
}

/// Reads a whole body. Names and label values borrow from it unless they
/// contain escapes; the memory used is proportional to its length.
pub fn parse<B: AsRef<[u8]> + ?Sized>(body: &B, format: Format) -> Result<Exposition<'_>, Malformed> {
    let text = body::readable(body.as_ref())?;
    let mut families = FamilyTable::default();
    let mut samples = Vec::new();
    let mut last = 0;
    let mut has_ended = false;
    for (index, line) in text.split_terminator('\n').enumerate() {
        last = index + 1;
        let wrong = |reason: String| Malformed::new(index + 1, reason);
        if has_ended {
            return Err(wrong(format!("text after {}", Format::END)));
        }
        let content = line.trim_start_matches([' ', '\t']);
        if content.starts_with('#') {
            match metadata::read(content, format).map_err(wrong)? {
                Comment::Free => {}
                Comment::End => has_ended = true,
                Comment::Metadata(entry) => families.add(entry, format, last).map_err(wrong)?,
            }
        } else if !content.is_empty() {
            samples.push(sample::read(content, format, last).map_err(wrong)?);
        }
    }
    let families = families.into_families()?;
    if format == Format::OpenMetrics && !has_ended {
        return Err(Malformed::new(last, format!("cut off: OpenMetrics without {} at the end", Format::END)));
    }
    if format == Format::Text && samples.is_empty() && families.is_empty() {
        return Err(Malformed::new(0, "empty: there are only comments"));
    }
    refuse_duplicates(&samples)?;
    Ok(Exposition::new(format, families, samples))
}

/// Two samples of one series cannot both be true.
fn refuse_duplicates(samples: &[Sample<'_>]) -> Result<(), Malformed> {
    let mut seen = HashMap::with_capacity(samples.len());
    for sample in samples {
        match seen.entry((sample.name.as_ref(), sample.labels.as_slice())) {
            Entry::Vacant(free) => {
                free.insert(sample.line);
            }
            Entry::Occupied(first) => {
                let reason = format!("duplicate series {}, first in line {}", sample.series(), first.get());
                return Err(Malformed::new(sample.line, reason));
            }
        }
    }
    Ok(())
}
