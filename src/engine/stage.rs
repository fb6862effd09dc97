//! Where an operation stands: the manifest as it is now, the session for it,
//! the stack it means and what really runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::Context;
use super::core::Core;
use super::faults;
use super::halt::Halt;
use super::probe::Prober;
use super::session::Session;
use crate::domain::stack::{ContainerSpec, Role, Stack};
use crate::domain::{Mode, Release, Routes, Slot, Target};
use crate::manifest::{Document, Manifest, Service};
use crate::render;
use crate::runtime::{
    Health, ImagePresence, Instance, Observed, ProxyConfigSource, RuntimeError, StackFiles,
};

/// How long a single health question may take.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(2);

/// Everything an operation on a stack needs.
pub(super) struct Stage {
    pub(super) document: Document,
    pub(super) session: Session,
    pub(super) stack: Stack,
    pub(super) files: StackFiles,
    pub(super) observed: Observed,
    pub(super) prober: Prober,
    /// The service as the release that is moved was declared: a rollback goes back
    /// to one of another time, with another name, port or health check.
    pub(super) services: Service,
    /// The longest time that the proxy gives a request that may be under way.
    pub(super) longest_request: Duration,
    /// The routes at the first look, and when that was over.
    at_first: (Option<Routes>, Instant),
}

/// What it means that an image is not present: on the local target the image
/// is a program.
pub(super) fn absent(target: Target, image: &str, detail: String) -> RuntimeError {
    match target {
        Target::Local => RuntimeError::ProgramAbsent { detail },
        Target::Docker => RuntimeError::ImageAbsent { image: image.into(), detail },
    }
}

/// What the runtime gives to proxy and policy engine, for a manifest.
pub(super) fn stack_files(core: &Core, manifest: &Manifest) -> Result<StackFiles, Halt> {
    let shared = Arc::new(manifest.clone());
    Ok(StackFiles {
        policies: core.project.policies(),
        policy_config: render::opa_files(manifest)?,
        proxy: ProxyConfigSource::new(render::proxy_rules(manifest), move |routes, abilities, servers| {
            render::nginx_conf_for(&shared, routes, abilities, servers).map_err(|error| error.to_string())
        }),
    })
}

/// The longest `nginx.proxy_timeout` under which a request that is under way may
/// have come: an edit counts only for those after it.
pub(super) fn longest_request(core: &Core, declared: &Manifest) -> Duration {
    let timeout = |text: String| {
        let document = Document::parse(core.project.manifest(), text).ok()?;
        Some(document.manifest().nginx.proxy_timeout)
    };
    let earlier = core.journal.served_under().into_iter().filter_map(timeout);
    earlier.fold(declared.nginx.proxy_timeout, Duration::max)
}

/// What runs. An instance that was asked to stop is no place to go to, even if the
/// operation that asked was cut off and a health check calls it well.
async fn look(core: &Core, session: &Session) -> Result<Observed, RuntimeError> {
    let mut observed = session.runtime.observe().await?;
    if let Some(asked) = core.journal.asked_to_stop() {
        unfit(&mut observed, &asked);
    }
    Ok(observed)
}

fn unfit(observed: &mut Observed, asked_to_stop: &str) {
    for instance in &mut observed.instances {
        if instance.id == asked_to_stop && !matches!(instance.health, Health::Exited(_)) {
            instance.health = Health::Unhealthy("it was asked to stop".into());
        }
    }
}

impl Stage {
    /// Reads the manifest and looks at what runs.
    pub(super) async fn of(context: &Context) -> Result<Self, Halt> {
        let document = context.core.document()?;
        Self::by(context, document).await
    }

    /// As the stack was last changed, whatever was edited in the manifest
    /// since: a rollback must not depend on unfinished edits, nor apply them.
    pub(super) async fn as_deployed(context: &Context) -> Result<Self, Halt> {
        match context.core.deployed_document() {
            Some(document) => Self::by(context, document).await,
            None => Self::of(context).await,
        }
    }

    async fn by(context: &Context, document: Document) -> Result<Self, Halt> {
        let core = &context.core;
        let session = core.session(document.manifest()).await?;
        let observed = look(core, &session).await?;
        let at_first = (observed.routes.clone(), core.clock.instant());
        faults::look_at_all(core, &observed).await;
        let longest_request = longest_request(core, document.manifest());
        let stack = render::stack(document.manifest());
        let files = stack_files(core, document.manifest())?;
        let services = document.manifest().services.clone();
        let prober = Prober::new(QUESTION_TIMEOUT);
        Ok(Self { document, session, stack, files, observed, prober, services, longest_request, at_first })
    }

    pub(super) fn manifest(&self) -> &Manifest {
        self.document.manifest()
    }

    /// Since when, at the latest, the proxy leads no new request to a slot; `None`
    /// where that was not so from the beginning.
    pub(super) fn away_since(&self, slot: Slot) -> Option<Instant> {
        let (routes, when) = &self.at_first;
        routes.as_ref().is_some_and(|routes| routes.percent(slot) == 0).then_some(*when)
    }

    /// Looks again at what runs.
    pub(super) async fn refresh(&mut self, core: &Core) -> Result<(), Halt> {
        self.observed = look(core, &self.session).await?;
        Ok(())
    }

    /// Whether the policy engine of this stack has still to be made.
    pub(super) fn starts_policy_engine(&self) -> bool {
        let has_one = self.stack.containers.iter().any(|container| container.role == Role::Policy);
        let runs = self.observed.instances.iter().any(|instance| instance.role == Role::Policy);
        self.session.runtime.target() == Target::Docker && has_one && !runs
    }

