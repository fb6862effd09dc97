//! The answers that only tell: application, health, metrics, and the refusals.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use serde::Serialize;

use super::AppState;
use crate::chaos::Chaos;
use crate::clock;
use crate::config::Mode;
use crate::metrics::{self, Exposition, Kind};

#[derive(Serialize)]
pub struct Root {
    message: &'static str,
    mode: Mode,
    version: String,
    timestamp: String,
}

/// `GET /`.
pub async fn root(State(state): State<AppState>) -> Json<Root> {
    Json(Root {
        message: "Welcome to SwiftDeploy",
        mode: state.config().mode,
        version: state.config().version.clone(),
        timestamp: clock::wall().to_rfc3339_opts(SecondsFormat::Millis, true),
    })
}

#[derive(Serialize)]
pub struct Health {
    status: &'static str,
    /// Seconds.
    uptime: f64,
    mode: Mode,
    version: String,
}

/// `GET /healthz`. Mode and version let a deployer confirm which release it
/// talks to.
pub async fn health(State(state): State<AppState>) -> Json<Health> {
    Json(Health {
        status: "ok",
        uptime: state.uptime(),
        mode: state.config().mode,
        version: state.config().version.clone(),
    })
}

/// `GET /metrics`, Prometheus text 0.0.4.
pub async fn metrics(State(state): State<AppState>) -> ([(HeaderName, &'static str); 1], String) {
    let mut text = Exposition::default();
    state.metrics.write(&mut text);

    let gauge = |text: &mut Exposition, name: &str, help: &str, value: String| {
        text.family(name, Kind::Gauge, help);
        text.sample(name, &[], value);
    };
    gauge(&mut text, "app_uptime_seconds", "Seconds since the process started.", state.uptime().to_string());
    let mode = u8::from(state.config().mode == Mode::Canary);
    gauge(&mut text, "app_mode", "0 stable, 1 canary.", mode.to_string());
    let active = state.with_chaos(|chaos, now| Chaos::gauge(chaos, now));
    gauge(&mut text, "chaos_active", "Fault injected: 0 none, 1 slow, 2 error.", active.to_string());
    let in_flight = state.metrics.in_flight();
    let help = "Requests that are being answered, this scrape among them.";
    gauge(&mut text, "http_requests_in_flight", help, in_flight.to_string());
    let started = state.shared.started_at;
    let started = format!("{}.{:03}", started.timestamp(), started.timestamp_subsec_millis());
    gauge(&mut text, "process_start_time_seconds", "Start of the process, in seconds since 1970.", started);

    text.family("app_info", Kind::Gauge, "Always 1; the labels say what runs.");
    let labels = [("mode", state.config().mode.as_str()), ("version", &state.config().version)];
    text.sample("app_info", &labels, 1);

    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text.finish())
}

/// Any path that is not one of ours.
pub async fn not_found() -> Response {
    failure(StatusCode::NOT_FOUND, "no such path; there are /, /healthz, /metrics and /chaos")
}

/// One of our paths with a method that it does not have.
pub async fn method_not_allowed() -> Response {
    failure(StatusCode::METHOD_NOT_ALLOWED, "this path does not have that method")
}

#[derive(Serialize)]
struct Failure<'a> {
    error: &'a str,
    code: u16,
}

/// An answer that says what went wrong, in the shape of the proxy's own.
pub fn failure(status: StatusCode, error: &str) -> Response {
    (status, Json(Failure { error, code: status.as_u16() })).into_response()
}
