//! What the nginx of an image can do: asked from the program itself, since a
//! tag says little about its content.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bollard::models::ContainerCreateBody;

use super::client::Client;
use super::helper::Helper;
use super::images;
use crate::domain::stack::ContainerSpec;
use crate::runtime::{ImagePresence, ProxyAbilities, RuntimeError};

/// `server … resolve` outside of the commercial version.
const RESOLVE_SINCE: Version = Version(1, 27, 3);
/// `keepalive_min_timeout`.
const KEEPALIVE_MIN_TIMEOUT_SINCE: Version = Version(1, 27, 4);

/// An nginx version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Version {
    /// What this version can do behind an engine that shows clients'
    /// addresses or not.
    pub fn abilities(self, shows_client_addresses: bool) -> ProxyAbilities {
        ProxyAbilities {
            keepalive_min_timeout: self >= KEEPALIVE_MIN_TIMEOUT_SINCE,
            resolve: self >= RESOLVE_SINCE,
            hides_client_addresses: !shows_client_addresses,
        }
    }

    /// From `nginx version: nginx/1.28.3`, also with another name in front or
    /// a build's name behind.
    fn parse(said: &str) -> Option<Self> {
        let number = said.lines().find_map(|line| line.split_once("version: ")?.1.split_once('/'))?.1;
        let number: &str = number.split(|c: char| c != '.' && !c.is_ascii_digit()).next()?;
        let mut parts = number.split('.').map(str::parse);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => Some(Self(major, minor, patch)),
            _ => None,
        }
    }
}

/// Versions by image id; the content behind an id never changes.
#[derive(Debug, Default)]
pub struct KnownVersions(Mutex<HashMap<String, Version>>);

impl KnownVersions {
    /// The version in a proxy's image, as it is there now or by its id.
    pub async fn find(
        &self,
        client: &Client,
        spec: &ContainerSpec,
        image: &str,
    ) -> Result<Version, RuntimeError> {
        let id = match images::presence(client, image).await? {
            ImagePresence::Present(id) => id.unwrap_or_else(|| image.to_owned()),
            ImagePresence::Absent(detail) => {
                return Err(RuntimeError::ImageAbsent { image: spec.image.clone(), detail });
            }
        };
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied();
        if let Some(version) = known {
            return Ok(version);
        }
        let version = ask(client, spec, &id).await?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, version);
        Ok(version)
    }
}

async fn ask(client: &Client, spec: &ContainerSpec, image: &str) -> Result<Version, RuntimeError> {
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        user: Some(spec.user.clone()),
        entrypoint: Some(vec!["nginx".to_owned()]),
        cmd: Some(vec!["-v".to_owned()]),
        ..ContainerCreateBody::default()
    };
    let helper = Helper::create(client, "version", body).await?;
    let output = helper.run().await;
    helper.remove().await?;
    let said = output?.text;
    Version::parse(&said).ok_or_else(|| RuntimeError::Engine {
        doing: format!("asking {} for its version", spec.image),
        reason: format!("`nginx -v` said {:?}", said.trim()),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("nginx version: nginx/1.28.3\n", Some(Version(1, 28, 3)))]
    #[case("nginx version: nginx/1.22.1 (Debian)\n", Some(Version(1, 22, 1)))]
    #[case("nginx version: openresty/1.27.1.2\n", Some(Version(1, 27, 1)))]
    #[case("/docker-entrypoint.sh: info\nnginx version: nginx/1.29.0\n", Some(Version(1, 29, 0)))]
    #[case("exec: nginx: not found", None)]
    fn the_version_is_read_from_what_nginx_says(#[case] said: &str, #[case] expected: Option<Version>) {
        assert_eq!(Version::parse(said), expected);
    }

    #[rstest]
    #[case(Version(1, 22, 1), false, false)]
    #[case(Version(1, 27, 3), true, false)]
    #[case(Version(1, 27, 4), true, true)]
    #[case(Version(1, 28, 0), true, true)]
    fn abilities_begin_with_a_version(
        #[case] version: Version,
        #[case] resolve: bool,
        #[case] keepalive_min_timeout: bool,
    ) {
        let expected = ProxyAbilities { keepalive_min_timeout, resolve, hides_client_addresses: false };
        assert_eq!(version.abilities(true), expected);
        assert!(version.abilities(false).hides_client_addresses);
    }
}
