//! Where a project keeps its things, seen from its manifest.

use std::io;
use std::path::{Path, PathBuf};

/// The folder of a manifest and the places in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    root: PathBuf,
    manifest: PathBuf,
}

impl Project {
    /// The project of a manifest, which need not exist yet.
    ///
    /// # Errors
    /// When the current folder cannot be told, or the manifest's folder does
    /// not exist.
    pub fn of(manifest: &Path) -> io::Result<Self> {
        let manifest = std::path::absolute(manifest)?;
        let root = manifest.parent().unwrap_or(Path::new("/")).canonicalize()?;
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let name = manifest.file_name().map_or_else(|| "manifest.yaml".into(), PathBuf::from);
        Ok(Self { manifest: root.join(name), root })
    }

    /// The manifest's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Path {
        &self.manifest
    }

    /// What `init` writes.
    #[must_use]
    pub fn generated(&self) -> PathBuf {
        self.root.join("generated")
    }

    /// The Rego files and `data.json`.
    #[must_use]
    pub fn policies(&self) -> PathBuf {
        self.root.join("policies")
    }

    /// What the tool remembers for itself: lock, journal, scrapes, releases.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join(".swiftdeploy")
    }

    /// Whether the tool has written here before, whatever became of the
    /// manifest.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.state().exists() || self.root.join("history.jsonl").exists()
    }

    /// A file of the tool's own.
    #[must_use]
    pub fn state_file(&self, name: &str) -> PathBuf {
        self.state().join(name)
    }
}
