//! `logs`: lines of a service's log.

use std::io;
use std::process::ExitCode;

use serde_json::json;

use super::super::args::Common;
use super::super::failure::Failure;
use super::super::open;
use super::super::print::{clean, line};
use super::super::signals::Signals;
use crate::domain::stack::Role;
use crate::engine::StateEvent;
use crate::runtime::LogRequest;

/// Prints a log; with `follow` until a signal.
pub(in super::super) async fn run(
    common: &Common,
    name: Option<String>,
    follow: bool,
    tail: usize,
) -> Result<ExitCode, Failure> {
    let target = open::target(common).await?;
    let engine = open::engine(common, target)?;
    let service = match name {
        Some(name) => name,
        None => live_service(&engine).await?,
    };
    let mut lines = engine
        .logs(LogRequest { service: service.clone(), tail, follow })
        .await
        .map_err(|error| Failure::new(error, "see `swiftdeploy status --once` for the names"))?;
    let mut signals = Signals::listen()?;
    loop {
        let received = tokio::select! {
            received = lines.recv() => received,
            () = signals.next() => None,
        };
        let Some(received) = received else { break };
        let text = if common.json {
            json!({"event": "log", "service": service, "stderr": received.is_stderr, "text": received.text})
                .to_string()
        } else {
            clean(&received.text)
        };
        match line(&text) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            outcome => outcome?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The service that has the traffic.
async fn live_service(engine: &crate::engine::Engine) -> Result<String, Failure> {
    engine.looker(None).look().await;
    let snapshot = engine.snapshot();
    let slot = snapshot.iter().find_map(|event| match event {
        StateEvent::Live(live) => live.slot,
        _ => None,
    });
    // By the name that it was started with, whatever the manifest says by now.
    let service = snapshot.iter().find_map(|event| match event {
        StateEvent::Instances(instances) => instances
            .iter()
            .find(|instance| matches!(instance.role, Role::App { slot: at, .. } if Some(at) == slot))
            .map(|instance| instance.service.clone()),
        _ => None,
    });
    service.ok_or_else(|| {
        Failure::new("nothing serves whose log could be shown", "name a service, or run `swiftdeploy deploy`")
    })
}
