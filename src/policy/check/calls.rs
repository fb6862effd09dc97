//! Calls: functions that do not exist, that get another number of arguments,
//! or that the two engines compute differently.

use regorus::unstable::BUILTINS;

use super::Finding;
use super::mentions::{Call, CallName, Read};
use super::rules::Rules;
use super::tree::{otherwise, refused, shown};

/// Takes any number of arguments.
const PRINT: &str = "print";

/// Classes that are ASCII to OPA and Unicode to the interpreter.
const CLASSES: [&str; 8] = ["\\w", "\\W", "\\d", "\\D", "\\s", "\\S", "\\b", "\\B"];

/// Verbs of `sprintf` that both print alike.
const VERBS: [char; 6] = ['v', 's', 'd', 'q', 'x', '%'];

/// Layouts of time with the short name of a zone.
const WITH_ZONE_NAME: [&str; 4] = ["RFC822", "RFC850", "RFC1123", "UnixDate"];

/// Looks at every call, and at functions that stand where a value should.
pub(super) fn check(read: &Read, rules: &Rules, found: &mut Vec<Finding>) {
    for call in &read.calls {
        let finding = match &call.name {
            CallName::Rule(path) => match rules.function(path) {
                None => Some(refused(&call.span, format!("{} is no function", shown(path)))),
                Some(arity) => wrong_count(&shown(path), arity, call),
            },
            CallName::Builtin(name) => builtin(name, call),
        };
        found.extend(finding);
    }
    for mention in read.mentions.iter().filter(|mention| !mention.is_replacement) {
        let function = (1..=mention.path.len())
            .map(|length| &mention.path[..length])
            .find(|path| rules.function(path).is_some());
        if let Some(path) = function {
            found.push(refused(&mention.span, format!("the function {} must be called", shown(path))));
        }
    }
}

/// Whether a name is a builtin's, or the first part of one's.
pub(super) fn is_builtin_root(root: &str) -> bool {
    BUILTINS.keys().any(|name| name.split('.').next() == Some(root))
}

fn builtin(name: &str, call: &Call) -> Option<Finding> {
    if name == PRINT {
        return None;
    }
    let Some((_, arity)) = BUILTINS.get(name) else {
        return Some(otherwise(&call.span, format!("the embedded engine has no function {name}")));
    };
    wrong_count(name, usize::from(*arity), call)
        .or_else(|| differing(name, call).map(|what| otherwise(&call.span, what)))
}

fn wrong_count(name: &str, arity: usize, call: &Call) -> Option<Finding> {
    let is_right = call.arguments == arity || (call.is_statement && call.arguments == arity + 1);
    (!is_right)
        .then(|| refused(&call.span, format!("{name} takes {arity} arguments, not {}", call.arguments)))
}

/// What is known to be computed differently, as far as the text shows it.
fn differing(name: &str, call: &Call) -> Option<String> {
    let first = call.texts.first().and_then(Option::as_deref);
    match name {
        "semver.is_valid" => Some(
            "semver.is_valid takes v1.2.3 and 01.2.3 for valid in OPA and not in the embedded engine; \
             use semver.compare"
                .to_owned(),
        ),
        "time.add_date" => (call.zeros.get(1..3) != Some(&[true, true])).then(|| {
            "time.add_date with years or months counts days past the end of a month differently in OPA and in \
             the embedded engine; add days only"
                .to_owned()
        }),
        "time.parse_ns" => first.filter(|layout| has_zone_name(layout)).map(|layout| {
            format!("time.parse_ns reads the zone's name in {layout} differently in OPA; write -0700 or Z07:00")
        }),
        "sprintf" => first.and_then(odd_verb).map(|verb| {
            format!("sprintf prints %{verb} differently in OPA and in the embedded engine; use %v with round()")
        }),
        "regex.replace" => call.texts.get(1).and_then(Option::as_deref).and_then(odd_pattern),
        _ if name.starts_with("regex.") => first.and_then(odd_pattern),
        _ => None,
    }
}

fn has_zone_name(layout: &str) -> bool {
    layout.contains("MST") || WITH_ZONE_NAME.contains(&layout)
}

fn odd_verb(format: &str) -> Option<String> {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        rest = &rest[at + 1..];
        let verb = rest.chars().next()?;
        if !VERBS.contains(&verb) {
            let end = rest.find(|c: char| c.is_ascii_alphabetic()).map_or(rest.len(), |end| end + 1);
            return Some(rest[..end].to_owned());
        }
        rest = &rest[verb.len_utf8()..];
    }
    None
}

fn odd_pattern(pattern: &str) -> Option<String> {
    // `\\d` is a backslash and a letter.
    let pattern = pattern.replace("\\\\", "");
    if let Some(class) = CLASSES.iter().find(|class| pattern.contains(**class)) {
        return Some(format!(
            "{class} in a regular expression is ASCII in OPA and Unicode in the embedded engine; \
             write the characters out, as [0-9]"
        ));
    }
    ["&&", "--", "~~", "[["].iter().find(|set| pattern.contains(**set) && pattern.contains('[')).and_then(
        |set| {
            // `[[:alpha:]]` means the same in both.
            (*set != "[[" || pattern.replace("[[:", "").contains("[[")).then(|| {
                format!(
                    "{set} in a regular expression combines classes in the embedded engine and not in OPA"
                )
            })
        },
    )
}
