//! The state as lines: the dashboard of `status`, for people or as JSON.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::people::decision_lines;
use super::{Paint, clean};
use crate::engine::{ChaosStatus, Connection, GateView, GeneratedState, Live, Sample, StateEvent};
use crate::manifest::Manifest;
use crate::policy::Verdict;
use crate::runtime::{Health, Instance};

/// The last values of what is watched.
#[derive(Default)]
pub(in super::super) struct StatusView {
    connection: Option<Connection>,
    manifest: Option<Result<Box<Manifest>, String>>,
    generated: GeneratedState,
    instances: Vec<Instance>,
    live: Live,
    sample: Option<Box<Sample>>,
    gates: Vec<GateView>,
    chaos: Option<ChaosStatus>,
}

impl StatusView {
    /// Takes a snapshot apart.
    pub(in super::super) fn of(snapshot: Vec<StateEvent>) -> Self {
        let mut view = Self::default();
        for event in snapshot {
            match event {
                StateEvent::Connection(value) => view.connection = Some(value),
                StateEvent::Manifest(value) => view.manifest = Some(value),
                StateEvent::Generated(value) => view.generated = value,
                StateEvent::Instances(value) => view.instances = value,
                StateEvent::Live(value) => view.live = value,
                StateEvent::Sample(value) => view.sample = Some(value),
                StateEvent::Gates(value) => view.gates = value,
                StateEvent::Chaos(value) => view.chaos = value,
            }
        }
        view
    }

    /// Why the state cannot be told, if so.
    pub(in super::super) fn trouble(&self) -> Option<&str> {
        match (&self.manifest, &self.connection) {
            (Some(Err(reason)), _) | (_, Some(Connection::Down { reason, .. })) => Some(reason),
            _ => None,
        }
    }
}

/// The name of a policy for people.
pub(super) fn policy_name(gate: &str) -> String {
    match gate {
        "infra" => "Infrastructure policy".into(),
        "canary" => "Canary safety policy".into(),
        other => format!("{other} policy"),
    }
}

/// The dashboard.
pub(in super::super) fn status_lines(view: &StatusView, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(reason) = view.trouble() {
        lines.push(format!("{} {}", paint.bad("✗"), clean(reason)));
    }
    if let Some(Ok(manifest)) = &view.manifest {
        lines.push(field("project", &manifest.project));
    }
    lines.push(field("mode", &mode_line(view)));
    lines.extend(view.live.drift.iter().map(|drift| field("drift", &paint.unsure(drift))));
    lines.push(field(
        "chaos",
        &view.chaos.as_ref().map_or_else(|| "none".into(), |chaos| paint.bad(&chaos.detail)),
    ));
    lines.extend(traffic_lines(view));
    for instance in &view.instances {
        let (word, detail) = match &instance.health {
            Health::Unhealthy(why) => (paint.bad("unhealthy"), why.clone()),
            Health::Exited(code) => {
                (paint.bad("exited"), code.map_or_else(String::new, |code| format!("exit code {code}")))
            }
            Health::Healthy => (paint.good("healthy"), String::new()),
            Health::Starting => (paint.unsure("starting"), String::new()),
        };
        lines.push(field(&instance.service, clean(&format!("{word} {detail}")).trim_end()));
    }
    for gate in &view.gates {
        lines.extend(gate_lines(gate, paint));
    }
    lines
}

pub(super) fn field(name: &str, value: &str) -> String {
    format!("{name:<13} {value}")
}

fn mode_line(view: &StatusView) -> String {
    match &view.live.release {
        Some(release) => format!("{} ({} {})", release.mode, release.image, release.version),
        // Nobody looked.
        None if !matches!(view.connection, Some(Connection::Up(_))) => "not known".into(),
        None => "nothing serves".into(),
    }
}

