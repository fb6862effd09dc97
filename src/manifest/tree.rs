//! YAML text to a tree that still knows where each key and value stands.
//!
//! The YAML library reads the syntax (and bounds anchors, nesting and size);
//! what keys mean is decided later, so that one wrong key does not hide the
//! next one.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Options, Spanned};

use super::place::{BYTE_ORDER_MARK, Place};
use super::problem::{Complaint, Problem};

/// A key or a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// What it is.
    pub(super) kind: Kind,
    /// Where it is written (for an alias: where the alias is).
    pub(super) place: Place,
    /// Whether it comes from an anchor somewhere else (`*name`).
    pub(super) is_alias: bool,
}

/// What a key or a value is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// Nothing was written, or `null`, or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// Text, quoted or not.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys with values, in the order of the file, duplicates included.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The value of a key, if this is a map that holds it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Kind::Map(entries) = &self.kind else { return None };
        entries.iter().find(|(name, _)| name.kind.as_text() == Some(key)).map(|(_, value)| value)
    }
}

impl Kind {
    /// The text, if it is text.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads the one document of a text.
pub(super) fn parse(text: &str) -> Result<Node, Box<Problem>> {
    let body = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let source = Source { text, skipped: text.len() - body.len() };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(body, options()) {
        Ok(root) => Ok(source.node(root)),
        Err(error) => Err(Box::new(source.syntax_problem(error.without_snippet()))),
    }
}

/// A manifest is small: bounds far below the library's stop an alias bomb
/// before it costs anything, and the nesting bound keeps recursion shallow.
fn options() -> Options {
    let budget = serde_saphyr::budget! {
        max_depth: 32,
        max_nodes: 5_000,
        max_events: 40_000,
        max_aliases: 200,
        max_anchors: 200,
        max_documents: 2,
    };
    let alias_limits = serde_saphyr::alias_limits! {
        max_total_replayed_events: 10_000,
        max_replay_stack_depth: 16,
    };
    serde_saphyr::options! {
        budget: budget,
        alias_limits: alias_limits,
        // Duplicates and merge keys are reported with everything else, by `decode`.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// The text, and how many of its first bytes the library did not see.
#[derive(Clone, Copy)]
struct Source<'a> {
    text: &'a str,
    skipped: usize,
}

impl Source<'_> {
    fn place(self, location: &Location) -> Place {
        let to_usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let span = location.span();
        if let (Some(offset), Some(length)) = (span.byte_offset(), span.byte_len()) {
            let start = to_usize(offset).saturating_add(self.skipped);
            return Place { start, end: start.saturating_add(to_usize(length)) };
        }
        Place::from_line_and_column(self.text, to_usize(location.line()), to_usize(location.column()))
    }

    fn node(self, spanned: Spanned<Raw>) -> Node {
        let is_alias = spanned.referenced != spanned.defined;
        let place = self.place(&spanned.referenced);
        let kind = match spanned.value {
            Raw::Null => Kind::Null,
            Raw::Bool(value) => Kind::Bool(value),
            Raw::Integer(value) => Kind::Integer(value),
            Raw::Float(value) => Kind::Float(value),
            Raw::Text(value) => Kind::Text(value),
            Raw::List(items) => Kind::List(items.into_iter().map(|item| self.node(item)).collect()),
            Raw::Map(entries) => Kind::Map(
                entries.into_iter().map(|(key, value)| (self.node(key), self.node(value))).collect(),
            ),
        };
        Node { kind, place, is_alias }
    }

    fn syntax_problem(self, error: &serde_saphyr::Error) -> Problem {
        use serde_saphyr::Error;

        let place = error.location().map_or_else(Place::default, |location| self.place(&location));
        let complaint = match error {
            Error::AliasError { error, .. } => return self.syntax_problem(error),
            Error::MultipleDocuments { .. } => Complaint::new("the file holds more than one YAML document")
                .help("remove the line `---` and what follows it; one manifest describes one service"),
            Error::Budget { .. }
            | Error::AliasReplayLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. }
            | Error::AliasExpansionLimitExceeded { .. } => {
                Complaint::new("the file holds far more nesting, aliases or values than a manifest has")
                    .help("write the values out instead of repeating them by aliases")
            }
            other => {
                // The library appends its own "at line …", which stands in the report already.
                let whole = other.to_string();
                let first = whole.lines().next().unwrap_or_default();
                let message = first.split(" at line ").next().unwrap_or(first);
                Complaint::new(format!("not valid YAML: {message}"))
            }
        };
        Problem::new(self.text, place, None, complaint)
    }
}

