//! The history on disk: what is written, what survives crashes, what `verify`
//! finds.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::domain::Mode;

fn at(second: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).unwrap() + TimeDelta::milliseconds(second * 1000 + 7)
}

fn note(detail: &str) -> Entry {
    Entry::Note { detail: detail.to_owned() }
}

fn actor() -> Actor {
    Actor("ada@host".to_owned())
}

/// Parts of a few lines, so that rotation happens in tests.
const SMALL: Limits = Limits { part: 900, total: 1 << 20 };

struct World {
    dir: tempfile::TempDir,
    history: History,
}

impl World {
    fn new(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let history = History::open(dir.path(), actor()).unwrap().with_limits(limits);
        Self { dir, history }
    }

    fn with_notes(count: i64, limits: Limits) -> Self {
        let world = Self::new(limits);
        for number in 1..=count {
            world.history.append(at(number), note(&format!("note {number}"))).unwrap();
        }
        world
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn current(&self) -> PathBuf {
        self.path().join("history.jsonl")
    }

    fn records(&self) -> Vec<Record> {
        read_all(self.path()).unwrap().map(Result::unwrap).collect()
    }

    fn details(&self) -> Vec<String> {
        self.records()
            .into_iter()
            .map(|record| match record.entry {
                Entry::Note { detail } => detail,
                other => format!("{other:?}"),
            })
            .collect()
    }

    fn verify(&self) -> VerifyReport {
        verify(self.path()).unwrap()
    }

    fn fault(&self) -> FaultKind {
        self.verify().fault.expect("a fault should be found").kind
    }

    /// All files of the history, by name.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("history.") && name != "history.lock")
            .collect();
        names.sort();
        names
    }
}

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
fn a_crash_between_renaming_a_full_part_and_the_next_line_loses_nothing() {
    let world = World::with_notes(5, Limits::default());
    fs::rename(world.current(), world.path().join("history.1.jsonl")).unwrap();
    assert_eq!(world.history.append(at(9), note("after")).unwrap(), 6);
    assert!(world.verify().is_intact());
    fs::rename(world.current(), world.path().join("history.6.jsonl")).unwrap();
    assert!(world.verify().is_intact(), "no current part is no fault");
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

#[rstest]
#[case::half_a_line("{\"timestamp\":\"2026")]
#[case::a_whole_record_without_line_end(
    r#"{"timestamp":"2026-11-23T12:00:00Z","seq":4,"actor":"x","kind":"note","detail":"d","prev":"0"}"#
)]
#[case::zeros_of_a_file_system("\0\0\0\0")]
fn what_a_crash_left_of_a_line_is_set_aside(#[case] torn: &str) {
    let world = World::with_notes(3, Limits::default());
    fs::OpenOptions::new().append(true).open(world.current()).unwrap().write_all(torn.as_bytes()).unwrap();
    assert_eq!(world.records().len(), 3, "it was never a record");
    let report = world.verify();
    assert!(report.is_intact() && report.remarks[0].contains("a crash cut off"), "{report}");

    assert_eq!(world.history.append(at(9), note("after")).unwrap(), 5);
    assert_eq!(fs::read_to_string(world.path().join("history.torn-4")).unwrap(), torn);
    let details = world.details();
    assert!(details[3].contains("set aside in history.torn-4"), "{details:?}");
    assert_eq!(details[4], "after");
    assert!(world.verify().is_intact());
}

#[test]
fn two_crashes_at_the_same_record_keep_both_remains() {
    let world = World::with_notes(1, Limits::default());
    fs::write(world.path().join("history.torn-2"), "earlier").unwrap();
    fs::OpenOptions::new().append(true).open(world.current()).unwrap().write_all(b"later").unwrap();
    world.history.append(at(9), note("after")).unwrap();
    assert_eq!(fs::read_to_string(world.path().join("history.torn-2")).unwrap(), "earlier");
    assert_eq!(fs::read_to_string(world.path().join("history.torn-2-2")).unwrap(), "later");
}

