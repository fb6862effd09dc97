//! HTTP to OPA: every way in which it goes wrong is a fault of its own.
//! No proxy (the facts stay on this machine), no redirect (whoever redirects
//! is not OPA), no kept connection (a restarted OPA must not cost a question),
//! no second try (a question is either answered in time or not).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde_json::Value;

use super::super::Fault;
use super::super::answer::{excerpt, malformed};

/// How much of an unexpected body a message shows.
const DETAIL_CHARACTERS: usize = 160;

/// How much of an answer has come, while it comes.
#[derive(Default)]
pub(super) struct Received(AtomicUsize);

impl Received {
    /// Bytes of the body.
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

/// The way to one OPA. Time is bounded by the caller, around everything.
pub(super) struct Connection {
    /// Or why no client could be made, which denies like any other fault.
    client: Result<Client, String>,
    address: SocketAddr,
    url: Url,
}

impl Connection {
    pub(super) fn to(address: SocketAddr) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .http1_only()
            .build()
            .map_err(|cause| cause.to_string());
        Self { client, address, url: root_of(address) }
    }

    /// `http://ADDRESS/`.
    pub(super) fn url(&self) -> Url {
        self.url.clone()
    }

    pub(super) async fn post(
        &self,
        url: Url,
        body: &Value,
        limit: usize,
        received: &Received,
    ) -> Result<Vec<u8>, Fault> {
        let request = self.client()?.post(url).json(body);
        self.body_of(request.send().await, limit, received).await
    }

    pub(super) async fn get(&self, url: Url, limit: usize, received: &Received) -> Result<Vec<u8>, Fault> {
        let request = self.client()?.get(url);
        self.body_of(request.send().await, limit, received).await
    }

    fn client(&self) -> Result<&Client, Fault> {
        self.client.as_ref().map_err(|cause| malformed(format!("no HTTP client: {cause}")))
    }

    async fn body_of(
        &self,
        response: Result<Response, reqwest::Error>,
        limit: usize,
        received: &Received,
    ) -> Result<Vec<u8>, Fault> {
        let at = self.address.to_string();
        let response = response.map_err(|cause| {
            if cause.is_connect() {
                Fault::NotRunning { at: at.clone() }
            } else {
                malformed(format!("the connection to {at} ended before an answer"))
            }
        })?;
        let status = response.status();
        match status {
            StatusCode::OK => read(response, limit, received).await,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(Fault::Refused { at, status: status.as_u16() })
            }
            _ => Err(Fault::Http { at, status: status.as_u16(), detail: detail(response).await }),
        }
    }
}

fn root_of(address: SocketAddr) -> Url {
    #[expect(clippy::expect_used, reason = "an address of numbers and a port is always the host of a URL")]
    Url::parse(&format!("http://{address}/")).expect("a socket address makes a URL")
}

/// The body, not more than `limit` bytes of it.
async fn read(mut response: Response, limit: usize, received: &Received) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                return Err(malformed(format!("larger than {limit} bytes")));
            }
            Ok(Some(chunk)) => {
                body.extend_from_slice(&chunk);
                received.note(body.len());
            }
            Ok(None) => return Ok(body),
            Err(_) => return Err(malformed(format!("the connection broke after {} bytes", body.len()))),
        }
    }
}

/// What an unexpected answer says, as far as it fits in a message.
async fn detail(mut response: Response) -> String {
    let status = response.status();
    if status.is_redirection() {
        let to = response.headers().get("location").map(|to| String::from_utf8_lossy(to.as_bytes()));
        return to.map_or_else(
            || "a redirect, which is not followed".to_owned(),
            |to| format!("a redirect to {}, which is not followed", excerpt(&to, DETAIL_CHARACTERS)),
        );
    }
    let start = match response.chunk().await {
        Ok(Some(chunk)) => excerpt(&String::from_utf8_lossy(&chunk), DETAIL_CHARACTERS),
        Ok(None) | Err(_) => String::new(),
    };
    if start.is_empty() { status.canonical_reason().unwrap_or("no body").to_owned() } else { start }
}
