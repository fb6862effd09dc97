//! The report, also of nasty values.

use chrono::{DateTime, TimeZone, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::super::{Actor, Entry, Record};
use super::*;
use crate::domain::{Mode, Release};

fn at(second: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, 12, second / 60, second % 60).unwrap()
}

fn records(entries: Vec<Entry>) -> Vec<Record> {
    let actor = Actor("ada@host".to_owned());
    let record = |(entry, index): (Entry, u32)| Record {
        timestamp: at(index * 5),
        seq: u64::from(index) + 1,
        actor: actor.clone(),
        entry,
        prev: "0".repeat(64),
    };
    entries.into_iter().zip(0_u32..).map(record).collect()
}

fn intact(records: &[Record]) -> VerifyReport {
    VerifyReport {
        records: records.len() as u64,
        parts: 1,
        first_seq: records.first().map(|record| record.seq),
        last_seq: records.last().map(|record| record.seq),
        last_hash: records.last().map(|_| "ab".repeat(32)),
        fault: None,
        unproven: None,
        losses: Vec::new(),
        remarks: Vec::new(),
    }
}

fn scrape(error_rate: Option<f64>, p99: Option<f64>, error: Option<&str>) -> Entry {
    Entry::Scrape {
        mode: Mode::Canary,
        error_rate,
        request_rate: error_rate.map(|_| 20.04),
        p99_latency_ms: p99,
        requests: error_rate.map(|_| 600),
        error: error.map(str::to_owned),
    }
}

/// One of each, with foreign text in every place that takes text.
fn story(text: &str) -> Vec<Record> {
    let say = |word: &str| if text.is_empty() { word.to_owned() } else { text.to_owned() };
    let release =
        Release { image: say("shop:1.2.0"), image_id: None, version: say("1.2.0"), mode: Mode::Stable };
    records(vec![
        Entry::OperationStarted {
            operation_id: "1".into(),
            operation: say("deploy"),
            detail: say("start blue"),
        },
        Entry::Decision {
            operation_id: "1".into(),
            gate: say("infra"),
            verdict: say("PASS"),
            input: json!({ "disk_free_gb": 80 }),
            result: json!({ "allow": true }),
            reasons: vec![say("disk 80 GB >= 10 GB"), say("load 0.4 <= 2")],
            engine: json!({ "address": "http://127.0.0.1:8181", "name": say("opa"), "version": "1.19.1" }),
            revision: say("3f9c"),
            took_us: None,
            fault: None,
        },
        Entry::OperationFinished {
            operation_id: "1".into(),
            operation: say("deploy"),
            outcome: say("done"),
            detail: say("blue serves"),
            elapsed_ms: 4_250,
            release: Some(release),
        },
        Entry::OperationStarted {
            operation_id: "2".into(),
            operation: say("promote canary"),
            detail: say("all at once"),
        },
        Entry::ModeChange { from: Mode::Stable, to: Mode::Canary, operation_id: "2".into() },
        scrape(Some(0.0), Some(120.0), None),
        Entry::ChaosInjected {
            fault: say("error"),
            detail: say("error rate 0.5 for 60s"),
            until: Some(at(90)),
            source: say("operation"),
        },
        scrape(Some(0.52), Some(430.0), None),
        Entry::Violation { policy: say("canary"), details: vec![say("error rate 52 % above 1 %")] },
        Entry::ChaosEnded { fault: say("error"), reason: say("expired") },
        Entry::ViolationEnded { policy: say("canary"), is_gone: false },
        scrape(Some(0.1), None, None),
        scrape(None, None, Some(&say("connection refused"))),
        scrape(None, None, None),
        Entry::Note { detail: say("a crash cut off the writing of record 9") },
    ])
}

fn report(text: &str) -> String {
    let records = story(text);
    let chain = intact(&records);
    markdown(records, &chain, at(600), if text.is_empty() { "shop" } else { text })
}

#[test]
fn a_story_reads_as_it_happened() {
    insta::assert_snapshot!(report(""));
}

#[test]
fn an_empty_history_has_a_report_too() {
    let chain = intact(&[]);
    insta::assert_snapshot!(markdown(Vec::new(), &chain, at(0), "shop"));
}

#[test]
fn a_broken_chain_stands_at_the_top() {
    let records = story("");
    let mut chain = intact(&records);
    chain.records = 3;
    chain.fault = Some(super::super::Fault {
        file: "/srv/shop/history.jsonl".into(),
        line: 4,
        kind: super::super::FaultKind::Edited { seq: 4 },
    });
    let report = markdown(records, &chain, at(600), "shop");
    assert!(
        report.contains(
            "- Chain: **BROKEN** after 3 good records. /srv/shop/history.jsonl:4: record 4 was edited\n"
        ),
        "{report}"
    );
}

