//! What is refused before anything is evaluated: every case of
//! `tests/fixtures/rego-cases.txt` is judged by the embedded engine's check
//! and, where there is one, by a real OPA.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod policy_support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use policy_support::{Policies, real_opa, roomy_host};
use serde_json::json;
use swiftdeploy::policy::check::{Finding, Judgement, examine, judge_with};
use swiftdeploy::policy::{Fault, PolicyEngine};

const CASES: &str = include_str!("fixtures/rego-cases.txt");

/// What a case is about: the line behind its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Loads,
    Strict,
    Refused,
    Own,
    OnlyOpa,
}

struct Case {
    name: &'static str,
    verdict: Verdict,
    rules: &'static str,
}

fn cases() -> Vec<Case> {
    CASES
        .split("\n== ")
        .skip(2)
        .map(|case| {
            let (head, rules) = case.split_once('\n').unwrap();
            let (name, verdict) = head.split_once(": ").unwrap();
            let verdict = match verdict {
                "loads" => Verdict::Loads,
                "strict" => Verdict::Strict,
                "refused" => Verdict::Refused,
                "own" => Verdict::Own,
                "only-opa" => Verdict::OnlyOpa,
                other => panic!("{name}: {other} is no verdict"),
            };
            Case { name, verdict, rules }
        })
        .collect()
}

/// A folder with nothing but this case.
fn folder(rules: &str) -> Policies {
    let policies = Policies::empty();
    policies.write("p.rego", &format!("package p\n\n{}\n", rules.trim_end()));
    policies.write("data.json", &json!({"thresholds": {"x": 1}}).to_string());
    policies
}

