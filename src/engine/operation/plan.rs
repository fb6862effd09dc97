//! `plan`: what `deploy` would do. Changes nothing.

use super::super::context::Context;
use super::super::event::{Event, OperationEvent, PlanReport};
use super::super::gate;
use super::super::halt::Halt;
use super::super::stage::Stage;
use super::deploy::refuse_over_canary;
use super::init;
use crate::manifest::GatePoint;
use crate::render;

pub(super) async fn run(context: &Context) -> Result<String, Halt> {
    let mut stage =
        context.step("look at what runs", async |_| Ok((Stage::of(context).await?, String::new()))).await?;
    stage.refresh().await?;
    refuse_over_canary(&stage)?;
    let manifest = stage.manifest();
    let files = init::compare(context.core.project.root(), &render::declared(manifest)?);
    let service = &manifest.services;
    let mut start = vec![format!(
        "{}: {} {} {}",
        stage.service(stage.free_slot()?),
        service.image,
        service.version,
        service.mode
    )];
    if stage.observed.proxy().is_none() {
        start.push("the proxy".into());
    }
    let stop = stage.live().map(|(slot, release)| {
        format!("{}: {} {} {}", stage.service(slot), release.image, release.version, release.mode)
    });
    let host = stage.session.runtime.host_facts().await;
    let input = super::super::facts::infra(&host, manifest, context.core.clock.wall());
    let mut decisions = Vec::new();
    for package in gate::packages(manifest, GatePoint::Deploy) {
        decisions.push(
            context
                .step(&format!("ask {package}"), async |_| {
                    let decision = stage.session.policy.ask(&package, &input).await;
                    let verdict = decision.verdict.to_string();
                    Ok((decision, verdict))
                })
                .await?,
        );
    }
    for decision in &decisions {
        context.record_decision(decision).await?;
    }
    let would_pass = decisions.iter().all(|decision| decision.allow);
    let plan = PlanReport { files, start, stop: stop.into_iter().collect(), decisions };
    context.core.tell(Event::Operation(OperationEvent::Planned { id: context.id.clone(), plan }));
    Ok(if would_pass {
        "the policies would let it through".into()
    } else {
        "the policies would not let it through".into()
    })
}
