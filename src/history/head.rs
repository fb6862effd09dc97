//! The head: number and hash of the newest record, kept apart from the
//! history in `.swiftdeploy/head`, so that a cut tail is seen.
//!
//! It is written after the record is safe, so it is never ahead of an honest
//! history; behind it may be, when a crash came between the two.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::chain::Link;

fn path(dir: &Path) -> PathBuf {
    dir.join(".swiftdeploy").join("head")
}

/// The head, if there is a readable one.
pub(super) fn read(dir: &Path) -> Option<Link> {
    let text = fs::read_to_string(path(dir)).ok()?;
    let (seq, hash) = text.trim_end().split_once(' ')?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let seq = seq.parse().ok()?;
    is_hash.then(|| Link { seq, hash: hash.to_owned() })
}

/// Writes the head. A failure is not one of the record, which is safe
/// already: the head then stays behind, and `verify` says so.
pub(super) fn write(dir: &Path, link: &Link) {
    let path = path(dir);
    let Some(folder) = path.parent() else { return };
    let written = fs::create_dir_all(folder)
        .and_then(|()| tempfile::Builder::new().prefix("head-").tempfile_in(folder))
        .and_then(|mut file| writeln!(file, "{} {}", link.seq, link.hash).map(|()| file));
    if let Ok(file) = written {
        let _ = file.persist(&path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), None);
        let link = Link { seq: 7, hash: "ab".repeat(32) };
        write(dir.path(), &link);
        assert_eq!(read(dir.path()), Some(link));
        let left: Vec<_> = fs::read_dir(dir.path().join(".swiftdeploy")).unwrap().collect();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn a_damaged_head_is_no_head() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".swiftdeploy")).unwrap();
        for text in ["", "7", "x y", "7 abc", "-1 00"] {
            fs::write(path(dir.path()), text).unwrap();
            assert_eq!(read(dir.path()), None, "{text:?}");
        }
    }
}
