//! `doctor`: what is installed and reachable, what is missing and how to get
//! it. Asks everything, changes nothing.

use std::process::ExitCode;

use serde_json::json;

use super::super::args::Common;
use super::super::failure::Failure;
use super::super::open::{self, Choice};
use super::super::print::{Paint, clean, line};
use crate::domain::Target;
use crate::engine::{Connection, GateView, GeneratedState, Project, StateEvent, engine_kind};
use crate::history;
use crate::manifest::{Document, EngineKind};
use crate::policy::PolicyBundle;

/// A line of the report.
struct Finding {
    name: &'static str,
    is_ok: bool,
    detail: String,
}

/// Looks at everything; exit 1 when something that the chosen target needs is
/// missing.
pub(in super::super) async fn run(common: &Common) -> Result<ExitCode, Failure> {
    let mut findings =
        vec![Finding { name: "swiftdeploy", is_ok: true, detail: env!("CARGO_PKG_VERSION").into() }];
    let choice = open::choose(common).await;
    let target = match &choice {
        Choice::Made(target) => Some(*target),
        Choice::Open(_) => None,
    };
    findings.push(Finding {
        name: "target",
        is_ok: target.is_some(),
        detail: match &choice {
            Choice::Made(target) => target.to_string(),
            Choice::Open(reason) => {
                format!("none named, and {reason}; `--target local` needs nothing installed")
            }
        },
    });
    findings.push(docker(target).await);
    findings.extend(project(common));
    if let Some(target) = target {
        findings.extend(stack(common, target).await?);
    }
    let paint = Paint::detect(common.no_color);
    for Finding { name, is_ok, detail } in &findings {
        if common.json {
            line(&json!({"event": "finding", "name": name, "ok": is_ok, "detail": detail}).to_string())?;
        } else {
            let sign = if *is_ok { paint.good("✓") } else { paint.bad("✗") };
            line(&format!("{sign} {name:<12} {}", clean(detail).replace('\n', "\n               ")))?;
        }
    }
    let all_well = findings.iter().all(|finding| finding.is_ok);
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Docker; its absence is fine where it is not the target.
async fn docker(target: Option<Target>) -> Finding {
    let (is_there, detail) = match open::docker().await {
        Ok(info) => (true, format!("{} on {}", info.version, info.host)),
        Err(error) => (false, format!("{error}; {}", error.next_step())),
    };
    Finding { name: "docker", is_ok: is_there || target == Some(Target::Local), detail }
}

/// What the project's folder holds.
fn project(common: &Common) -> Vec<Finding> {
    let project = match Project::of(&common.manifest) {
        Ok(project) => project,
        Err(error) => {
            let detail = format!("{}: {error}; say `--manifest FILE`", common.manifest.display());
            return vec![Finding { name: "manifest", is_ok: false, detail }];
        }
    };
    let manifest = match Document::load(project.manifest()) {
        Ok(document) => (true, document.path().display().to_string()),
        Err(error) => (false, format!("{error}\n{}", error.next_step())),
    };
    let policies = match PolicyBundle::load(&project.policies()) {
        Ok(bundle) => (true, format!("revision {} in {}", bundle.revision(), project.policies().display())),
        Err(fault) => (false, format!("{fault}; {}", fault.next_step())),
    };
    let history = match history::verify(project.root()) {
        Ok(report) => (report.is_intact(), report.to_string()),
        Err(error) => (false, format!("{error}; {}", error.next_step())),
    };
    [("manifest", manifest), ("policies", policies), ("history", history)]
        .into_iter()
        .map(|(name, (is_ok, detail))| Finding { name, is_ok, detail })
        .collect()
}

/// What the running stack says.
async fn stack(common: &Common, target: Target) -> Result<Vec<Finding>, Failure> {
    let Ok(document) = Document::load(&common.manifest) else { return Ok(Vec::new()) };
    let engine = open::engine(common, target)?;
    engine.look_once().await;
    let snapshot = engine.snapshot();
    let runs =
        snapshot.iter().any(|event| matches!(event, StateEvent::Instances(found) if !found.is_empty()));
    let mut findings = Vec::new();
    for event in snapshot {
        match event {
            StateEvent::Connection(Connection::Down { reason, .. }) => {
                findings.push(Finding { name: "engine", is_ok: false, detail: reason });
            }
            StateEvent::Connection(Connection::Up(info)) => {
                findings.push(Finding {
                    name: "engine",
                    is_ok: true,
                    detail: format!("{} {}", info.name, info.version),
                });
            }
            StateEvent::Generated(state) => {
                let (is_ok, detail) = match state {
                    GeneratedState::UpToDate => (true, "up to date"),
                    GeneratedState::Absent => (true, "none yet; `swiftdeploy init` makes them"),
                    GeneratedState::Stale => (false, "not what the manifest means; run `swiftdeploy init`"),
                    GeneratedState::Unknown => (false, "could not be compared"),
                };
                findings.push(Finding { name: "generated", is_ok, detail: detail.into() });
            }
            StateEvent::Instances(instances) if instances.is_empty() => {
                findings.push(Finding { name: "stack", is_ok: true, detail: "nothing runs".into() });
            }
            StateEvent::Instances(instances) => {
                let names: Vec<String> = instances
                    .iter()
                    .map(|instance| format!("{} {}", instance.service, instance.health.as_str()))
                    .collect();
                findings.push(Finding { name: "stack", is_ok: true, detail: names.join(", ") });
            }
            StateEvent::Gates(gates) => {
                let runs_opa = engine_kind(document.manifest(), target) == EngineKind::Opa;
                let may_be_absent = runs_opa && !runs;
                findings.extend(policy_engine(&gates, may_be_absent));
            }
            StateEvent::Connection(Connection::Connecting)
            | StateEvent::Manifest(_)
            | StateEvent::Live(_)
            | StateEvent::Sample(_)
            | StateEvent::Chaos(_) => {}
        }
    }
    engine.close().await;
    Ok(findings)
}

fn policy_engine(gates: &[GateView], may_be_absent: bool) -> Option<Finding> {
    let decision = gates.iter().find_map(|gate| gate.decision.as_ref())?;
    let engine = &decision.engine;
    Some(match &decision.fault {
        Some(fault) if may_be_absent => Finding {
            name: "policies by",
            is_ok: true,
            detail: format!("{fault} (before the first deploy that is as it should be)"),
        },
        Some(fault) => {
            Finding { name: "policies by", is_ok: false, detail: format!("{fault}; {}", fault.next_step()) }
        }
        None => Finding {
            name: "policies by",
            is_ok: true,
            detail: format!("{} {} at {}", engine.name, engine.version.as_deref().unwrap_or(""), engine.at),
        },
    })
}
