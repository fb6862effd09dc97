//! Starting and ending releases.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use super::ending::Family;
use super::logs::last_words;
use super::os::{self, ProcessId};
use super::program::{self, SERVICE_ARGS};
use super::record::{ProcessRecord, new_token, service_token};
use super::spawn::{Launch, launch};
use super::{PROXY, Shared};
use crate::domain::stack::{ContainerSpec, Role, env as variable};
use crate::domain::{Release, Slot};
use crate::runtime::{Health, ImagePresence, Instance, RuntimeError};

/// How often a start is tried when somebody takes the port first.
const ATTEMPTS: usize = 5;

/// How long a start is watched: a program that cannot serve ends soon. One
/// that listens earlier is not watched any longer.
const SETTLE: Duration = Duration::from_secs(1);

const POLL: Duration = Duration::from_millis(10);

/// Lines of the log that explain a failed start.
const LAST_WORDS: usize = 5;

/// What the start of a release came to.
enum Outcome {
    Runs(Box<ProcessRecord>),
    PortTaken(String),
}

impl Shared {
    /// The program that releases are made of.
    pub fn program_presence(&self) -> ImagePresence {
        match &self.options.command {
            None => program::presence(&self.options.program.to_string_lossy(), &self.options.folder),
            Some(command) => match command.first() {
                Some(program) => program::presence(program, &self.options.folder),
                None => ImagePresence::Absent("services.command is empty".into()),
            },
        }
    }