#[test]
fn the_very_first_line_may_be_torn() {
    let world = World::new(Limits::default());
    fs::write(world.current(), "{\"times").unwrap();
    assert_eq!(world.history.append(at(1), note("after")).unwrap(), 2);
    assert!(world.verify().is_intact());
}

#[test]
fn a_cut_tail_is_seen_and_stays_on_record() {
    let world = World::with_notes(5, Limits::default());
    let text = fs::read_to_string(world.current()).unwrap();
    let kept: Vec<&str> = text.split_inclusive('\n').take(3).collect();
    fs::write(world.current(), kept.concat()).unwrap();
    assert_eq!(world.fault(), FaultKind::Missing { from: 4, to: 5 });

    world.history.append(at(9), note("after")).unwrap();
    let report = world.verify();
    assert!(report.is_intact(), "{report}");
    assert_eq!(report.losses.len(), 1);
    assert!(
        report
            .to_string()
            .contains("loss noted in record 4: records are missing: record 5 was written before")
    );
}

#[test]
fn a_removed_history_is_seen_and_stays_on_record() {
    let world = World::with_notes(5, Limits::default());
    fs::remove_file(world.current()).unwrap();
    assert_eq!(world.fault(), FaultKind::Missing { from: 1, to: 5 });
    world.history.append(at(9), note("after")).unwrap();
    let report = world.verify();
    assert_eq!((report.is_intact(), report.losses.len()), (true, 1), "{report}");
}

#[test]
fn a_head_that_a_crash_left_behind_is_no_fault() {
    let world = World::with_notes(4, Limits::default());
    let head = world.path().join(".swiftdeploy/head");
    let behind = fs::read(&head).unwrap();
    world.history.append(at(9), note("after")).unwrap();
    fs::write(&head, behind).unwrap();
    let report = world.verify();
    assert!(report.is_intact() && report.remarks[0].contains("names record 4"), "{report}");
    fs::remove_file(&head).unwrap();
    assert!(world.verify().remarks[0].contains("there is no .swiftdeploy/head"));
    world.history.append(at(10), note("again")).unwrap();
    assert_eq!(world.verify().remarks, Vec::<String>::new());
}

#[test]
fn a_rewritten_history_does_not_match_the_head() {
    let world = World::with_notes(4, Limits::default());
    let head = world.path().join(".swiftdeploy/head");
    let kept = fs::read(&head).unwrap();
    fs::remove_file(world.current()).unwrap();
    fs::remove_file(&head).unwrap();
    for number in 0..6 {
        world.history.append(at(number), note("forged")).unwrap();
    }
    fs::write(&head, kept).unwrap();
    assert_eq!(world.fault(), FaultKind::Rewritten { seq: 4 });
}