    /// What a release needs to run in a slot, by a manifest: environment,
    /// limits, and on the local target its program.
    pub(super) fn app_spec(&self, manifest: &Manifest, slot: Slot, release: &Release) -> ContainerSpec {
        let mut spec = render::app_container(manifest, slot, release.mode, &release.image, &release.version);
        if self.session.runtime.target() == Target::Local {
            spec.command = manifest.services.command.clone().unwrap_or_default();
        }
        spec
    }

    /// Whether a slot runs exactly this release already and is well, so that the
    /// traffic can go there without a start.
    pub(super) fn is_ready(&self, slot: Slot, release: &Release, spec: &ContainerSpec) -> bool {
        self.observed.in_slot(slot).is_some_and(|instance| {
            instance.release.as_ref() == Some(release)
                && instance.health == Health::Healthy
                && instance.spec.as_deref() == Some(spec.hash().as_str())
        })
    }

    /// The slot that serves and what runs in it. Where no routes are known but
    /// a single release runs, that is the one.
    pub(super) fn live(&self) -> Option<(Slot, Release)> {
        let slot = self.observed.live_slot().or_else(|| match self.running()[..] {
            [only] => Some(only),
            _ => None,
        })?;
        let instance = self.observed.in_slot(slot)?;
        instance.release.clone().map(|release| (slot, release))
    }

    /// The slots in which something runs.
    fn running(&self) -> Vec<Slot> {
        let runs = |slot: &Slot| {
            self.observed.in_slot(*slot).is_some_and(|instance| !matches!(instance.health, Health::Exited(_)))
        };
        Slot::ALL.into_iter().filter(runs).collect()
    }

    /// What runs beside the live slot, if it runs.
    pub(super) fn beside(&self, live: Slot) -> Option<&Instance> {
        self.observed.in_slot(live.other()).filter(|instance| !matches!(instance.health, Health::Exited(_)))
    }

    /// The canary that runs, wherever the traffic goes.
    pub(super) fn running_canary(&self) -> Option<(Slot, &Instance)> {
        self.observed.instances.iter().find_map(|instance| match instance.role {
            Role::App { slot, mode: Mode::Canary } if !matches!(instance.health, Health::Exited(_)) => {
                Some((slot, instance))
            }
            _ => None,
        })
    }

    /// The slot that a new release starts in: never the one that serves. With
    /// both slots running and nobody to tell which serves, there is none.
    pub(super) fn free_slot(&self) -> Result<Slot, Halt> {
        if let Some((slot, _)) = self.live() {
            return Ok(slot.other());
        }
        match self.running()[..] {
            [] => Ok(Slot::Blue),
            [only] => Ok(only.other()),
            _ => Err(Halt::failed(
                "both slots run, and no proxy tells which of them serves",
                "bring the proxy back (`swiftdeploy logs proxy` says why it ended), or `swiftdeploy teardown`",
            )),
        }
    }

    /// The release that an image and a version mean in a mode, with the exact
    /// content that the name stands for now.
    pub(super) async fn release(&self, image: &str, version: &str, mode: Mode) -> Result<Release, Halt> {
        match self.session.runtime.image(image).await? {
            ImagePresence::Present(image_id) => {
                Ok(Release { image: image.into(), image_id, version: version.into(), mode })
            }
            ImagePresence::Absent(detail) => Err(absent(self.session.runtime.target(), image, detail).into()),
        }
    }

    /// The service name of a slot, `app-green`.
    pub(super) fn service(&self, slot: Slot) -> String {
        format!("{}-{slot}", self.services.name)
    }
}

/// One line about what serves, for the end of an operation that stopped.
pub(super) async fn state_line(core: &Core) -> String {
    let Ok(document) = core.document() else {
        return "the running stack was not touched".into();
    };
    let Ok(session) = core.session(document.manifest()).await else {
        return "nothing was changed: the target could not be reached".into();
    };
    let Ok(observed) = session.runtime.observe().await else {
        return "what runs could not be asked; see `swiftdeploy status --once`".into();
    };
    let name = &document.manifest().services.name;
    match observed.live_slot().and_then(|slot| observed.in_slot(slot).map(|instance| (slot, instance))) {
        Some((slot, instance)) => {
            let release = instance.release.as_ref();
            let what = release
                .map_or_else(String::new, |release| format!(" ({} {})", release.mode, release.version));
            match &instance.health {
                Health::Exited(_) => format!("{name}-{slot}{what} has the traffic but does not run"),
                _ => format!("{name}-{slot}{what} serves the traffic"),
            }
        }
        None => "nothing serves".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stable(id: &str, health: Health) -> Instance {
        Instance {
            id: id.into(),
            service: "app-blue".into(),
            role: Role::App { slot: Slot::Blue, mode: Mode::Stable },
            release: None,
            health,
            started_at: None,
            endpoint: None,
            restarts: 0,
            oom_killed: false,
            spec: None,
            usage: None,
        }
    }

    #[test]
    fn what_was_asked_to_stop_is_not_well_whatever_its_health_check_says() {
        let exited = Health::Exited(Some(0));
        let instances =
            vec![stable("a", Health::Healthy), stable("b", Health::Healthy), stable("a", exited.clone())];
        let mut observed = Observed { instances, ..Observed::default() };
        unfit(&mut observed, "a");
        let health: Vec<_> = observed.instances.into_iter().map(|instance| instance.health).collect();
        assert_eq!(health, [Health::Unhealthy("it was asked to stop".into()), Health::Healthy, exited]);
    }
}
