//! nginx' logs on their volume, kept bounded. What is full is renamed and nginx
//! told to open its logs anew: until it does, it goes on writing to the renamed
//! file, so that no line is lost.
//!
//! An image need not have a shell that could rename, so the daemon does it: an
//! archive that it unpacks gives the file a second name by a hard link and puts
//! an empty one in its place. The first names are as in logrotate: `access.log`,
//! then `access.log.1`, then `access.log.2`, which is the oldest.
//!
//! Two processes at once would push a file out twice. A throw-away container of
//! a fixed name keeps the second away, whatever machine it is on.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bollard::query_parameters::{ContainerArchiveInfoOptionsBuilder, UploadToContainerOptionsBuilder};
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::client::{Client, or_absent};
use super::containers::{self, Found};
use super::helper::Helper;
use super::nginx;
use super::{DockerRuntime, broken, exec, failures, platform};
use crate::domain::stack::{ContainerSpec, MountSource, Role, Stack};
use crate::runtime::RuntimeError;

/// Every log that the generated configuration writes.
const LOGS: [&str; 4] = ["access.log", "error.log", failures::LOG, broken::LOG];
/// What is larger is full. Together with [`KEPT`] at most about 200 MB a log,
/// and what is written between two looks.
pub const FULL: u64 = 64 << 20;
/// The same for those that every look reads from their beginning: well below
/// what is read at once.
const FULL_OF_FAILURES: u64 = failures::MOST_BYTES as u64 / 2;
/// Full ones that stay, beside the one that is written.
const KEPT: u32 = 2;
/// Time between two looks of one process; each is a few questions.
const PACE: Duration = Duration::from_mins(1);
/// The configuration by which nginx is told, beside the logs.
const SIGNAL_CONFIG: &str = "reopen.conf";
/// A renamed log that is still written to so long afterwards belongs to an
/// nginx that was not told, since the process that renamed it has ended.
const TOLD: chrono::TimeDelta = chrono::TimeDelta::seconds(5);

/// When a log counts as full, and when it was looked at last.
#[derive(Debug)]
pub struct Keeper {
    pub full: u64,
    last: Mutex<Option<Instant>>,
}

/// When this log is full, where `full` is the limit of a log in general.
fn limit(log: &str, full: u64) -> u64 {
    if [failures::LOG, broken::LOG].contains(&log) { full.min(FULL_OF_FAILURES) } else { full }
}

impl Default for Keeper {
    fn default() -> Self {
        Self { full: FULL, last: Mutex::new(None) }
    }
}

impl Keeper {
    /// Whether it is time to look.
    fn is_due(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= PACE);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

/// A file on the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// Bytes in it.
    pub size: u64,
    /// When it was written to last.
    pub written: DateTime<Utc>,
}

/// Looks at a file in a container; `None` where it is not there.
pub(super) async fn stat(client: &Client, container: &str, path: &str) -> Result<Option<Stat>, RuntimeError> {
    let options = ContainerArchiveInfoOptionsBuilder::new().path(path).build();
    let call = client.docker.get_container_archive_info(container, Some(options));
    let found = or_absent(client.read(format!("looking at {path}"), call).await)?;
    Ok(found.and_then(|found| {
        let written = found.modification_time.as_deref()?.parse().ok()?;
        Some(Stat { size: u64::try_from(found.size).ok()?, written })
    }))
}

/// Puts full logs of a running proxy aside.
pub async fn tend(runtime: &DockerRuntime, stack: &Stack) -> Result<(), RuntimeError> {
    if !runtime.keeper.is_due(runtime.clock.instant()) {
        return Ok(());
    }
    let (spec, _) = nginx::proxy(stack)?;
    let Some(folder) = log_folder(spec) else { return Ok(()) };
    let found = containers::in_role(&runtime.client, Role::Proxy).await?;
    let Some(proxy) = found.filter(|found| found.is_running) else { return Ok(()) };
    let logs = Logs { client: &runtime.client, proxy: &proxy, folder, full: runtime.keeper.full };

    let mut is_untold = false;
    let mut is_full = false;
    for log in LOGS {
        let Some(now) = logs.stat(log).await? else { continue };
        is_full |= now.size > limit(log, logs.full);
        if now.size == 0 {
            let before = logs.stat(&older(log, 1)).await?;
            is_untold |= before.is_some_and(|before| before.written - now.written > TOLD);
        }
    }
    if is_full {
        let Some(alone) = Helper::alone(&runtime.client, "logs", &spec.image).await? else {
            // Another process is at it, or one has left its mark.
            return platform::sweep(runtime).await;
        };
        let done = logs.put_aside(owner(spec)?, runtime.clock.wall().to_utc()).await;
        alone.remove().await?;
        is_untold |= done?;
    }
    if is_untold {
        logs.tell(spec, runtime.clock.wall().to_utc()).await?;
    }
    Ok(())
}

/// Where nginx writes: the volume.
fn log_folder(spec: &ContainerSpec) -> Option<&str> {
    let is_volume = |source| matches!(source, MountSource::Volume(_));
    let mount = spec.mounts.iter().find(|mount| is_volume(mount.source) && !mount.read_only)?;
    Some(mount.target.trim_end_matches('/'))
}

/// The user who writes the new file, who must be given by numbers: the daemon
/// does not look into the image.
fn owner(spec: &ContainerSpec) -> Result<(u64, u64), RuntimeError> {
    let numbers =
        spec.user.split_once(':').and_then(|(user, group)| Some((user.parse().ok()?, group.parse().ok()?)));
    numbers.ok_or_else(|| RuntimeError::Engine {
        doing: "putting nginx' logs aside".to_owned(),
        reason: format!("its user is {:?} and no pair of numbers", spec.user),
    })
}

