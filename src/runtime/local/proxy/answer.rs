//! What the proxy answers by itself: errors as JSON, in the shape that the
//! generated nginx configuration uses, and the marker of its generation.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::account::Account;
use super::waiting::InSlots;
use crate::runtime::ProxyRules;

/// The body of an error.
#[derive(Serialize)]
struct Problem<'a> {
    error: &'a str,
    code: u16,
    service: &'a str,
    contact: &'a str,
}

/// An error as JSON.
pub fn problem(status: StatusCode, rules: &ProxyRules) -> Response {
    let problem = Problem {
        error: status.canonical_reason().unwrap_or("Error"),
        code: status.as_u16(),
        service: &rules.service,
        contact: &rules.contact,
    };
    // Four texts and a number always make JSON.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    answer(status, "application/json", body)
}

/// What only this machine is told beside the generation.
pub struct Told {
    /// How far the log of unanswered requests has come.
    pub account: Account,
    /// Requests whose answers have not begun.
    pub waiting: InSlots,
    /// All that are not over.
    pub under_way: InSlots,
}

/// The generation that is served; for this machine also what there is to tell.
pub fn marker(generation: &str, told: Option<&Told>) -> Response {
    let mut response = answer(StatusCode::OK, "text/plain", generation.to_owned().into_bytes());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(Told { account, waiting, under_way }) = told {
        let told = [
            (Account::HEADER, account.to_string()),
            (InSlots::WAITING, waiting.to_string()),
            (InSlots::UNDER_WAY, under_way.to_string()),
        ];
        for (name, text) in told {
            // Digits and signs always make a header.
            if let Ok(value) = HeaderValue::from_str(&text) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    response
}

fn answer(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
