//! `# METADATA` comments. OPA reads the lines below such a line as YAML and
//! does not load a file in which that fails; to the interpreter they are
//! comments like any other.

use regorus::unstable::Module;
use serde::de::IgnoredAny;

use super::Finding;
use super::tree::refused_at;

const MARK: &str = "METADATA";

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
            serde_saphyr::from_str::<IgnoredAny>(&yaml).err().map(|error| {
                let reason = error.without_snippet().to_string();
                let reason = reason.lines().next().unwrap_or_default();
                format!("what follows METADATA is not YAML: {reason}")
            })
        };
        found.extend(what.map(|what| refused_at(source.get_path(), line, what)));
    }
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