#[test]
fn embedded_engine_refuses_what_it_should_and_nothing_else() {
    let mut wrong = String::new();
    let mut counts = BTreeMap::new();
    for case in cases() {
        *counts.entry(case.verdict).or_insert(0) += 1;
        let policies = folder(case.rules);
        let (found, said) = match examine(policies.path()) {
            Err(fault) => (Verdict::Refused, fault.to_string()),
            Ok(findings) if findings.is_empty() => (Verdict::Loads, String::new()),
            Ok(findings) => {
                let is_strict = !findings.iter().any(Finding::forbids_deciding);
                let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
                (if is_strict { Verdict::Strict } else { Verdict::Refused }, said.join("; "))
            }
        };
        let expected = match case.verdict {
            Verdict::Own => Verdict::Refused,
            Verdict::OnlyOpa => Verdict::Loads,
            other => other,
        };
        if found != expected {
            let _ = writeln!(wrong, "{}: {found:?}, expected {expected:?}: {said}", case.name);
        } else if found != Verdict::Loads && !said.contains("p.rego:") {
            let _ = writeln!(wrong, "{}: no file and line in {said}", case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // What OPA alone refuses is to be little.
    let is_plenty = |(verdict, count): (&Verdict, &i32)| *verdict == Verdict::OnlyOpa || *count > 5;
    assert!(counts.iter().all(is_plenty), "{counts:?}");
}

#[tokio::test]
async fn gates_deny_by_exactly_the_policies_that_are_refused() {
    for case in cases() {
        let policies = folder(case.rules);
        let fault = policies.embedded().ask("p", &roomy_host()).await.fault;
        let is_refused = matches!(&fault, Some(Fault::Policies { reason }) if reason.contains("p.rego:"));
        match case.verdict {
            Verdict::Refused | Verdict::Own => assert!(is_refused, "{}: {fault:?}", case.name),
            // A strict finding is no reason to deny; that these rules make no
            // decision is.
            Verdict::Loads | Verdict::Strict | Verdict::OnlyOpa => {
                assert_eq!(fault, Some(Fault::Undefined { package: "p".to_owned() }), "{}", case.name);
            }
        }
    }
}

#[test]
fn real_opa_judges_every_case_as_written() {
    let Some(binary) = real_opa() else { return };
    let accepts = |policies: &Path, flags: &[&str]| {
        let output = Command::new(&binary).arg("check").args(flags).arg(policies).output().unwrap();
        output.status.success()
    };
    let mut wrong = String::new();
    for case in cases() {
        let policies = folder(case.rules);
        let found = (accepts(policies.path(), &[]), accepts(policies.path(), &["--strict"]));
        let expected = match case.verdict {
            Verdict::Loads => (true, true),
            Verdict::Own => (true, found.1),
            Verdict::Strict => (true, false),
            Verdict::Refused | Verdict::OnlyOpa => (false, false),
        };
        if found != expected {
            let _ = writeln!(wrong, "{}: loads, strict: {found:?}, expected {expected:?}", case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Every builtin of which the engine knows what it takes, with a literal of
/// every kind in every place: what is refused here, OPA refuses too.
#[test]
fn real_opa_refuses_every_literal_that_the_embedded_engine_refuses() {
    let Some(binary) = real_opa() else { return };
    let told = Command::new(&binary).args(["capabilities", "--current"]).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let policies = Policies::empty();
    policies.write("data.json", "{\"thresholds\":{}}");
    let mut rules = String::from("package p\n");
    for builtin in told["builtins"].as_array().unwrap() {
        let count = builtin["decl"]["args"].as_array().map_or(0, Vec::len);
        let name = builtin["name"].as_str().unwrap();
        if builtin["infix"].is_string() || builtin["deprecated"] == true || name.starts_with("internal.") {
            continue;
        }
        for place in 0..count {
            for literal in ["null", "true", "1", "\"x\"", "[]", "{\"k\": 1}", "{1}"] {
                let given = |at| if at == place { literal } else { "input.x" };
                let arguments: Vec<&str> = (0..count).map(given).collect();
                let _ = writeln!(rules, "a contains {name}({})", arguments.join(", "));
            }
        }
    }
    policies.write("p.rego", &rules);
    let lines: Vec<&str> = rules.lines().collect();
    let found = examine(policies.path()).unwrap();
    let ours: Vec<usize> = found
        .iter()
        .filter(|finding| finding.what.contains("does not take"))
        .map(|finding| finding.at.rsplit(':').next().unwrap().parse().unwrap())
        .collect();
    let output = Command::new(&binary)
        .args(["check", "--max-errors", "0", "--format", "json"])
        .arg(policies.path())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
    let opas: Vec<u64> = said["errors"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|error| error["code"] == "rego_type_error")
        .map(|error| error["location"]["row"].as_u64().unwrap())
        .collect();
    let wrong: Vec<&str> =
        ours.iter().filter(|row| !opas.contains(&(**row as u64))).map(|row| lines[*row - 1]).collect();
    assert!(wrong.is_empty(), "OPA takes {wrong:#?}");
    assert!(ours.len() > 400, "{} lines are judged", ours.len());
}

#[test]
fn policies_that_ship_and_the_example_have_nothing_to_find() {
    let policies = Policies::starters();
    policies.write("freeze.rego", include_str!("../policies/.examples/freeze.rego"));
    policies.write("freeze_test.rego", include_str!("../policies/.examples/freeze_test.rego"));
    assert_eq!(examine(policies.path()), Ok(Vec::new()));
}

#[test]
fn recursion_is_told_with_its_way_and_across_packages() {
    let policies = Policies::starters();
    policies.write("a.rego", "package a\n\nimport data.b.y\n\nx := y\n");
    policies.write("b.rego", "package b\n\ny := z\n\nz := data.a.x\n");
    let found = examine(policies.path()).unwrap();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].at.ends_with("a.rego:5"), "{}", found[0].at);
    assert_eq!(found[0].what, "data.a.x is recursive: data.a.x → data.b.y → data.b.z → data.a.x");
}

#[test]
fn rule_that_data_json_has_too_is_refused() {
    let policies = folder("limits := 1\n");
    policies.write("q.rego", "package thresholds\n\ncpu_load := 1\n");
    policies.write("data.json", &json!({"thresholds": {"cpu_load": 1}}).to_string());
    let Err(fault) = examine(policies.path()) else { panic!("it was taken") };
    assert!(fault.to_string().contains("the package thresholds lies in data.thresholds"), "{fault}");
}

#[test]
fn rule_where_a_package_lies_is_refused() {
    let policies = folder("q := 1\n");
    policies.write("q.rego", "package p.q\n\nx := 1\n");
    let found = examine(policies.path()).unwrap();
    assert_eq!(found[0].what, "data.p.q is also where the package data.p.q lies");
    let Some(binary) = real_opa() else { return };
    let output = Command::new(&binary).arg("check").arg(policies.path()).output().unwrap();
    assert!(!output.status.success());
}

#[test]
fn tests_of_policies_are_looked_through_too() {
    let policies = Policies::starters();
    policies.write("own_test.rego", "package own_test\n\ntest_a if nope(1)\n");
    let found = examine(policies.path()).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].what, "the embedded engine has no function nope");
}

#[tokio::test]
async fn real_opa_program_is_asked_in_its_strict_way() {
    let Some(binary) = real_opa() else { return };
    let judged = async |policies: &Policies| judge_with(&binary, policies.path()).await.unwrap();
    assert_eq!(judged(&Policies::starters()).await, Judgement::Accepted);
    let unfinished = Policies::starters();
    unfinished.write(".half.rego", "package");
    assert_eq!(judged(&unfinished).await, Judgement::Accepted);
    for (rules, hint) in [
        ("a := count(1)", "p.rego:3: rego_type_error: count: invalid argument"),
        ("a if {\n\tx := input.y\n}", "p.rego:4: rego_compile_error: assigned var x unused"),
        ("a if {", "p.rego:4: rego_parse_error"),
    ] {
        let Judgement::Refused(said) = judged(&folder(rules)).await else { panic!("{rules} was accepted") };
        assert!(said.contains(hint) && !said.contains('\n'), "{said}");
    }
}

#[tokio::test]
async fn program_that_cannot_be_run_is_an_error_that_names_it() {
    let policies = Policies::starters();
    let Err(Fault::Policies { reason }) = judge_with(Path::new("/nowhere/opa"), policies.path()).await else {
        panic!("a program that is not there judged")
    };
    assert!(reason.starts_with("/nowhere/opa: "), "{reason}");
}
