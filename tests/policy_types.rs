//! Types: the table of builtins is OPA's own, and what is refused for its types
//! a real OPA refuses too, snippet by snippet.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod policy_support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use policy_support::snippets::{Chance, policy};
use policy_support::{Policies, real_opa};
use serde_json::Value;
use swiftdeploy::policy::check::{Minds, examine};

const TABLE: &str = include_str!("../src/policy/check/types/builtins.txt");

/// A type as OPA prints it, out of its JSON.
fn printed(of: &Value) -> String {
    let list = |parts: &Value| {
        let parts: Vec<String> = parts.as_array().unwrap().iter().map(printed).collect();
        format!("<{}>", parts.join(", "))
    };
    let kind = of["type"].as_str().unwrap();
    let mut text = kind.to_owned();
    match kind {
        "any" if of["of"].is_array() => text += &list(&of["of"]),
        "array" => {
            if of["static"].is_array() {
                text += &list(&of["static"]);
            }
            if of["dynamic"].is_object() {
                let _ = write!(text, "[{}]", printed(&of["dynamic"]));
            }
        }
        "set" => text = format!("{kind}[{}]", printed(&of["of"])),
        "object" => {
            let fixed: Vec<String> = of["static"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|field| format!("{}: {}", field["key"].as_str().unwrap(), printed(&field["value"])))
                .collect();
            if !fixed.is_empty() {
                let _ = write!(text, "<{}>", fixed.join(", "));
            }
            if of["dynamic"].is_object() {
                let (key, value) = (&of["dynamic"]["key"], &of["dynamic"]["value"]);
                let _ = write!(text, "[{}: {}]", printed(key), printed(value));
            }
        }
        _ => {}
    }
    text
}

/// The table as it should be: every function that both engines know, and the
/// operators.
fn wanted_table(binary: &Path) -> String {
    let told = Command::new(binary).args(["capabilities", "--current"]).output().unwrap();
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let known = &regorus::unstable::BUILTINS;
    let mut lines = BTreeSet::new();
    let mut names = BTreeSet::new();
    for builtin in told["builtins"].as_array().unwrap() {
        let name = builtin["name"].as_str().unwrap();
        names.insert(name);
        let decl = &builtin["decl"];
        let is_shared = known.contains_key(name) || builtin["infix"].is_string();
        if !is_shared || ["eq", "assign"].contains(&name) || !decl["result"].is_object() {
            continue;
        }
        assert!(builtin["deprecated"] != true, "OPA refuses {name}; so should the check of calls");
        let args: Vec<String> = decl["args"].as_array().into_iter().flatten().map(printed).collect();
        lines.insert(format!("{name}({}) {}", args.join(", "), printed(&decl["result"])));
    }
    // Two names under which the interpreter keeps what `|` and `&` call.
    let alone: Vec<&&str> =
        known.keys().filter(|name| !names.contains(*name) && !name.starts_with("__")).collect();
    assert!(alone.is_empty(), "OPA has no {alone:?}; the check of calls should know that");
    lines.into_iter().map(|line| line + "\n").collect()
}

#[test]
fn table_of_builtins_is_that_of_a_real_opa() {
    let Some(binary) = real_opa() else { return };
    let wanted = wanted_table(&binary);
    if wanted != TABLE {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("builtins.txt");
        std::fs::write(&path, wanted).unwrap();
        panic!("src/policy/check/types/builtins.txt should be {}", path.display());
    }
}

/// How many policies are made by chance.
const MADE: usize = 600;

/// The snippets by file, and what each engine says of those that get as far as
/// OPA's types.
struct Judged {
    /// The files whose types OPA refuses, with its words.
    by_opa: BTreeMap<String, String>,
    /// The files that our own check refuses as OPA would, with its words.
    by_us: BTreeMap<String, String>,
    compared: usize,
}

/// Lets both judge a folder of snippets, one to a file. A snippet that OPA
/// refuses before it looks at types is taken out; so is one that the
/// interpreter cannot read.
fn judged(binary: &Path, snippets: &mut BTreeMap<String, String>) -> Judged {
    let policies = Policies::empty();
    policies.write("data.json", "{\"thresholds\": {\"x\": 1}}");
    for (file, snippet) in &*snippets {
        policies.write(file, snippet);
    }
    let unread: Vec<String> = snippets
        .iter()
        .filter(|(file, snippet)| {
            let mut engine = regorus::Engine::new();
            engine.add_policy((*file).clone(), (*snippet).clone()).is_err()
        })
        .map(|(file, _)| file.clone())
        .collect();
    for file in unread {
        policies.remove(&file);
        snippets.remove(&file);
    }
    let by_opa: BTreeMap<String, String> = loop {
        let output = Command::new(binary)
            .args(["check", "--max-errors", "0", "--format", "json"])
            .arg(policies.path())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        if output.status.success() {
            break BTreeMap::new();
        }
        let said: Value = serde_json::from_slice(&said).unwrap();
        let errors = said["errors"].as_array().unwrap();
        let file = |error: &Value| {
            let path = error["location"]["file"].as_str().unwrap();
            path.rsplit('/').next().unwrap().to_owned()
        };
        let early: BTreeSet<String> = errors
            .iter()
            .filter(|error| error["code"] != "rego_type_error" || is_early(error))
            .map(file)
            .collect();
        if early.is_empty() {
            break errors.iter().map(|error| (file(error), error["message"].to_string())).collect();
        }
        for file in early {
            policies.remove(&file);
            snippets.remove(&file);
        }
    };
    let mut by_us = BTreeMap::new();
    for finding in examine(policies.path()).unwrap() {
        let file = finding.at.rsplit('/').next().unwrap().split(':').next().unwrap();
        if finding.minds == Minds::Opa {
            by_us.entry(file.to_owned()).or_insert_with(String::new).push_str(&finding.to_string());
        }
    }
    Judged { by_opa, by_us, compared: snippets.len() }
}

