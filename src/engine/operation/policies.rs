//! Whether the policies can be loaded: asked by `validate` beside its five
//! checks, and at the gates of an operation. Whoever will decide is asked where it is at hand (the policy
//! engine's image, an `opa` on the path, the embedded engine); what it refuses
//! would deny every gate later.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::super::context::Context;
use super::super::gate;
use super::super::session::{Session, engine_kind};
use super::super::stage::Stage;
use crate::manifest::{EngineKind, GatePoint, Manifest};
use crate::policy::check::{self, Finding, Judgement, Minds};
use crate::policy::{Decision, EmbeddedEngine, Fault, PolicyBundle, PolicyEngine as _};
use crate::render;
use crate::runtime::CheckStatus;

/// Who refuses the policies, and in which words.
pub(super) struct Refusal {
    pub by: &'static str,
    pub what: String,
}

/// The code by which the shipped policies say that a limit is absent, or none.
const UNUSABLE_LIMIT: &str = "limits_missing";

/// How long a gate may take over its limits.
const UNHURRIED: Duration = Duration::from_secs(5);

const EMBEDDED: &str = "the embedded engine";
const PROGRAM: &str = "`opa check --strict`";

/// Asks everybody who is at hand; the first refusal, if there is one.
pub(super) async fn refused(context: &Context, manifest: &Manifest, session: &Session) -> Option<Refusal> {
    let folder = context.core.project.policies();
    let engine = engine_kind(manifest, session.runtime.target());
    let (is_readable, seen) = seen(&folder).await;
    // Nobody can judge what cannot be read.
    let judgement = if is_readable { judged(context, manifest, session, &folder).await } else { None };
    match (judgement, seen) {
        (Some(Judgement::Refused(words)), _) => Some(Refusal { by: PROGRAM, what: words }),
        // A real OPA knows better what OPA loads than a look at the text.
        (Some(Judgement::Accepted), _) if engine == EngineKind::Opa => None,
        (Some(Judgement::Accepted), Ok(findings)) => {
            told(findings.iter().filter(|finding| finding.minds == Minds::Embedded))
        }
        (None, Ok(findings)) => told(
            findings
                .iter()
                .filter(|finding| engine == EngineKind::Embedded || finding.minds != Minds::Embedded),
        ),
        (_, Err(Fault::Policies { reason })) => Some(Refusal { by: EMBEDDED, what: reason }),
        (_, Err(fault)) => Some(Refusal { by: EMBEDDED, what: fault.to_string() }),
    }
}

/// The decision of our own gate; no answer when it lets through by policies
/// that `validate` refuses.
///
/// An OPA that answered has loaded exactly what is on disk, which is proven
/// with every answer. It is shown the files once more, which may cost a
/// container, only where something to mind is seen in their text.
pub(super) async fn unless_refused(context: &Context, stage: &Stage, decision: Decision) -> Decision {
    let (manifest, session) = (stage.manifest(), &stage.session);
    if !decision.allow {
        return decision;
    }
    if engine_kind(manifest, session.runtime.target()) == EngineKind::Opa {
        let (_, seen) = seen(&context.core.project.policies()).await;
        if seen.is_ok_and(|findings| findings.iter().all(|finding| finding.minds == Minds::Embedded)) {
            return decision;
        }
    }
    match refused(context, manifest, session).await {
        None => decision,
        Some(Refusal { by, what }) => {
            decision.without_answer(Fault::Policies { reason: format!("refused by {by}: {what}") })
        }
    }
}

/// Limits in `data.json` that our own gates cannot use, in the words of the
/// policies on disk: whatever the facts are, they deny. So they are asked without
/// any, by the embedded engine, which is at hand before anything is deployed.
pub(super) async fn refused_limits(
    context: &Context,
    manifest: &Manifest,
    points: &[GatePoint],
) -> Vec<String> {
    let core = &context.core;
    // It is not asked in a hurry: policies of one's own are interpreted.
    let timeout = manifest.policy.timeout.max(UNHURRIED);
    let engine = EmbeddedEngine::new(core.project.policies(), timeout, Arc::clone(&core.clock));
    let mut found = Vec::new();
    for point in points {
        let package = gate::own_package(*point);
        let decision = engine.ask(package, &json!({})).await;
        if let Some(fault) = &decision.fault {
            context.notice(format!("the limits of {package} were not judged before it is asked: {fault}"));
        }
        let of_limits = decision.violations.into_iter().filter(|violation| violation.code == UNUSABLE_LIMIT);
        found.extend(of_limits.map(|violation| violation.message));
    }
    found
}

/// Tells of limits in `data.json` that no policy names. They are no error: a policy
/// may look at all limits, whatever their names are.
pub(super) async fn tell_unnamed_limits(context: &Context) {
    let folder = context.core.project.policies();
    let read = tokio::task::spawn_blocking(move || PolicyBundle::load(&folder)).await;
    // Why it cannot be read is told by whoever refuses it.
    let Ok(Ok(bundle)) = read else { return };
    for name in bundle.unnamed_limits() {
        let data_file = context.core.project.policies().join("data.json");
        context.notice(format!(
            "{}: no policy names the limit {name:?}, so nothing is judged by it; correct its name or remove it",
            data_file.display(),
        ));
    }
}

/// Whether the files can be read at all, and what can be seen in their text.
async fn seen(folder: &Path) -> (bool, Result<Vec<Finding>, Fault>) {
    let folder = folder.to_owned();
    let look = move || match PolicyBundle::load(&folder) {
        Ok(_) => (true, check::examine(&folder)),
        Err(fault) => (false, Err(fault)),
    };
    tokio::task::spawn_blocking(look)
        .await
        .unwrap_or_else(|_| (false, Err(Fault::Policies { reason: "looking at them broke down".into() })))
}

/// What a real OPA says, if one is at hand: the image of this stack, else a
/// program on the path. One that cannot be asked is told, and no refusal.
async fn judged(
    context: &Context,
    manifest: &Manifest,
    session: &Session,
    folder: &Path,
) -> Option<Judgement> {
    match session.runtime.check_policies(&render::stack(manifest), folder).await {
        Ok(Some(check)) if check.status == CheckStatus::Pass => return Some(Judgement::Accepted),
        Ok(Some(check)) => return Some(Judgement::Refused(check::words(&check.detail))),
        Ok(None) => {}
        Err(error) => context.notice(format!("the policies were not shown to Open Policy Agent: {error}")),
    }
    let Some(program): Option<PathBuf> = check::opa_on_path(std::env::var_os("PATH").as_deref()) else {
        if engine_kind(manifest, session.runtime.target()) == EngineKind::Embedded {
            context.notice(check::UNJUDGED);
        }
        return None;
    };
    match check::judge_with(&program, folder).await {
        Ok(judgement) => Some(judgement),
        Err(fault) => {
            context.notice(format!("the policies were not shown to Open Policy Agent: {fault}"));
            None
        }
    }
}

fn told<'a>(findings: impl Iterator<Item = &'a Finding>) -> Option<Refusal> {
    let told: Vec<String> = findings.map(ToString::to_string).collect();
    (!told.is_empty()).then(|| Refusal { by: EMBEDDED, what: told.join("; ") })
}
