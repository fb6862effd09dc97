//! What both ways to tell the story look at: files, and the report at its end.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::collections::BTreeMap;
use std::path::Path;

/// Everything below a folder, by name.
pub fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    all
}

/// What the report must tell at the end of the story, however it was driven.
#[track_caller]
pub fn report_tells_it_all(report: &str) {
    let must_have = [
        // The timeline.
        "| deploy |",
        "| promote canary |",
        "| promote stable |",
        "| rollback |",
        // Both mode changes.
        "| stable | canary | promote canary |",
        "| canary | stable | rollback |",
    ];
    for text in must_have {
        assert!(report.contains(text), "no {text:?} in\n{report}");
    }
    let rows = |title: &str| -> Vec<&str> {
        let section = report.split("\n## ").find_map(|section| section.strip_prefix(title));
        let section = section.unwrap_or_else(|| panic!("no section {title:?} in\n{report}"));
        section.lines().filter(|line| line.starts_with("| ")).collect()
    };
    let injections = rows("Chaos injections");
    assert!(injections.iter().any(|row| row.contains("error rate 90 %")), "{injections:?}");
    let violations = rows("Policy violations");
    assert_eq!(violations[0], "| Timestamp | Policy | Details |");
    let is_told = |row: &&str| {
        row.contains("| canary |") && row.contains("error\\_rate 0.") && row.contains("above the limit 0.01")
    };
    assert!(violations.iter().any(is_told), "{violations:?}");
}
