//! Small files on their way into a volume: read from the project's folder,
//! packed as the archive that the daemon unpacks, and read back.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::runtime::RuntimeError;

/// More than any set of policies needs; keeps a mistaken path (`/`) from being
/// copied into memory.
const MOST_BYTES: u64 = 32 << 20;

/// Files by their path below the folder, with `/` between the parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileTree(pub BTreeMap<String, Vec<u8>>);

/// What it takes to make one tree from another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// New and changed files.
    pub changed: FileTree,
    /// Paths that must go.
    pub removed: Vec<String>,
}

impl FileTree {
    /// Files given by name and text.
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(files.into_iter().map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).collect())
    }

    /// The text of a file.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|content| std::str::from_utf8(content).ok())
    }

    /// All files below a folder, without hidden ones (editors leave their
    /// half-written files there). Blocks.
    pub fn read(folder: &Path) -> Result<Self, RuntimeError> {
        let mut tree = Self::default();
        let mut left = MOST_BYTES;
        let mut folders = vec![(folder.to_path_buf(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let entries = std::fs::read_dir(&folder).map_err(|source| at(&folder, source))?;
            for entry in entries {
                let entry = entry.map_err(|source| at(&folder, source))?;
                let path = entry.path();
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                    return Err(at(&path, std::io::Error::other("the name is not UTF-8")));
                };
                if name.starts_with('.') {
                    continue;
                }
                let kind = entry.file_type().map_err(|source| at(&path, source))?;
                if kind.is_dir() {
                    folders.push((path, format!("{prefix}{name}/")));
                    continue;
                }
                // A link to a file counts as the file; a link to a folder might
                // lead round in circles.
                let metadata = std::fs::metadata(&path).map_err(|source| at(&path, source))?;
                if metadata.is_file() {
                    left = left.checked_sub(metadata.len()).ok_or_else(|| {
                        at(&path, std::io::Error::other(format!("more than {MOST_BYTES} bytes of policies")))
                    })?;
                    let content = std::fs::read(&path).map_err(|source| at(&path, source))?;
                    tree.0.insert(format!("{prefix}{name}"), content);
                }
            }
        }
        Ok(tree)
    }

    /// As the archive that the daemon unpacks. Readable by everybody: the
    /// container's user is not the one who packs.
    pub fn pack(&self) -> Result<Bytes, RuntimeError> {
        let mut archive = tar::Builder::new(Vec::new());
        let mut folders = BTreeSet::new();
        for name in self.0.keys() {
            for (end, _) in name.match_indices('/') {
                folders.insert(&name[..end]);
            }
        }
        let pack = || -> std::io::Result<Vec<u8>> {
            for folder in folders {
                archive.append_data(
                    &mut header(tar::EntryType::Directory, 0o755, 0),
                    folder,
                    std::io::empty(),
                )?;
            }
            for (name, content) in &self.0 {
                let mut header = header(tar::EntryType::Regular, 0o644, content.len() as u64);
                archive.append_data(&mut header, name, content.as_slice())?;
            }
            archive.into_inner()
        };
        pack().map(Bytes::from).map_err(|source| at(Path::new("archive for the daemon"), source))
    }

    /// From an archive that the daemon packed: the folder's own name stands
    /// before each path.
    pub fn unpack(archive: &[u8]) -> Result<Self, RuntimeError> {
        let unpack = || -> std::io::Result<Self> {
            let mut tree = Self::default();
            for entry in tar::Archive::new(Cursor::new(archive)).entries()? {
                let mut entry = entry?;
                if !entry.header().entry_type().is_file() {
                    continue;
                }
                let path = entry.path()?.into_owned();
                let below: PathBuf = path.components().skip(1).collect();
                let name = if below.as_os_str().is_empty() { path } else { below };
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                tree.0.insert(name.to_string_lossy().into_owned(), content);
            }
            Ok(tree)
        };
        unpack().map_err(|source| at(Path::new("archive from the daemon"), source))
    }

    /// What must be done to this tree to become `wanted`.
    pub fn difference(&self, wanted: &Self) -> Difference {
        let changed = wanted.0.iter().filter(|(name, content)| self.0.get(*name) != Some(*content));
        let removed = self.0.keys().filter(|name| !wanted.0.contains_key(*name));
        Difference {
            changed: Self(changed.map(|(name, content)| (name.clone(), content.clone())).collect()),
            removed: removed.cloned().collect(),
        }
    }
}

impl Difference {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changed.0.is_empty() && self.removed.is_empty()
    }
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn at(path: &Path, source: std::io::Error) -> RuntimeError {
    RuntimeError::File { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_whole_but_for_hidden_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("gates/deep")).unwrap();
        std::fs::create_dir_all(folder.path().join(".git")).unwrap();
        for name in ["infra.rego", "gates/deep/own.rego", ".infra.rego.swp", ".git/config"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let tree = FileTree::read(folder.path()).unwrap();
        assert_eq!(
            tree,
            FileTree::of([("infra.rego", "infra.rego"), ("gates/deep/own.rego", "gates/deep/own.rego")])
        );
    }

    #[test]
    fn an_absent_folder_is_an_error_that_names_it() {
        let error = FileTree::read(Path::new("/nowhere/policies")).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/policies: "), "{error}");
    }

    #[test]
    fn an_archive_has_files_that_every_user_can_read() {
        let packed = FileTree::of([("a/b/c.rego", "package c")]).pack().unwrap();
        let mut archive = tar::Archive::new(Cursor::new(&packed));
        let entries: Vec<(String, u32)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())
            })
            .collect();
        assert_eq!(
            entries,
            [("a".to_owned(), 0o755), ("a/b".to_owned(), 0o755), ("a/b/c.rego".to_owned(), 0o644)]
        );
    }

    #[test]
    fn what_the_daemon_packs_is_read_back_without_the_folders_name() {
        let there = FileTree::of([("policies/infra.rego", "1"), ("policies/sub/x.json", "{}")]);
        let back = FileTree::unpack(&there.pack().unwrap()).unwrap();
        assert_eq!(back, FileTree::of([("infra.rego", "1"), ("sub/x.json", "{}")]));
    }

    #[test]
    fn a_cut_archive_is_an_error() {
        let packed = FileTree::of([("p/infra.rego", "a text of some length")]).pack().unwrap();
        assert!(FileTree::unpack(&packed[..520]).is_err());
    }

    #[test]
    fn a_difference_names_new_changed_and_removed_files() {
        let old = FileTree::of([("same", "1"), ("changed", "1"), ("gone", "1")]);
        let new = FileTree::of([("same", "1"), ("changed", "2"), ("new", "1")]);
        let difference = old.difference(&new);
        assert_eq!(difference.changed, FileTree::of([("changed", "2"), ("new", "1")]));
        assert_eq!(difference.removed, ["gone"]);
        assert!(new.difference(&new).is_empty());
    }
}
