//! Direct questions to the service: is it well, and is it the release that it
//! should be?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use crate::domain::Release;
use crate::manifest::Manifest;

/// What the health path told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
pub(super) struct Told {
    /// The version, where the service tells it.
    pub version: Option<String>,
    /// The mode, where the service tells it.
    pub mode: Option<String>,
}

impl Told {
    /// Why this is not the release that is wanted; `None` when nothing speaks
    /// against it. A service that tells neither version nor mode is believed
    /// by its status.
    pub(super) fn contradicts(&self, release: &Release) -> Option<String> {
        let version = self.version.as_ref().filter(|version| **version != release.version);
        if let Some(version) = version {
            return Some(format!("it reports version {version}, not {}", release.version));
        }
        let mode = self.mode.as_ref().filter(|mode| **mode != release.mode.as_str());
        mode.map(|mode| format!("it reports mode {mode}, not {}", release.mode))
    }
}

/// Asks the service.
#[derive(Debug, Clone)]
pub(super) struct Prober {
    client: reqwest::Client,
}

impl Prober {
    /// Every question opens a connection of its own, so that an answer comes
    /// from what accepts connections now.
    pub(super) fn new(timeout: Duration) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .timeout(timeout)
            .build()
            .unwrap_or_default();
        Self { client }
    }

    /// Asks the health path at an address; the error says why it is not well.
    pub(super) async fn health(&self, address: SocketAddr, path: &str) -> Result<Told, String> {
        let url = format!("http://{address}{path}");
        let answer = self.client.get(&url).send().await.map_err(|error| plain(&error))?;
        let status = answer.status();
        if status.as_u16() != 200 {
            return Err(format!("HTTP {} from {url}", status.as_u16()));
        }
        let body = answer.bytes().await.map_err(|error| plain(&error))?;
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Asks the health path and compares what is told with what is wanted.
    pub(super) async fn confirms(
        &self,
        address: SocketAddr,
        path: &str,
        release: &Release,
    ) -> Result<(), String> {
        let told = self.health(address, path).await?;
        told.contradicts(release).map_or(Ok(()), Err)
    }

    /// Sends a JSON body; the answer's status and text.
    pub(super) async fn post_json(
        &self,
        url: &str,
        body: &serde_json::Value,
    ) -> Result<(u16, String), String> {
        let answer = self.client.post(url).json(body).send().await.map_err(|error| plain(&error))?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.unwrap_or_default()))
    }

    /// Reads JSON.
    pub(super) async fn get_json(&self, url: &str) -> Result<serde_json::Value, String> {
        let answer = self.client.get(url).send().await.map_err(|error| plain(&error))?;
        if answer.status().as_u16() != 200 {
            return Err(format!("HTTP {} from {url}", answer.status().as_u16()));
        }
        answer.json().await.map_err(|error| plain(&error))
    }
}

/// An HTTP client's error with its innermost cause, which is the part that
/// helps ("connection refused").
pub(super) fn plain(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let url = error.url().map(|url| format!(" ({url})")).unwrap_or_default();
    format!("{cause}{url}")
}

/// Where this machine reaches the proxy.
pub(super) fn public_address(manifest: &Manifest) -> SocketAddr {
    let host = match manifest.nginx.bind {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    };
    SocketAddr::new(host, manifest.nginx.port)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::Mode;

    #[rstest]
    #[case::says_nothing(None, None, true)]
    #[case::is_the_release(Some("1"), Some("canary"), true)]
    #[case::is_an_older_version(Some("0"), Some("canary"), false)]
    #[case::is_in_the_other_mode(Some("1"), Some("stable"), false)]
    fn a_service_is_believed_unless_it_contradicts(
        #[case] version: Option<&str>,
        #[case] mode: Option<&str>,
        #[case] is_fine: bool,
    ) {
        let told = Told { version: version.map(Into::into), mode: mode.map(Into::into) };
        let release =
            Release { image: "shop".into(), image_id: None, version: "1".into(), mode: Mode::Canary };
        assert_eq!(told.contradicts(&release).is_none(), is_fine);
    }
}