#[test]
fn the_table_of_violations_is_exactly_the_one_that_is_asked_for() {
    let report = report("");
    let expected = "\n| Timestamp | Policy | Details |\n| --- | --- | --- |\n\
        | 2026-11-23 12:00:40 UTC | canary | error rate 52 % above 1 %; held again 2026-11-23 12:00:50 UTC |\n";
    assert!(report.contains(expected), "{report}");
}

#[test]
fn a_window_that_is_not_complete_yet_is_no_scrape_that_failed() {
    let entries = ["measuring: 4 of 30 s", "measuring: 8 of 30 s", "connection refused"];
    let records = records(entries.map(|error| scrape(None, None, Some(error))).into());
    let report = markdown(records.clone(), &intact(&records), at(600), "shop");
    assert!(report.contains("| Scrapes that failed | 1 |"), "{report}");
    assert!(report.contains("| Scrapes before a window was complete | 2 |"), "{report}");
}

/// Nobody saw it hold.
#[test]
fn a_violation_that_ends_with_what_was_judged_does_not_hold_again() {
    let begun = Entry::Violation { policy: "canary".into(), details: vec!["it is dead".into()] };
    let gone = Entry::ViolationEnded { policy: "canary".into(), is_gone: true };
    let records = records(vec![begun, gone]);
    let report = markdown(records.clone(), &intact(&records), at(600), "shop");
    assert!(report.contains("| canary | it is dead; ended with what was judged "), "{report}");
    assert!(!report.contains("held again"), "{report}");
    // Records of an older version do not say.
    let old: Entry = serde_json::from_str(r#"{"kind":"violation_ended","policy":"canary"}"#).unwrap();
    assert!(matches!(old, Entry::ViolationEnded { is_gone: false, .. }));
}

#[test]
fn an_operation_without_an_end_and_an_end_without_a_start_are_both_shown() {
    let finished = Entry::OperationFinished {
        operation_id: "9".into(),
        operation: "rollback".into(),
        outcome: "failed".into(),
        detail: String::new(),
        elapsed_ms: 0,
        release: None,
    };
    let started = Entry::OperationStarted {
        operation_id: "10".into(),
        operation: "deploy".into(),
        detail: String::new(),
    };
    let records = records(vec![finished, started]);
    let chain = intact(&records);
    let report = markdown(records, &chain, at(600), "shop");
    assert!(report.contains("| rollback | failed | 0.0 s | ada\\@host | – |"), "{report}");
    assert!(report.contains("| deploy | no end recorded | – | ada\\@host | – |"), "{report}");
}

/// How many cells a line of a table has: bars that no backslash makes text.
fn cells(line: &str) -> usize {
    let mut bars = 0;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '|' => bars += 1,
            _ => {}
        }
    }
    bars - 1
}

/// Every line of the report is a heading, a point of the list at the top, a
/// row with as many cells as its table's head, "None recorded." or empty.
fn is_well_formed(report: &str) -> Result<(), String> {
    let mut columns = None;
    for line in report.split('\n') {
        if line.chars().any(char::is_control) {
            return Err(format!("control character in {line:?}"));
        }
        match line.chars().next() {
            None => columns = None,
            Some('|') => {
                let expected = *columns.get_or_insert(cells(line));
                if cells(line) != expected || !line.ends_with(" |") {
                    return Err(format!("{expected} cells expected in {line:?}"));
                }
            }
            Some('#') if line.starts_with("# ") || line.starts_with("## ") => {}
            Some('-') if line.starts_with("- ") => {}
            _ if line == "None recorded." => {}
            _ => return Err(format!("a line that is nothing of the report's: {line:?}")),
        }
    }
    Ok(())
}

#[test]
fn nasty_values_do_not_break_the_report() {
    for nasty in [
        "a | b",
        "a\n\n# heading\n\n| x | y |",
        "a\r\nb\u{2028}c\u{85}d",
        "`code",
        "```\nfence",
        "<script>alert(1)</script>",
        "<!-- comment",
        "[click](javascript:alert(1))",
        "![x](http://evil/x.png)",
        "trailing backslash \\",
        "\\|",
        "|||||",
        "\u{1b}]8;;http://evil\u{7}link\u{1b}]8;;\u{7}",
        "\0\u{1}\u{7f}",
        "\u{202e}gnissim",
        "   ",
    ] {
        let report = report(nasty);
        is_well_formed(&report).unwrap_or_else(|error| panic!("{nasty:?}: {error}"));
        assert!(!report.contains("<script"), "{report}");
        assert!(!report.contains('\u{1b}'), "{report:?}");
        assert_eq!(report.matches("\n## ").count(), 7, "{report}");
    }
}

proptest! {
    #[test]
    fn no_value_breaks_the_report(text in "(\\PC|[\\n\\r|`\\\\<\\[*]){1,40}") {
        prop_assert_eq!(is_well_formed(&report(&text)), Ok(()));
    }
}
