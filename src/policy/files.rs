//! The files of a folder of policies: which there are, what stands in them, and
//! whether they are as they were.

use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Fault;
use super::bundle::{DATA_FILE, THRESHOLDS, unusable};

/// Larger than any policy that a person writes; keeps a wrong folder from
/// being read into memory.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Read at once when a file is compared.
const PIECE_BYTES: usize = 16 * 1024;

/// Folders below folders that are followed; ends a loop of links.
const MAX_DEPTH: usize = 8;

/// What changes with a file's content: which file it is, how long, and when it was
/// written and changed. Two writes of the same length may look alike where the times
/// of a file are coarse or kept back (up to seconds on some file systems), so it does
/// for nothing that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds since 1970.
    written: (i64, i64),
    /// The same; set by the system alone.
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let file = fs::metadata(path)?;
        Ok(Self {
            device: file.dev(),
            inode: file.ino(),
            bytes: file.len(),
            written: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}

/// A file of Rego as it was written.
pub(super) struct Text {
    /// Below the folder, with `/` between the parts.
    pub(super) path: String,
    /// As it was before reading.
    pub(super) stamp: Stamp,
    pub(super) source: String,
}

/// The files of a folder as they were written.
pub(super) struct Texts {
    /// Sorted by path.
    pub(super) rego: Vec<Text>,
    pub(super) data: String,
}

impl Texts {
    pub(super) fn read(dir: &Path, data_file: &Path) -> Result<Self, Fault> {
        let mut found = paths_in(dir)?;
        found.sort();
        let text_of = |path: String| {
            let file = dir.join(&path);
            let stamp = Stamp::of(&file).map_err(|cause| unusable(format!("{}: {cause}", file.display())))?;
            Ok(Text { path, stamp, source: read(&file)? })
        };
        let rego = found.into_iter().map(text_of).collect::<Result<_, Fault>>()?;
        Ok(Self { rego, data: read(data_file)? })
    }
}

/// The paths of the files of Rego, in no order.
pub(super) fn paths_in(dir: &Path) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    walk(dir, "", 0, &mut found)?;
    Ok(found)
}

fn walk(dir: &Path, below: &str, depth: usize, found: &mut Vec<String>) -> Result<(), Fault> {
    let broken = |cause: io::Error| unusable(format!("{}: {cause}", dir.display()));
    if depth > MAX_DEPTH {
        return Err(unusable(format!("{}: folders are nested too deeply", dir.display())));
    }
    for entry in fs::read_dir(dir).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let Ok(name) = entry.file_name().into_string() else {
            return Err(unusable(format!("{}: the name is not UTF-8", entry.path().display())));
        };
        if name.starts_with('.') {
            continue;
        }
        let path = format!("{below}{name}");
        // A link is followed: a mounted folder is often made of them.
        let mut kind = entry.file_type().map_err(broken)?;
        if kind.is_symlink() {
            kind = fs::metadata(entry.path()).map_err(broken)?.file_type();
        }
        let extension = Path::new(&name).extension().and_then(|extension| extension.to_str());
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), depth + 1, found)?;
        } else if extension == Some("rego") {
            found.push(path);
        } else if path != DATA_FILE && matches!(extension, Some("json" | "yaml" | "yml")) {
            return Err(unusable(format!(
                "{}: OPA would load this file as data, the embedded engine would not; \
                 move its content to data.json, under {THRESHOLDS}, or the file out of the folder",
                entry.path().display()
            )));
        }
    }
    Ok(())
}

/// Whether a file holds this text and nothing else. Every question asks it of
/// every file that decides, so that it makes do with few calls of the system, and
/// with memory that nobody has to clear first: a text in one piece took a tenth of
/// the time of a decision.
pub(super) fn holds(path: &Path, text: &str) -> bool {
    let Ok(mut file) = fs::File::open(path) else { return false };
    let mut piece = [0; PIECE_BYTES];
    let mut rest = text.as_bytes();
    loop {
        match file.read(&mut piece) {
            Ok(0) => return rest.is_empty(),
            Ok(count) => match rest.strip_prefix(&piece[..count]) {
                Some(left) => rest = left,
                None => return false,
            },
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}

fn read(path: &Path) -> Result<String, Fault> {
    let broken = |cause: io::Error| unusable(format!("{}: {cause}", path.display()));
    let mut text = String::new();
    let mut file = fs::File::open(path).map_err(broken)?;
    let size = file.metadata().map_err(broken)?.len();
    if size > MAX_FILE_BYTES {
        return Err(unusable(format!("{}: larger than {MAX_FILE_BYTES} bytes", path.display())));
    }
    text.reserve(usize::try_from(size).unwrap_or_default() + 1);
    file.read_to_string(&mut text).map_err(broken)?;
    Ok(text)
}
