//! `/chaos`: tell the active fault, inject one, recover.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::AppState;
use super::answers::failure;
use crate::chaos::{Chaos, Command, Fault, Status};
use crate::config::Mode;
use crate::log;

/// How long a client may take to send the body. A body that never comes would
/// keep the service from stopping.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// `GET /chaos`.
pub async fn tell(State(state): State<AppState>) -> Json<Status> {
    Json(state.with_chaos(|chaos, now| Chaos::status(chaos, now)))
}

/// `POST /chaos`. Refused in stable mode before the body is looked at.
pub async fn change(State(state): State<AppState>, request: Request) -> Response {
    if state.config().mode == Mode::Stable {
        return failure(StatusCode::FORBIDDEN, "chaos is for the canary only; this is the stable release");
    }
    let body = match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &state)).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) => return failure(rejection.status(), &rejection.body_text()),
        Err(_) => return failure(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
    };
    let command = match Command::parse(&body) {
        Ok(command) => command,
        Err(reason) => return failure(StatusCode::BAD_REQUEST, &reason.to_string()),
    };
    let status = state.with_chaos(|chaos, now| {
        chaos.apply(command, now);
        chaos.status(now)
    });
    note(command);
    Json(status).into_response()
}

fn note(command: Command) {
    match command {
        Command::Recover => log::line(format_args!("chaos: recovered")),
        Command::Inject { fault, ttl } => {
            let until = ttl.map_or_else(|| "until recovered".to_owned(), |ttl| format!("for {ttl:?}"));
            match fault {
                Fault::Slow(delay) => log::line(format_args!("chaos: slow by {delay:?} {until}")),
                Fault::Error(rate) => log::line(format_args!("chaos: error rate {} {until}", rate.part())),
            }
        }
    }
}
