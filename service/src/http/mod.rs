//! The service over HTTP: which path answers what.

mod answers;
mod around;
mod chaos;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use chrono::{DateTime, Utc};

use crate::chaos::Chaos;
use crate::clock;
use crate::config::Config;
use crate::metrics::Metrics;

/// The largest body that is read, in bytes. A chaos command has under 100.
const LARGEST_BODY: usize = 4096;

/// What all requests share: configuration, counters, the active fault.
#[derive(Debug, Clone)]
pub struct AppState {
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Shared {
    config: Config,
    started: Instant,
    started_at: DateTime<Utc>,
    chaos: Mutex<Chaos>,
}

impl AppState {
    /// The state of a process that starts now.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            shared: Arc::new(Shared {
                config,
                started: clock::instant(),
                started_at: clock::wall(),
                chaos: Mutex::default(),
            }),
            metrics: Arc::default(),
        }
    }

    /// Requests that have come and are not yet answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.metrics.in_flight()
    }

    fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Seconds since the start, to the millisecond.
    fn uptime(&self) -> f64 {
        let millis = clock::instant().saturating_duration_since(self.shared.started).as_millis();
        #[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
        let millis = millis as f64;
        millis / 1000.0
    }

    /// Reads or changes the active fault. The lock is held for `f` only, which
    /// gets the present moment.
    fn with_chaos<T>(&self, f: impl FnOnce(&mut Chaos, Instant) -> T) -> T {
        let mut chaos = self.shared.chaos.lock().unwrap_or_else(PoisonError::into_inner);
        f(&mut chaos, clock::instant())
    }
}

/// All paths of the service.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/", get(answers::root))
        .route("/healthz", get(answers::health))
        .route("/metrics", get(answers::metrics))
        .route("/chaos", get(chaos::tell).post(chaos::change))
        .fallback(answers::not_found)
        .method_not_allowed_fallback(answers::method_not_allowed)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        // Outermost, so that every answer is counted and marked.
        .layer(from_fn_with_state(state.clone(), around::every_request))
        .with_state(state)
}
