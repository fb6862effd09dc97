//! Lines that start with `#`: metadata, the end mark, comments.

use std::borrow::Cow;
use std::collections::HashMap;

use super::cursor::{Cursor, Reason, excerpt};
use super::model::{Family, Kind};
use super::{Format, Malformed};

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
    /// Where the last family of a name is.
    index: HashMap<Cow<'a, str>, usize>,
    /// Families whose name an earlier one has: where each is, its first line,
    /// and what that line said.
    namesakes: Vec<(usize, usize, &'static str)>,
}

impl<'a> FamilyTable<'a> {
    /// Each fact may be said once: a second one contradicts the first, or two
    /// bodies were joined.
    ///
    /// In OpenMetrics it may also begin another family, since a counter and a
    /// gauge can share a name there: the Go client tells of the gauge
    /// `go_memstats_alloc_bytes` and of the counter whose sample is
    /// `go_memstats_alloc_bytes_total`. They must then differ in their types.
    pub(super) fn add(&mut self, entry: Entry<'a>, format: Format, line: usize) -> Result<(), Reason> {
        let Entry { name, fact } = entry;
        let known = self.index.get(&name).copied();
        let has_room = known.filter(|&place| !self.families[place].says(&fact));
        let place = if let Some(place) = has_room {
            place
        } else {
            if known.is_some() {
                if format == Format::Text {
                    return Err(second(fact.keyword(), &name));
                }
                self.namesakes.push((self.families.len(), line, fact.keyword()));
            }
            self.families.push(Family { name: name.clone(), kind: None, help: None, unit: None });
            self.index.insert(name, self.families.len() - 1);
            self.families.len() - 1
        };
        let family = &mut self.families[place];
        match fact {
            Fact::Help(text) => family.help = Some(text),
            Fact::Kind(kind) => family.kind = Some(kind),
            Fact::Unit(unit) => family.unit = Some(unit),
        }
        Ok(())
    }

    /// Everything, when families of one name can be told apart; else where
    /// they cannot.
    pub(super) fn into_families(self) -> Result<Vec<Family<'a>>, Malformed> {
        // What is a namesake is not the first of its name. All the others are.
        let mut types: HashMap<&str, Vec<Option<Kind>>> = HashMap::new();
        let mut later = self.namesakes.iter().map(|namesake| namesake.0).peekable();
        for (place, family) in self.families.iter().enumerate() {
            if later.next_if_eq(&place).is_none() && !self.namesakes.is_empty() {
                types.insert(&family.name, vec![family.kind]);
            }
        }
        for &(place, line, keyword) in &self.namesakes {
            let name = &self.families[place].name;
            let known = types.entry(name).or_default();
            let kind = self.families[place].kind;
            if kind.is_none() || known.contains(&None) || known.contains(&kind) {
                return Err(Malformed::new(line, second(keyword, name)));
            }
            known.push(kind);
        }
        Ok(self.families)
    }
}

impl Family<'_> {
    fn says(&self, fact: &Fact<'_>) -> bool {
        match fact {
            Fact::Help(_) => self.help.is_some(),
            Fact::Kind(_) => self.kind.is_some(),
            Fact::Unit(_) => self.unit.is_some(),
        }
    }
}

impl Fact<'_> {
    const fn keyword(&self) -> &'static str {
        match self {
            Self::Help(_) => "HELP",
            Self::Kind(_) => "TYPE",
            Self::Unit(_) => "UNIT",
        }
    }
}

fn second(keyword: &str, name: &str) -> Reason {
    format!("second {keyword} line for {name}")
}