#[test]
fn a_last_line_that_is_no_record_is_left_to_the_person() {
    let world = World::with_notes(2, Limits::default());
    let mut file = fs::OpenOptions::new().append(true).open(world.current()).unwrap();
    file.write_all(b"scribble\n").unwrap();
    let before = fs::read(world.current()).unwrap();
    let error = world.history.append(at(9), note("after")).unwrap_err();
    assert!(matches!(error, HistoryError::Damaged { .. }), "{error}");
    assert!(error.next_step().contains("audit verify"));
    assert_eq!(fs::read(world.current()).unwrap(), before);
    assert!(matches!(world.fault(), FaultKind::NotARecord { .. }));
    let read: Vec<bool> = read_all(world.path()).unwrap().map(|record| record.is_ok()).collect();
    assert_eq!(read, [true, true, false]);
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

#[test]
fn the_report_of_a_damaged_history_shows_what_can_be_read() {
    let world = World::with_notes(3, Limits::default());
    let text = fs::read_to_string(world.current()).unwrap();
    fs::write(world.current(), text.replace("note 2", "note 9")).unwrap();
    let report = report::from_folder(world.path(), at(60), "shop").unwrap();
    assert!(report.contains("- Chain: **BROKEN**") && report.contains("record 2 was edited"), "{report}");
    assert!(report.contains("| note 3 |"), "{report}");
}

#[test]
fn the_report_of_verify_reads_and_serializes() {
    let world = World::with_notes(2, Limits::default());
    let intact = world.verify();
    assert!(intact.to_string().starts_with("chain intact: records 1 to 2 in 1 file\nhead 2 "), "{intact}");
    let text = fs::read_to_string(world.current()).unwrap();
    fs::write(world.current(), text.replace("note 1", "note X")).unwrap();
    let broken = world.verify();
    let expected = format!(
        "chain BROKEN after 2 good records in 1 file\n{}:1: record 1 was edited",
        world.current().display()
    );
    assert_eq!(broken.to_string(), expected);
    let json = serde_json::to_value(&broken).unwrap();
    assert_eq!(json["fault"]["fault"], "edited");
    assert_eq!(json["fault"]["line"], 1);
}

/// A history of several parts, as the bytes of its files.
fn parts() -> Vec<(String, Vec<u8>)> {
    let world = World::with_notes(14, SMALL);
    let mut parts: Vec<(String, Vec<u8>)> = world
        .names()
        .into_iter()
        .map(|name| (name.clone(), fs::read(world.path().join(&name)).unwrap()))
        .collect();
    let head = fs::read(world.path().join(".swiftdeploy/head")).unwrap();
    parts.push((".swiftdeploy/head".to_owned(), head));
    parts
}

/// Writes files to a new folder and checks them.
fn verify_files(files: &[(String, Vec<u8>)]) -> VerifyReport {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".swiftdeploy")).unwrap();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    verify(dir.path()).unwrap()
}

thread_local! {
    static PARTS: Vec<(String, Vec<u8>)> = parts();
}

