//! What somebody did to the files, as `verify` and the report tell it.

use std::io::Write as _;

use super::*;

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
fn without_a_head_the_last_record_is_not_called_proven_and_that_stays_on_record() {
    let world = World::with_notes(3, Limits::default());
    assert_eq!(world.verify().unproven, None);
    fs::remove_file(world.path().join(".swiftdeploy/head")).unwrap();
    let text = fs::read_to_string(world.current()).unwrap();
    let last = text.lines().last().unwrap();
    fs::write(world.current(), text.replace(last, &last.replace("2026", "2025"))).unwrap();
    let report = world.verify();
    assert_eq!(report.unproven, Some(Unproven { seq: 3, head: None }));
    let told = report.to_string();
    assert!(told.starts_with("chain intact, but its end is NOT PROVEN: records 1 to 3"), "{told}");
    assert!(
        told.contains("\nWARNING: there is no .swiftdeploy/head that can be read, so an edit of record 3"),
        "{told}"
    );

    world.history.append(at(9), note("after")).unwrap();
    let report = world.verify();
    assert!(report.is_intact() && report.unproven.is_none(), "{report}");
    assert!(
        report.to_string().contains("note: record 4 tells: not proven: record 3 was the last"),
        "{report}"
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
    let report = world.verify();
    assert_eq!((report.records, report.last_seq, report.last_hash), (line - 1, Some(line - 1), None));
    match (&fault.kind, &expected) {
        (FaultKind::NotARecord { .. }, FaultKind::NotARecord { .. }) => {}
        _ => assert_eq!(fault.kind, expected),
    }
}

#[rstest]
#[case::removed(&[0, 1, 3, 4], FaultKind::Missing { from: 3, to: 3 }, 2)]
#[case::two_removed(&[0, 3, 4], FaultKind::Missing { from: 2, to: 3 }, 1)]
#[case::first_removed(&[1, 2, 3, 4], FaultKind::Missing { from: 1, to: 1 }, 0)]
#[case::swapped(&[0, 2, 1, 3, 4], FaultKind::Moved { expected: 2, found: 3 }, 1)]
#[case::repeated(&[0, 1, 1, 2, 3, 4], FaultKind::Moved { expected: 3, found: 2 }, 2)]
fn what_happened_to_lines_is_told(#[case] order: &[usize], #[case] expected: FaultKind, #[case] good: u64) {
    let world = World::with_notes(5, Limits::default());
    let text = fs::read_to_string(world.current()).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let changed: Vec<&str> = order.iter().map(|line| lines[*line]).collect();
    fs::write(world.current(), changed.concat()).unwrap();
    assert_eq!(world.fault(), expected);
    assert_eq!(world.verify().records, good);
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
        "chain BROKEN after 0 good records in 1 file\n{}:1: record 1 was edited",
        world.current().display()
    );
    assert_eq!(broken.to_string(), expected);
    let json = serde_json::to_value(&broken).unwrap();
    assert_eq!(json["fault"]["fault"], "edited");
    assert_eq!(json["fault"]["line"], 1);
}
