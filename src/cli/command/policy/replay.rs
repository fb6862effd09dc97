//! `policy replay`: the recorded decisions asked again, and those told whose
//! answer would be another one.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::super::args::{Common, EngineArg, ReplayArgs};
use super::super::super::failure::Failure;
use super::super::super::open;
use super::super::super::print::{Paint, changed_lines, complain, line, replayed_lines};
use crate::clock::SystemClock;
use crate::engine::{
    REPLAY_TIMEOUT, ReplayBy, ReplayError, ReplayEvent, ReplayOptions, ReplayReport, replay,
};
use crate::manifest::Document;

/// The port of OPA where no manifest says otherwise.
const OPA_PORT: u16 = 8181;

/// Replays the history. Exit 0 when all of it was replayed; 1 when something
/// could not be read, and with `--check` also when an answer would change.
pub(super) async fn run(common: &Common, args: ReplayArgs) -> Result<ExitCode, Failure> {
    fits(&args)?;
    let project = open::project(common)?;
    // The history and the policies are all it takes; a manifest in the middle
    // of an edit is no reason not to replay.
    let document = Document::load(project.manifest()).ok();
    let policy = document.as_ref().map(|document| &document.manifest().policy);
    let by = match args.engine {
        EngineArg::Embedded => ReplayBy::Embedded,
        EngineArg::Opa => ReplayBy::Opa {
            at: args.at.unwrap_or_else(|| {
                SocketAddr::from((Ipv4Addr::LOCALHOST, policy.map_or(OPA_PORT, |policy| policy.port)))
            }),
            on: tokio::runtime::Handle::current(),
        },
    };
    let options = ReplayOptions {
        root: project.root().to_owned(),
        policies: args.policies.unwrap_or_else(|| project.policies()),
        data: args.data,
        by,
        timeout: REPLAY_TIMEOUT,
    };
    let (is_json, paint) = (common.json, Paint::detect(common.no_color));
    let replayed = tokio::task::spawn_blocking(move || {
        replay(&options, &SystemClock::shared(), &mut |event| tell(&event, is_json, paint))
    });
    let report = replayed
        .await
        .map_err(|stopped| Failure::new(stopped.to_string(), "repeat"))?
        .map_err(|error: ReplayError| Failure::new(error.to_string(), error.next_step()))?;
    if is_json {
        line(&report_json(&report).to_string())?;
    } else {
        for text in replayed_lines(&report, paint) {
            line(&text)?;
        }
    }
    let is_well = report.is_whole() && !(args.check && report.changed > 0);
    if !report.is_whole() && !is_json {
        complain("error: the history is damaged, so this is not all that was decided");
        complain("next:  `swiftdeploy audit verify` tells what is wrong with it");
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What says nothing together is refused, not passed over.
fn fits(args: &ReplayArgs) -> Result<(), Failure> {
    if args.engine == EngineArg::Opa && args.data.is_some() {
        return Err(Failure::new(
            "a running OPA decides by the data.json that it has loaded, so --data cannot be asked of it",
            "leave out --engine opa; or start an OPA on a folder with that data.json and name both: --policies DIR --at ADDRESS:PORT",
        ));
    }
    if args.engine == EngineArg::Embedded && args.at.is_some() {
        return Err(Failure::new(
            "--at names an OPA, and the embedded engine is asked",
            "say --engine opa too",
        ));
    }
    Ok(())
}

fn tell(event: &ReplayEvent, is_json: bool, paint: Paint) -> std::io::Result<()> {
    match event {
        ReplayEvent::Changed(changed) if is_json => {
            let mut told = serde_json::to_value(changed).unwrap_or_default();
            if let Value::Object(fields) = &mut told {
                fields.insert("event".to_owned(), json!("changed"));
            }
            line(&told.to_string())
        }
        ReplayEvent::Changed(changed) => changed_lines(changed, paint).iter().try_for_each(|text| line(text)),
        ReplayEvent::Unreadable(reason) if is_json => {
            line(&json!({"event": "unreadable", "reason": reason}).to_string())
        }
        ReplayEvent::Unreadable(reason) => {
            complain(&format!("unreadable: {reason}"));
            Ok(())
        }
    }
}

fn report_json(report: &ReplayReport) -> Value {
    let mut told = serde_json::to_value(report).unwrap_or_default();
    if let Value::Object(fields) = &mut told {
        fields.insert("event".to_owned(), json!("replayed"));
        fields.insert("whole".to_owned(), json!(report.is_whole()));
    }
    told
}
