//! What is known about each process that this target started: one JSON file
//! per service. A record is written before its process is started (intent)
//! and again once it runs, so a crash in between leaves a token to look for.

use std::fs;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::layout::{Layout, at, gone, read_json, write_json};
use super::os::{self, ProcessId};
use crate::domain::stack::Role;
use crate::domain::{Release, Slot};
use crate::runtime::RuntimeError;

/// A process of ours, or the intent to start one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessRecord {
    /// `app-blue`, `app-green`, `proxy`.
    pub service: String,
    /// The slot, for an app.
    pub slot: Option<Slot>,
    /// What runs, for an app.
    pub release: Option<Release>,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The value of [`os::TOKEN_VARIABLE`] in its environment.
    pub token: String,
    /// The process; absent while it is only intended.
    pub process: Option<ProcessId>,
    /// The run of the machine in which it was started.
    pub boot: String,
    /// The port on which it was told to listen.
    pub port: u16,
    /// The hash of the spec that it was made from, for an app.
    pub spec: Option<String>,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// How long it may take to stop, in milliseconds.
    pub stop_grace_ms: u64,
}

impl ProcessRecord {
    /// The process, if it still lives. An id that now belongs to somebody
    /// else, a zombie, and a process of an earlier boot do not count.
    pub fn living(&self) -> Option<ProcessId> {
        match self.process {
            Some(id) => (self.boot == os::boot() && os::is_alive(id)).then_some(id),
            // A crash between start and record: the token tells. Its first
            // process is the one that was started.
            None => os::family(&self.token, None).into_iter().min_by_key(|id| (id.start, id.pid)),
        }
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        match (self.slot, &self.release) {
            (Some(slot), Some(release)) => Role::App { slot, mode: release.mode },
            _ => Role::Proxy,
        }
    }

    /// How long it may take to stop.
    pub const fn stop_grace(&self) -> Duration {
        Duration::from_millis(self.stop_grace_ms)
    }
}

/// The records of a project.
#[derive(Debug, Clone)]
pub struct Records {
    layout: Layout,
}

impl Records {
    pub const fn new(layout: Layout) -> Self {
        Self { layout }
    }

    /// All records, in the order of their services' names.
    pub fn all(&self) -> Result<Vec<ProcessRecord>, RuntimeError> {
        let mut records = Vec::new();
        for service in self.services()? {
            records.extend(self.get(&service)?);
        }
        Ok(records)
    }

    /// The names that have a record, readable or not.
    pub fn services(&self) -> Result<Vec<String>, RuntimeError> {
        let folder = self.layout.records();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(at(&folder))?,
        };
        let mut services: Vec<String> = entries
            .flatten()
            .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()))
            .filter(|name| !name.starts_with('.'))
            .collect();
        services.sort();
        Ok(services)
    }

    pub fn get(&self, service: &str) -> Result<Option<ProcessRecord>, RuntimeError> {
        let path = self.layout.record(service);
        read_json(&path).map_err(at(&path))
    }

    /// The record of what is, or was, in a slot.
    pub fn in_slot(&self, slot: Slot) -> Result<Option<ProcessRecord>, RuntimeError> {
        Ok(self.all()?.into_iter().find(|record| record.slot == Some(slot)))
    }

    pub fn put(&self, record: &ProcessRecord) -> Result<(), RuntimeError> {
        let path = self.layout.record(&record.service);
        write_json(&path, record).map_err(at(&path))
    }

    /// With what was noted of its health: before it, or a crash in between would
    /// leave that without anything to remove it by.
    pub fn remove(&self, service: &str) -> Result<(), RuntimeError> {
        for path in [self.layout.been_healthy(service), self.layout.record(service)] {
            gone(fs::remove_file(&path)).map_err(at(&path))?;
        }
        Ok(())
    }
}

/// A token that no other process carries: the state directory, the service
/// and a number drawn for this start.
pub fn new_token(layout: &Layout, service: &str) -> String {
    format!("{}{}", service_token(layout, service), unique())
}

/// What the tokens of all starts of a service begin with.
pub fn service_token(layout: &Layout, service: &str) -> String {
    format!("{}{service}.", project_token(layout))
}

/// What the tokens of all processes of a state directory begin with.
pub fn project_token(layout: &Layout) -> String {
    format!("{}.", layout.fingerprint())
}

/// 128 bits that differ on every call, as hexadecimal digits. Good enough to
/// tell things apart, not to keep a secret.
pub fn unique() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    // The standard library seeds each thread from the system's randomness and
    // gives every state a key of its own.
    let draw = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", draw(), draw())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(process: Option<ProcessId>) -> ProcessRecord {
        ProcessRecord {
            service: "app-blue".into(),
            slot: Some(Slot::Blue),
            release: None,
            command: vec!["sleep".into()],
            token: "test.no-such-token".into(),
            process,
            boot: os::boot(),
            port: 1,
            spec: None,
            started_at: DateTime::UNIX_EPOCH,
            stop_grace_ms: 10,
        }
    }

    #[test]
    fn a_record_counts_only_for_its_very_process_in_this_boot() {
        let me = os::identify(std::process::id()).unwrap();
        assert_eq!(record(Some(me)).living(), Some(me));

        let reused = ProcessId { start: me.start + 1, ..me };
        assert_eq!(record(Some(reused)).living(), None);

        let before_reboot = ProcessRecord { boot: "another".into(), ..record(Some(me)) };
        assert_eq!(before_reboot.living(), None);
    }

    #[test]
    fn an_intent_without_a_process_counts_as_ended() {
        assert_eq!(record(None).living(), None);
    }

    #[test]
    fn a_broken_record_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        layout.create().unwrap();
        fs::write(layout.record("app-blue"), "{ half").unwrap();
        let records = Records::new(layout);

        assert!(records.all().unwrap_err().to_string().contains("app-blue.json"));
        assert_eq!(records.services().unwrap(), ["app-blue"], "teardown still knows of it");
    }

    #[test]
    fn tokens_of_one_service_share_a_beginning_and_never_repeat() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let (first, second) = (new_token(&layout, "proxy"), new_token(&layout, "proxy"));
        assert_ne!(first, second);
        for token in [first, second] {
            assert!(token.starts_with(&service_token(&layout, "proxy")));
            assert!(!token.starts_with(&service_token(&layout, "app-blue")));
        }
    }
}
