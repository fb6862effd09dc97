//! `plan`: what `deploy` would do. Changes nothing.

use super::super::context::Context;
use super::super::event::{Event, OperationEvent, PlanReport};
use super::super::gate;
use super::super::generate;
use super::super::halt::Halt;
use super::super::stage::Stage;
use super::deploy::refuse_over_canary;
use super::validate::keeps_none_warm;
use crate::manifest::GatePoint;
use crate::render;

pub(super) async fn run(context: &Context) -> Result<String, Halt> {
    let mut stage =
        context.step("look at what runs", async |_| Ok((Stage::of(context).await?, String::new()))).await?;
    stage.refresh(&context.core).await?;
    refuse_over_canary(&stage)?;
    let manifest = stage.manifest();
    let files = generate::compare(context.core.project.root(), &render::declared(manifest)?);
    let service = &manifest.services;
    let beside = keeps_none_warm(manifest, Some(&stage.observed));
    let mut start = vec![format!(
        "{}: {} {} {}{}",
        stage.service(stage.free_slot()?),
        service.image,
        service.version,
        service.mode,
        beside.map(|told| format!("; {told}")).unwrap_or_default()
    )];
    if stage.observed.proxy().is_none() {
        start.push("the proxy".into());
    }
    let replacements = stage.session.runtime.replacements(&stage.stack).await?;
    let replace = replacements.iter().map(ToString::to_string).collect();
    let stop = stage.live().map(|(slot, release)| {
        format!("{}: {} {} {}", stage.service(slot), release.image, release.version, release.mode)
    });
    let host = stage.session.runtime.host_facts().await;
    let input = super::super::facts::infra(&host, manifest, context.core.clock.wall());
    let mut decisions = Vec::new();
    let can_be_asked = !stage.starts_policy_engine();
    if !can_be_asked {
        start.push("opa".into());
        context.notice("the policies cannot be asked yet: deploy starts Open Policy Agent first, then asks");
    }
    for package in gate::packages(manifest, GatePoint::Deploy).into_iter().filter(|_| can_be_asked) {
        let (decision, ()) = context
            .gate_step(&format!("gate {package}"), async |_| {
                let decision = stage.session.policy.ask(&package, &input).await;
                let line = gate::told(&decision);
                Ok(((decision, ()), line))
            })
            .await?;
        decisions.push(decision);
    }
    for decision in &decisions {
        context.record_decision(decision).await?;
    }
    let would_pass = decisions.iter().all(|decision| decision.allow);
    let plan = PlanReport { files, start, replace, stop: stop.into_iter().collect(), decisions };
    context.core.tell(Event::Operation(OperationEvent::Planned { id: context.id.clone(), plan }));
    Ok(match (can_be_asked, would_pass) {
        (false, _) => "what the policies say is known once deploy has started Open Policy Agent".into(),
        (true, true) => "the policies would let it through".into(),
        (true, false) => "the policies would not let it through".into(),
    })
}
