//! The history on disk: what is written, what survives crashes, what `verify`
//! finds; what these tests share.

mod crashes;
mod properties;
mod tampering;
mod writing;

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use rstest::rstest;

use super::*;
use crate::domain::Mode;

fn at(second: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).unwrap() + TimeDelta::milliseconds(second * 1000 + 7)
}

fn note(detail: &str) -> Entry {
    Entry::Note { detail: detail.to_owned() }
}

fn actor() -> Actor {
    Actor("ada@host".to_owned())
}

/// Parts of a few lines, so that rotation happens in tests.
const SMALL: Limits = Limits { part: 900, total: 1 << 20 };

struct World {
    dir: tempfile::TempDir,
    history: History,
}

impl World {
    fn new(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let history = History::open(dir.path(), actor()).unwrap().with_limits(limits);
        Self { dir, history }
    }

    fn with_notes(count: i64, limits: Limits) -> Self {
        let world = Self::new(limits);
        for number in 1..=count {
            world.history.append(at(number), note(&format!("note {number}"))).unwrap();
        }
        world
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn current(&self) -> PathBuf {
        self.path().join("history.jsonl")
    }

    fn records(&self) -> Vec<Record> {
        read_all(self.path()).unwrap().map(Result::unwrap).collect()
    }

    fn details(&self) -> Vec<String> {
        self.records()
            .into_iter()
            .map(|record| match record.entry {
                Entry::Note { detail } => detail,
                other => format!("{other:?}"),
            })
            .collect()
    }

    fn verify(&self) -> VerifyReport {
        verify(self.path()).unwrap()
    }

    fn fault(&self) -> FaultKind {
        self.verify().fault.expect("a fault should be found").kind
    }

    /// All files of the history, by name.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("history.") && name != "history.lock")
            .collect();
        names.sort();
        names
    }
}
