//! From the socket to the last answer.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::config::{Config, ConfigError};
use crate::http::{AppState, router};
use crate::log;

/// How long a connection without a request may linger when the service stops.
/// Idle ones are closed at once; this is for one that has sent half a request
/// and then nothing.
const LINGER: Duration = Duration::from_secs(2);

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The environment is unusable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The port cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The operating system gives no signals.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    /// The server ended without being asked.
    #[error("the server ended: {0}")]
    Serve(io::Error),
}

impl ServiceError {
    /// What a person can do about it.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Config(error) => error.next_step(),
            Self::Bind { .. } => "stop what listens there, or set APP_PORT to a free port of 1024 or above",
            Self::Signals(_) | Self::Serve(_) => "start it again; if it repeats, look at the system's limits",
        }
    }
}

/// Runs the service until SIGTERM or SIGINT, then finishes what runs. Owns
/// everything it needs; must be called inside a tokio runtime.
pub async fn run(config: Config) -> Result<(), ServiceError> {
    // Before the socket: whoever sees the port open may send a signal.
    let mut terminate = signal(SignalKind::terminate()).map_err(ServiceError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServiceError::Signals)?;

    let address = SocketAddr::new(config.bind, config.port);
    let bind_error = |source| ServiceError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind_error)?;
    let address = listener.local_addr().map_err(bind_error)?;
    log::line(format_args!("listening on {address}, mode {}, version {}", config.mode, config.version));

    let asked_to_stop = async move {
        let by = first(&mut terminate, &mut interrupt).await;
        log::line(format_args!("{by}: finishing what runs"));
    };
    serve(listener, config, asked_to_stop).await.map_err(ServiceError::Serve)?;
    log::line(format_args!("stopped"));
    Ok(())
}

/// Serves on a socket until `shutdown` is ready, then stops accepting and
/// returns when the last request is answered.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let state = AppState::new(config);
    let (stopping, stop) = oneshot::channel();
    let server = axum::serve(listener, router(state.clone())).with_graceful_shutdown(async move {
        shutdown.await;
        // Nobody listens any more only when the server has ended already.
        let _ = stopping.send(());
    });
    tokio::select! {
        result = async { server.await } => result,
        () = only_idle_connections_left(stop, &state) => Ok(()),
    }
}

/// Ready when the service stops, has had time to close its connections, and
/// no request runs.
async fn only_idle_connections_left(stop: oneshot::Receiver<()>, state: &AppState) {
    if stop.await.is_err() {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(LINGER).await;
        if state.in_flight() == 0 {
            return;
        }
    }
}

async fn first(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
