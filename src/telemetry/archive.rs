//! Scrapes kept on disk, so that a command that runs once can look at the last
//! thirty seconds although no process watched them.
//!
//! One file a scrape, `<milliseconds since 1970>-<instance>.prom`, whose
//! content is the body exactly as it came: `swiftdeploy metrics --from A --to
//! B` reads these files, and so does any other tool. Name and content are all
//! there is: the instance is in the name (escaped, nothing is lost), the format
//! is OpenMetrics exactly when the last line is `# EOF`.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::exposition::{Format, parse};
use super::model::Snapshot;
use super::scrape::Scraper;

const EXTENSION: &str = ".prom";
/// Of files that are being written. They carry the same name behind it, so
/// that [`Archive::prune`] also finds those that a crash left.
const UNFINISHED: &str = ".new-";
/// File systems allow 255 bytes; this leaves room for time and extension.
const LONGEST_INSTANCE: usize = 200;

/// A folder of scrapes. Safe to use by several processes at once: a file is
/// there whole or not at all.
#[derive(Debug, Clone)]
pub struct Archive {
    dir: PathBuf,
}

impl Archive {
    /// The archive in `dir`, which is made when the first scrape is stored.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Keeps a scrape; tells where.
    pub fn store(&self, snapshot: &Snapshot) -> io::Result<PathBuf> {
        let name = FileName::of(snapshot)?.to_string();
        fs::create_dir_all(&self.dir)?;
        let mut file =
            tempfile::Builder::new().prefix(&format!("{UNFINISHED}{name}")).tempfile_in(&self.dir)?;
        file.write_all(snapshot.body.as_bytes())?;
        let path = self.dir.join(name);
        file.persist(&path)?;
        Ok(path)
    }

    /// The scrapes of the wanted instances since a moment, oldest first. Files
    /// that are not ours, cannot be read or do not parse are left out. Times
    /// are exact to the millisecond. No folder is an empty archive.
    pub fn load(
        &self,
        mut is_wanted: impl FnMut(&str) -> bool,
        not_before: DateTime<Utc>,
    ) -> io::Result<Vec<Snapshot>> {
        let mut snapshots: Vec<Snapshot> = self
            .files()?
            .into_iter()
            .filter(|(name, _)| name.taken_at >= not_before && is_wanted(&name.instance))
            .filter_map(|(name, path)| read(name, &path))
            .collect();
        snapshots.sort_by(|a, b| (a.taken_at, &a.instance).cmp(&(b.taken_at, &b.instance)));
        Ok(snapshots)
    }

    /// Removes the scrapes from before a moment, and what crashed writers left
    /// from before it. Tells how many files went; others are not touched.
    pub fn prune(&self, older_than: DateTime<Utc>) -> io::Result<usize> {
        let mut removed = 0;
        for entry in entries(&self.dir)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let taken_at = match name.strip_prefix(UNFINISHED) {
                Some(unfinished) => unfinished.split_once('-').and_then(|(millis, _)| moment(millis)),
                None => FileName::parse(name).map(|name| name.taken_at),
            };
            if taken_at.is_some_and(|taken_at| taken_at < older_than) {
                match fs::remove_file(&path) {
                    Ok(()) => removed += 1,
                    // Another process pruned it at the same time.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(removed)
    }

    fn files(&self) -> io::Result<Vec<(FileName, PathBuf)>> {
        let mut files = Vec::new();
        for entry in entries(&self.dir)? {
            let path = entry?.path();
            if let Some(name) = path.file_name().and_then(|name| name.to_str()).and_then(FileName::parse) {
                files.push((name, path));
            }
        }
        Ok(files)
    }
}

/// What a folder holds; nothing when there is no such folder.
fn entries(dir: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    match fs::read_dir(dir) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

fn read(name: FileName, path: &Path) -> Option<Snapshot> {
    let mut body = Vec::new();
    let limit = Scraper::LIMIT as u64;
    fs::File::open(path).ok()?.take(limit + 1).read_to_end(&mut body).ok()?;
    let format = Format::of_saved(&body);
    let is_ours = body.len() <= Scraper::LIMIT && parse(&body, format).is_ok();
    let body = String::from_utf8(body).ok().filter(|_| is_ours)?;
    let FileName { instance, taken_at } = name;
    Some(Snapshot { instance, taken_at, is_openmetrics: format == Format::OpenMetrics, body })
}

/// What a file's name says.
#[derive(Debug, PartialEq, Eq)]
struct FileName {
    instance: String,
    taken_at: DateTime<Utc>,
}

impl FileName {
    fn of(snapshot: &Snapshot) -> io::Result<Self> {
        let name = Self { instance: snapshot.instance.clone(), taken_at: snapshot.taken_at };
        if name.escaped_instance().len() > LONGEST_INSTANCE || snapshot.taken_at.timestamp_millis() < 0 {
            let reason = format!("no file can be named after {:?} at {}", name.instance, name.taken_at);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Ok(name)
    }

    fn parse(name: &str) -> Option<Self> {
        let (millis, instance) = name.strip_suffix(EXTENSION)?.split_once('-')?;
        let found = Self { instance: unescape(instance)?, taken_at: moment(millis)? };
        // Only names that we would give ourselves: each scrape has one name.
        (found.to_string() == name).then_some(found)
    }

    /// Letters, digits and `._@-` stay; every other byte becomes `%` and two
    /// hexadecimal digits.
    fn escaped_instance(&self) -> String {
        use std::fmt::Write as _;
        let mut escaped = String::new();
        for byte in self.instance.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'-') {
                escaped.push(char::from(byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
        escaped
    }
}

impl std::fmt::Display for FileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}{EXTENSION}", self.taken_at.timestamp_millis(), self.escaped_instance())
    }
}

fn moment(millis: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis.parse().ok()?)
}

fn unescape(escaped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
