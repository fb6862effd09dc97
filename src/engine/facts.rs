//! The facts that the gates are asked with, as JSON. Nothing is compared with
//! a limit here, and nothing is rounded: limits are in `policies/data.json`,
//! comparisons and the rounding of messages in Rego.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::confidence;
use super::measure::{Unmeasured, named};
use crate::manifest::Manifest;
use crate::runtime::{Health, HostFacts, Instance, RuntimeError, Unanswered, Waits};
use crate::telemetry::Measured;

/// Bytes in the gigabyte that `disk_free_gb` counts (10⁹, as `df -H` and disk
/// makers do).
const GB: f64 = 1e9;

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Facts before a deployment. Where the host cannot be measured the facts are
/// missing, which the policy denies; the reason goes along.
pub(super) fn infra(
    host: &Result<HostFacts, RuntimeError>,
    manifest: &Manifest,
    now: DateTime<Utc>,
) -> Value {
    let common = json!({
        "time": rfc3339(now),
        "project": manifest.project,
        "image": manifest.services.image,
        "version": manifest.services.version,
        "mode": manifest.services.mode,
    });
    #[expect(clippy::cast_precision_loss, reason = "a disk has fewer than 2^53 bytes free")]
    let own = match host {
        Ok(host) => json!({
            "disk_free_gb": host.disk_free_bytes as f64 / GB,
            "cpu_load": host.load1,
            "cpus": host.cpus,
            "sources": {
                "disk_free_gb": format!("free space at {}", host.data_root.display()),
                "cpu_load": "load average of the last minute",
            },
        }),
        Err(error) => json!({ "facts_error": error.to_string() }),
    };
    merged(common, own)
}

/// What is known about the canary when a promotion is asked for.
pub(super) struct CanaryEvidence<'a> {
    /// Every instance of it.
    pub instances: &'a [Instance],
    /// Their window, summed.
    pub measured: &'a Result<Measured, Unmeasured>,
    /// What only the proxy saw of them in the window, or why that is not known.
    pub unanswered: &'a Result<Unanswered, String>,
    /// How long a request may hang until the proxy ends it.
    pub longest_request: Duration,
    /// Requests that were answered so long ago that those beside them cannot hang
    /// unseen; `None` where nothing is measured.
    pub settled: Option<u64>,
    /// The stable slot's window, where one runs and could be measured.
    pub stable: Option<&'a Measured>,
}

/// Facts before a canary becomes stable. What is known of several instances is
/// summed, and as bad as the worst of them.
pub(super) fn canary(evidence: &CanaryEvidence<'_>, manifest: &Manifest, now: DateTime<Utc>) -> Value {
    let instances = evidence.instances;
    let is_unwell = |instance: &&Instance| instance.health != Health::Healthy;
    let has_failed = |instance: &&Instance| is_unwell(instance) && instance.health != Health::Starting;
    let unwell = instances.iter().find(has_failed).or_else(|| instances.iter().find(is_unwell));
    let health = unwell.map_or(&Health::Healthy, |instance| &instance.health);
    let names: Vec<String> = instances.iter().map(named).collect();
    let source = names.join(", ");
    let seen = evidence.unanswered.as_ref().ok();
    let common = json!({
        "time": rfc3339(now),
        "project": manifest.project,
        "samples_needed": manifest.canary.min_requests,
        "instances": instances.len(),
        "healthy": unwell.is_none() && !instances.is_empty(),
        "health": health.as_str(),
        "health_detail": unwell.map(why_unwell),
        "restarts": instances.iter().map(|instance| instance.restarts).sum::<u64>(),
        "oom_kills": instances.iter().filter(|instance| instance.oom_killed).count(),
        "proxy_failures": seen.map(|seen| seen.failed),
        "proxy_timed_out": seen.map(|seen| seen.timed_out),
        "proxy_errors": seen.map(|seen| seen.errors),
        "proxy_broken": seen.map(|seen| seen.broken),
        "proxy_abandoned": seen.map(|seen| waits(&seen.abandoned)),
        "proxy_waiting": seen.map(|seen| seen.waiting.as_ref().map(waits)),
        "proxy_timeout_seconds": evidence.longest_request.as_secs_f64(),
        "settled_requests": evidence.settled,
        "proxy_error": evidence.unanswered.as_ref().err(),
        "source": source,
        "sources": {
            "metrics": format!("{} of {source}", manifest.metrics.path),
            "health": format!("state of {source}"),
            "proxy": "the proxy's log of requests that went wrong",
        },
        "version": instances.iter().find_map(|instance| instance.release.as_ref()).map(|release| release.version.clone()),
        "stable": evidence.stable.map(|measured| json!({
            "requests": measured.requests,
            "errors": measured.errors,
            "error_rate": measured.error_rate,
            "p99_latency_ms": measured.p99.map(|p99| p99.ms),
        })),
    });
    let own = match evidence.measured {
        Ok(measured) => json!({
            "requests": measured.requests,
            "errors": measured.errors,
            "error_rate": measured.error_rate,
            "confidence": confidence::error_rate_at_most(measured.errors, measured.requests).map(|most| json!({
                "level": confidence::LEVEL,
                "error_rate_at_most": most,
            })),
            "request_rate": measured.request_rate,
            "p99_latency_ms": measured.p99.map(|p99| p99.ms),
            "p99_bucket": measured.p99.map(|p99| json!([p99.low_ms, p99.high_ms])),
            "latency_buckets": measured.buckets,
            "window_seconds": measured.window.as_secs_f64(),
            "resets": measured.resets,
            "vanished": measured.vanished,
            "metrics_error": null,
        }),
        Err(Unmeasured { fault, instance }) => json!({
            "requests": null,
            "errors": null,
            "error_rate": null,
            "confidence": null,
            "request_rate": null,
            "p99_latency_ms": null,
            "p99_bucket": null,
            "latency_buckets": [],
            "window_seconds": manifest.canary.window.as_secs_f64(),
            "resets": null,
            "vanished": null,
            "metrics_error": { "code": fault.code(), "message": fault.to_string(), "instance": instance },
        }),
    };
    merged(common, own)
}

/// How many requests waited for how long.
fn waits(waits: &Waits) -> Value {
    waits.iter().map(|(waited, count)| json!({ "waited_ms": waited, "count": count })).collect()
}

fn why_unwell(instance: &Instance) -> String {
    let name = named(instance);
    match &instance.health {
        Health::Healthy => format!("{name} is healthy"),
        Health::Starting => format!("{name} is still starting"),
        Health::Unhealthy(reason) => format!("{name} fails its health check: {reason}"),
        Health::Exited(Some(code)) => format!("{name} does not run; it ended with code {code}"),
        Health::Exited(None) => format!("{name} does not run"),
    }
}

fn merged(mut base: Value, more: Value) -> Value {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
    base
}
