//! What a manifest needs to be acted on: the runtime of its target and the
//! policy engine that it names. Made anew when the manifest changes in a way
//! that matters to them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::project::Project;
use crate::clock::SharedClock;
use crate::domain::Target;
use crate::manifest::{EngineKind, Health, Manifest};
use crate::policy::{EmbeddedEngine, OpaEngine, PolicyEngine};
use crate::runtime::docker::{DockerOptions, DockerRuntime};
use crate::runtime::local::{LocalOptions, LocalRuntime};
use crate::runtime::{Runtime, RuntimeError};

/// A runtime and a policy engine that belong together.
#[derive(Clone)]
pub struct Session {
    /// Where releases run.
    pub runtime: Arc<dyn Runtime>,
    /// Who decides.
    pub policy: Arc<dyn PolicyEngine>,
}

/// The parts of a manifest that a session is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionKey {
    target: Target,
    project: String,
    command: Option<Vec<String>>,
    health: Health,
    service_port: u16,
    engine: EngineKind,
    policy_port: u16,
    policy_timeout: Duration,
}

impl SessionKey {
    /// What matters of a manifest on a target.
    #[must_use]
    pub fn of(manifest: &Manifest, target: Target) -> Self {
        Self {
            target,
            project: manifest.project.clone(),
            command: manifest.services.command.clone(),
            health: manifest.services.health.clone(),
            service_port: manifest.services.port,
            engine: engine_kind(manifest, target),
            policy_port: manifest.policy.port,
            policy_timeout: manifest.policy.timeout,
        }
    }
}

/// Which engine decides: what the manifest says, else the target's own. Never
/// one as a stand-in for the other.
#[must_use]
pub fn engine_kind(manifest: &Manifest, target: Target) -> EngineKind {
    manifest.policy.engine.unwrap_or(match target {
        Target::Docker => EngineKind::Opa,
        Target::Local => EngineKind::Embedded,
    })
}

/// Makes sessions. The real one reaches Docker or this machine; tests bring
/// their own.
#[async_trait]
pub trait Assemble: Send + Sync {
    /// Makes a session; fails when the target's engine cannot be reached.
    async fn assemble(
        &self,
        manifest: &Manifest,
        project: &Project,
        target: Target,
    ) -> Result<Session, RuntimeError>;
}

/// Makes sessions with the real parts.
pub struct RealParts {
    /// The clock for everything.
    pub clock: SharedClock,
    /// The executable that the local target starts again for proxy and
    /// service.
    pub program: PathBuf,
    /// `DOCKER_HOST`, where set.
    pub docker_host: Option<String>,
}

#[async_trait]
impl Assemble for RealParts {
    async fn assemble(
        &self,
        manifest: &Manifest,
        project: &Project,
        target: Target,
    ) -> Result<Session, RuntimeError> {
        let runtime: Arc<dyn Runtime> = match target {
            Target::Docker => Arc::new(
                DockerRuntime::connect(DockerOptions {
                    project: manifest.project.clone(),
                    host: self.docker_host.clone(),
                    service_port: manifest.services.port,
                    clock: Arc::clone(&self.clock),
                })
                .await?,
            ),
            Target::Local => Arc::new(LocalRuntime::new(LocalOptions {
                project: manifest.project.clone(),
                folder: project.root().to_owned(),
                state_dir: project.state_file("local"),
                program: self.program.clone(),
                command: manifest.services.command.clone(),
                health_path: manifest.services.health.path.clone(),
                health_timeout: manifest.services.health.timeout,
                health_retries: manifest.services.health.retries,
                health_wait: manifest.services.health.wait,
                clock: Arc::clone(&self.clock),
            })?),
        };
        let policy: Arc<dyn PolicyEngine> = match engine_kind(manifest, target) {
            EngineKind::Opa => Arc::new(OpaEngine::new(
                SocketAddr::from((Ipv4Addr::LOCALHOST, manifest.policy.port)),
                manifest.policy.timeout,
                project.policies(),
                Arc::clone(&self.clock),
            )),
            EngineKind::Embedded => Arc::new(EmbeddedEngine::new(
                project.policies(),
                manifest.policy.timeout,
                Arc::clone(&self.clock),
            )),
        };
        Ok(Session { runtime, policy })
    }
}
