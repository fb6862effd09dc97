//! The tables of `docs/verdicts.md` are true: what they name exists, and what
//! exists they name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const DOCS: &str = include_str!("../docs/verdicts.md");

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The rows below a heading, each as its cells.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let section = DOCS.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let lines = section.lines().filter(|line| line.starts_with("| "));
    let rows = lines.skip(1).map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect());
    rows.collect()
}

/// The words in code type of a cell.
fn codes(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The codes that a policy gives.
fn codes_of(policy: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("policies").join(policy)).unwrap();
    let given = text.split("\"code\": \"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut all: BTreeSet<String> = given.map(str::to_owned).collect();
    // Where the code depends on a state, the table of states holds it.
    let by_state = text.split("code := {").skip(1).filter_map(|rest| rest.split('}').next());
    all.extend(by_state.flat_map(|table| {
        let values = table.split(": \"").skip(1).filter_map(|rest| rest.split('"').next());
        values.map(str::to_owned).collect::<Vec<_>>()
    }));
    all
}

/// The texts that `fn code` of a file gives, and its kin.
fn codes_in(file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let bodies = text.split("fn code(&self)").skip(1).map(|rest| rest.split("\n    }").next().unwrap());
    let given = bodies.flat_map(|body| body.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()));
    given.map(str::to_owned).collect()
}

fn named(rows: &[Vec<&str>], column: usize) -> BTreeSet<String> {
    rows.iter().flat_map(|row| codes(row[column])).map(str::to_owned).collect()
}

#[test]
fn every_row_has_four_cells_and_a_verdict_and_only_what_is_known_passes() {
    let mut passes = 0;
    let mut count = 0;
    let of_verdicts = |section: &&str| !section.starts_with("The facts");
    for section in DOCS.split("\n## ").skip(1).filter(of_verdicts) {
        for row in rows(section.lines().next().unwrap()) {
            assert_eq!(row.len(), 4, "{row:?}");
            assert!(["PASS", "FAIL", "INCONCLUSIVE"].contains(&row[3]), "{row:?}");
            passes += usize::from(row[3] == "PASS");
            count += 1;
        }
    }
    assert_eq!(passes, 2, "one of each policy");
    assert!(count > 50, "{count}");
}

#[test]
fn every_rule_of_our_policies_is_in_its_table_and_no_other() {
    for (heading, policy) in [("Before a deploy", "infra.rego"), ("Before a canary becomes", "canary.rego")] {
        assert_eq!(named(&rows(heading), 2), codes_of(policy), "{policy}");
    }
}

#[test]
fn every_fault_of_the_metrics_is_in_its_table_and_no_other() {
    let rows = rows("When the metrics");
    assert_eq!(named(&rows, 1), codes_in("src/telemetry/fault.rs"));
    let rules = codes_of("canary.rego");
    assert!(named(&rows, 2).is_subset(&rules), "{:?}", named(&rows, 2));
    assert!(rows.iter().all(|row| row[3] == "INCONCLUSIVE"), "no fault passes");
}

#[test]
fn every_fault_of_the_policy_engine_is_in_its_table_and_no_other() {
    let rows = rows("When the policy engine");
    assert_eq!(named(&rows, 2), codes_in("src/policy/model.rs"));
    assert!(rows.iter().all(|row| row[3] == "FAIL"), "no fault passes");
}

/// The rows that were agreed, by their words.
#[test]
fn no_row_that_was_agreed_is_missing() {
    for (heading, agreed) in [
        (
            "When the metrics",
            &[
                "connection refused",
                "404",
                "500",
                "hang",
                "slow drip",
                "truncated",
                "malformed",
                "empty",
                "wrong names",
                "NaN",
                "counter reset",
                "histogram without +Inf",
                "one of two containers failing",
            ][..],
        ),
        (
            "When the policy engine",
            &[
                "not running",
                "port closed",
                "hangs",
                "slow past the timeout",
                "401",
                "404",
                "500",
                "redirect",
                "HTML",
                "truncated JSON",
                "`{}`",
                "`result: null`",
                "`allow: \"true\"`",
                "`allow: true` with violations",
                "wrong revision",
                "answer of 100 MB",
                "connection reset in mid-answer",
            ],
        ),
    ] {
        let rows = rows(heading);
        for fault in agreed {
            assert!(rows.iter().any(|row| row[0].contains(fault)), "{heading}: no row for {fault}");
        }
    }
}

#[test]
fn files_that_are_named_are_there_and_the_page_is_found() {
    for file in DOCS.split('`').skip(1).step_by(2).filter(|word| word.contains('/') && word.contains('.')) {
        assert!(Path::new(&root().join(file)).exists(), "{file}");
    }
    for page in ["README.md", "ARCHITECTURE.md"] {
        assert!(fs::read_to_string(root().join(page)).unwrap().contains("docs/verdicts.md"), "{page}");
    }
}
