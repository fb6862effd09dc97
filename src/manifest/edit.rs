//! Changing a value in place. Only the bytes of the value change; the result
//! is read again and must differ in exactly what was asked, or else nothing
//! is changed and the person is told what to do by hand.

use super::document::Document;
use super::error::ManifestError;
use super::model::Service;
use super::place::Place;
use super::tree::{self, Kind, Node};
use crate::domain::Mode;

/// Values under `services` to change; `None` leaves one as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// `services.mode`.
    pub mode: Option<Mode>,
    /// `services.image`.
    pub image: Option<String>,
    /// `services.version`.
    pub version: Option<String>,
}

/// The section whose values the tool may change.
const SECTION: &str = "services";

/// The keys the tool may change, with the siblings after which a missing one
/// is written, the best first.
const MODE: (&str, &[&str]) = ("mode", &["version", "port", "image", "name"]);
const IMAGE: (&str, &[&str]) = ("image", &["name"]);
const VERSION: (&str, &[&str]) = ("version", &["port", "image", "name"]);

impl Document {
    /// The document with other values under `services`, every other byte as
    /// it is. A value that is written with quotes keeps them; a missing key is
    /// written after a sibling. Pure: nothing is on disk before
    /// [`Document::save`].
    pub fn with(&self, edit: &Edit) -> Result<Self, ManifestError> {
        let asked = [
            (IMAGE, edit.image.as_deref()),
            (VERSION, edit.version.as_deref()),
            (MODE, edit.mode.map(Mode::as_str)),
        ];
        let mut document = self.clone();
        for ((key, siblings), value) in asked {
            if let Some(value) = value {
                document = document.set(key, siblings, value)?;
            }
        }
        if document.text() != self.text() {
            document.ancestors.clone_from(&self.ancestors);
            document.ancestors.push(self.text().to_owned());
        }
        Ok(document)
    }

    fn set(&self, key: &str, siblings: &[&str], value: &str) -> Result<Self, ManifestError> {
        if meaning_of(&self.manifest().services, key) == value {
            return Ok(self.clone());
        }
        let refused = |reason: String| ManifestError::CannotEdit {
            path: self.path().to_owned(),
            key: format!("{SECTION}.{key}"),
            reason,
            by_hand: format!("write `{key}: {value}` under `{SECTION}` yourself, then run the command again"),
        };
        let root = tree::parse(self.text()).map_err(|problem| refused(problem.message().to_owned()))?;
        let section = root.get(SECTION).ok_or_else(|| refused("the section is missing".to_owned()))?;
        if section.is_alias {
            return Err(refused(format!("`{SECTION}` is an alias of a section written elsewhere")));
        }
        let candidates = match section.get(key) {
            Some(node) => {
                replacements(self.text(), node, value).map_err(|reason| refused(reason.to_owned()))?
            }
            None => siblings
                .iter()
                .flat_map(|sibling| insertions(self.text(), section, sibling, key, value))
                .collect(),
        };
        let expected = changed(&root, key, value);
        let mut reason = String::from("there is no key beside it after which it could be written");
        for candidate in candidates {
            match Self::parse(self.path(), candidate.apply(self.text())) {
                Ok(document) if is_exactly(document.text(), &expected, key) => return Ok(document),
                Ok(_) => reason = "other values would change with it; an anchor is used elsewhere".into(),
                Err(error) => {
                    reason = error.problems().first().map_or(reason, |first| first.message().into());
                }
            }
        }
        Err(refused(reason))
    }
}

fn meaning_of<'a>(service: &'a Service, key: &str) -> &'a str {
    match key {
        "mode" => service.mode.as_str(),
        "image" => &service.image,
        _ => &service.version,
    }
}

/// Some bytes in place of others.
struct Splice {
    at: Place,
    with: String,
}

impl Splice {
    fn apply(&self, text: &str) -> String {
        let before = text.get(..self.at.start).unwrap_or(text);
        let after = text.get(self.at.end..).unwrap_or("");
        [before, &self.with, after].concat()
    }
}

/// The value in the style in which it is written now; where that is without
/// quotes, with them as the second choice (`1.10` alone would be a number).
fn replacements(text: &str, node: &Node, value: &str) -> Result<Vec<Splice>, &'static str> {
    if node.is_alias {
        return Err("its value is an alias of a value written elsewhere");
    }
    let Kind::Text(now) = &node.kind else { return Err("its value is not text") };
    let splice = |with: String| Splice { at: node.place, with };
    match node.place.slice(text) {
        plain if plain == now => Ok(vec![splice(value.to_owned()), splice(format!("\"{value}\""))]),
        quoted if quoted.len() == now.len() + 2 && quoted == format!("\"{now}\"") => {
            Ok(vec![splice(format!("\"{value}\""))])
        }
        quoted if quoted.len() == now.len() + 2 && quoted == format!("'{now}'") => {
            Ok(vec![splice(format!("'{value}'"))])
        }
        _ => Err("its value is written over several lines or with escapes"),
    }
}