fn traffic_lines(view: &StatusView) -> Vec<String> {
    let Some(sample) = &view.sample else {
        return vec![field("traffic", "no data yet")];
    };
    let Some(reading) = sample.leading() else {
        return vec![field("traffic", "no slot runs")];
    };
    match &reading.measured {
        Err(reason) => vec![field("traffic", &clean(reason))],
        Ok(measured) => {
            let p99 = measured.p99.map_or_else(
                || "no data".into(),
                |p99| match p99.high_ms {
                    Some(_) => format!("{:.0} ms", p99.ms),
                    None => format!("above {:.0} ms", p99.ms),
                },
            );
            let errors = measured.error_rate.map_or_else(
                || "no data".into(),
                |rate| format!("{:.2} % ({} of {})", rate * 100.0, measured.errors, measured.requests),
            );
            vec![
                field(
                    "requests",
                    &format!(
                        "{:.1}/s ({} in {:.0} s)",
                        measured.request_rate,
                        measured.requests,
                        measured.window.as_secs_f64()
                    ),
                ),
                field("errors", &errors),
                field("P99", &p99),
            ]
        }
    }
}

fn gate_lines(gate: &GateView, paint: Paint) -> Vec<String> {
    let name = policy_name(&gate.gate);
    let Some(decision) = &gate.decision else {
        return vec![paint.dim(&format!("– {name}: does not apply (no canary runs)"))];
    };
    let head = match (decision.verdict, &decision.fault) {
        (_, Some(fault)) => paint.bad(&format!("✗ {name}: {}", fault.as_str())),
        (Verdict::Pass, None) => paint.good(&format!("✓ {name}: PASSING")),
        (Verdict::Fail, None) => paint.bad(&format!("✗ {name}: FAILING")),
        (Verdict::Inconclusive, None) => paint.unsure(&format!("? {name}: INCONCLUSIVE")),
    };
    let reasons: Vec<String> = match decision.verdict {
        Verdict::Pass => decision_lines(decision, paint),
        Verdict::Fail | Verdict::Inconclusive if decision.fault.is_some() => decision_lines(decision, paint),
        Verdict::Fail | Verdict::Inconclusive => {
            decision.violations.iter().map(|violation| clean(&violation.message)).collect()
        }
    };
    std::iter::once(head).chain(reasons.into_iter().map(|reason| format!("    {reason}"))).collect()
}

/// The state as one JSON object.
pub(in super::super) fn status_json(view: &StatusView) -> Value {
    let reading = view.sample.as_ref().and_then(|sample| sample.leading());
    let measured = reading.and_then(|reading| reading.measured.as_ref().ok());
    let error = reading.and_then(|reading| reading.measured.as_ref().err());
    json!({
        "event": "status",
        "timestamp": view.sample.as_ref().map(|sample| sample.taken_at.to_rfc3339_opts(SecondsFormat::Millis, true)),
        "trouble": view.trouble(),
        "mode": view.live.release.as_ref().map(|release| release.mode),
        "version": view.live.release.as_ref().map(|release| release.version.clone()),
        "slot": view.live.slot,
        "drift": view.live.drift,
        "chaos": view.chaos.as_ref().map(|chaos| json!({"fault": chaos.fault, "detail": chaos.detail, "until": chaos.until})),
        "requests": measured.map(|measured| measured.requests),
        "samples_needed": view.sample.as_ref().map(|sample| sample.samples_needed),
        "request_rate": measured.map(|measured| measured.request_rate),
        "error_rate": measured.and_then(|measured| measured.error_rate),
        "p99_latency_ms": measured.and_then(|measured| measured.p99.map(|p99| p99.ms)),
        "metrics_error": error,
        "instances": view.instances.iter().map(|instance| json!({
            "service": instance.service, "health": instance.health.as_str(), "restarts": instance.restarts,
        })).collect::<Vec<_>>(),
        "policies": view.gates.iter().map(|gate| json!({
            "policy": gate.gate,
            "blocks": gate.blocks,
            "verdict": gate.decision.as_ref().map(|decision| decision.verdict.as_str()),
            "fault": gate.decision.as_ref().and_then(|decision| decision.fault.as_ref().map(ToString::to_string)),
            "reasons": gate.decision.as_ref().map(|decision| decision.reasons.clone()),
        })).collect::<Vec<_>>(),
    })
}
