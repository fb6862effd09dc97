//! What containers use. One reading tells memory; processor time needs two,
//! so the one before is remembered. The first reading of a container tells the
//! mean since its start.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bollard::models::{ContainerCpuStats, ContainerMemoryStats, ContainerStatsResponse};
use bollard::query_parameters::StatsOptionsBuilder;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;

use super::client::Client;
use crate::runtime::Usage;

/// Daemons before API 1.41 measure for a second; that is too long for a look.
const LIMIT: Duration = Duration::from_millis(500);

/// Processor time of a container at one moment, both in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    container: u64,
    system: u64,
}

/// The readings before.
#[derive(Debug, Default)]
pub struct Meter(Mutex<HashMap<String, Reading>>);

impl Meter {
    /// What a running container uses, if the daemon tells in time.
    pub async fn read(&self, client: &Client, id: &str, started: Option<DateTime<Utc>>) -> Option<Usage> {
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let mut stats = Box::pin(client.docker.stats(id, Some(options)));
        let stats = tokio::time::timeout(LIMIT, stats.next()).await.ok()??.ok()?;
        self.usage(id, &stats, started)
    }

    /// Forgets containers that are gone.
    pub fn keep(&self, ids: &BTreeSet<&str>) {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings.retain(|id, _| ids.contains(id.as_str()));
    }

    fn usage(
        &self,
        id: &str,
        stats: &ContainerStatsResponse,
        started: Option<DateTime<Utc>>,
    ) -> Option<Usage> {
        let memory = memory(stats.memory_stats.as_ref()?)?;
        let cpu = stats.cpu_stats.as_ref()?;
        let now = reading(cpu)?;
        let before = {
            let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            readings.insert(id.to_owned(), now)
        };
        let since_before = before.and_then(|before| share(before, now)).map(|share| share * processors(cpu));
        let cpu_percent = since_before.or_else(|| {
            let at: DateTime<Utc> = stats.read.as_deref()?.parse().ok()?;
            let alive = (at - started?).to_std().ok()?;
            let nanoseconds = alive.as_secs_f64() * 1e9;
            (nanoseconds > 0.0).then(|| precise(now.container) / nanoseconds)
        })? * 100.0;
        Some(Usage { memory, cpu_percent })
    }
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
        let meter = Meter::default();
        let started = Some("2026-01-01T00:00:00Z".parse().unwrap());
        let first = meter.usage("a", &stats(1_000_000_000, 100), started).unwrap();
        assert_eq!(first, Usage { memory: 900, cpu_percent: 10.0 });
        // Half of the time of two processors is one processor.
        let second = meter.usage("a", &stats(1_000_000_500, 1100), started).unwrap();
        assert!((second.cpu_percent - 100.0).abs() < 1e-9, "{second:?}");
    }

    #[test]
    fn a_restarted_container_is_not_compared_with_its_past() {
        let meter = Meter::default();
        let started = Some("2026-01-01T00:00:00Z".parse().unwrap());
        meter.usage("a", &stats(9_000_000_000, 100), started);
        let after = meter.usage("a", &stats(1_000_000_000, 200), started).unwrap();
        assert!((after.cpu_percent - 10.0).abs() < 1e-9, "{after:?}");
    }

    #[test]
    fn what_the_daemon_does_not_tell_is_unknown() {
        assert_eq!(Meter::default().usage("a", &ContainerStatsResponse::default(), None), None);
    }
}
