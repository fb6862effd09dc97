//! Scrapes that are kept and found again.

use rstest::rstest;

use super::*;

fn at(instance: &str, millis: i64, body: &str) -> Snapshot {
    Snapshot {
        instance: instance.to_owned(),
        taken_at: DateTime::from_timestamp_millis(millis).unwrap(),
        is_openmetrics: body.ends_with("# EOF\n"),
        body: body.to_owned(),
    }
}

fn empty() -> (tempfile::TempDir, Archive) {
    let dir = tempfile::tempdir().unwrap();
    let archive = Archive::new(dir.path().join("scrapes"));
    (dir, archive)
}

fn all(archive: &Archive) -> Vec<Snapshot> {
    archive.load(|_| true, DateTime::UNIX_EPOCH).unwrap()
}

#[rstest]
#[case::container("3f9c0a")]
#[case::process("4711@1763901711123")]
#[case::anything("../a b/%2F\\:*?\"<>|é-1.prom")]
#[case::nothing("")]
fn what_is_stored_loads_the_same(#[case] instance: &str) {
    let (_dir, archive) = empty();
    let text = at(instance, 1_763_901_711_123, "a 1\n");
    let open = at(instance, 1_763_901_713_123, "a 1\n# EOF\n");
    for snapshot in [&open, &text] {
        archive.store(snapshot).unwrap();
    }
    assert_eq!(all(&archive), [text, open]);
}

#[test]
fn a_file_holds_the_body_and_nothing_else() {
    let (_dir, archive) = empty();
    let path = archive.store(&at("4711@17", 1_763_901_711_123, "a 1\n")).unwrap();
    assert_eq!(path.file_name().unwrap(), "1763901711123-4711@17.prom");
    assert_eq!(fs::read_to_string(path).unwrap(), "a 1\n");
}

#[test]
fn only_what_is_wanted_is_loaded() {
    let (_dir, archive) = empty();
    for (instance, millis) in [("a", 1000), ("a", 2000), ("b", 2000)] {
        archive.store(&at(instance, millis, "a 1\n")).unwrap();
    }
    let since = DateTime::from_timestamp_millis(2000).unwrap();
    assert_eq!(archive.load(|instance| instance == "a", since).unwrap(), [at("a", 2000, "a 1\n")]);
}

#[test]
fn what_is_not_ours_is_neither_loaded_nor_pruned() {
    let (_dir, archive) = empty();
    let good = archive.store(&at("a", 5000, "a 1\n")).unwrap();
    let dir = good.parent().unwrap();
    let foreign =
        ["notes.txt", "x-a.prom", "01000-a.prom", "1000-%2f.prom", "1000-%zz.prom", "1000-a.prom.bak"];
    for name in foreign {
        fs::write(dir.join(name), "a 1\n").unwrap();
    }
    fs::create_dir(dir.join("6000-dir.prom")).unwrap();
    fs::write(dir.join("6000-cut.prom"), "a 1").unwrap();
    fs::write(dir.join("6000-binary.prom"), b"\xff\xfe\n").unwrap();
    assert_eq!(all(&archive), [at("a", 5000, "a 1\n")]);
    assert_eq!(archive.prune(DateTime::from_timestamp_millis(5000).unwrap()).unwrap(), 0);
    assert!(foreign.iter().all(|name| dir.join(name).exists()));
}

#[test]
fn pruning_removes_what_is_older_and_what_crashes_left() {
    let (_dir, archive) = empty();
    let old = archive.store(&at("a", 1000, "a 1\n")).unwrap();
    let new = archive.store(&at("a", 2000, "a 1\n")).unwrap();
    let left = old.with_file_name(".new-1000-a.promXYZ");
    let writing = old.with_file_name(".new-2000-a.promXYZ");
    for path in [&left, &writing] {
        fs::write(path, "a").unwrap();
    }
    assert_eq!(archive.prune(DateTime::from_timestamp_millis(2000).unwrap()).unwrap(), 2);
    assert_eq!([old, new, left, writing].map(|path| path.exists()), [false, true, false, true]);
}

#[test]
fn an_archive_that_is_not_there_is_empty() {
    let (_dir, archive) = empty();
    assert_eq!(all(&archive), []);
    assert_eq!(archive.prune(DateTime::from_timestamp_millis(2000).unwrap()).unwrap(), 0);
}

#[test]
fn a_name_that_no_file_can_have_is_refused() {
    let (_dir, archive) = empty();
    let error = archive.store(&at(&"é".repeat(100), 1000, "a 1\n")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}
