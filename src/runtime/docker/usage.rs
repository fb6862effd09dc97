//! What containers use. The daemon measures once a second and lets every
//! single question wait for the next time, so a stream for each container runs
//! beside the looks, and a look takes what came last. Nothing is known at the
//! first look. A stream ends with its container, when nobody looks any more,
//! and with the runtime.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bollard::models::{ContainerCpuStats, ContainerMemoryStats, ContainerStatsResponse};
use bollard::query_parameters::StatsOptionsBuilder;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::client::Client;
use crate::runtime::Usage;

/// Measurements, about seconds, that nobody asked for before a stream ends.
const UNASKED: u32 = 30;

/// Processor time of a container at one moment, both in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    container: u64,
    system: u64,
}

/// The last measurement of a container.
#[derive(Debug, Default)]
struct Latest {
    usage: Option<Usage>,
    unasked: u32,
}

type Measured = Arc<Mutex<HashMap<String, Latest>>>;

/// Measures the containers that are looked at.
#[derive(Debug)]
pub struct Meter {
    measured: Measured,
    end: CancellationToken,
    _end_when_dropped: DropGuard,
}

impl Default for Meter {
    fn default() -> Self {
        let end = CancellationToken::new();
        Self { measured: Measured::default(), _end_when_dropped: end.clone().drop_guard(), end }
    }
}

impl Meter {
    /// What a running container used when it was last measured; from the
    /// first question on it is measured.
    pub fn latest(&self, client: &Client, id: &str, started: Option<DateTime<Utc>>) -> Option<Usage> {
        {
            let mut measured = lock(&self.measured);
            if let Some(latest) = measured.get_mut(id) {
                latest.unasked = 0;
                return latest.usage;
            }
            measured.insert(id.to_owned(), Latest::default());
        }
        let (client, id) = (client.clone(), id.to_owned());
        let (measured, end) = (Arc::clone(&self.measured), self.end.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = end.cancelled() => {}
                () = measure(&client, &id, started, &measured) => {}
            }
            lock(&measured).remove(&id);
        });
        None
    }
}

fn lock(measured: &Measured) -> MutexGuard<'_, HashMap<String, Latest>> {
    measured.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn measure(client: &Client, id: &str, started: Option<DateTime<Utc>>, measured: &Measured) {
    let options = StatsOptionsBuilder::new().stream(true).build();
    let mut stream = Box::pin(client.docker.stats(id, Some(options)));
    let mut before = None;
    while let Some(Ok(stats)) = stream.next().await {
        let usage = usage(&stats, before, started);
        before = stats.cpu_stats.as_ref().and_then(reading);
        let mut measured = lock(measured);
        let Some(latest) = measured.get_mut(id) else { return };
        latest.usage = usage;
        latest.unasked += 1;
        if latest.unasked > UNASKED {
            return;
        }
    }
}

/// Memory, and processor time since the reading before; at the first one the
/// mean since the container's start.
fn usage(
    stats: &ContainerStatsResponse,
    before: Option<Reading>,
    started: Option<DateTime<Utc>>,
) -> Option<Usage> {
    let memory = memory(stats.memory_stats.as_ref()?)?;
    let cpu = stats.cpu_stats.as_ref()?;
    let now = reading(cpu)?;
    let since_before = before.and_then(|before| share(before, now)).map(|share| share * processors(cpu));
    let cpu_percent = since_before.or_else(|| {
        let at: DateTime<Utc> = stats.read.as_deref()?.parse().ok()?;
        let nanoseconds = (at - started?).to_std().ok()?.as_secs_f64() * 1e9;
        (nanoseconds > 0.0).then(|| precise(now.container) / nanoseconds)
    })? * 100.0;
    Some(Usage { memory, cpu_percent })
}

/// Part of the machine's processor time between two readings.
fn share(before: Reading, now: Reading) -> Option<f64> {
    let system = now.system.checked_sub(before.system).filter(|passed| *passed > 0)?;
    let container = now.container.checked_sub(before.container)?;
    Some(precise(container) / precise(system))
}

fn reading(cpu: &ContainerCpuStats) -> Option<Reading> {
    Some(Reading { container: cpu.cpu_usage.as_ref()?.total_usage?, system: cpu.system_cpu_usage? })
}

fn processors(cpu: &ContainerCpuStats) -> f64 {
    let counted = || cpu.cpu_usage.as_ref()?.percpu_usage.as_ref().map(Vec::len);
    let count = cpu.online_cpus.or_else(|| counted().and_then(|count| u32::try_from(count).ok()));
    f64::from(count.unwrap_or(1).max(1))
}

/// Without the page cache that the kernel gives back on demand, as
/// `docker stats` tells it; the key's name depends on the cgroup version.
fn memory(stats: &ContainerMemoryStats) -> Option<u64> {
    let details = stats.stats.as_ref();
    let cache = details
        .and_then(|details| details.get("total_inactive_file").or_else(|| details.get("inactive_file")))
        .copied();
    Some(stats.usage?.saturating_sub(cache.unwrap_or(0)))
}

#[expect(clippy::cast_precision_loss, reason = "53 bits of nanoseconds are 104 days of processor time")]
fn precise(nanoseconds: u64) -> f64 {
    nanoseconds as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stats(container: u64, system: u64) -> ContainerStatsResponse {
        serde_json::from_value(json!({
            "read": "2026-01-01T00:00:10Z",
            "cpu_stats": {
                "cpu_usage": { "total_usage": container }, "system_cpu_usage": system, "online_cpus": 2
            },
            "memory_stats": { "usage": 1000, "stats": { "total_inactive_file": 100, "inactive_file": 1 } },
        }))
        .unwrap()
    }

    #[test]
    fn the_first_reading_is_the_mean_since_the_start_and_then_the_time_between() {
        let started = Some("2026-01-01T00:00:00Z".parse().unwrap());
        let first = usage(&stats(1_000_000_000, 100), None, started).unwrap();
        assert_eq!(first, Usage { memory: 900, cpu_percent: 10.0 });
        // Half of the time of two processors is one processor.
        let before = Some(Reading { container: 1_000_000_000, system: 100 });
        let second = usage(&stats(1_000_000_500, 1100), before, started).unwrap();
        assert!((second.cpu_percent - 100.0).abs() < 1e-9, "{second:?}");
    }

    #[test]
    fn a_restarted_container_is_not_compared_with_its_past() {
        let started = Some("2026-01-01T00:00:00Z".parse().unwrap());
        let before = Some(Reading { container: 9_000_000_000, system: 100 });
        let after = usage(&stats(1_000_000_000, 200), before, started).unwrap();
        assert!((after.cpu_percent - 10.0).abs() < 1e-9, "{after:?}");
    }

    #[test]
    fn what_the_daemon_does_not_tell_is_unknown() {
        assert_eq!(usage(&ContainerStatsResponse::default(), None, None), None);
    }
}
