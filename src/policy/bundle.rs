//! The policies on disk: what must decide, whoever evaluates it.
//!
//! A bundle is the `*.rego` files below one folder and its `data.json`. Its
//! revision names the exact content, so that a decision says by which policies
//! it was made. Names that begin with a dot are left out, as OPA is told to
//! (`--ignore '.*'`): editors put unfinished files there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Fault;
use super::answer::excerpt;
use super::files::{Stamp, Text, Texts, holds, paths_in};

/// The one file of limits.
pub(super) const DATA_FILE: &str = "data.json";

/// The one key of that file. Every answer repeats what stands under it, which
/// proves that the engine has it; an engine with an older value of another key
/// could not be told from one with the value on disk.
pub(super) const THRESHOLDS: &str = "thresholds";

/// The policies that a new project starts with: file name and content, to be
/// written to `policies/`.
pub const STARTERS: &[(&str, &str)] = &[
    ("canary.rego", include_str!("../../policies/canary.rego")),
    ("canary_test.rego", include_str!("../../policies/canary_test.rego")),
    ("data.json", include_str!("../../policies/data.json")),
    ("infra.rego", include_str!("../../policies/infra.rego")),
    ("infra_test.rego", include_str!("../../policies/infra_test.rego")),
];

/// Gates that a project may take over, with their tests, below `policies/`. No
/// engine loads them: their folder begins with a dot.
pub const EXAMPLES: &[(&str, &str)] = &[
    (".examples/freeze.rego", include_str!("../../policies/.examples/freeze.rego")),
    (".examples/freeze_test.rego", include_str!("../../policies/.examples/freeze_test.rego")),
];

/// One file of Rego.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Below the folder, with `/` between the parts: `infra.rego`.
    pub path: String,
    /// The same as a person finds it: `policies/infra.rego`.
    pub shown: String,
    /// Its package, without `data.`: `infra`.
    pub package: String,
    /// Its text.
    pub source: String,
}

impl Module {
    /// Whether it tests policies and decides nothing (`*_test.rego`).
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.path.ends_with("_test.rego")
    }
}

/// The policies of a folder, read at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyBundle {
    modules: Vec<Module>,
    tests: Vec<Module>,
    /// Of each test, in the same order.
    stamps: Vec<Stamp>,
    data: Value,
    /// `data.json` as it was written.
    data_text: String,
    revision: String,
}

impl PolicyBundle {
    /// Reads a folder.
    ///
    /// # Errors
    /// [`Fault::Policies`] with file, line and cause: the folder or a file
    /// cannot be read, a file of Rego has no package line, `data.json` is
    /// missing, no JSON, without `thresholds` or with another key, or there is a data file that
    /// OPA would load and the embedded engine would not.
    pub fn load(dir: &Path) -> Result<Self, Fault> {
        Self::load_with(dir, &dir.join(DATA_FILE))
    }

