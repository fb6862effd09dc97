//! Lines that start with `#`: metadata, the end mark, comments.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Format;
use super::cursor::{Cursor, Reason, excerpt};
use super::model::{Family, Kind};

/// What a line that starts with `#` is.
pub(super) enum Comment<'a> {
    /// For people.
    Free,
    /// OpenMetrics' `# EOF`.
    End,
    /// `HELP`, `TYPE` or `UNIT`.
    Metadata(Entry<'a>),
}

/// A metadata line: which family, and what it says.
pub(super) struct Entry<'a> {
    name: Cow<'a, str>,
    fact: Fact<'a>,
}

enum Fact<'a> {
    Help(&'a str),
    Kind(Kind),
    Unit(&'a str),
}

/// Reads a line whose first character is `#`. As in Prometheus, a keyword
/// counts only behind at least one blank; anything else is a comment.
pub(super) fn read(line: &str, format: Format) -> Result<Comment<'_>, Reason> {
    // A bare CR would hide what some writer meant as the next line.
    if line.contains('\r') {
        return Err("CR in a comment, only LF ends a line".to_owned());
    }
    if format == Format::OpenMetrics && line == Format::END {
        return Ok(Comment::End);
    }
    let mut at = Cursor::new(line);
    at.eat(b'#');
    if !at.is_at(b' ') && !at.is_at(b'\t') {
        return Ok(Comment::Free);
    }
    at.blanks();
    let keyword = at.word();
    let is_metadata = match keyword {
        "HELP" | "TYPE" => true,
        "UNIT" => format == Format::OpenMetrics,
        _ => false,
    };
    if !is_metadata {
        return Ok(Comment::Free);
    }
    let entry = entry(keyword, &mut at).map_err(|reason| format!("{keyword} line: {reason}"))?;
    Ok(Comment::Metadata(entry))
}

fn entry<'a>(keyword: &str, at: &mut Cursor<'a>) -> Result<Entry<'a>, Reason> {
    at.blanks();
    let name = family_name(at)?;
    at.blanks();
    let fact = match keyword {
        "TYPE" => Fact::Kind(kind(at.rest())?),
        "UNIT" => Fact::Unit(unit(at.rest())?),
        _ => Fact::Help(at.rest()),
    };
    Ok(Entry { name, fact })
}

fn family_name<'a>(at: &mut Cursor<'a>) -> Result<Cow<'a, str>, Reason> {
    let name = if at.is_at(b'"') {
        at.quoted("metric name")?
    } else {
        at.metric_name().map(Cow::Borrowed).unwrap_or_default()
    };
    let is_delimited = at.is_done() || at.is_at(b' ') || at.is_at(b'\t');
    if name.is_empty() || !is_delimited {
        return Err(format!("no valid metric name: {}", at.found()));
    }
    Ok(name)
}

fn kind(rest: &str) -> Result<Kind, Reason> {
    let word = rest.trim_end_matches([' ', '\t']);
    Kind::from_word(word).ok_or_else(|| format!("{} is not a type of metric", excerpt(word)))
}

fn unit(rest: &str) -> Result<&str, Reason> {
    let word = rest.trim_end_matches([' ', '\t']);
    let is_unit = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'));
    if is_unit { Ok(word) } else { Err(format!("{} is not a unit", excerpt(word))) }
}

/// The families named so far, in the order of their first line.
#[derive(Default)]
pub(super) struct FamilyTable<'a> {
    families: Vec<Family<'a>>,
    index: HashMap<Cow<'a, str>, usize>,
}

impl<'a> FamilyTable<'a> {
    /// Each fact may be said once: a second one contradicts the first, or two
    /// bodies were joined.
    pub(super) fn add(&mut self, entry: Entry<'a>) -> Result<(), Reason> {
        let Entry { name, fact } = entry;
        let place = *self.index.entry(name.clone()).or_insert_with(|| {
            self.families.push(Family { name, kind: None, help: None, unit: None });
            self.families.len() - 1
        });
        let family = &mut self.families[place];
        let (keyword, is_second) = match fact {
            Fact::Help(text) => ("HELP", family.help.replace(text).is_some()),
            Fact::Kind(kind) => ("TYPE", family.kind.replace(kind).is_some()),
            Fact::Unit(unit) => ("UNIT", family.unit.replace(unit).is_some()),
        };
        if is_second { Err(format!("second {keyword} line for {}", family.name)) } else { Ok(()) }
    }

    pub(super) fn into_families(self) -> Vec<Family<'a>> {
        self.families
    }
}
