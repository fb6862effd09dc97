//! The sample service that SwiftDeploy deploys. One program in two modes:
//! *stable* only answers, *canary* may also be broken on purpose through
//! `POST /chaos`. It tells its health on `/healthz` and counts its requests on
//! `/metrics` (Prometheus text 0.0.4).
//!
//! It is a library too, so that the local target can run it without a second
//! file: [`run`] owns everything from the socket to the last answer.
//!
//! Invariants: nothing a client sends makes memory grow (paths and methods are
//! counted under a fixed set of labels), chaos never touches `/healthz`,
//! `/metrics` and `/chaos`, and a request that runs when the service is asked
//! to stop is answered.

mod chaos;
mod clock;
mod config;
mod healthcheck;
mod http;
mod log;
mod metrics;
mod server;

pub use config::{Config, ConfigError, Mode};
pub use healthcheck::{HealthcheckError, healthcheck};
pub use http::{AppState, router};
pub use server::{ServiceError, run, serve};
