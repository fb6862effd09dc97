//! Where things lie in the state directory. Everything that this target
//! leaves on disk is named here, so that teardown can remove just that.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::runtime::RuntimeError;

/// Only the owner may look: logs and environments can hold secrets.
const PRIVATE: u32 = 0o700;

/// The state directory of a project.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    pub fn new(root: &Path) -> Self {
        Self { root: std::path::absolute(root).unwrap_or_else(|_| root.to_owned()) }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is known about each process.
    pub fn records(&self) -> PathBuf {
        self.root.join("processes")
    }

    pub fn record(&self, service: &str) -> PathBuf {
        self.records().join(format!("{service}.json"))
    }

    /// There once a service has been healthy, and which process of it.
    pub fn been_healthy(&self, service: &str) -> PathBuf {
        self.records().join(format!("{service}.healthy"))
    }

    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub fn log(&self, service: &str) -> PathBuf {
        self.logs().join(format!("{service}.log"))
    }

    /// There while the proxy may know of unanswered requests that its log has not.
    pub fn failures_open(&self) -> PathBuf {
        self.logs().join("proxy-failures.open")
    }

    /// What the proxy shall serve.
    pub fn proxy_config(&self) -> PathBuf {
        self.root.join("proxy.json")
    }

    /// What the proxy serves, by its own account.
    pub fn proxy_status(&self) -> PathBuf {
        self.root.join("proxy-status.json")
    }

    /// Creates what is missing, closed to other users.
    pub fn create(&self) -> Result<(), RuntimeError> {
        for folder in [self.root.clone(), self.records(), self.logs()] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(PRIVATE)
                .create(&folder)
                .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(PRIVATE)))
                .map_err(at(&folder))?;
        }
        Ok(())
    }

    /// A short name for this state directory, the same from wherever it is
    /// looked at: the first part of the token of each of its processes.
    pub fn fingerprint(&self) -> String {
        use std::fmt::Write as _;
        use std::os::unix::ffi::OsStrExt as _;

        let path = fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone());
        Sha256::digest(path.as_os_str().as_bytes()).iter().take(8).fold(
            String::from("sd-"),
            |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            },
        )
    }

    /// Whether anything is here that [`Layout::remove`] would take: also an
    /// empty directory, but not one that only holds what somebody else put
    /// there.
    pub fn is_ours(&self) -> Result<bool, RuntimeError> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other.map_err(at(&self.root))?,
        };
        let ours = [self.records(), self.logs(), self.proxy_config(), self.proxy_status()];
        let entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        Ok(entries.is_empty() || entries.iter().any(|path| ours.contains(path) || is_unfinished(path)))
    }

    /// Removes everything named here, and the directory if nothing else is in
    /// it. Tells whether anything was there.
    pub fn remove(&self) -> Result<bool, RuntimeError> {
        if !self.root.exists() {
            return Ok(false);
        }
        for folder in [self.records(), self.logs()] {
            gone(fs::remove_dir_all(&folder)).map_err(at(&folder))?;
        }
        let unfinished =
            fs::read_dir(&self.root).map_err(at(&self.root))?.flatten().map(|entry| entry.path());
        let unfinished: Vec<PathBuf> = unfinished.filter(|path| is_unfinished(path)).collect();
        for file in [self.proxy_config(), self.proxy_status()].into_iter().chain(unfinished) {
            gone(fs::remove_file(&file)).map_err(at(&file))?;
        }
        match fs::remove_dir(&self.root) {
            // Something of somebody else's is in it, or it is a mount.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Ok(true),
            _ => Ok(true),
        }
    }
}

/// How a file begins that is still being written.
const UNFINISHED: &str = ".unfinished-";

fn is_unfinished(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED))
}

/// A new content for a file, complete on disk but not in its place yet.
pub struct Prepared {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Prepared {
    /// Writes a value as JSON beside the file that it is for.
    pub fn json(path: &Path, value: &impl serde::Serialize) -> io::Result<Self> {
        let folder = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(value)?)?;
        file.as_file().sync_all()?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Puts it in its place in one step: a reader, or a crash, finds the old
    /// or the new content, never a part.
    pub fn publish(self) -> io::Result<()> {
        self.file.persist(self.path).map(drop).map_err(|error| error.error)
    }
}

/// Replaces a file's content by a value as JSON, in one step.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> io::Result<()> {
    Prepared::json(path, value)?.publish()
}

/// Reads a JSON file; `None` when there is none.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(serde_json::from_slice(&content)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Absent already is as good as removed.
pub fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Names the file in an error.
pub fn at(path: &Path) -> impl FnOnce(io::Error) -> RuntimeError {
    let path = path.to_owned();
    move |source| RuntimeError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_may_look_into_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(&folder.path().join("state"));
        layout.create().unwrap();
        for path in [layout.root().to_owned(), layout.logs(), layout.records()] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, PRIVATE);
        }
    }

    #[test]
    fn removal_takes_what_is_ours_and_leaves_what_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(&folder.path().join("state"));
        layout.create().unwrap();
        write_json(&layout.proxy_config(), &1).unwrap();
        fs::write(layout.log("app-blue"), "line\n").unwrap();
        fs::write(layout.root().join(".unfinished-abc"), "half").unwrap();
        fs::write(layout.root().join("notes.txt"), "the user's own").unwrap();

        assert!(layout.is_ours().unwrap());

        assert!(layout.remove().unwrap());

        assert!(!layout.is_ours().unwrap(), "what is left is somebody else's");
        let left: Vec<_> = fs::read_dir(layout.root()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(left, ["notes.txt"]);
    }

    #[test]
    fn a_path_through_a_link_has_the_same_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("real")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("real"), folder.path().join("link")).unwrap();
        let prints = ["real", "link"].map(|name| Layout::new(&folder.path().join(name)).fingerprint());
        assert_eq!(prints[0], prints[1]);
    }
}
