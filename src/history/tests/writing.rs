//! What is written, in parts that are kept bounded, and read back.

use super::*;

#[test]
fn a_line_says_who_when_what_and_what_was_before() {
    let world = World::new(Limits::default());
    assert_eq!(world.history.append(at(1), note("first")).unwrap(), 1);
    let change = Entry::ModeChange { from: Mode::Stable, to: Mode::Canary, operation_id: "7".into() };
    assert_eq!(world.history.append_as(&Actor::tool(), at(2), change).unwrap(), 2);
    let text = fs::read_to_string(world.current()).unwrap();
    insta::assert_snapshot!(text);
    let records = world.records();
    assert_eq!(records[1].actor, Actor("swiftdeploy".into()));
    assert_eq!(records[1].timestamp, at(2));
    assert!(world.verify().is_intact());
}

#[test]
fn every_kind_of_entry_is_read_as_it_was_written() {
    let world = World::new(Limits::default());
    let entries = vec![
        Entry::OperationFinished {
            operation_id: "1".into(),
            operation: "deploy".into(),
            outcome: "done".into(),
            detail: "line\nbreak \u{1b}[31m \"quoted\" äöü 𝄞".into(),
            elapsed_ms: u64::MAX,
            release: Some(crate::domain::Release {
                image: "a".into(),
                image_id: Some("sha256:1".into()),
                version: "1".into(),
                mode: Mode::Stable,
            }),
        },
        Entry::Decision {
            operation_id: "1".into(),
            gate: "infra".into(),
            verdict: "PASS".into(),
            input: serde_json::json!({ "a": [1, 0.1, null, { "kind": "note", "prev": "x" }] }),
            result: serde_json::json!(null),
            reasons: vec!["because".into()],
            engine: serde_json::json!("opa"),
            revision: "3f9c".into(),
            took_us: Some(412),
            fault: Some(serde_json::json!({ "fault": "undefined", "package": "infra" })),
        },
        Entry::ChaosInjected {
            fault: "slow".into(),
            detail: "3 s".into(),
            until: Some(at(9)),
            source: "observed".into(),
        },
        Entry::Scrape {
            mode: Mode::Canary,
            error_rate: Some(0.1 + 0.2),
            request_rate: None,
            p99_latency_ms: Some(1e300),
            requests: Some(3),
            error: None,
        },
    ];
    for entry in &entries {
        world.history.append(at(1), entry.clone()).unwrap();
    }
    let read: Vec<Entry> = world.records().into_iter().map(|record| record.entry).collect();
    assert_eq!(read, entries);
    assert_eq!(fs::read_to_string(world.current()).unwrap().lines().count(), entries.len());
}

#[test]
fn full_parts_are_named_after_their_first_record_and_the_chain_goes_on_over_them() {
    let world = World::with_notes(30, SMALL);
    let names = world.names();
    assert!(names.len() > 4, "{names:?}");
    let records = world.records();
    let seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    let notes = world.details().iter().filter(|detail| detail.starts_with("note ")).count();
    assert_eq!(notes, 30);
    for name in names {
        let size = fs::metadata(world.path().join(&name)).unwrap().len();
        assert!(size <= SMALL.part, "{name} has {size} bytes");
    }
    let report = world.verify();
    assert!(report.is_intact(), "{report}");
    assert_eq!(report.last_seq, seqs.last().copied());
}

#[test]
fn the_oldest_parts_are_removed_only_after_the_history_tells_of_them() {
    let world = World::with_notes(60, Limits { part: 900, total: 3_000 });
    let total: u64 =
        world.names().iter().map(|name| fs::metadata(world.path().join(name)).unwrap().len()).sum();
    assert!(total <= 3_000 + 900, "{total}");
    let report = world.verify();
    assert!(report.is_intact(), "{report}");
    let first = report.first_seq.unwrap();
    assert!(first > 1);
    let proof =
        world.details().into_iter().rfind(|detail| detail.starts_with("removes the oldest part")).unwrap();
    assert!(proof.contains(": records ") && proof.ends_with(&world.records()[0].prev), "{proof}");

    let oldest = world.path().join(format!("history.{first}.jsonl"));
    fs::remove_file(oldest).unwrap();
    assert!(matches!(world.fault(), FaultKind::Missing { from: 1, .. }), "a part removed by hand is missed");
}

#[test]
fn a_record_larger_than_a_line_is_refused_and_nothing_is_written() {
    let world = World::with_notes(1, Limits::default());
    let error = world.history.append(at(9), note(&"x".repeat(1 << 20))).unwrap_err();
    assert!(matches!(error, HistoryError::TooLarge { .. }), "{error}");
    assert_eq!(world.records().len(), 1);
    world.history.append(at(9), note(&"x".repeat((1 << 20) - 300))).unwrap();
    world.history.append(at(9), note("after")).unwrap();
    assert!(world.verify().is_intact());
}

#[test]
fn a_folder_that_is_not_there_or_not_writable_is_an_error_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let error = History::open(dir.path().join("nowhere"), actor()).unwrap_err();
    assert!(matches!(error, HistoryError::Write { .. }), "{error}");
    let report = verify(dir.path()).unwrap();
    assert_eq!(
        (report.is_intact(), report.records, report.to_string().as_str()),
        (true, 0, "no history yet")
    );
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_an_error_that_says_so() {
    use std::os::unix::fs::PermissionsExt;

    if rustix::process::geteuid().is_root() {
        return; // Nothing is read-only to root; `error` tests the words.
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let error = History::open(dir.path(), actor()).unwrap_err();
    assert!(matches!(error, HistoryError::Denied { .. }), "{error}");
}

#[test]
fn many_writers_never_mix_their_lines() {
    let world = World::new(Limits { part: 4_000, total: 1 << 30 });
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let dir = world.path();
            scope.spawn(move || {
                let limits = Limits { part: 4_000, total: 1 << 30 };
                let history =
                    History::open(dir, Actor(format!("writer {writer}"))).unwrap().with_limits(limits);
                for number in 0..25 {
                    history.append(at(number), note(&format!("{writer}.{number}"))).unwrap();
                }
            });
        }
        for _ in 0..20 {
            let report = world.verify();
            assert!(report.is_intact(), "while others write: {report}");
        }
    });
    let report = world.verify();
    assert!(report.is_intact(), "{report}");
    let mut details = world.details();
    details.retain(|detail| !detail.contains("was full"));
    assert_eq!(details.len(), 200);
    for writer in 0..8 {
        let own: Vec<&String> =
            details.iter().filter(|detail| detail.starts_with(&format!("{writer}."))).collect();
        let expected: Vec<String> = (0..25).map(|number| format!("{writer}.{number}")).collect();
        assert_eq!(own, expected.iter().collect::<Vec<_>>());
    }
}

#[test]
fn reading_is_not_disturbed_by_a_rotation_meanwhile() {
    let world = World::with_notes(6, Limits { part: 1_400, total: 1 << 20 });
    let mut reading = read_all(world.path()).unwrap();
    let first = reading.next().unwrap().unwrap();
    let before = world.records().len();
    for number in 0..20 {
        world.history.append(at(number), note("meanwhile")).unwrap();
    }
    let rest: Vec<Record> = reading.map(Result::unwrap).collect();
    assert_eq!((first.seq, rest.len() + 1), (1, before));
}
