//! What the builtin functions take and give.
//!
//! `builtins.txt` has a line for every function that both engines know, after
//! `opa capabilities`. `tests/policy_types.rs` holds it equal to those of a real
//! OPA and writes what it should be where it is not.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::OnceLock;

use regorus::Value;

use super::lattice::{Known, Type};

const TABLE: &str = include_str!("builtins.txt");

/// The type of a builtin, where the table has it.
pub(super) fn builtin(name: &str) -> Option<&'static Type> {
    static READ: OnceLock<BTreeMap<&'static str, Type>> = OnceLock::new();
    READ.get_or_init(|| TABLE.lines().filter_map(line).collect()).get(name)
}

/// `concat(string, any<array[string], set[string]>) string`.
fn line(line: &'static str) -> Option<(&'static str, Type)> {
    let (name, rest) = line.split_once('(')?;
    let mut reader = Reader { letters: rest.chars().peekable() };
    let args = reader.list(')')?;
    let result = reader.read()?;
    Some((name, Type::function(args, Some(result))))
}

/// Reads types as OPA prints them.
struct Reader {
    letters: Peekable<Chars<'static>>,
}

impl Reader {
    fn takes(&mut self, letter: char) -> bool {
        while self.letters.next_if_eq(&' ').is_some() {}
        self.letters.next_if_eq(&letter).is_some()
    }

    fn word(&mut self) -> String {
        while self.letters.next_if_eq(&' ').is_some() {}
        let mut word = String::new();
        while let Some(letter) = self.letters.next_if(|letter| letter.is_alphanumeric() || *letter == '_') {
            word.push(letter);
        }
        word
    }

    /// Types with commas between them, up to a closing bracket.
    fn list(&mut self, end: char) -> Option<Vec<Known>> {
        let mut list = Vec::new();
        while !self.takes(end) {
            list.push(Some(self.read()?));
            self.takes(',');
        }
        Some(list)
    }

    fn read(&mut self) -> Option<Type> {
        Some(match self.word().as_str() {
            "null" => Type::Null,
            "boolean" => Type::Bool,
            "number" => Type::Number,
            "string" => Type::Text,
            "any" if self.takes('<') => Type::union(self.list('>')?.into_iter().flatten().collect()),
            "any" => Type::any(),
            "set" => {
                self.takes('[').then_some(())?;
                let of = self.read()?;
                self.takes(']').then_some(())?;
                Type::set(Some(of))
            }
            "array" => {
                let fixed = if self.takes('<') { self.list('>')? } else { Vec::new() };
                let rest = if self.takes('[') { self.list(']')?.pop().flatten() } else { None };
                Type::array(fixed, rest)
            }
            "object" => self.object()?,
            _ => return None,
        })
    }

    fn object(&mut self) -> Option<Type> {
        let mut fixed = Vec::new();
        if self.takes('<') {
            while !self.takes('>') {
                let key = self.word();
                self.takes(':').then_some(())?;
                fixed.push((Value::from(key), Some(self.read()?)));
                self.takes(',');
            }
        }
        let mut rest = None;
        if self.takes('[') {
            let key = self.read()?;
            self.takes(':').then_some(())?;
            rest = Some((Some(key), Some(self.read()?)));
            self.takes(']').then_some(())?;
        }
        Some(Type::object(fixed, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::{TABLE, builtin, line};

    #[test]
    fn every_line_is_read() {
        let unread: Vec<&str> = TABLE.lines().filter(|text| line(text).is_none()).collect();
        assert!(unread.is_empty(), "{unread:?}");
        assert!(builtin("concat").is_some() && builtin("internal.member_2").is_some());
    }
}