/// The lines of all parts as (part, line).
fn lines(files: &[(String, Vec<u8>)]) -> Vec<Vec<Vec<u8>>> {
    files
        .iter()
        .filter(|(name, _)| name.starts_with("history."))
        .map(|(_, bytes)| bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
        .collect()
}

fn with_lines(files: &[(String, Vec<u8>)], lines: &[Vec<Vec<u8>>]) -> Vec<(String, Vec<u8>)> {
    let mut changed = files.to_vec();
    for (file, lines) in changed.iter_mut().zip(lines) {
        file.1 = lines.concat();
    }
    changed
}

#[test]
fn the_untouched_files_are_intact() {
    let report = PARTS.with(|files| verify_files(files));
    assert!(report.is_intact() && report.parts > 2, "{report}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_edit_of_one_byte_is_found(place in any::<prop::sample::Index>(), by in 1_u8..=255) {
        let mut files = PARTS.with(Clone::clone);
        let history = files.len() - 1;
        let total: usize = files[..history].iter().map(|(_, bytes)| bytes.len()).sum();
        let mut at = place.index(total);
        for (_, bytes) in &mut files[..history] {
            if at < bytes.len() {
                bytes[at] = bytes[at].wrapping_add(by);
                break;
            }
            at -= bytes.len();
        }
        let report = verify_files(&files);
        prop_assert!(!report.is_intact(), "{report}");
    }

    #[test]
    fn any_removed_line_is_found(place in any::<prop::sample::Index>()) {
        let files = PARTS.with(Clone::clone);
        let mut lines = lines(&files);
        let part = place.index(lines.len());
        let line = place.index(lines[part].len());
        lines[part].remove(line);
        let report = verify_files(&with_lines(&files, &lines));
        prop_assert!(!report.is_intact(), "{report}");
    }

    #[test]
    fn any_repeated_line_is_found(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let files = PARTS.with(Clone::clone);
        let mut lines = lines(&files);
        let (from_part, to_part) = (from.index(lines.len()), to.index(lines.len()));
        let line = lines[from_part][from.index(lines[from_part].len())].clone();
        let place = to.index(lines[to_part].len() + 1);
        lines[to_part].insert(place, line);
        let report = verify_files(&with_lines(&files, &lines));
        prop_assert!(!report.is_intact(), "{report}");
    }

    #[test]
    fn any_two_swapped_lines_are_found(one in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let files = PARTS.with(Clone::clone);
        let mut lines = lines(&files);
        let places: Vec<(usize, usize)> =
            lines.iter().enumerate().flat_map(|(part, lines)| (0..lines.len()).map(move |line| (part, line))).collect();
        let (one, other) = (places[one.index(places.len())], places[other.index(places.len())]);
        prop_assume!(one != other);
        let kept = lines[one.0][one.1].clone();
        lines[one.0][one.1] = std::mem::replace(&mut lines[other.0][other.1], kept);
        let report = verify_files(&with_lines(&files, &lines));
        prop_assert!(!report.is_intact(), "{report}");
    }

    #[test]
    fn any_removed_part_is_found(place in any::<prop::sample::Index>()) {
        let mut files = PARTS.with(Clone::clone);
        files.remove(place.index(files.len() - 1));
        let report = verify_files(&files);
        prop_assert!(!report.is_intact(), "{report}");
    }

    #[test]
    fn any_crash_in_mid_line_leaves_a_history_that_goes_on(cut in any::<prop::sample::Index>(), writes in 1_i64..12) {
        let world = World::with_notes(writes, SMALL);
        let before = world.records();
        let bytes = fs::read(world.current()).unwrap();
        let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        // The next line of a writer that was killed: the beginning of the last one again.
        let torn = &bytes[last..last + cut.index(bytes.len() - last - 1)];
        fs::write(world.current(), [&bytes, torn].concat()).unwrap();
        world.history.append(at(99), note("after the crash")).unwrap();
        let after = world.records();
        prop_assert_eq!(&after[..before.len()], &before[..]);
        let details = world.details();
        prop_assert_eq!(details.last().map(String::as_str), Some("after the crash"));
        let report = world.verify();
        prop_assert!(report.is_intact(), "{report}");
    }
}

#[rstest]
#[case::edited("note 5", "note five", FaultKind::Edited { seq: 5 })]
#[case::edited_last("note 9", "note nine", FaultKind::Edited { seq: 9 })]
#[case::edited_hash("\"note 5\",\"prev\":\"", "\"note 5\",\"prev\":\"f", FaultKind::Edited { seq: 5 })]
#[case::bad_json("\"note 5\"", "note 5", FaultKind::NotARecord { reason: "expected ident at line 1 column 97".into() })]
fn the_line_to_blame_is_named(#[case] from: &str, #[case] to: &str, #[case] expected: FaultKind) {
    let world = World::with_notes(9, Limits::default());
    let text = fs::read_to_string(world.current()).unwrap();
    assert!(text.contains(from));
    fs::write(world.current(), text.replace(from, to)).unwrap();
    let fault = world.verify().fault.unwrap();
    let line = if from.contains('9') { 9 } else { 5 };
    assert_eq!(fault.line, line);
    match (&fault.kind, &expected) {
        (FaultKind::NotARecord { .. }, FaultKind::NotARecord { .. }) => {}
        _ => assert_eq!(fault.kind, expected),
    }
}

#[rstest]
#[case::removed(&[0, 1, 3, 4], FaultKind::Missing { from: 3, to: 3 })]
#[case::two_removed(&[0, 3, 4], FaultKind::Missing { from: 2, to: 3 })]
#[case::first_removed(&[1, 2, 3, 4], FaultKind::Missing { from: 1, to: 1 })]
#[case::swapped(&[0, 2, 1, 3, 4], FaultKind::Moved { expected: 2, found: 3 })]
#[case::repeated(&[0, 1, 1, 2, 3, 4], FaultKind::Moved { expected: 3, found: 2 })]
fn what_happened_to_lines_is_told(#[case] order: &[usize], #[case] expected: FaultKind) {
    let world = World::with_notes(5, Limits::default());
    let text = fs::read_to_string(world.current()).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let changed: Vec<&str> = order.iter().map(|line| lines[*line]).collect();
    fs::write(world.current(), changed.concat()).unwrap();
    assert_eq!(world.fault(), expected);
}
