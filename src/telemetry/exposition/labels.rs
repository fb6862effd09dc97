//! The part in braces: labels, and in the UTF-8 syntax the metric's name.

use std::borrow::Cow;

use super::cursor::{Cursor, Reason};
use super::model::Label;

/// What was between the braces. Labels are sorted by name, so that their order
/// in the body means nothing, and those with an empty value are gone: both
/// formats say that an empty label is no label.
pub(super) struct Braces<'a> {
    /// A quoted text that is no label: the metric's name.
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) labels: Vec<Label<'a>>,
}

/// Reads from behind the opening brace to behind the closing one.
pub(super) fn read<'a>(at: &mut Cursor<'a>) -> Result<Braces<'a>, Reason> {
    let mut name = None;
    let mut labels: Vec<Label<'a>> = Vec::new();
    loop {
        at.blanks();
        if at.eat(b'}') {
            break;
        }
        match entry(at)? {
            Part::Label(label) => labels.push(label),
            Part::Name(found) if name.is_none() => name = Some(found),
            Part::Name(_) => return Err("two metric names in the braces".to_owned()),
        }
        at.blanks();
        if at.eat(b',') {
            continue;
        }
        if at.eat(b'}') {
            break;
        }
        return Err(format!("labels are not separated by a comma nor closed by a brace: {}", at.found()));
    }
    labels.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    if let Some(twice) = labels.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(format!("label {:?} is there twice", twice[0].name));
    }
    labels.retain(|label| !label.value.is_empty());
    Ok(Braces { name, labels })
}

enum Part<'a> {
    Name(Cow<'a, str>),
    Label(Label<'a>),
}

fn entry<'a>(at: &mut Cursor<'a>) -> Result<Part<'a>, Reason> {
    let name = if at.is_at(b'"') {
        let quoted = at.quoted("name")?;
        if quoted.is_empty() {
            return Err("empty name".to_owned());
        }
        at.blanks();
        if !at.is_at(b'=') {
            return Ok(Part::Name(quoted));
        }
        quoted
    } else {
        let bare = at.label_name().ok_or_else(|| format!("no label name: {}", at.found()))?;
        Cow::Borrowed(bare)
    };
    // The name of the metric has its own place; a second one would be ambiguous.
    if name == "__name__" {
        return Err("label __name__ is reserved".to_owned());
    }
    at.blanks();
    if !at.eat(b'=') {
        return Err(format!("no = after label {name:?}: {}", at.found()));
    }
    at.blanks();
    let value = at.quoted("label value")?;
    Ok(Part::Label(Label { name, value }))
}
