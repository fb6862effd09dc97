//! What can go wrong with a runtime, said so that a person can act.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use super::Instance;

/// A runtime could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// No engine answers.
    #[error("no Docker daemon answers at {address}: {reason}")]
    EngineAbsent {
        /// Where it was looked for.
        address: String,
        /// The cause.
        reason: String,
    },
    /// The engine answers but not to us.
    #[error("the Docker daemon at {address} refuses: {reason}")]
    EngineRefuses {
        /// Where.
        address: String,
        /// The cause.
        reason: String,
    },
    /// The engine speaks only versions that are too old.
    #[error("the Docker daemon speaks API {found}, at least {needed} is needed")]
    EngineTooOld {
        /// What it speaks.
        found: String,
        /// What is needed.
        needed: String,
    },
    /// The engine runs on another machine, where nothing can be asked.
    #[error(
        "the Docker daemon at {address} runs on {host}, where health and metrics of a release cannot be \
         read from here"
    )]
    EngineOutOfReach {
        /// Where the daemon was reached.
        address: String,
        /// The machine, as the daemon names it.
        host: String,
    },
    /// An image is not there.
    #[error("image {image} is not present: {detail}")]
    ImageAbsent {
        /// Its name.
        image: String,
        /// What the target tells.
        detail: String,
    },
    /// The program of the local target is not there.
    #[error("the service's program cannot be started: {detail}")]
    ProgramAbsent {
        /// What was looked for, and where.
        detail: String,
    },
    /// An image could not be pulled.
    #[error("image {image} could not be pulled: {reason}")]
    PullFailed {
        /// Its name.
        image: String,
        /// The cause.
        reason: String,
    },
    /// The public port is taken.
    #[error("port {port} is taken by {owner}")]
    PortTaken {
        /// The port.
        port: u16,
        /// By whom.
        owner: String,
    },
    /// The public port cannot be had, though nobody has it.
    #[error("{reason}")]
    PortUnusable {
        /// Why not.
        reason: String,
        /// What to do.
        next: &'static str,
    },
    /// Something of the stack cannot be made: its name is taken.
    #[error("there is a {kind} {name} that is not this project's but {owner}")]
    NameTaken {
        /// `network`, …
        kind: &'static str,
        /// Its name.
        name: String,
        /// Whose it is.
        owner: String,
        /// What in the manifest would avoid it.
        key: &'static str,
    },
    /// The proxy does not accept a configuration; the old one keeps serving.
    #[error("the proxy refuses the configuration: {reason}")]
    ProxyRefused {
        /// In the proxy's words.
        reason: String,
    },
    /// The proxy did not start to serve a configuration that it accepted.
    #[error("the proxy does not serve generation {wanted} after {waited:?}; it serves {served}")]
    NotServed {
        /// The generation asked for.
        wanted: String,
        /// The generation found.
        served: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The proxy runs but does not tell what it serves, which must not be taken
    /// for "nothing": what gets the traffic could be replaced.
    #[error("reading what the proxy serves: {reason}")]
    ProxySilent {
        /// What it does instead.
        reason: String,
        /// Everything of the project, the proxy as unhealthy; empty where that
        /// was not asked.
        seen: Vec<Instance>,
    },
    /// Something did not start.
    #[error("{service} did not start: {reason}")]
    StartFailed {
        /// Its name.
        service: String,
        /// The cause, with the last lines of its log.
        reason: String,
    },
    /// There is no such service.
    #[error("there is no service {service}; there is {known}")]
    UnknownService {
        /// The name asked for.
        service: String,
        /// The names that exist.
        known: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The engine refused a call.
    #[error("{doing}: {reason}")]
    Engine {
        /// What was being done.
        doing: String,
        /// In the engine's words.
        reason: String,
    },
}

impl RuntimeError {
    /// What a person can do about it.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            Self::EngineAbsent { .. } => {
                "start Docker, set DOCKER_HOST, or use --target local, which needs nothing installed".into()
            }
            Self::EngineRefuses { .. } => {
                "check the permissions of the socket (group docker) or use --target local".into()
            }
            Self::EngineTooOld { .. } => "update Docker to 20.10 or later".into(),
            Self::EngineOutOfReach { .. } => "run swiftdeploy on that machine (a forwarded socket, as with \
                 `ssh -L`, leads to the daemon and not to its containers), or use --target local"
                .into(),
            Self::ImageAbsent { image, .. } => {
                format!(
                    "build or load it, `docker pull {image}`, or allow it with `pull: missing` in the manifest"
                )
            }
            Self::ProgramAbsent { .. } => "install it, or correct services.command in the manifest".into(),
            Self::PullFailed { .. } => "check the image's name and the registry's reachability".into(),
            Self::PortTaken { .. } => "stop the owner or change nginx.port in the manifest".into(),
            Self::PortUnusable { next, .. } => (*next).into(),
            Self::NameTaken { kind, key, .. } => {
                format!("change {key} in the manifest, or remove the {kind} if nobody needs it")
            }
            Self::ProxyRefused { .. } => {
                "the old configuration keeps serving; correct the manifest and repeat".into()
            }
            Self::NotServed { .. } => "look at `swiftdeploy logs proxy`, then repeat".into(),
            Self::ProxySilent { .. } => {
                "wake the proxy (`docker unpause`, `kill -CONT`) or end it, then repeat; \
                 the next deploy starts one that ended"
                    .into()
            }
            // Its log went with it where it was removed again: the reason has the end.
            Self::StartFailed { .. } => "correct what the reason says, then repeat".into(),
            Self::UnknownService { .. } => "see `swiftdeploy status --once`".into(),
            Self::File { source, .. }
                if matches!(source.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
            {
                "the file is damaged: bring it back as it was, or run `swiftdeploy teardown`, then deploy"
                    .into()
            }
            Self::File { .. } => "check permissions and free space".into(),
            Self::Engine { .. } => "see `swiftdeploy doctor`".into(),
        }
    }
}