/// The name of a log that was put aside; age 1 is the newest.
pub(super) fn older(log: &str, age: u32) -> String {
    format!("{log}.{age}")
}

/// The logs of one proxy.
struct Logs<'a> {
    client: &'a Client,
    proxy: &'a Found,
    folder: &'a str,
    full: u64,
}

impl Logs<'_> {
    async fn stat(&self, name: &str) -> Result<Option<Stat>, RuntimeError> {
        stat(self.client, &self.proxy.id, &format!("{}/{name}", self.folder)).await
    }

    /// Renames what is full at this moment; whether anything was.
    async fn put_aside(&self, owner: (u64, u64), now: DateTime<Utc>) -> Result<bool, RuntimeError> {
        let mut renamed = Vec::new();
        for log in LOGS {
            // Looked at again: nobody else is at it from here on.
            if self.stat(log).await?.is_none_or(|stat| stat.size <= limit(log, self.full)) {
                continue;
            }
            let mut present = 0;
            while present < KEPT && self.stat(&older(log, present + 1)).await?.is_some() {
                present += 1;
            }
            renamed.push((log, present));
        }
        if renamed.is_empty() {
            return Ok(false);
        }
        let options = UploadToContainerOptionsBuilder::new().path(self.folder).build();
        let body = bollard::body_full(archive(&renamed, owner, now)?);
        let call = self.client.docker.upload_to_container(&self.proxy.id, Some(options), body);
        self.client.change("putting nginx' logs aside", call).await?;
        Ok(true)
    }

    /// Makes nginx open its logs anew. Whoever signals reads a configuration for
    /// the master's number first, and refuses one with a name that does not
    /// resolve, as that of a slot that has ended: so it gets one that names no
    /// more than is needed.
    async fn tell(&self, spec: &ContainerSpec, now: DateTime<Utc>) -> Result<(), RuntimeError> {
        let doing = "telling nginx to open its logs anew";
        let text = format!("pid {};\nevents {{}}\n", nginx::PID);
        let mut entry = header(tar::EntryType::Regular, owner(spec)?, now);
        entry.set_size(text.len() as u64);
        let packed = pack(|archive| archive.append_data(&mut entry, SIGNAL_CONFIG, text.as_bytes()))?;
        let options = UploadToContainerOptionsBuilder::new().path(self.folder).build();
        let call =
            self.client.docker.upload_to_container(&self.proxy.id, Some(options), bollard::body_full(packed));
        self.client.change(doing, call).await?;
        let command = nginx::command(spec, &format!("{}/{SIGNAL_CONFIG}", self.folder), &["-s", "reopen"]);
        let output = exec::run(self.client, &self.proxy.id, command).await?;
        if output.code == 0 {
            return Ok(());
        }
        Err(RuntimeError::Engine { doing: doing.to_owned(), reason: nginx::complaint(&output.text) })
    }
}

/// What the daemon unpacks, one entry after the other: each replaces what has
/// its name, and a link keeps what it leads to. For each log, how many older
/// ones there are.
fn archive(logs: &[(&str, u32)], owner: (u64, u64), now: DateTime<Utc>) -> Result<Bytes, RuntimeError> {
    pack(|archive| {
        for (log, present) in logs {
            for age in (1..=(*present).min(KEPT - 1)).rev() {
                let mut link = header(tar::EntryType::Link, owner, now);
                archive.append_link(&mut link, older(log, age + 1), older(log, age))?;
            }
            let mut link = header(tar::EntryType::Link, owner, now);
            archive.append_link(&mut link, older(log, 1), log)?;
            let mut empty = header(tar::EntryType::Regular, owner, now);
            archive.append_data(&mut empty, log, std::io::empty())?;
        }
        Ok(())
    })
}

fn pack(
    content: impl FnOnce(&mut tar::Builder<Vec<u8>>) -> std::io::Result<()>,
) -> Result<Bytes, RuntimeError> {
    let mut archive = tar::Builder::new(Vec::new());
    let packed = content(&mut archive).and_then(|()| archive.into_inner());
    packed.map(Bytes::from).map_err(|error| RuntimeError::Engine {
        doing: "packing an archive for the daemon".to_owned(),
        reason: error.to_string(),
    })
}

fn header(kind: tar::EntryType, (user, group): (u64, u64), now: DateTime<Utc>) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(0);
    header.set_uid(user);
    header.set_gid(group);
    // The moment from which on a renamed log must not be written to any more.
    header.set_mtime(u64::try_from(now.timestamp()).unwrap_or(0));
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(present: u32) -> Vec<String> {
        let packed = archive(&[("access.log", present)], (101, 101), DateTime::default()).unwrap();
        let mut archive = tar::Archive::new(packed.as_ref());
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            assert_eq!(entry.header().uid().unwrap(), 101);
            match entry.link_name().unwrap() {
                Some(to) => format!("{path} = {}", to.display()),
                None => format!("{path}, {} bytes", entry.size()),
            }
        });
        entries.collect()
    }

    #[test]
    fn the_oldest_goes_first_so_that_none_is_lost_that_is_kept() {
        assert_eq!(entries(0), ["access.log.1 = access.log", "access.log, 0 bytes"]);
        let full = ["access.log.2 = access.log.1", "access.log.1 = access.log", "access.log, 0 bytes"];
        assert_eq!(entries(1), full);
        assert_eq!(entries(2), full, "the oldest is replaced");
    }

    #[test]
    fn one_process_looks_once_a_minute() {
        let keeper = Keeper::default();
        let start = crate::clock::SystemClock::shared().instant();
        let due = [0, 1, 59, 60, 61, 120].map(|second| keeper.is_due(start + Duration::from_secs(second)));
        assert_eq!(due, [true, false, false, true, false, true]);
    }
}
