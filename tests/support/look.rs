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
        // The injection.
        "error rate 0.9",
        // The violation.
        "| Timestamp | Policy | Details |",
        "error\\_rate 0.",
        "above the limit 0.01",
    ];
    for text in must_have {
        assert!(report.contains(text), "no {text:?} in\n{report}");
    }
}
