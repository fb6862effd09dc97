//! `validate`: five checks, each PASS or FAIL with the reason; and whether the
//! policies can be loaded, which is told as an error when they cannot.

use std::time::Duration;

use super::super::context::Context;
use super::super::evidence;
use super::super::halt::Halt;
use super::super::metrics;
use super::super::session::{Session, engine_kind};
use super::super::stage::{absent, stack_files};
use super::policies::{self, Refusal};
use crate::domain::stack::Role;
use crate::domain::{Mode, Routes};
use crate::manifest::{Document, EngineKind, GatePoint, Manifest, ManifestError};
use crate::render;
use crate::runtime::{Check, CheckStatus, Health, ImagePresence, Observed, PortOwner, RuntimeError};

const YAML: &str = "YAML valid";
const FIELDS: &str = "required fields";
const IMAGE: &str = "image present";
const PORT: &str = "port free";
const PROXY: &str = "proxy configuration";

pub(super) async fn run(context: &Context) -> Result<String, Halt> {
    let failed = checks(context).await;
    let (mut wrong, mut next) = (Vec::new(), None);
    if failed > 0 {
        wrong.push(format!("{failed} of 5 checks failed"));
        next = match context.core.document() {
            Err(error @ ManifestError::NotFound { .. }) => Some(error.next_step()),
            _ => Some("correct what is marked FAIL, then repeat".into()),
        };
    }
    let refusal = policies_refused(context).await;
    // Who refuses the policies has said enough.
    let limits = if refusal.is_none() { refused_limits(context).await } else { Vec::new() };
    policies::tell_unnamed_limits(context).await;
    if let Some(Refusal { by, what }) = refusal {
        wrong.push(format!("the policies are refused by {by}: {what}"));
        let tests = "correct the file, then repeat; `swiftdeploy policy test` runs the policies' tests";
        next = Some(tests.into());
    }
    if !limits.is_empty() {
        wrong.push(format!("the gates refuse the limits: {}", limits.join("; ")));
        next = next.or_else(|| Some("correct policies/data.json, then repeat".into()));
    }
    for taken in taken_names(context).await {
        wrong.push(taken.to_string());
        next = next.or_else(|| Some(taken.next_step()));
    }
    match next {
        None => Ok("all five checks pass".into()),
        Some(next) => Err(Halt::failed(wrong.join("; "), next)),
    }
}

/// Not one of the five either: networks and volumes that a deploy could not make.
async fn taken_names(context: &Context) -> Vec<RuntimeError> {
    let Ok(document) = context.core.document() else { return Vec::new() };
    // The checks have told that the target cannot be reached.
    let Ok(session) = context.core.session(document.manifest()).await else { return Vec::new() };
    let taken = session.runtime.taken_names(&render::stack(document.manifest())).await;
    taken.unwrap_or_else(|error| vec![error])
}

/// Not one of the five, which are the same everywhere: policies that cannot be
/// loaded are an error of its own.
async fn policies_refused(context: &Context) -> Option<Refusal> {
    let document = context.core.document().ok()?;
    let session = context.core.session(document.manifest()).await.ok()?;
    policies::refused(context, document.manifest(), &session).await
}

/// Nor are limits one by which every deployment or promotion would be denied.
async fn refused_limits(context: &Context) -> Vec<String> {
    match context.core.document() {
        Ok(document) => {
            let points = [GatePoint::Deploy, GatePoint::PromoteStable];
            policies::refused_limits(context, document.manifest(), &points).await
        }
        Err(_) => Vec::new(),
    }
}

/// Makes and tells the five checks; how many failed.
pub(super) async fn checks(context: &Context) -> usize {
    let document = match context.core.document() {
        Ok(document) => {
            let path = document.path().display().to_string();
            tell(context, YAML, Ok(pass(path)), Duration::ZERO);
            document
        }
        Err(error) => return manifest_fails(context, &error),
    };
    let manifest = document.manifest();
    let fields = format!(
        "{} {} on port {}",
        manifest.services.name, manifest.services.version, manifest.services.port
    );
    tell(context, FIELDS, Ok(pass(fields)), Duration::ZERO);
    match context.core.session(manifest).await {
        Ok(session) => with_session(context, &document, &session).await,
        Err(error) => {
            let why = format!("not checked: {error}; {}", error.next_step());
            for name in [IMAGE, PORT, PROXY] {
                tell(context, name, Ok(fail(why.clone())), Duration::ZERO);
            }
            3
        }
    }
}

/// The manifest itself is wrong: what can be said of the five is said.
fn manifest_fails(context: &Context, error: &ManifestError) -> usize {
    // What is known to be about a key was found in a text that is YAML.
    let is_yaml = error.problems().iter().any(|problem| problem.key().is_some());
    let first = if is_yaml { pass("the file is YAML".into()) } else { fail(error.to_string()) };
    let second =
        if is_yaml { fail(error.to_string()) } else { fail("not checked: there is no YAML to read".into()) };
    tell(context, YAML, Ok(first), Duration::ZERO);
    tell(context, FIELDS, Ok(second), Duration::ZERO);
    for name in [IMAGE, PORT, PROXY] {
        tell(context, name, Ok(fail("not checked: the manifest cannot be used".into())), Duration::ZERO);
    }
    if is_yaml { 4 } else { 5 }
}

