//! `policy`: ask a gate, explain its decision, replay the recorded ones, run
//! the Rego tests.

mod explain;
mod replay;

use std::process::ExitCode;

use serde_json::json;

use super::super::args::{Common, PolicyCommand};
use super::super::failure::Failure;
use super::super::open;
use super::super::print::{Paint, complain, line, verdict};
use crate::policy::check;
use crate::policy::testing::{TestOutcome, run_tests};
use crate::policy::{Decision, Verdict};

/// Does what is asked of the policies.
pub(in super::super) async fn run(common: &Common, command: PolicyCommand) -> Result<ExitCode, Failure> {
    match command {
        PolicyCommand::Ask { gate } => {
            let decision = ask(common, &gate).await?;
            let paint = Paint::detect(common.no_color);
            if common.json {
                line(&json!({"event": "decision", "decision": decision}).to_string())?;
            } else {
                line(&format!("{}: {}", decision.gate, verdict(&decision, paint)))?;
                for reason in reasons(&decision) {
                    line(&format!("  - {reason}"))?;
                }
            }
            Ok(exit_code(&decision))
        }
        PolicyCommand::Explain { gate: _, seq: Some(seq) } => explain::recorded(common, seq).await,
        PolicyCommand::Explain { gate, seq: None } => explain::now(common, &gate.unwrap_or_default()).await,
        PolicyCommand::Replay(args) => replay::run(common, args).await,
        PolicyCommand::Test => test(common),
    }
}

async fn ask(common: &Common, gate: &str) -> Result<Decision, Failure> {
    let target = open::target(common).await?;
    let engine = open::engine(common, target)?;
    Ok(engine.ask_gate(gate).await?)
}

fn reasons(decision: &Decision) -> Vec<String> {
    match &decision.fault {
        Some(fault) => vec![fault.to_string(), format!("next: {}", fault.next_step())],
        None => decision.reasons.clone(),
    }
}

fn exit_code(decision: &Decision) -> ExitCode {
    match decision.verdict {
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::from(2),
        Verdict::Inconclusive => ExitCode::from(3),
    }
}

fn test(common: &Common) -> Result<ExitCode, Failure> {
    let project = open::project(common)?;
    let report =
        run_tests(&project.policies()).map_err(|fault| Failure::new(fault.to_string(), fault.next_step()))?;
    let paint = Paint::detect(common.no_color);
    let mut failed = 0;
    for case in &report.cases {
        let (word, why) = match &case.outcome {
            TestOutcome::Passed => (paint.good("PASS"), String::new()),
            TestOutcome::Failed { reason } | TestOutcome::Broken { reason } => {
                failed += 1;
                (paint.bad("FAIL"), format!(": {reason}"))
            }
        };
        let is_passed = case.outcome == TestOutcome::Passed;
        if common.json {
            line(&json!({"event": "test", "at": case.at, "package": case.package, "name": case.name, "passed": is_passed}).to_string())?;
        } else {
            line(&format!("{word}  {}.{}{why}  ({})", case.package, case.name, case.at))?;
        }
    }
    let passed = report.cases.len() - failed;
    if common.json {
        line(
            &json!({"event": "tested", "passed": passed, "failed": failed, "revision": report.revision})
                .to_string(),
        )?;
    } else {
        line(&format!("{passed} passed, {failed} failed (revision {})", report.revision))?;
    }
    complain(if check::opa_on_path(std::env::var_os("PATH").as_deref()).is_some() {
        "note: `swiftdeploy validate` asks the `opa` on the path too"
    } else {
        check::UNJUDGED
    });
    Ok(if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
