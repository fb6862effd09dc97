//! `# METADATA` comments. OPA reads the lines below such a line as YAML of a
//! certain form and does not load a file in which that fails; to the
//! interpreter they are comments like any other.
//!
//! Of the form what stands at the top is looked at (OPA's `rawAnnotation`); not
//! what lies in `authors`, `related_resources`, `compile` and `schemas`, and
//! not whether a block stands where its scope may.

use regorus::unstable::Module;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::Finding;
use super::tree::refused_at;

const MARK: &str = "METADATA";

/// What an annotation may be for.
const SCOPES: [&str; 4] = ["package", "subpackages", "document", "rule"];

/// A block of comments under the mark.
struct Block {
    /// The line of the mark, counted from 1.
    line: usize,
    yaml: String,
}

/// Every block of a file that is no YAML, or that says nothing.
pub(super) fn check(module: &Module, found: &mut Vec<Finding>) {
    let source = &module.package.span.source;
    for Block { line, yaml } in blocks(source.get_contents()) {
        let what = if yaml.trim().is_empty() {
            Some("nothing follows METADATA; say something there, or call the comment otherwise".to_owned())
        } else {
            match serde_saphyr::from_str::<IgnoredAny>(&yaml) {
                Err(error) => {
                    let reason = error.without_snippet().to_string();
                    let reason = reason.lines().next().unwrap_or_default();
                    Some(format!("what follows METADATA is not YAML: {reason}"))
                }
                // YAML that JSON cannot hold is not looked at.
                Ok(IgnoredAny) => serde_saphyr::from_str::<Value>(&yaml).ok().as_ref().and_then(misshapen),
            }
        };
        found.extend(what.map(|what| refused_at(source.get_path(), line, what)));
    }
}

/// What OPA would not take of a block that is YAML. A missing value is none.
fn misshapen(metadata: &Value) -> Option<String> {
    let Value::Object(fields) = metadata else {
        return (!metadata.is_null())
            .then(|| "what follows METADATA has no names; write them as `title: …`".to_owned());
    };
    fields.iter().filter(|(_, value)| !value.is_null()).find_map(|(name, value)| {
        let is_scalar = |value: &Value| !value.is_array() && !value.is_object();
        let (is_right, form) = match name.as_str() {
            "scope" if is_scalar(value) => {
                let is_known =
                    value.as_str().is_some_and(|scope| scope.is_empty() || SCOPES.contains(&scope));
                (is_known, "package, subpackages, document or rule")
            }
            "scope" | "title" | "description" => (is_scalar(value), "a string"),
            "entrypoint" => (is_boolean(value), "true or false"),
            "organizations" => {
                let is_right = |items: &Vec<Value>| items.iter().all(is_scalar);
                (value.as_array().is_some_and(is_right), "a list of strings")
            }
            "related_resources" | "authors" => (value.is_array(), "a list"),
            "schemas" => {
                let is_right =
                    |items: &Vec<Value>| items.iter().all(|item| item.is_object() || item.is_null());
                (value.as_array().is_some_and(is_right), "a list of paths with their schemas")
            }
            "compile" | "custom" | "labels" => (value.is_object(), "names with values"),
            _ => (true, ""),
        };
        (!is_right).then(|| format!("in METADATA {name} must be {form}"))
    })
}

/// Whether OPA's YAML takes a value for a boolean: it knows the old words too.
fn is_boolean(value: &Value) -> bool {
    let old = ["y", "yes", "on", "n", "no", "off"];
    value.is_boolean() || value.as_str().is_some_and(|word| old.contains(&word.to_lowercase().as_str()))
}

/// Whether a file says what documents look like by a schema, by which OPA then
/// judges types.
pub(super) fn has_schemas(module: &Module) -> bool {
    let source = module.package.span.source.get_contents();
    source.contains("schemas") && blocks(source).iter().any(|block| block.yaml.contains("schemas"))
}

/// The blocks that begin at the start of a line. A block ends at the first
/// line that does not, and at the next mark.
fn blocks(source: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    let mut is_raw = false;
    for (number, line) in source.lines().enumerate() {
        let comment = line.strip_prefix('#').filter(|_| !is_raw);
        match comment {
            Some(comment) if comment.trim_start().starts_with(MARK) => {
                blocks.push(Block { line: number + 1, yaml: String::new() });
                is_open = true;
            }
            Some(comment) if is_open => {
                if let Some(block) = blocks.last_mut() {
                    block.yaml.push_str(comment);
                    block.yaml.push('\n');
                }
            }
            Some(_) => {}
            None => {
                is_open = false;
                is_raw = is_raw_after(line, is_raw);
            }
        }
    }
    blocks
}

/// Whether a string in backticks is open at the end of a line.
fn is_raw_after(line: &str, mut is_raw: bool) -> bool {
    let mut is_text = false;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '`' if !is_text => is_raw = !is_raw,
            '"' if !is_raw => is_text = !is_text,
            '\\' if is_text => {
                letters.next();
            }
            '#' if !is_raw && !is_text => break,
            _ => {}
        }
    }
    is_raw
}
