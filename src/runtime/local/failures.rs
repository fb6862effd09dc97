//! Requests that a slot was given and did not answer, from the proxy's log of
//! them.
//!
//! Invariant: what the proxy knows of and could not write makes the count
//! unknown. While it runs it is asked; where it was ended before it had written
//! everything, its mark is still there.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::layout::Layout;
use super::os::ProcessId;
use super::probe::{Told, reachable};
use super::proxy::waiting::InSlots;
use super::{FAILURES_LOG, Shared};
use crate::domain::Slot;
use crate::runtime::{RuntimeError, Unanswered, Waits, failures};

/// How much of the log is read: some 20,000 requests.
const FAILURES_LIMIT: u64 = 2 * 1024 * 1024;

/// How often the log may be put aside under the reader's hands.
const ROTATIONS: u32 = 5;

/// How long the proxy may take to write what it knows of: far longer than a disk
/// takes that is well.
const WRITTEN: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);

fn unknown(reason: String) -> RuntimeError {
    RuntimeError::Engine { doing: "counting the requests that got no answer".into(), reason }
}

impl Shared {
    /// What the proxy saw of a slot since a moment.
    pub async fn unanswered(&self, slot: Slot, since: DateTime<Utc>) -> Result<Unanswered, RuntimeError> {
        let waiting = match self.living_proxy()? {
            Some(proxy) => self.await_written(proxy).await?,
            None if self.layout.failures_open().exists() => {
                return Err(unknown(
                    "the proxy was ended before it could write its last lines; `swiftdeploy deploy` starts it"
                        .into(),
                ));
            }
            // Without it nothing waits.
            None => Some(InSlots::default()),
        };
        let of_slot = |mut waiting: InSlots| waiting.0.remove(&slot).unwrap_or_default();
        let found = counted(&self.layout, slot, since)?;
        Ok(Unanswered { waiting: waiting.map(of_slot), ..found })
    }

    /// Requests that the proxy gave a slot and that are not over; `None` where it is
    /// of an older version, which does not tell.
    pub async fn under_way(&self, slot: Slot) -> Result<Option<Waits>, RuntimeError> {
        // Without it there are none.
        let Some(proxy) = self.living_proxy()? else { return Ok(Some(Waits::new())) };
        let told = self.told(proxy).await?.map_err(|reason| RuntimeError::Engine {
            doing: "asking for the requests under way".into(),
            reason: format!("the proxy (pid {}): {reason}", proxy.pid),
        })?;
        Ok(told.under_way.map(|mut slots| slots.0.remove(&slot).unwrap_or_default()))
    }

    /// Waits until everything that the proxy knows of by now stands in its log.
    /// Tells what waited a moment before.
    async fn await_written(&self, proxy: ProcessId) -> Result<Option<InSlots>, RuntimeError> {
        let mut wanted = None;
        let mut why = "it does not answer".to_owned();
        let asking = async {
            loop {
                match self.told(proxy).await? {
                    Ok(Told { account, waiting, .. }) => {
                        let taken = *wanted.get_or_insert(account.taken);
                        if account.settled >= taken {
                            return Ok(waiting);
                        }
                        why = format!(
                            "{} lines could not be written into its log: the disk is too slow, or full; free \
                             some space",
                            taken - account.settled
                        );
                    }
                    Err(reason) => why = reason,
                }
                tokio::time::sleep(POLL).await;
            }
        };
        match tokio::time::timeout(WRITTEN, asking).await {
            Ok(outcome) => outcome,
            Err(_) => Err(unknown(format!("the proxy (pid {}): {why}", proxy.pid))),
        }
    }

    async fn told(&self, proxy: ProcessId) -> Result<Result<Told, String>, RuntimeError> {
        let Some(status) = self.proxy_status(proxy)? else {
            return Ok(Err("it has not told what it serves".into()));
        };
        let rules = status.serving.rules;
        Ok(self.probe.told(reachable(rules.bind, rules.port)).await)
    }
}

/// By what stands in the log; what was put aside counts too.
fn counted(layout: &Layout, slot: Slot, since: DateTime<Utc>) -> Result<Unanswered, RuntimeError> {
    let path = layout.log(FAILURES_LOG);
    let aside = path.with_extension("log.1");
    let unknown = |path: &Path, reason: String| unknown(format!("{}: {reason}", path.display()));
    let opened = now_and_aside(&path, &aside, || ()).map_err(|error| unknown(&path, error.to_string()))?;
    let Some((now, before)) = opened else {
        let none = "the proxy keeps no such log; `swiftdeploy deploy` starts one that does";
        return Err(unknown(&path, none.into()));
    };
    let (log, is_whole) = part(now).map_err(|error| unknown(&path, error.to_string()))?;
    let mut found = failures::count(&log, is_whole, slot, since).map_err(|reason| unknown(&path, reason))?;
    // A part that reaches back beyond the moment needs nothing from before it.
    let Some(before) = before.filter(|_| is_whole) else { return Ok(found) };
    let written = before.metadata().and_then(|file| file.modified());
    if written.is_ok_and(|written| DateTime::<Utc>::from(written) < since - failures::ORDER) {
        return Ok(found);
    }
    let (log, _) = part(before).map_err(|error| unknown(&aside, error.to_string()))?;
    // Never the whole: what was put aside before it is gone.
    found += failures::count(&log, false, slot, since).map_err(|reason| unknown(&aside, reason))?;
    Ok(found)
}

