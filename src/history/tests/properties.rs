//! What holds for any edit and any crash.

use proptest::prelude::*;

use super::*;

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
