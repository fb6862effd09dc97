//! What is said of wrong types.

use regorus::Value;

use super::lattice::{Function, Object, Type, keys};
use super::refs::Wrong;
use super::term::{Callee, Head, Reference, Term};

/// How many fields of an object are named.
const NAMED: usize = 6;

/// How deep a type is told.
const TOLD: usize = 3;

/// The operators of which OPA speaks by a name.
const OPERATORS: [(&str, &str); 7] =
    [("plus", "+"), ("minus", "-"), ("mul", "*"), ("div", "/"), ("rem", "%"), ("and", "&"), ("or", "|")];

/// A call whose argument at a place, or whose result, does not fit.
pub(super) fn wrong_argument(
    callee: &Callee,
    function: &Function,
    place: usize,
    has: Option<&Type>,
) -> String {
    let has = told(has);
    let name = match callee {
        Callee::Rule(path) => path.iter().fold("data".to_owned(), |name, part| with_step(&name, part)),
        Callee::Builtin(name) => {
            if let Some((_, operator)) = OPERATORS.iter().find(|(known, _)| known == name) {
                let takes = told(function.args.first().and_then(Option::as_ref));
                return format!("{operator} computes with {takes}, not with {has}");
            }
            name.clone()
        }
    };
    match function.args.get(place) {
        Some(takes) => {
            let takes = told(takes.as_ref());
            let which = match (function.args.len(), place) {
                (1, _) => "",
                (_, 0) => " as its first argument",
                (_, 1) => " as its second argument",
                (_, 2) => " as its third argument",
                _ => " as its fourth argument or a later one",
            };
            format!("{name} does not take {has}{which}; it takes {takes}")
        }
        None => format!("{name} gives {}, which is never {has}", told(function.result.as_ref())),
    }
}

/// A statement that two values be equal that cannot be.
pub(super) fn never_equal(left: Option<&Type>, right: Option<&Type>) -> String {
    format!("{} is never equal to {}", told(left), told(right))
}

/// A reference into something that has no such step.
pub(super) fn no_such_step(reference: &Reference, wrong: &Wrong, names: &[String]) -> String {
    let Some(of) = &wrong.of else { return format!("{} leads nowhere", reference.span.text()) };
    let before = shown(reference, wrong.step, names);
    let Some(wanted) = keys(of) else {
        return match before {
            Some(before) => format!("{before} is {}, which has no fields", told(Some(of))),
            None => format!("{} has no members: {}", told(Some(of)), reference.span.text()),
        };
    };
    let before = before.unwrap_or_else(|| format!("in {} what has a field", reference.span.text()));
    match (of, reference.path.get(wrong.step)) {
        (Type::Object(object), Some(Term::Constant(key))) => {
            format!("{before} has no field {}{}", key_of(key), fields_of(object))
        }
        (Type::Array(_), Some(Term::Constant(Value::Number(place)))) => {
            format!("{before} is {}, which has no member {}", told(Some(of)), Value::Number(place.clone()))
        }
        (Type::Array(_), Some(Term::Constant(key))) => {
            format!("{before} is {}: its members have numbers, not names as {}", told(Some(of)), key_of(key))
        }
        (Type::Set(_), Some(Term::Constant(key))) => {
            format!("{before} is {}, which never has {} in it", told(Some(of)), key_of(key))
        }
        _ => format!("{before} is {}: its keys are {}", told(Some(of)), many(&wanted, TOLD)),
    }
}

/// The reference up to a step, as it is written; `None` where something in it
/// has no name.
fn shown(reference: &Reference, steps: usize, names: &[String]) -> Option<String> {
    let variable = |var: u32| {
        usize::try_from(var).ok().and_then(|var| names.get(var)).filter(|name| !name.is_empty()).cloned()
    };
    let head = match &reference.head {
        Head::Data => "data".to_owned(),
        Head::Input => "input".to_owned(),
        Head::Var(var) => variable(*var)?,
        Head::Builtin(_) | Head::Inner(_) => return None,
    };
    reference.path.iter().take(steps).try_fold(head, |shown, part| match part {
        Term::Constant(value) => Some(with_step(&shown, value)),
        Term::Var(var) => Some(format!("{shown}[{}]", variable(*var).unwrap_or_else(|| "_".to_owned()))),
        _ => None,
    })
}

