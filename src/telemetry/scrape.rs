//! Fetching the metrics of one process, directly and not through the proxy.
//!
//! Invariant: a snapshot exists only for an answer that came whole, in time,
//! with status 200, as an exposition, and that parses.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};

use super::exposition::{Format, parse};
use super::model::{ScrapeFault, Snapshot};
use crate::clock::Clock;

/// What is asked for: the plain format first, which is also what a person
/// sees who asks by hand.
const ACCEPTED: &str =
    "text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1";

/// Takes scrapes. Cheap to clone; each scrape uses a connection of its own,
/// so that an old one can neither be stale nor keep a process from ending.
#[derive(Debug, Clone)]
pub struct Scraper {
    client: Client,
    timeout: Duration,
    limit: usize,
}

impl Scraper {
    /// The largest body that is read, in bytes.
    pub const LIMIT: usize = 16 * 1024 * 1024;

    /// A scraper that gives a process this long for its whole answer,
    /// connecting included.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self::with_limit(timeout, Self::LIMIT)
    }

    /// The same with another limit for the body, in bytes.
    #[must_use]
    pub fn with_limit(timeout: Duration, limit: usize) -> Self {
        #[expect(
            clippy::expect_used,
            clippy::missing_panics_doc,
            reason = "without TLS there is nothing to load that could fail"
        )]
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .pool_max_idle_per_host(0)
            .connect_timeout(timeout)
            .build()
            .expect("a plain HTTP client can always be made");
        Self { client, timeout, limit }
    }

    /// Scrapes one process at `path` (which starts with `/`). The snapshot is
    /// from the moment at which the answer was complete.
    ///
    /// As in Prometheus 3, an answer without a content type is refused.
    pub async fn scrape(
        &self,
        endpoint: SocketAddr,
        path: &str,
        instance: &str,
        clock: &dyn Clock,
    ) -> Result<Snapshot, ScrapeFault> {
        let url = format!("http://{endpoint}{path}");
        let millis = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        let (format, body) = tokio::time::timeout(self.timeout, self.fetch(&url))
            .await
            .unwrap_or_else(|_| Err(ScrapeFault::TimedOut { url: url.clone(), millis }))?;
        let taken_at = clock.wall();
        // A body at the limit takes long enough to hold up everything else
        // that this thread does.
        let parsed = tokio::task::spawn_blocking(move || {
            parse(&body, format)?;
            // Parsed, so it is UTF-8.
            Ok::<_, ScrapeFault>(String::from_utf8(body).unwrap_or_default())
        });
        let body = parsed.await.map_err(|error| broken_down(&error))??;
        let is_openmetrics = format == Format::OpenMetrics;
        Ok(Snapshot { instance: instance.to_owned(), taken_at, is_openmetrics, body })
    }

    async fn fetch(&self, url: &str) -> Result<(Format, Vec<u8>), ScrapeFault> {
        let response = self
            .client
            .get(url)
            .header(ACCEPT, ACCEPTED)
            .send()
            .await
            .map_err(|error| self.unanswered(url, &error))?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(ScrapeFault::Http { url: url.to_owned(), status: status.as_u16() });
        }
        let format = announced(response.headers())?;
        Ok((format, self.read(response).await?))
    }

    /// Reads a body as it comes, never keeping more than the limit.
    async fn read(&self, mut response: Response) -> Result<Vec<u8>, ScrapeFault> {
        let too_large = || ScrapeFault::TooLarge { limit: self.limit };
        if response.content_length().is_some_and(|length| length > self.limit as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| cut_off(&error))? {
            if body.len() + chunk.len() > self.limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unanswered(&self, url: &str, error: &reqwest::Error) -> ScrapeFault {
        let url = url.to_owned();
        if error.is_timeout() {
            let millis = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
            return ScrapeFault::TimedOut { url, millis };
        }
        ScrapeFault::Unreachable { url, reason: innermost(error) }
    }
}

/// The format that the answer says it is in.
fn announced(headers: &HeaderMap) -> Result<Format, ScrapeFault> {
    let text = |name| {
        headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default()
    };
    let found = text(CONTENT_TYPE);
    let format = Format::of_content_type(&found).ok_or(ScrapeFault::ContentType { found })?;
    let encoding = text(CONTENT_ENCODING);
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        let reason = format!("encoded as {encoding:?}, which was not asked for");
        return Err(ScrapeFault::Malformed { line: 0, reason });
    }
    Ok(format)
}

/// Reading the body itself failed.
fn broken_down(error: &tokio::task::JoinError) -> ScrapeFault {
    ScrapeFault::Malformed { line: 0, reason: format!("reading it broke down: {error}") }
}

/// The connection ended before the body did.
fn cut_off(error: &reqwest::Error) -> ScrapeFault {
    ScrapeFault::Malformed { line: 0, reason: format!("cut off: {}", innermost(error)) }
}

/// The cause at the end of the chain, which says what happened; those before
/// it only say where.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