/// The ways to write a new key behind a sibling: on a line of its own, or
/// inside braces.
fn insertions(text: &str, section: &Node, sibling: &str, key: &str, value: &str) -> Vec<Splice> {
    let Kind::Map(entries) = &section.kind else { return Vec::new() };
    let Some((name, sibling)) = entries.iter().find(|(name, _)| name.kind.as_text() == Some(sibling)) else {
        return Vec::new();
    };
    let line_start = text[..name.place.start].rfind('\n').map_or(0, |at| at + 1);
    let indentation = &text[line_start..name.place.start];
    let on_one_line = text.get(name.place.start..sibling.place.end).is_some_and(|line| !line.contains('\n'));
    let quote = match name.place.slice(text).chars().next() {
        Some(quote @ ('"' | '\'')) => quote.to_string(),
        _ => String::new(),
    };
    let written =
        [format!("{quote}{key}{quote}: {quote}{value}{quote}"), format!("{quote}{key}{quote}: \"{value}\"")];
    let mut ways = Vec::new();
    if on_one_line && indentation.bytes().all(|byte| byte == b' ') {
        let end = text[sibling.place.end..].find('\n').map(|at| sibling.place.end + at + 1);
        let line_feed = if text.contains("\r\n") { "\r\n" } else { "\n" };
        for pair in &written {
            let (at, with) = match end {
                Some(end) => (end, format!("{indentation}{pair}{line_feed}")),
                // The last line has no line end, and shall have none afterwards.
                None => (text.len(), format!("{line_feed}{indentation}{pair}")),
            };
            ways.push(Splice { at: Place { start: at, end: at }, with });
        }
    }
    let at = Place { start: sibling.place.end, end: sibling.place.end };
    ways.extend(written.iter().map(|pair| Splice { at, with: format!(", {pair}") }));
    ways
}

/// The tree with the one value changed or added.
fn changed(root: &Node, key: &str, value: &str) -> Node {
    let mut expected = root.clone();
    let Kind::Map(sections) = &mut expected.kind else { return expected };
    let section = sections.iter_mut().find(|(name, _)| name.kind.as_text() == Some(SECTION));
    let Some((_, Node { kind: Kind::Map(entries), .. })) = section else { return expected };
    let new =
        |text: &str| Node { kind: Kind::Text(text.to_owned()), place: Place::default(), is_alias: false };
    match entries.iter_mut().find(|(name, _)| name.kind.as_text() == Some(key)) {
        Some((_, node)) => *node = new(value),
        None => entries.push((new(key), new(value))),
    }
    expected
}

/// Whether a text says what is expected and nothing else; only the order of
/// the section's keys is free, since a new key stands behind its sibling.
fn is_exactly(text: &str, expected: &Node, key: &str) -> bool {
    tree::parse(text).is_ok_and(|mut root| {
        if let Kind::Map(sections) = &mut root.kind
            && let Some((_, Node { kind: Kind::Map(entries), .. })) =
                sections.iter_mut().find(|(name, _)| name.kind.as_text() == Some(SECTION))
            && let Some(at) = entries.iter().position(|(name, _)| name.kind.as_text() == Some(key))
            && let Some(place) = expected_position(expected, key)
            && place < entries.len()
        {
            let entry = entries.remove(at);
            entries.insert(place, entry);
        }
        is_same(&root, expected)
    })
}

fn expected_position(expected: &Node, key: &str) -> Option<usize> {
    let Kind::Map(entries) = &expected.get(SECTION)?.kind else { return None };
    entries.iter().position(|(name, _)| name.kind.as_text() == Some(key))
}

/// Whether two trees say the same, wherever they stand.
fn is_same(left: &Node, right: &Node) -> bool {
    left.is_alias == right.is_alias
        && match (&left.kind, &right.kind) {
            (Kind::List(left), Kind::List(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same(left, right))
            }
            (Kind::Map(left), Kind::Map(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .zip(right)
                        .all(|(left, right)| is_same(&left.0, &right.0) && is_same(&left.1, &right.1))
            }
            (left, right) => left == right,
        }
}