    /// Reads a folder, but the limits from another file than its `data.json`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_with(dir: &Path, data_file: &Path) -> Result<Self, Fault> {
        Self::of(dir, data_file, Texts::read(dir, data_file)?)
    }

    /// Reads a folder, and gives back what is known when every byte that decides is
    /// as it was: comparing costs less than understanding.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(super) fn load_or_keep(dir: &Path, known: Option<Arc<Self>>) -> Result<Arc<Self>, Fault> {
        match known.filter(|known| known.is_still_in(dir)) {
            Some(known) => Ok(known),
            None => Self::load(dir).map(Arc::new),
        }
    }

    fn of(dir: &Path, data_file: &Path, read: Texts) -> Result<Self, Fault> {
        let mut modules = Vec::new();
        let mut tests = Vec::new();
        let mut stamps = Vec::new();
        for Text { path, stamp, source } in read.rego {
            let module = module_of(dir, path, source)?;
            if module.is_test() {
                tests.push(module);
                stamps.push(stamp);
            } else {
                modules.push(module);
            }
        }
        if modules.is_empty() {
            return Err(unusable(format!("{}: there is no .rego file", dir.display())));
        }
        if let Some(beside) = modules.iter().find(|module| is_below_thresholds(&module.package)) {
            return Err(unusable(format!(
                "{}: the package {} lies in data.{THRESHOLDS}, where the limits of data.json are; \
                 give it another name",
                beside.shown, beside.package
            )));
        }
        let data = parse_data(data_file, &read.data)?;
        let revision = revision_of(&modules, &read.data);
        Ok(Self { modules, tests, stamps, data, data_text: read.data, revision })
    }

    /// Whether a folder holds these files and no others: what decides, byte for
    /// byte; what tests it, by its stamp, since it changes no answer. What cannot
    /// be read is not the same; reading it anew says why.
    fn is_still_in(&self, dir: &Path) -> bool {
        let Ok(found) = paths_in(dir) else { return false };
        if found.len() != self.modules.len() + self.tests.len() {
            return false;
        }
        let is_as_known = |path: &String| {
            let file = dir.join(path);
            let is_it = |module: &&Module| module.path == *path;
            if let Some(module) = self.modules.iter().find(is_it) {
                return holds(&file, &module.source);
            }
            let mut stamped = self.tests.iter().zip(&self.stamps);
            stamped.any(|(test, stamp)| is_it(&test) && Stamp::of(&file).is_ok_and(|now| now == *stamp))
        };
        found.iter().all(is_as_known) && holds(&dir.join(DATA_FILE), &self.data_text)
    }

    /// The files that decide, sorted by path.
    #[must_use]
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// The files that test them, sorted by path.
    #[must_use]
    pub fn tests(&self) -> &[Module] {
        &self.tests
    }

    /// The packages that can be asked.
    #[must_use]
    pub fn packages(&self) -> BTreeSet<&str> {
        self.modules.iter().map(|module| module.package.as_str()).collect()
    }

    /// `data.json` as a whole.
    #[must_use]
    pub fn data(&self) -> &Value {
        &self.data
    }

    /// Every limit; an object.
    #[must_use]
    pub fn thresholds(&self) -> &Value {
        &self.data[THRESHOLDS]
    }

    /// The limits whose names stand in no policy, so that hardly anything is judged
    /// by them: most often a misspelt one.
    #[must_use]
    pub fn unnamed_limits(&self) -> Vec<&str> {
        let is_named = |name: &&String| self.modules.iter().any(|module| has_word(&module.source, name));
        let limits = self.thresholds().as_object().into_iter().flat_map(Map::keys);
        limits.filter(|name| !is_named(name)).map(String::as_str).collect()
    }

    /// The first 12 hexadecimal digits of SHA-256 over path and content of
    /// every file that decides. Tests do not change it.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }
}

/// Whether a text has this word: `min_requests` is another one than `min_request`.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(start, found)| {
        let (before, after) = (&text[..start], &text[start + found.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

/// Rules there would be limits that are not in `data.json`. OPA takes them; what
/// the engines then read differs.
fn is_below_thresholds(package: &str) -> bool {
    package.split(['.', '[']).next() == Some(THRESHOLDS)
}

fn module_of(dir: &Path, path: String, source: String) -> Result<Module, Fault> {
    let shown = dir.join(&path).display().to_string();
    let package = package_of(&source)
        .map_err(|line| unusable(format!("{shown}:{line}: a package line must come first")))?;
    Ok(Module { path, shown, package, source })
}

/// The package that a file of Rego declares. Only this line is looked at here:
/// whether the rest can be evaluated is the engine's to say, and OPA's Rego is
/// not exactly the embedded engine's.
///
/// # Errors
/// The line (from 1) where something else stands.
pub(super) fn package_of(source: &str) -> Result<String, usize> {
    for (index, line) in source.lines().enumerate() {
        let code = line.split('#').next().unwrap_or_default().trim();
        if code.is_empty() {
            continue;
        }
        let mut words = code.split_whitespace();
        return match (words.next(), words.next(), words.next()) {
            (Some("package"), Some(name), None) => Ok(name.to_owned()),
            _ => Err(index + 1),
        };
    }
    Err(1)
}

fn parse_data(path: &Path, text: &str) -> Result<Value, Fault> {
    let data: Value = serde_json::from_str(text)
        .map_err(|cause| unusable(format!("{}:{}: {cause}", path.display(), cause.line())))?;
    if !data.get(THRESHOLDS).is_some_and(Value::is_object) {
        return Err(unusable(format!(
            "{}: it must be an object with the object `{THRESHOLDS}`",
            path.display()
        )));
    }
    let mut keys = data.as_object().into_iter().flat_map(|data| data.keys());
    if let Some(other) = keys.find(|key| *key != THRESHOLDS) {
        return Err(unusable(format!(
            "{}: `{}` stands beside `{THRESHOLDS}`; put it under {THRESHOLDS}: only those are proven to be \
             what the engine decides by",
            path.display(),
            excerpt(other, 60)
        )));
    }
    Ok(data)
}

fn revision_of(modules: &[Module], data: &str) -> String {
    let mut files: Vec<(&str, &str)> =
        modules.iter().map(|module| (module.path.as_str(), module.source.as_str())).collect();
    files.push((DATA_FILE, data));
    files.sort_unstable();
    let mut hash = Sha256::new();
    for part in files.into_iter().flat_map(|(path, content)| [path, content]) {
        // The length in front of each part: two folders never hash alike by
        // moving bytes from one file to the next.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(6).fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

pub(super) fn unusable(reason: String) -> Fault {
    Fault::Policies { reason }
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
