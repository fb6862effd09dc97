//! The tree to the raw sections: a serde deserializer that notes a problem
//! and goes on, so that all problems of a file are told at once. The raw
//! structs' own field names are the keys that are valid; nothing else lists
//! them.

use std::cell::RefCell;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::field::FIELD;
use super::place::Place;
use super::problem::{Complaint, Problem};
use super::scalar::SCALAR;
use super::suggest;
use super::tree::{Kind, Node};

/// Reads a tree into the raw sections and notes what is wrong on the way;
/// nothing comes back when the tree is no section at all.
pub(super) fn decode<T: DeserializeOwned>(root: &Node, text: &str) -> (Option<T>, Vec<Problem>) {
    let notes = RefCell::new(Vec::new());
    let reader = Reader { node: root, key: root.place, path: String::new(), text, notes: &notes };
    let value = T::deserialize(reader)
        .map_err(|complaint| notes.borrow_mut().push(Problem::new(text, root.place, None, complaint)))
        .ok();
    (value, notes.into_inner())
}

#[derive(Clone)]
struct Reader<'a> {
    node: &'a Node,
    key: Place,
    path: String,
    text: &'a str,
    notes: &'a RefCell<Vec<Problem>>,
}

impl<'a> Reader<'a> {
    fn child(&self, key: Place, node: &'a Node, path: String) -> Self {
        Self { node, key, path, text: self.text, notes: self.notes }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn note(&self, place: Place, path: String, complaint: Complaint) {
        let key = (!path.is_empty()).then_some(path);
        self.push(|| Problem::new(self.text, place, key, complaint));
    }

    /// Finding a problem's line reads the text, so their number is bounded.
    fn push(&self, problem: impl FnOnce() -> Problem) {
        let mut notes = self.notes.borrow_mut();
        if notes.len() < MOST_PROBLEMS {
            notes.push(problem());
        }
    }

    /// The entries of a map whose keys are text and not said twice; the
    /// others are noted.
    fn entries(&self) -> Result<Vec<(&'a str, &'a Node, &'a Node)>, Complaint> {
        let entries = match &self.node.kind {
            Kind::Map(entries) => entries.as_slice(),
            // A section whose keys are all commented out.
            Kind::Null => &[],
            other => return Err(wrong_kind("keys with values", other)),
        };
        let mut seen: Vec<(&str, &Node, &Node)> = Vec::new();
        for (key, value) in entries {
            let Kind::Text(name) = &key.kind else {
                let complaint =
                    Complaint::new("a key must be a word").help("quote it if it is meant as text");
                self.note(key.place, self.path.clone(), complaint);
                continue;
            };
            if let Some((_, first, _)) = seen.iter().find(|(seen, _, _)| seen == name) {
                let (line, _) = first.place.line_and_column(self.text);
                let complaint = Complaint::new(format!("the key `{name}` stands here twice"))
                    .help(format!("it was given in line {line} already; keep one of the two"));
                self.note(key.place, self.path_of(name), complaint);
                continue;
            }
            seen.push((name, key, value));
        }
        Ok(seen)
    }

    fn unknown_key(&self, name: &str, key: &Node, valid: &[&'static str]) {
        let here = match self.path.as_str() {
            "" => "at the top of a manifest".to_owned(),
            path => format!("in `{path}`"),
        };
        let near = suggest::nearest(name, valid.iter().copied()).filter(|_| name != MERGE_KEY);
        let help = match near {
            _ if name == MERGE_KEY => "merge keys are not supported; write the keys out".to_owned(),
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("valid here: {}", valid.join(", ")),
        };
        let complaint = Complaint::new(format!("unknown key `{name}` {here}")).help(help);
        self.push(|| {
            let problem = Problem::new(self.text, key.place, Some(self.path_of(name)), complaint);
            match near {
                Some(near) => problem.meaning(self.path_of(near)),
                None => problem,
            }
        });
    }
}

/// Nobody corrects more at once.
const MOST_PROBLEMS: usize = 100;

/// YAML 1.1's way to include one map in another.
const MERGE_KEY: &str = "<<";

fn wrong_kind(expected: &str, found: &Kind) -> Complaint {
    let complaint = Complaint::new(format!("expected {expected}, found {}", describe(found)));
    match found {
        Kind::Null => complaint.help("write a value or remove the key"),
        _ => complaint,
    }
}

/// What a value is, for people.
fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Null => "nothing".to_owned(),
        Kind::Bool(value) => format!("the truth value {value}"),
        Kind::Integer(value) => format!("the number {value}"),
        Kind::Float(value) => format!("the number {value}"),
        Kind::Text(value) => {
            let short: String = value.chars().take(60).collect();
            let rest = if short.len() < value.len() { "…" } else { "" };
            format!("the text `{short}{rest}`")
        }
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a section with keys".to_owned(),
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Complaint;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match &self.node.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Integer(value) => visitor.visit_i128(*value),
            Kind::Float(value) => visitor.visit_f64(*value),
            Kind::Text(value) => visitor.visit_str(value),
            Kind::List(_) => self.deserialize_seq(visitor),
            Kind::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        let mut known = Vec::new();
        for (name, key, value) in self.entries()? {
            if fields.contains(&name) {
                known.push((name, key, value));
            } else {
                self.unknown_key(name, key, fields);
            }
        }
        visitor.visit_map(Entries { reader: &self, rest: known.into_iter(), value: None })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        let entries = self.entries()?;
        visitor.visit_map(Entries { reader: &self, rest: entries.into_iter(), value: None })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match &self.node.kind {
            Kind::List(items) => visitor.visit_seq(Items { reader: &self, list: items, next: 0 }),
            other => Err(wrong_kind("a list, as in [a, b]", other)),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        match name {
            FIELD => visitor.visit_seq(FieldParts { reader: &self, next: 0 }),
            SCALAR => visitor.visit_seq(ScalarParts { reader: &self, next: 0 }),
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct tuple enum identifier ignored_any
    }
}

struct Entries<'r, 'a> {
    reader: &'r Reader<'a>,
    rest: std::vec::IntoIter<(&'a str, &'a Node, &'a Node)>,
    value: Option<(&'a str, &'a Node, &'a Node)>,
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = Complaint;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Complaint> {
        let Some((name, key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some((name, key, value));
        let path = self.reader.path_of(name);
        seed.deserialize(self.reader.child(key.place, key, path)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Complaint> {
        let Some((name, key, value)) = self.value.take() else {
            return Err(Complaint::new("a value was asked for before its key"));
        };
        let path = self.reader.path_of(name);
        seed.deserialize(self.reader.child(key.place, value, path))
    }
}

struct Items<'r, 'a> {
    reader: &'r Reader<'a>,
    list: &'a [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Complaint;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Complaint> {
        let Some(item) = self.list.get(self.next) else { return Ok(None) };
        let path = format!("{}[{}]", self.reader.path, self.next);
        self.next += 1;
        seed.deserialize(self.reader.child(item.place, item, path)).map(Some)
    }
}

/// What `Field` asks for: the bytes of the value and of its key, then the
/// value. A value that is refused is noted here, where path and place are known.
struct FieldParts<'r, 'a> {
    reader: &'r Reader<'a>,
    next: u8,
}

impl<'de> SeqAccess<'de> for FieldParts<'_, '_> {
    type Error = Complaint;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Complaint> {
        let Reader { node: Node { place, .. }, key, .. } = self.reader;
        self.next += 1;
        let number = match self.next {
            1 => place.start,
            2 => place.end,
            3 => key.start,
            4 => key.end,
            _ => {
                return seed.deserialize(self.reader.clone()).map(Some).or_else(|complaint| {
                    self.reader.note(*place, self.reader.path.clone(), complaint);
                    Ok(None)
                });
            }
        };
        seed.deserialize(number.into_deserializer()).map(Some)
    }
}

/// What `Scalar` asks for: the spelling and the value.
struct ScalarParts<'r, 'a> {
    reader: &'r Reader<'a>,
    next: u8,
}

impl<'de> SeqAccess<'de> for ScalarParts<'_, '_> {
    type Error = Complaint;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Complaint> {
        self.next += 1;
        if self.next == 1 {
            let spelling = self.reader.node.place.slice(self.reader.text);
            return seed.deserialize(spelling.into_deserializer()).map(Some);
        }
        match &self.reader.node.kind {
            Kind::Null => Err(Complaint::new("has no value").help("write a value or remove the key")),
            kind @ (Kind::List(_) | Kind::Map(_)) => Err(wrong_kind("a single value", kind)),
            _ => seed.deserialize(self.reader.clone()).map(Some),
        }
    }
}
