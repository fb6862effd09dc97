//! `demo`: the whole story on the local target in a temporary folder with
//! live traffic, saying at each step what to look at. It is made of the same
//! actions as everything else; in a terminal it runs inside the app.

use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::super::args::Common;
use super::super::failure::Failure;
use super::super::open;
use super::super::print::{Json, Paint, People, Printer, clean, line};
use super::{app, new, operation};
use crate::domain::Target;
use crate::engine::{Action, ChaosFault, Engine, LoadPlan, Outcome};

/// A scene: what is done, what to look at, how it should end.
struct Scene {
    say: &'static str,
    action: Action,
    ends: &'static str,
}

/// Seconds that the demo's window is long: short, so that nobody waits.
const WINDOW: u64 = 5;

/// The story in order.
fn story() -> Vec<Scene> {
    let done = |say, action| Scene { say, action, ends: "done" };
    vec![
        done(
            "First everything is generated from manifest.yaml: look at generated/.",
            Action::Init { check: false },
        ),
        done("Five checks, each PASS or FAIL.", Action::Validate),
        done(
            "Deploy: the policy is asked, the service starts, and only when it is well it gets the traffic.",
            Action::Deploy,
        ),
        done(
            "Promote canary: the other slot starts and takes the traffic, the stable one stays warm. No request is lost.",
            Action::PromoteCanary,
        ),
        done(
            "Now the canary is broken on purpose: nine of ten answers are errors. Watch the error rate and the canary policy.",
            Action::Chaos(ChaosFault::Error { rate: 0.9, ttl: Duration::from_mins(1) }),
        ),
        done(
            "Traffic runs for a whole window, so that the gate has evidence.",
            Action::Load(LoadPlan { rps: 40, lasting: Duration::from_secs(WINDOW + 2) }),
        ),
        Scene {
            say: "Promote stable is asked for, and the policy denies it: read the reason.",
            action: Action::PromoteStable,
            ends: "denied",
        },
        done("Rollback: never gated, at once. The stable slot was warm.", Action::Rollback),
        done(
            "Everything is on record: the report has the timeline, the fault, the violation.",
            Action::ExportAudit { out: None },
        ),
        done("And everything goes again.", Action::Teardown { clean: false }),
    ]
}

/// Tells the story.
pub(in super::super) async fn run(common: &Common, pace: Duration) -> Result<ExitCode, Failure> {
    let folder = tempfile::Builder::new().prefix("swiftdeploy-demo-").tempdir().map_err(|error| {
        Failure::new(format!("no temporary folder: {error}"), "check TMPDIR and free space")
    })?;
    let manifest = prepare(folder.path())?;
    let common = Common { manifest, target: None, ..common.clone() };
    let engine = open::engine(&common, Target::Local)?;
    let code = if !common.json && io::stdin().is_terminal() && io::stdout().is_terminal() {
        let script = tokio::spawn(perform_in_app(engine.clone(), pace));
        let code = app::show(&engine, app::options(&common)).await;
        script.abort();
        code
    } else {
        let code = perform_in_lines(&engine, &common).await;
        engine.close().await;
        code
    };
    clean_up(&common).await;
    code
}

/// Writes the starters with a free port and short times.
fn prepare(folder: &Path) -> Result<PathBuf, Failure> {
    let failed = |error: io::Error| Failure::new(error.to_string(), "check TMPDIR and free space");
    new::write(folder, Some(Target::Local))?;
    let manifest = folder.join("manifest.yaml");
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|free| free.local_addr())
        .map_err(failed)?
        .port();
    let text = std::fs::read_to_string(&manifest).map_err(failed)?;
    let text = text.replace("port: 8080", &format!("port: {port}\n  bind: 127.0.0.1\n  drain: 1s"));
    let text = format!(
        "{text}canary:\n  window: {WINDOW}s\n  min_requests: 20\n  max_wait: 30s\nstatus:\n  interval: 1s\n"
    );
    std::fs::write(&manifest, text).map_err(failed)?;
    spare_the_host(&folder.join("policies/data.json")).map_err(failed)?;
    Ok(manifest)
}

/// The story is about the canary: a busy or full machine must not end it.
fn spare_the_host(limits: &Path) -> io::Result<()> {
    let mut data: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(limits)?)?;
    data["thresholds"]["cpu_load"] = 1000.into();
    data["thresholds"]["disk_free_gb"] = 0.1.into();
    std::fs::write(limits, serde_json::to_string_pretty(&data)?)
}

/// One scene after the other inside the app, with time to read.
async fn perform_in_app(engine: Engine, pace: Duration) {
    tokio::time::sleep(pace / 2).await;
    for scene in story() {
        engine.announce(scene.say);
        tokio::time::sleep(pace / 2).await;
        let outcome = engine.run(scene.action).await;
        if outcome.as_ref().map(Outcome::as_str) != Some(scene.ends) {
            engine.announce("This did not go as the story tells; look at the activity, and q to quit.");
            return;
        }
        tokio::time::sleep(pace).await;
    }
    engine.announce("That was the whole story. Press q to quit; the temporary folder goes too.");
}

/// One scene after the other as lines.
async fn perform_in_lines(engine: &Engine, common: &Common) -> Result<ExitCode, Failure> {
    let paint = Paint::detect(common.no_color);
    let mut printer: Box<dyn Printer> =
        if common.json { Box::new(Json) } else { Box::new(People::new(paint)) };
    let looking = engine.clone();
    looking.watch(None);
    for scene in story() {
        if !common.json {
            line(&format!("\n{}", paint.strong(&clean(scene.say))))?;
        }
        let name = scene.action.name();
        let code = operation::perform(engine, scene.action, &mut *printer).await?;
        let expected = if scene.ends == "denied" { ExitCode::from(2) } else { ExitCode::SUCCESS };
        if code != expected {
            return Err(Failure::new(
                format!("{name} did not end as the story tells ({})", scene.ends),
                "look at the lines above; `swiftdeploy doctor` helps to find the cause",
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whatever was left running goes before its folder does.
async fn clean_up(common: &Common) {
    if let Ok(engine) = open::engine(common, Target::Local) {
        engine.run(Action::Teardown { clean: false }).await;
        engine.close().await;
    }
}