/// The log that is written and the one that was put aside before it, `None`
/// without the first. An open file stays what it is; one that was put aside
/// while they were opened would be both, and a look in between would miss one.
/// `between` the two openings a test can do so.
fn now_and_aside(
    path: &Path,
    aside: &Path,
    mut between: impl FnMut(),
) -> io::Result<Option<(File, Option<File>)>> {
    for _ in 0..ROTATIONS {
        let Some(now) = open_if_there(path)? else { continue };
        between();
        let before = open_if_there(aside)?;
        let meant = now.metadata()?.ino();
        let is_still = fs::metadata(path).is_ok_and(|file| file.ino() == meant);
        if is_still {
            return Ok(Some((now, before)));
        }
    }
    if fs::exists(path)? {
        return Err(io::Error::other("it is put aside faster than it can be read"));
    }
    Ok(None)
}

fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// The end of a log, and whether that is all of it.
fn part(mut file: File) -> io::Result<(String, bool)> {
    let start = file.metadata()?.len().saturating_sub(FAILURES_LIMIT);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(FAILURES_LIMIT).read_to_end(&mut bytes)?;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), start == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        layout: Layout,
        _folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let layout = Layout::new(folder.path());
            layout.create().unwrap();
            Self { layout, _folder: folder }
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_764_061_000 + seconds, 0).unwrap()
    }

    fn failed(seconds: std::ops::Range<i64>) -> String {
        let what = (502, failures::Failing::Unanswered, Duration::ZERO);
        let line = |second| failures::line(at(second), what, Slot::Green, "127.0.0.1:3000", "GET / HTTP/1.1");
        seconds.map(line).collect()
    }

    #[test]
    fn what_was_put_aside_counts_only_when_it_reaches_back_beyond_the_window() {
        let world = World::new();
        let log = world.layout.log(FAILURES_LOG);
        let count = |since| counted(&world.layout, Slot::Green, at(since)).map(|found| found.failed);
        assert!(count(0).unwrap_err().to_string().contains("keeps no such log"));

        fs::write(&log, failed(0..10)).unwrap();
        assert_eq!(count(-100).unwrap(), 10);

        fs::rename(&log, log.with_extension("log.1")).unwrap();
        fs::write(&log, failed(10..20)).unwrap();
        assert_eq!(count(7).unwrap(), 13);
        // What stood before it may have failed in the window too.
        let reason = count(-100).unwrap_err().to_string();
        assert!(reason.contains("proxy-failures.log.1: too many lines"), "{reason}");
    }

    #[test]
    fn too_many_failures_to_be_read_are_unknown_not_fewer() {
        let world = World::new();
        fs::write(world.layout.log(FAILURES_LOG), failed(0..40_000)).unwrap();
        let count = |since| counted(&world.layout, Slot::Green, at(since)).map(|found| found.failed);
        assert_eq!(count(39_000).unwrap(), 1000);
        assert!(count(10).unwrap_err().to_string().contains("too many lines"));
    }

    #[test]
    fn a_log_that_is_put_aside_while_it_is_opened_is_neither_lost_nor_counted_twice() {
        let world = World::new();
        let log = world.layout.log(FAILURES_LOG);
        let aside = log.with_extension("log.1");
        fs::write(&log, "second").unwrap();
        fs::write(&aside, "first").unwrap();
        let mut is_first = true;
        let (now, before) = now_and_aside(&log, &aside, || {
            if std::mem::take(&mut is_first) {
                fs::rename(&log, &aside).unwrap();
                fs::write(&log, "third").unwrap();
            }
        })
        .unwrap()
        .unwrap();
        assert_eq!(part(now).unwrap().0, "third");
        assert_eq!(part(before.unwrap()).unwrap().0, "second");

        let mut number = 0;
        let always = now_and_aside(&log, &aside, || {
            number += 1;
            fs::rename(&log, &aside).unwrap();
            fs::write(&log, number.to_string()).unwrap();
        });
        assert!(always.unwrap_err().to_string().contains("faster than it can be read"));
    }
}