async fn with_session(context: &Context, document: &Document, session: &Session) -> usize {
    let manifest = document.manifest();
    let mut failed = 0;
    let mut timed = async |name: &str, check: Result<Check, RuntimeError>, began: std::time::Instant| {
        let elapsed = context.core.clock.instant().saturating_duration_since(began);
        if !tell(context, name, check, elapsed) {
            failed += 1;
        }
    };
    let began = context.core.clock.instant();
    timed(IMAGE, image(manifest, session).await, began).await;
    let began = context.core.clock.instant();
    timed(PORT, port(manifest, session).await, began).await;
    let began = context.core.clock.instant();
    timed(PROXY, proxy(context, manifest, session).await, began).await;
    warn(context, manifest, session).await;
    failed
}

/// Warns of what passes and may still surprise.
async fn warn(context: &Context, manifest: &Manifest, session: &Session) {
    let observed = session.runtime.observe().await.ok();
    let mut lines = metrics::warnings(&context.core, manifest, observed.as_ref()).await;
    lines.extend(evidence::comes_too_late(&context.core, manifest, session.runtime.target()));
    lines.extend(keeps_none_warm(manifest, observed.as_ref()));
    for line in lines {
        context.notice(format!("warning: {line}"));
    }
    // Asked anew by whoever replaces something; here it is only told.
    let replacements = session.runtime.replacements(&render::stack(manifest)).await;
    for replacement in replacements.into_iter().flatten() {
        context.notice(format!("warning: a deploy replaces {replacement}"));
    }
}

/// That a deploy leaves no stable release beside the canary that it starts, where the
/// manifest says `mode: canary`. A promotion writes that too, but nothing is deployed
/// over its canary.
pub(super) fn keeps_none_warm(manifest: &Manifest, observed: Option<&Observed>) -> Option<String> {
    if manifest.services.mode != Mode::Canary || observed.is_some_and(is_under_test) {
        return None;
    }
    Some(
        "services.mode is canary: a deploy gives all traffic to the canary and keeps no stable release warm \
         beside it; to keep one, deploy with `mode: stable`, then `swiftdeploy promote canary`"
            .into(),
    )
}

/// Whether a canary runs with the stable release beside it.
fn is_under_test(observed: &Observed) -> bool {
    let runs = |mode| {
        observed.instances.iter().any(|instance| {
            matches!(instance.role, Role::App { mode: its, .. } if its == mode)
                && !matches!(instance.health, Health::Exited(_))
        })
    };
    runs(Mode::Canary) && runs(Mode::Stable)
}

async fn image(manifest: &Manifest, session: &Session) -> Result<Check, RuntimeError> {
    let image = &manifest.services.image;
    Ok(match session.runtime.image(image).await? {
        ImagePresence::Present(Some(id)) => pass(format!("{image} ({})", short(&id))),
        // A target without images runs a program instead, which must be told:
        // nobody has looked for the image.
        ImagePresence::Present(None) => {
            pass(match manifest.services.command.as_ref().and_then(|command| command.first()) {
                Some(program) => format!("{program} runs in place of {image}"),
                None => format!("the built-in sample service runs in place of {image}"),
            })
        }
        ImagePresence::Absent(detail) => {
            let error = absent(session.runtime.target(), image, detail);
            fail(format!("{error}; {}", error.next_step()))
        }
    })
}

/// The first digits of a content id, as engines show them.
fn short(id: &str) -> &str {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..12).unwrap_or(digits)
}

async fn port(manifest: &Manifest, session: &Session) -> Result<Check, RuntimeError> {
    let port = manifest.nginx.port;
    let asks_opa = engine_kind(manifest, session.runtime.target()) == EngineKind::Opa;
    if asks_opa && manifest.policy.port == port {
        return Ok(fail(format!("{port} is both nginx.port and policy.port; change one of them")));
    }
    Ok(match session.runtime.port_owner(&render::stack(manifest)).await? {
        PortOwner::Free => pass(format!("{port} is free")),
        PortOwner::OurProxy => pass(format!("{port} is held by this project's own proxy")),
        PortOwner::Other(owner) => {
            let error = RuntimeError::PortTaken { port, owner };
            fail(format!("{error}; {}", error.next_step()))
        }
        PortOwner::Unusable { reason, next } => fail(format!("{reason}; {next}")),
    })
}

async fn proxy(context: &Context, manifest: &Manifest, session: &Session) -> Result<Check, RuntimeError> {
    let files = match stack_files(&context.core, manifest) {
        Ok(files) => files,
        Err(Halt::Failed { error, .. }) => return Ok(fail(error)),
        Err(_) => return Ok(fail("the files could not be made".into())),
    };
    session.runtime.check_proxy(&render::stack(manifest), &files, &Routes::declared()).await
}

fn pass(detail: String) -> Check {
    Check { status: CheckStatus::Pass, detail }
}

fn fail(detail: String) -> Check {
    Check { status: CheckStatus::Fail, detail }
}

/// Tells a check's outcome; whether it passed. A check that could not be made
/// has failed.
fn tell(context: &Context, name: &str, check: Result<Check, RuntimeError>, elapsed: Duration) -> bool {
    let check = check.unwrap_or_else(|error| fail(format!("{error}; {}", error.next_step())));
    let is_ok = check.status == CheckStatus::Pass;
    context.told_check(name, is_ok, elapsed, &check.detail);
    is_ok
}
