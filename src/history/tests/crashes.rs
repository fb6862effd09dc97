//! What a crash leaves, and how it goes on.

use std::io::Write as _;

use super::*;

#[test]
fn a_crash_between_renaming_a_full_part_and_the_next_line_loses_nothing() {
    let world = World::with_notes(5, Limits::default());
    fs::rename(world.current(), world.path().join("history.1.jsonl")).unwrap();
    assert_eq!(world.history.append(at(9), note("after")).unwrap(), 6);
    assert!(world.verify().is_intact());
    fs::rename(world.current(), world.path().join("history.6.jsonl")).unwrap();
    assert!(world.verify().is_intact(), "no current part is no fault");
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
fn a_head_that_a_crash_left_behind_is_no_fault() {
    let world = World::with_notes(4, Limits::default());
    let head = world.path().join(".swiftdeploy/head");
    let behind = fs::read(&head).unwrap();
    world.history.append(at(9), note("after")).unwrap();
    fs::write(&head, behind).unwrap();
    let report = world.verify();
    assert!(report.is_intact(), "{report}");
    assert_eq!(report.unproven, Some(Unproven { seq: 5, head: Some(4) }));
    world.history.append(at(10), note("again")).unwrap();
    let report = world.verify();
    assert_eq!((report.unproven, report.remarks.len()), (None, 0));
}