/// What serde hands over, before the places are turned into bytes.
enum Raw {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Integer(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        // No number of a manifest comes near; the range check will refuse it.
        Ok(Raw::Integer(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The exact bytes of `services.mode`, in every layout that people write.
    #[rstest]
    #[case::plain("services:\n  mode: stable\n", "stable")]
    #[case::double_quoted("services:\n  mode: \"stable\"\n", "\"stable\"")]
    #[case::single_quoted("services:\n  mode: 'stable'\n", "'stable'")]
    #[case::comment_behind("services:\n  mode: stable   # why\n", "stable")]
    #[case::byte_order_mark("\u{feff}services:\n  mode: stable\n", "stable")]
    #[case::crlf("services:\r\n  mode: stable\r\n", "stable")]
    #[case::umlauts_before("# äöü €\nservices:\n  name: ä\n  mode: stable\n", "stable")]
    #[case::flow("services: {name: a, mode: stable}\n", "stable")]
    #[case::flow_over_lines("services: {\n  mode:   stable ,\n  name: a }\n", "stable")]
    #[case::anchor("services:\n  mode: &m stable\n", "stable")]
    #[case::tag("services:\n  mode: !!str stable\n", "stable")]
    #[case::value_on_next_line("services:\n  mode:\n    stable\n", "stable")]
    #[case::no_final_newline("services:\n  mode: stable", "stable")]
    #[case::json("{\"services\": {\"mode\": \"stable\"}}", "\"stable\"")]
    fn spans_are_exact(#[case] text: &str, #[case] expected: &str) {
        let root = parse(text).unwrap();
        let mode = root.get("services").unwrap().get("mode").unwrap();
        assert_eq!(mode.kind.as_text(), Some("stable"));
        assert_eq!(mode.place.slice(text), expected);
        assert!(!mode.is_alias);
    }

    #[test]
    fn keys_know_where_they_stand() {
        let text = "services:\n  prot: 3000\n  1: x\n  ? [a]\n  : y\n";
        let root = parse(text).unwrap();
        let Kind::Map(entries) = &root.get("services").unwrap().kind else { panic!("not a map") };
        assert_eq!(entries[0].0.place.slice(text), "prot");
        assert_eq!(entries[1].0.place.slice(text), "1");
        assert!(matches!(entries[2].0.kind, Kind::List(_)));
    }

    #[test]
    fn aliases_are_seen() {
        let text = "a: &x stable\nb: *x\nc: &y {k: v}\nd: *y\n";
        let root = parse(text).unwrap();
        assert!(!root.get("a").unwrap().is_alias);
        assert!(root.get("b").unwrap().is_alias);
        assert_eq!(root.get("b").unwrap().kind.as_text(), Some("stable"));
        assert!(root.get("d").unwrap().is_alias);
    }

    #[test]
    fn duplicates_and_merge_keys_reach_the_decoder() {
        let root = parse("a: 1\na: 2\n<<: {b: 1}\n").unwrap();
        let Kind::Map(entries) = &root.kind else { panic!("not a map") };
        assert_eq!(entries.len(), 3);
    }

    #[rstest]
    #[case::two_documents("a: 1\n---\nb: 2\n", "more than one YAML document")]
    #[case::tab("services:\n\tname: a\n", "not valid YAML")]
    #[case::unclosed("services: {name: a\n", "not valid YAML")]
    #[case::foreign_tag("services: !ruby/object {}\n", "not valid YAML")]
    #[case::unknown_anchor("services: *nowhere\n", "not valid YAML")]
    fn bad_syntax_is_one_problem_with_a_place(#[case] text: &str, #[case] expected: &str) {
        let problem = parse(text).unwrap_err();
        assert!(problem.message().contains(expected), "{problem:?}");
        assert!(!problem.message().contains('\n'), "{problem:?}");
        assert!(problem.line() >= 1);
    }

    #[test]
    fn an_alias_bomb_stops_early() {
        let levels = (1..30).map(|level| {
            let uses = vec![format!("*a{}", level - 1); 6].join(", ");
            format!("a{level}: &a{level} [{uses}]\n")
        });
        let text: Vec<String> =
            std::iter::once("a0: &a0 [x, x, x, x, x, x]\n".to_owned()).chain(levels).collect();
        let text = text.concat();
        let problem = parse(&text).unwrap_err();
        assert!(problem.message().contains("far more"), "{problem:?}");
    }

    #[test]
    fn deep_nesting_stops_early() {
        let text = format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(parse(&text).is_err());
        let lines: Vec<String> = (0..200).map(|level| format!("{}k:\n", " ".repeat(level))).collect();
        let text = lines.concat();
        assert!(parse(&text).is_err());
    }
}
