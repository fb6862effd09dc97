//! Questions over HTTP to our own processes: health, and the generation that
//! the proxy serves. Every question takes a fresh connection, since a kept one
//! could be answered by a process that is on its way out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::proxy::account::Account;
use super::proxy::waiting::InSlots;
use crate::domain::Routes;
use crate::runtime::RuntimeError;

/// Longest wait for the proxy's own answer, which needs no upstream.
const MARKER_TIMEOUT: Duration = Duration::from_secs(2);

/// A generation is never longer.
pub const GENERATION_LIMIT: usize = 64;

/// What the proxy tells beside its generation. An older version does not tell of
/// requests.
pub struct Told {
    /// How far its log of unanswered requests has come.
    pub account: Account,
    /// Requests whose answers have not begun.
    pub waiting: Option<InSlots>,
    /// Requests that are not over.
    pub under_way: Option<InSlots>,
}

/// Asks.
#[derive(Clone)]
pub struct Probe {
    client: reqwest::Client,
}

impl Probe {
    pub fn new() -> Result<Self, RuntimeError> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| RuntimeError::Engine {
                doing: "preparing the HTTP client".into(),
                reason: error.to_string(),
            })?;
        Ok(Self { client })
    }

    /// Whether the health path answers 200; otherwise what it did.
    pub async fn health(&self, address: SocketAddr, path: &str, limit: Duration) -> Result<(), String> {
        let answer = self.client.get(format!("http://{address}{path}")).timeout(limit).send().await;
        match answer {
            Ok(response) if response.status() == reqwest::StatusCode::OK => Ok(()),
            Ok(response) => Err(format!("{path} answers {}", response.status().as_u16())),
            Err(error) if error.is_timeout() => Err(format!("{path} does not answer within {limit:?}")),
            Err(error) if error.is_connect() => Err(format!("nothing listens on {address}")),
            Err(error) => Err(format!("{path}: {error}")),
        }
    }

    /// What the proxy tells of its requests; otherwise what it did.
    pub async fn told(&self, address: SocketAddr) -> Result<Told, String> {
        let url = format!("http://{address}{}", Routes::MARKER_PATH);
        let answer = self.client.get(url).timeout(MARKER_TIMEOUT).send().await;
        let answer = answer.map_err(|_| format!("it does not answer on {address}"))?;
        let header = |name| answer.headers().get(name).and_then(|told| told.to_str().ok());
        let account = header(Account::HEADER).and_then(|told| told.parse().ok()).ok_or(
            "it does not tell whether its log is complete, as one of an older version: end it by `kill` and \
             repeat `swiftdeploy deploy`",
        )?;
        let requests = |name| header(name).and_then(|told| told.parse().ok());
        Ok(Told { account, waiting: requests(InSlots::WAITING), under_way: requests(InSlots::UNDER_WAY) })
    }

    /// The generation told at the marker path; `None` when nobody answers, or
    /// with something else.
    pub async fn marker(&self, address: SocketAddr) -> Option<String> {
        let url = format!("http://{address}{}", Routes::MARKER_PATH);
        let mut response = self.client.get(url).timeout(MARKER_TIMEOUT).send().await.ok()?;
        if response.status() != reqwest::StatusCode::OK {
            return None;
        }
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.ok()? {
            text.extend_from_slice(&chunk);
            if text.len() > GENERATION_LIMIT + 2 {
                return None;
            }
        }
        let generation = String::from_utf8(text).ok()?.trim_end().to_owned();
        is_generation(&generation).then_some(generation)
    }
}

/// Whether a text can be a generation's name, see [`Routes::generation`].
pub fn is_generation(text: &str) -> bool {
    (1..=GENERATION_LIMIT).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Where this machine reaches a port that is bound to `bind`.
pub fn reachable(bind: IpAddr, port: u16) -> SocketAddr {
    let address = match bind {
        IpAddr::V4(any) if any.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(any) if any.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(address, port)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::declared("declared", true)]
    #[case::numbered("g-42", true)]
    #[case::empty("", false)]
    #[case::a_page("<html>", false)]
    fn a_marker_is_a_plain_name(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_generation(text), expected);
    }

    #[rstest]
    #[case::any_v4("0.0.0.0", "127.0.0.1:80")]
    #[case::any_v6("::", "[::1]:80")]
    #[case::one("10.1.2.3", "10.1.2.3:80")]
    fn a_wildcard_is_reached_over_loopback(#[case] bind: &str, #[case] expected: &str) {
        assert_eq!(reachable(bind.parse().unwrap(), 80).to_string(), expected);
    }
}