/// What OPA calls an error of types and finds before it looks at any.
fn is_early(error: &Value) -> bool {
    let said = error["message"].as_str().unwrap();
    ["conflict", "undefined function", "arity", "must not", "used as reference"]
        .iter()
        .any(|word| said.contains(word))
}

/// The differences: what we refuse alone, and what we do not see.
fn differences(judged: &Judged, snippets: &BTreeMap<String, String>) -> (String, String) {
    let (mut wrong, mut missed) = (String::new(), String::new());
    for (file, said) in &judged.by_us {
        if !judged.by_opa.contains_key(file) {
            let _ = writeln!(wrong, "{said}\n{}", snippets[file]);
        }
    }
    for (file, said) in &judged.by_opa {
        if !judged.by_us.contains_key(file) {
            let _ = writeln!(missed, "{said}\n{}", snippets[file]);
        }
    }
    (wrong, missed)
}

#[test]
fn policies_made_by_chance_are_refused_exactly_where_opa_refuses_their_types() {
    let Some(binary) = real_opa() else { return };
    let mut chance = Chance::new(0x5317_f7de_9107);
    let mut snippets: BTreeMap<String, String> =
        (0..MADE).map(|number| (format!("s{number}.rego"), policy(&mut chance, number))).collect();
    let judged = judged(&binary, &mut snippets);
    let (wrong, missed) = differences(&judged, &snippets);
    let (compared, refused) = (judged.compared, judged.by_opa.len());
    assert!(compared > MADE / 2 && refused > 100 && compared - refused > 50, "{compared}, {refused}");
    assert!(wrong.is_empty(), "OPA takes:\n{wrong}\n\nnot seen:\n{missed}");
    assert!(missed.is_empty(), "not seen:\n{missed}");
}

/// What is said of a rule; the first of it.
fn said(rules: &str) -> String {
    let policies = Policies::empty();
    policies.write("data.json", "{\"thresholds\": {\"x\": 1}}");
    policies.write("p.rego", &format!("package p\n\n{rules}\n"));
    match examine(policies.path()) {
        Ok(found) => found.into_iter().next().map(|finding| finding.what).unwrap_or_default(),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn what_is_wrong_is_told_in_plain_words() {
    for (rules, told) in [
        ("a := count(1)", "count does not take a number; it takes a string, an array, an object or a set"),
        (
            "a := concat(\",\", [1, 2])",
            "concat does not take an array of numbers as its second argument; it takes an array of strings \
             or a set of strings",
        ),
        ("a := 1 + \"a\"", "+ computes with a number, not with a string"),
        ("a := input.x & [1]", "& computes with a set, not with an array of numbers"),
        ("a if count(input.x) == \"x\"", "a number is never equal to a string"),
        ("a if upper(input.x, 1)", "upper gives a string, which is never a number"),
        ("f(x) := upper(x)\n\na := f(1)", "data.p.f does not take a number; it takes a string"),
        ("lim := {\"max\": 1}\n\na := lim.maxx", "data.p.lim has no field maxx; it has max"),
        ("lim := 5\n\na := lim.max", "data.p.lim is a number, which has no fields"),
        (
            "a if {\n\tx := [1]\n\tx.b\n}",
            "x is an array of numbers: its members have numbers, not names as b",
        ),
        ("a if {\n\tx := [1]\n\tx[1]\n}", "x is an array of numbers, which has no member 1"),
        ("s contains 1\n\na if s[\"x\"]", "data.p.s is a set of numbers, which never has x in it"),
        ("a if {\n\tsome x in 5\n\tx\n}", "a number has no members: some x in 5"),
        (
            "f(x, y) := x + y\n\ng(x) := x\n\na if f(1, 2) == 3 with f as g",
            "`with` replaces a function by one that takes other arguments",
        ),
    ] {
        assert_eq!(said(rules), told, "{rules}");
    }
}

/// No policy is too deep or too long to be looked at: what is beyond is `any`.
/// One that takes for ever ends with the time limit of the run.
#[test]
fn policies_of_any_size_are_looked_through() {
    // Operators in a row are as deep as they are many, and the interpreter
    // itself has a limit to that.
    said(&format!("a := 1{}", " + 1".repeat(10_000)));
    said(&format!("a := input{}", ".b".repeat(10_000)));
    // Each is twice what the one before is.
    let chain: Vec<String> =
        (1..1000).map(|number| format!("r{number} := [r{0}, r{0}]\n", number - 1)).collect();
    assert_eq!(said(&format!("r0 := 1\n{}", chain.concat())), "");
    // Each is looked at again for every one around it. (Deeper ones keep the
    // interpreter's parser busy, before anything is looked at.)
    let (open, close) = ("[x | x := ".repeat(4), "]".repeat(4));
    assert_eq!(said(&format!("a := {open}1{close}")), "");
    let statements: Vec<String> =
        (0..1000).map(|number| format!("\tx{} := x{number}\n", number + 1)).collect();
    said(&format!("a if {{\n\tx0 := 1\n{}}}", statements.concat()));
}
