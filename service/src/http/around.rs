//! What happens around every request: it is counted, chaos may delay or fail
//! it, and the answer says that it comes from a canary.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::{AppState, answers};
use crate::chaos::Verdict;
use crate::config::Mode;
use crate::metrics::{Endpoint, method_label};

/// The outermost layer.
pub async fn every_request(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let endpoint = Endpoint::of(request.uri().path());
    let pending = state.metrics.begin(method_label(request.method()), endpoint);
    let verdict =
        if endpoint.is_application() { state.with_chaos(super::Chaos::verdict) } else { Verdict::Answer };
    let mut response = match verdict {
        Verdict::Answer => next.run(request).await,
        Verdict::Delay(delay) => {
            tokio::time::sleep(delay).await;
            next.run(request).await
        }
        Verdict::Fail => answers::failure(StatusCode::INTERNAL_SERVER_ERROR, "injected by chaos"),
    };
    if state.config().mode == Mode::Canary {
        response.headers_mut().insert("x-mode", HeaderValue::from_static(Mode::Canary.as_str()));
    }
    pending.answered(response.status().as_u16());
    response
}
