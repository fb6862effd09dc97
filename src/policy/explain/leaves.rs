//! The single values inside JSON, by path, and values that are surely others.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::answer::is_same;

/// A step from a value to one inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// The way to a value.
pub(super) type Path = Vec<Step>;

/// Every value that holds no other, with its path.
pub(super) fn leaves(value: &Value) -> Vec<(Path, &Value)> {
    let mut found = Vec::new();
    collect(value, &mut Vec::new(), &mut found);
    found
}

fn collect<'a>(value: &'a Value, path: &mut Path, found: &mut Vec<(Path, &'a Value)>) {
    let inside: Vec<(Step, &Value)> = match value {
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (Step::Index(index), item)).collect()
        }
        Value::Object(fields) => fields.iter().map(|(key, field)| (Step::Key(key.clone()), field)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.push((path.clone(), value));
            return;
        }
    };
    for (step, value) in inside {
        path.push(step);
        collect(value, path, found);
        path.pop();
    }
}

/// The path as people write it: `thresholds.error_rate`, `thresholds.freezes[0].until`.
pub(super) fn shown(path: &[Step]) -> String {
    path.iter().fold(String::new(), |mut text, step| {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            Step::Index(index) => {
                let _ = write!(text, "[{index}]");
            }
        }
        text
    })
}

/// The same JSON with another value at a path.
pub(super) fn replaced(whole: &Value, path: &[Step], with: Value) -> Value {
    let mut changed = whole.clone();
    let place = path.iter().try_fold(&mut changed, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    if let Some(place) = place {
        *place = with;
    }
    changed
}

/// Values far from this one, to bring a comparison with it to fail.
pub(super) fn extremes(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(flag) => vec![json!(!flag)],
        // Within a share, far above it, far below.
        Value::Number(_) => vec![json!(1), json!(1_000_000_000), json!(0)],
        Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => Vec::new(),
    }
}

/// Values near this one, the least conspicuous first: a rule that judges it
/// should go on as before with at least one of them.
pub(super) fn neighbours(value: &Value) -> Vec<Value> {
    let mut near = match value {
        Value::Bool(flag) => vec![json!(!flag)],
        Value::Null => vec![json!(1), json!(0.5), json!("x")],
        Value::Number(number) => {
            let float = number.as_f64().unwrap_or_default();
            let whole =
                number.as_i64().map(|whole| [json!(whole.saturating_add(1)), json!(whole.saturating_sub(1))]);
            let beside = [json!(float * (1.0 - 1e-6)), json!(float * (1.0 + 1e-6)), json!(float + 1.0)];
            whole.into_iter().flatten().chain(beside).collect()
        }
        Value::String(text) => {
            // Before the last character: what looks at the beginning or the
            // end alone (a time, a suffix) still sees what it looks for.
            let last = text.char_indices().next_back().map_or(0, |(index, _)| index);
            let (begin, end) = text.split_at(last);
            let mut near =
                vec![json!(format!("{begin}0{end}")), json!(format!("{text}~")), json!(format!("~{text}"))];
            // A second beside: what looks at every character of a time.
            if let Some((at, digit)) = text.char_indices().rfind(|(_, c)| c.is_ascii_digit()) {
                let other = if digit == '0' { '1' } else { '0' };
                near.push(json!(format!("{}{other}{}", &text[..at], &text[at + 1..])));
            }
            near
        }
        Value::Array(_) | Value::Object(_) => Vec::new(),
    };
    // A share of nothing is nothing.
    near.retain(|other| !is_same(other, value));
    near
}
