//! The text of a manifest together with what it means.

use std::io::Read;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::complete::complete;
use super::decode::decode;
use super::error::ManifestError;
use super::model::Manifest;
use super::problem::Problem;
use super::raw::RawManifest;
use super::tree;

/// No manifest is larger.
const MAX_BYTES: u64 = 1 << 20;

/// A manifest that was read and checked: its text, byte by byte, and its
/// meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    path: PathBuf,
    text: String,
    manifest: Manifest,
    /// The texts that this one was made from by edits, oldest first: what the
    /// file may hold when this document is saved.
    pub(super) ancestors: Vec<String>,
}

impl Document {
    /// Reads and checks a file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ManifestError> {
        let path = path.as_ref();
        let bytes = read(path)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..offset].split(|byte| *byte == b'\n').count();
            ManifestError::NotUtf8 { path: path.to_owned(), offset, line }
        })?;
        Self::parse(path, text)
    }

    /// Checks a text. Pure: the path is only what errors and
    /// [`Document::save`] speak of.
    pub fn parse(path: &Path, text: impl Into<String>) -> Result<Self, ManifestError> {
        let text = text.into();
        match understand(&text) {
            Ok(manifest) => Ok(Self { path: path.to_owned(), text, manifest, ancestors: Vec::new() }),
            Err(problems) => Err(ManifestError::Invalid { path: path.to_owned(), problems }),
        }
    }

    /// What it means.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What is written, byte by byte.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The bytes of a file of bearable size.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ManifestError> {
    let failed = |source: std::io::Error| {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::NotFound => ManifestError::NotFound { path },
            _ => ManifestError::Read { path, source },
        }
    };
    // One without a writer is waited for without an end, and none can be edited.
    if std::fs::metadata(path).map_err(failed)?.file_type().is_fifo() {
        return Err(failed(std::io::Error::other("it is a pipe, not a file")));
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells that there is more.
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ManifestError::TooLarge { path: path.to_owned(), limit: MAX_BYTES });
    }
    Ok(bytes)
}

/// What a text means, or everything that is wrong with it, in the order of
/// the file.
fn understand(text: &str) -> Result<Manifest, Vec<Problem>> {
    let root = tree::parse(text).map_err(|problem| vec![*problem])?;
    let (raw, mut problems) = decode::<RawManifest>(&root, text);
    let manifest = raw.and_then(|raw| complete(raw, text, &mut problems));
    match manifest {
        Some(manifest) if problems.is_empty() => Ok(manifest),
        _ => {
            problems.sort_by_key(|problem| (problem.line(), problem.column()));
            Err(problems)
        }
    }
}
