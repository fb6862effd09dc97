//! The built-in proxy: a process of its own that outlives the app.
//!
//! It reads `proxy.json` at the start and on SIGHUP, and tells in
//! `proxy-status.json` what it serves. A configuration that it refuses leaves
//! the old one serving. Each request takes the routes in force when it starts
//! and keeps them, also on a connection that was opened before a swap.
//! SIGTERM: it accepts nothing more, finishes what runs, and ends.

mod access_log;
pub mod account;
mod answer;
mod balance;
pub mod config;
mod download;
mod forward;
mod headers;
mod log_file;
mod operator;
mod serving;
mod upload;
pub mod waiting;
mod writer;

use std::fs::{self, File};
use std::future::IntoFuture as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::handler::Handler as _;
use chrono::SecondsFormat;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use self::access_log::AccessLog;
use self::config::{ProxyConfig, ProxyStatus, Refusal};
use self::forward::{Gateway, Peer};
use self::log_file::LogFile;
use self::serving::Serving;
use super::layout::{Layout, Prepared};
use super::logs::keep_short;
use crate::clock::SharedClock;

/// How long requests that run may take when the proxy is asked to stop.
pub const DRAIN: Duration = Duration::from_secs(10);

/// How often the logs of all services are looked at for their length.
const HOUSEKEEPING: Duration = Duration::from_secs(30);

/// The proxy did not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The configuration at the start is absent or refused.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The public address could not be taken.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// A file of the proxy's own could not be written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Signals could not be received.
    #[error("cannot receive signals: {0}")]
    Signals(io::Error),
    /// The listener ended by itself.
    #[error("stopped listening: {0}")]
    Serve(io::Error),
}

impl ProxyError {
    /// What a person can do about it.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Config { .. } => "run `swiftdeploy deploy`, which writes it anew",
            Self::Bind { .. } => "stop the owner of the port or change nginx.port in the manifest",
            Self::File { .. } => "check permissions and free space",
            Self::Signals(_) | Self::Serve(_) => "run `swiftdeploy deploy`, which starts it again",
        }
    }
}

/// Runs the proxy of a state directory until SIGTERM or SIGINT.
pub async fn run_proxy(state_dir: PathBuf, clock: SharedClock) -> Result<(), ProxyError> {
    let layout = Layout::new(&state_dir);
    // First of all: a SIGHUP that comes early must not end the process.
    let mut reload = signal(SignalKind::hangup()).map_err(ProxyError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(ProxyError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ProxyError::Signals)?;
    raise_file_limit();
    let journal = Journal { clock: Arc::clone(&clock) };

    let config = load(&layout)?;
    let address = SocketAddr::new(config.rules.bind, config.rules.port);
    let listener = TcpListener::bind(address).await.map_err(|source| ProxyError::Bind { address, source })?;
    let open = |name: &str| {
        let path = layout.log(name);
        LogFile::open(&path).map_err(|source| ProxyError::File { path, source })
    };
    let access_log =
        AccessLog::write_to(open(super::ACCESS_LOG)?, open(super::FAILURES_LOG)?, Arc::clone(&clock))
            .map_err(|source| ProxyError::File { path: layout.logs(), source })?;
    let open_mark = layout.failures_open();
    if open_mark.exists() {
        access_log.note_cut_off(clock.wall());
    }
    File::create(&open_mark).map_err(|source| ProxyError::File { path: open_mark.clone(), source })?;

    let (serving, routes) = watch::channel(Arc::new(Serving::new(config.clone(), None)));
    let gateway = Gateway::new(routes, access_log.clone(), clock);
    let stop = CancellationToken::new();
    let service = forward::handle.with_state(gateway).into_make_service_with_connect_info::<Peer>();
    let mut server = tokio::spawn(
        axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned()).into_future(),
    );
    status(&layout, &config, None)
        .and_then(Prepared::publish)
        .map_err(|source| ProxyError::File { path: layout.proxy_status(), source })?;
    journal.note(&format!("listens on {address}, serves {}", config.routes.generation));

    let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
    housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = reload.recv() => swap(&layout, &serving, &journal),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = housekeeping.tick() => keep_short(&layout, &[super::ACCESS_LOG, super::FAILURES_LOG]),
            ended = &mut server => {
                let reason = ended.unwrap_or_else(|error| Err(io::Error::other(error)));
                return Err(ProxyError::Serve(reason.err().unwrap_or_else(|| io::Error::other("no reason"))));
            }
        }
    }

    journal.note("stops: finishes what runs");
    stop.cancel();
    if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
        journal.note("stops: some requests did not end in time");
        server.abort();
    }
    if access_log.close().await {
        // Left there it only makes a count unknown.
        let _ = fs::remove_file(&open_mark);
    }
    Ok(())
}

/// Loads the configuration anew and serves it, or keeps the old one. Nothing
/// that goes wrong here ends the proxy: the old configuration is sound.
fn swap(layout: &Layout, serving: &watch::Sender<Arc<Serving>>, journal: &Journal) {
    let old = serving.borrow().clone();
    let wanted = ProxyConfig::read(&layout.proxy_config());
    // Of a file that cannot be read the revision cannot be told.
    let revision = wanted.as_ref().map_or(0, |config| config.revision);
    let judged = wanted
        .and_then(|config| config.check().map(|()| config))
        .and_then(|config| config.check_succeeds(&old.config).map(|()| config))
        // What could not be written down afterwards must not be served.
        .and_then(|config| {
            status(layout, &config, None).map(|status| (config, status)).map_err(|e| e.to_string())
        });
    let told = match judged {
        Ok((config, status)) => {
            journal.note(&format!("serves {}", config.routes.generation));
            serving.send_replace(Arc::new(Serving::new(config, Some(&old))));
            status.publish()
        }
        Err(reason) => {
            let kept = &old.config.routes.generation;
            journal.note(&format!("refuses the configuration and keeps {kept}: {reason}"));
            status(layout, &old.config, Some(Refusal { revision, reason })).and_then(Prepared::publish)
        }
    };
    if let Err(error) = told {
        journal.note(&format!("cannot write its status: {error}"));
    }
}

fn load(layout: &Layout) -> Result<ProxyConfig, ProxyError> {
    let path = layout.proxy_config();
    let config = ProxyConfig::read(&path);
    config
        .and_then(|config| config.check().map(|()| config))
        .map_err(|reason| ProxyError::Config { path, reason })
}

/// What is served, for the app to read.
fn status(layout: &Layout, serving: &ProxyConfig, refused: Option<Refusal>) -> io::Result<Prepared> {
    let status = ProxyStatus { pid: std::process::id(), serving: serving.clone(), refused };
    Prepared::json(&layout.proxy_status(), &status)
}

/// The proxy's own log, which is its standard error.
struct Journal {
    clock: SharedClock,
}

impl Journal {
    fn note(&self, text: &str) {
        let time = self.clock.wall().to_rfc3339_opts(SecondsFormat::Millis, true);
        // A log that nobody can read must not take the proxy down.
        let _ = writeln!(io::stderr(), "{time} {text}");
    }
}

/// Each request in flight takes two connections; the usual limit of 1024 files
/// is soon reached.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Without it the proxy serves all the same, only fewer clients at a time.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