    /// Replaces what is in the spec's slot by a new process.
    pub async fn start_release(
        &self,
        spec: &ContainerSpec,
        image_id: Option<&str>,
    ) -> Result<Instance, RuntimeError> {
        let failed = |reason: String| RuntimeError::StartFailed { service: spec.service.clone(), reason };
        let Role::App { slot, .. } = spec.role else {
            return Err(failed("only a release can be started in a slot".into()));
        };
        let argv = self.argv(&spec.command).map_err(failed)?;
        self.layout.create()?;
        self.clear(slot, &spec.service).await?;

        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match self.start_once(spec, slot, image_id, &argv).await? {
                Outcome::PortTaken(words) => last = words,
                Outcome::Runs(record) => {
                    self.refresh_upstreams(slot, None).await?;
                    return Ok(Self::instance(&record, Health::Starting));
                }
            }
        }
        Err(failed(format!("its port was taken by somebody else {ATTEMPTS} times; its last words: {last}")))
    }

    async fn start_once(
        &self,
        spec: &ContainerSpec,
        slot: Slot,
        image_id: Option<&str>,
        argv: &[String],
    ) -> Result<Outcome, RuntimeError> {
        let port = free_port().map_err(|error| RuntimeError::StartFailed {
            service: spec.service.clone(),
            reason: format!("no free port: {error}"),
        })?;
        let env = environment(spec, port);
        let mut record = ProcessRecord {
            service: spec.service.clone(),
            slot: Some(slot),
            release: Some(release(spec, image_id)),
            command: argv.to_vec(),
            token: new_token(&self.layout, &spec.service),
            process: None,
            boot: os::boot(),
            port,
            spec: Some(spec.hash()),
            started_at: self.options.clock.wall(),
            stop_grace_ms: u64::try_from(spec.stop_grace.as_millis()).unwrap_or(u64::MAX),
        };
        let log = self.layout.log(&spec.service);
        let before = self.log_length(&spec.service);
        let id = self.spawn(&mut record, &env, &self.options.folder)?;
        let settled = async {
            while os::is_alive(id) && !Self::listens(&record, port) {
                tokio::time::sleep(POLL).await;
            }
        };
        // Neither ended nor listening in time is fine: readiness is asked later.
        let _ = tokio::time::timeout(SETTLE, settled).await;
        if os::is_alive(id) {
            return Ok(Outcome::Runs(Box::new(record)));
        }

        // Asked before the process is forgotten.
        let code = self.children.ended(id).await;
        let words = last_words(&log, before, LAST_WORDS);
        let is_taken = says_taken(&words) || !os::listeners(port).is_empty();
        self.end_service(&spec.service, Duration::ZERO).await?;
        if is_taken {
            return Ok(Outcome::PortTaken(words));
        }
        let code = code.map_or_else(String::new, |code| format!(" with code {code}"));
        let words = if words.is_empty() { "it said nothing".into() } else { words };
        Err(RuntimeError::StartFailed {
            service: spec.service.clone(),
            reason: format!("it exited at once{code}: {words}"),
        })
    }

    /// Writes the intent, starts the process, completes the record.
    pub fn spawn(
        &self,
        record: &mut ProcessRecord,
        env: &BTreeMap<String, String>,
        folder: &std::path::Path,
    ) -> Result<ProcessId, RuntimeError> {
        self.records.put(record)?;
        let log = self.layout.log(&record.service);
        let launched =
            launch(&Launch { argv: &record.command, env, folder, log: &log, token: &record.token });
        let (child, id) = match launched {
            Ok(launched) => launched,
            Err(error) => {
                self.records.remove(&record.service)?;
                let program = record.command.first().map_or("", String::as_str);
                return Err(RuntimeError::StartFailed {
                    service: record.service.clone(),
                    reason: format!("{program}: {error}"),
                });
            }
        };
        self.children.adopt(child, id);
        record.process = Some(id);
        // If this fails the intent stays, and its token finds the process.
        self.records.put(record)?;
        Ok(id)
    }

    /// Ends what is in a slot; the proxy stops sending requests there first.
    pub async fn stop_slot(&self, slot: Slot, grace: Duration) -> Result<(), RuntimeError> {
        let Some(record) = self.records.in_slot(slot)? else { return Ok(()) };
        self.refresh_upstreams(slot, Some(slot)).await?;
        self.end_service(&record.service, grace).await
    }

    /// Ends the process of a slot as a crash would: the record stays, so that
    /// it is seen to have ended. An empty slot is fine.
    pub async fn kill_slot(&self, slot: Slot) -> Result<(), RuntimeError> {
        let Some(record) = self.records.in_slot(slot)? else { return Ok(()) };
        let family = Family { token: &record.token, leader: record.living() };
        family.kill().await.map_err(not_ended(&record.service))
    }

    /// Ends a service with everything that it started, and forgets it. Works
    /// also with a record that cannot be read.
    pub async fn end_service(&self, service: &str, grace: Duration) -> Result<(), RuntimeError> {
        if let Ok(Some(record)) = self.records.get(service) {
            let family = Family { token: &record.token, leader: record.living() };
            family.stop(grace).await.map_err(not_ended(service))?;
            if let Some(id) = record.process {
                self.children.forget(id);
            }
        }
        let token = service_token(&self.layout, service);
        Family { token: &token, leader: None }.stop(grace).await.map_err(not_ended(service))?;
        self.records.remove(service)
    }

    /// Empties a slot, under whatever name it was filled.
    async fn clear(&self, slot: Slot, service: &str) -> Result<(), RuntimeError> {
        for name in self.records.services()? {
            match self.records.get(&name) {
                Ok(Some(record)) if record.slot == Some(slot) => {
                    self.end_service(&name, record.stop_grace()).await?;
                }
                _ => {}
            }
        }
        // Also what no record tells of.
        self.end_service(service, Duration::ZERO).await
    }

    /// What is started for a spec with this command: the user's own program,
    /// or the sample service where the spec names none. What today's manifest
    /// says does not count, or a rollback would start today's program under
    /// the old version's name.
    fn argv(&self, command: &[String]) -> Result<Vec<String>, String> {
        let (program, arguments): (&str, Vec<String>) = match command {
            [] => (&self.options.program.to_string_lossy(), SERVICE_ARGS.map(String::from).to_vec()),
            [program, arguments @ ..] => (program, arguments.to_vec()),
        };
        let program = program::find(program, &self.options.folder)?;
        Ok(std::iter::once(program.to_string_lossy().into_owned()).chain(arguments).collect())
    }

    /// Whether a release's own process listens on its port: somebody else may
    /// have taken it.
    fn listens(record: &ProcessRecord, port: u16) -> bool {
        let listeners = os::listeners(port);
        !listeners.is_empty() && {
            let family = os::family(&record.token, record.process);
            listeners.iter().any(|listener| family.iter().any(|id| Some(id.pid) == listener.pid))
        }
    }

    /// What is known of a release's process.
    pub fn instance(record: &ProcessRecord, health: Health) -> Instance {
        let has_ended = matches!(health, Health::Exited(_));
        let id = record.process.or_else(|| record.living());
        Instance {
            id: id.map_or_else(|| "-".into(), |id| id.to_string()),
            service: record.service.clone(),
            role: record.role(),
            release: record.release.clone(),
            health,
            started_at: Some(record.started_at),
            endpoint: (!has_ended && record.service != PROXY).then(|| loopback(record.port)),
            restarts: 0,
            oom_killed: false,
            spec: record.spec.clone(),
            usage: None,
        }
    }
}

/// Where a release listens.
pub fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn release(spec: &ContainerSpec, image_id: Option<&str>) -> Release {
    let mode = match spec.role {
        Role::App { mode, .. } => mode,
        Role::Proxy | Role::Policy => crate::domain::Mode::default(),
    };
    Release {
        image: spec.image.clone(),
        image_id: image_id.map(Into::into),
        version: spec.env.get(variable::VERSION).cloned().unwrap_or_default(),
        mode,
    }
}

fn environment(spec: &ContainerSpec, port: u16) -> BTreeMap<String, String> {
    let mut env = spec.env.clone();
    env.insert(variable::PORT.into(), port.to_string());
    // Only the proxy is for everybody. The sample service obeys it.
    env.insert("APP_BIND".into(), Ipv4Addr::LOCALHOST.to_string());
    env
}

/// The system gives each such port once before it comes round again, so two
/// starts at a time do not meet.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(loopback(0))?.local_addr()?.port())
}

/// Whether last words complain about the address, in the usual languages.
fn says_taken(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["address already in use", "address in use", "eaddrinuse", "addrinuse"]
        .iter()
        .any(|complaint| words.contains(complaint))
}

fn not_ended(service: &str) -> impl FnOnce(std::io::Error) -> RuntimeError {
    let doing = format!("ending {service}");
    move |error| RuntimeError::Engine { doing, reason: error.to_string() }
}
