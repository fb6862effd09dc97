//! What the tests' own OPA servers share: whole requests, answers to the byte,
//! and the list of what an OPA has loaded.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use serde_json::{Value, json};
use swiftdeploy::policy::PolicyBundle;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// A whole request: closing with bytes unread would reset the connection, which
/// is another fault than the one wanted.
pub async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned)
                })
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => bytes.extend_from_slice(&part[..count]),
        }
    }
}

/// An answer that claims a length.
pub fn head(status: u16, length: usize, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// An honest answer.
pub fn says(status: u16, body: &str) -> String {
    head(status, body.len(), body)
}

/// The list of policies as an OPA gives it that has loaded these.
pub fn loaded(bundle: &PolicyBundle) -> Value {
    let modules: Vec<Value> = bundle
        .modules()
        .iter()
        .chain(bundle.tests())
        .map(|module| json!({"id": format!("policies/{}", module.path), "raw": module.source, "ast": {}}))
        .collect();
    json!({ "result": modules })
}
