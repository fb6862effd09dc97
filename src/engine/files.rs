//! Files that must be whole or not be: written beside, synced, renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// How a file begins that is not complete yet.
pub(super) const UNFINISHED: &str = ".swiftdeploy-unfinished-";

/// Replaces a file in one step. After a crash the file is the old or the new
/// one, never a part; the folder is synced so that the name holds too.
pub(super) fn write_atomically(path: &Path, contents: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("the path has no folder"))?;
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(contents)?;
    set_readable(file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failure| failure.error)?;
    File::open(folder)?.sync_all()
}

/// Temporary files are private; what is generated is for containers and
/// editors too.
fn set_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

/// Removes a file; its absence is fine.
pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Reads JSON; `None` when the file is absent or is not what is expected
/// (what is remembered here only shortens ways, the truth is asked elsewhere).
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Reads JSON that nothing else tells: only its absence is `None`.
pub(super) fn read_json_if_there<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes JSON in one step.
pub(super) fn write_json<T: serde::Serialize>(path: &Path, value: &T) -> io::Result<()> {
    write_atomically(path, &serde_json::to_vec_pretty(value).map_err(io::Error::other)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_a_file_and_leaves_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn removing_what_is_absent_is_fine() {
        let folder = tempfile::tempdir().unwrap();
        assert!(remove_if_there(&folder.path().join("none")).is_ok());
    }
}