fn with_step(before: &str, step: &Value) -> String {
    match step.as_string() {
        Ok(name) if is_name(name) => format!("{before}.{name}"),
        _ => format!("{before}[{step}]"),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn key_of(key: &Value) -> String {
    key.as_string().ok().filter(|name| is_name(name)).map_or_else(|| key.to_string(), ToString::to_string)
}

fn fields_of(object: &Object) -> String {
    if object.fixed.is_empty() {
        return String::new();
    }
    let mut names: Vec<String> = object.fixed.iter().take(NAMED).map(|(key, _)| key_of(key)).collect();
    if object.fixed.len() > NAMED {
        names.push("…".to_owned());
    }
    format!("; it has {}", names.join(", "))
}

/// One value of a type: `an array of numbers`.
fn told(of: Option<&Type>) -> String {
    of.map_or_else(|| "something unknown".to_owned(), |of| one(of, TOLD))
}

fn one(of: &Type, depth: usize) -> String {
    match of {
        Type::Null => "null".to_owned(),
        Type::Bool => "a boolean".to_owned(),
        Type::Number => "a number".to_owned(),
        Type::Text => "a string".to_owned(),
        Type::Function(_) => "a function".to_owned(),
        Type::Object(object) if depth > 0 && !object.fixed.is_empty() => {
            let mut fields: Vec<String> = object
                .fixed
                .iter()
                .take(NAMED)
                .map(|(key, value)| {
                    let value = value.as_ref().map_or_else(String::new, |value| plain(value, depth - 1));
                    format!("{}{value}", key_of(key))
                })
                .collect();
            if object.fixed.len() > NAMED {
                fields.push("…".to_owned());
            }
            format!("an object with {}", fields.join(", "))
        }
        Type::Object(_) => "an object".to_owned(),
        Type::Array(array)
            if array.rest.is_none() && array.fixed.iter().all(|item| Some(item) == array.fixed.first()) =>
        {
            inner("an array", array.fixed.first().and_then(Option::as_ref), depth)
        }
        Type::Array(array) if depth > 0 && !array.fixed.is_empty() => {
            let items = array.fixed.iter().take(NAMED).map(|item| {
                item.as_ref().map_or_else(|| "something".to_owned(), |item| one(item, depth - 1))
            });
            let mut items: Vec<String> = items.collect();
            if array.fixed.len() > NAMED {
                items.push("…".to_owned());
            }
            format!("an array of {}", items.join(" and "))
        }
        Type::Array(array) => inner("an array", array.rest.as_ref(), depth),
        Type::Set(set) => inner("a set", set.of.as_ref(), depth),
        Type::Any(union) if union.of.is_empty() => "any value".to_owned(),
        Type::Any(union) => {
            let parts: Vec<String> = union.of.iter().map(|part| one(part, depth.saturating_sub(1))).collect();
            listed(&parts)
        }
    }
}

/// What a field is, where that is short.
fn plain(of: &Type, depth: usize) -> String {
    match of {
        Type::Any(union) if union.of.is_empty() => String::new(),
        other => format!(" ({})", one(other, depth)),
    }
}

fn inner(what: &str, of: Option<&Type>, depth: usize) -> String {
    match of {
        Some(of) if depth > 0 && !of.is_anything() => format!("{what} of {}", many(of, depth - 1)),
        _ => what.to_owned(),
    }
}

/// Several values of a type: `numbers`.
fn many(of: &Type, depth: usize) -> String {
    match of {
        Type::Null => "nulls".to_owned(),
        Type::Bool => "booleans".to_owned(),
        Type::Number => "numbers".to_owned(),
        Type::Text => "strings".to_owned(),
        Type::Array(array) => inner("arrays", array.rest.as_ref(), depth),
        Type::Object(_) => "objects".to_owned(),
        Type::Set(set) => inner("sets", set.of.as_ref(), depth),
        Type::Function(_) => "functions".to_owned(),
        Type::Any(union) if union.of.is_empty() => "values".to_owned(),
        Type::Any(union) => {
            let parts: Vec<String> =
                union.of.iter().map(|part| many(part, depth.saturating_sub(1))).collect();
            listed(&parts)
        }
    }
}

/// `a, b or c`.
fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [parts @ .., last] => format!("{} or {last}", parts.join(", ")),
    }
}
