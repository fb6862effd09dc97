//! How the service is configured: by its environment, read once at the start.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

/// The longest version that is accepted, in bytes. It stands in every answer.
const LONGEST_VERSION: usize = 128;

/// The two ways in which the service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The release that is trusted; chaos is refused.
    #[default]
    Stable,
    /// The release under test; chaos may be injected.
    Canary,
}

impl Mode {
    /// The word used in `MODE`, in answers and in `X-Mode`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What the service needs to know to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// From `MODE`; default stable.
    pub mode: Mode,
    /// From `APP_VERSION`; default `1.0.0`.
    pub version: String,
    /// From `APP_PORT`; default 3000.
    pub port: u16,
    /// From `APP_BIND`; default every IPv4 address, as a container needs it.
    pub bind: IpAddr,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            version: "1.0.0".into(),
            port: 3000,
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        }
    }
}

/// A value in the environment that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `MODE` is neither of the two words.
    #[error("MODE is {found:?}; it must be stable or canary")]
    Mode {
        /// The value.
        found: String,
    },
    /// `APP_VERSION` is empty, too long or not printable.
    #[error("APP_VERSION is {found:?}; it must be 1 to {LONGEST_VERSION} printable ASCII characters")]
    Version {
        /// The value.
        found: String,
    },
    /// `APP_PORT` is no port.
    #[error("APP_PORT is {found:?}; it must be a number from 1 to 65535")]
    Port {
        /// The value.
        found: String,
    },
    /// `APP_BIND` is no address.
    #[error("APP_BIND is {found:?}; it must be an IP address such as 127.0.0.1")]
    Bind {
        /// The value.
        found: String,
    },
}

impl ConfigError {
    /// What a person can do about it.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Mode { .. } => "set MODE=stable or MODE=canary",
            Self::Version { .. } => "set APP_VERSION to a version such as 1.0.0",
            Self::Port { .. } => "set APP_PORT to a free port such as 3000",
            Self::Bind { .. } => "leave APP_BIND out to listen on every address",
        }
    }
}

impl Config {
    /// Reads the configuration from environment variables; those of other
    /// programs are not looked at. A variable that is set but unusable is an
    /// error, never replaced by the default.
    pub fn from_env<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Self, ConfigError>
    where
        K: AsRef<OsStr>,
        V: Into<OsString>,
    {
        let mut config = Self::default();
        for (name, value) in vars {
            let Some(name) = name.as_ref().to_str() else { continue };
            let value = || -> String { value.into().to_string_lossy().into_owned() };
            match name {
                "MODE" => config.mode = mode(value())?,
                "APP_VERSION" => config.version = version(value())?,
                "APP_PORT" => config.port = port(value())?,
                "APP_BIND" => config.bind = bind(value())?,
                _ => {}
            }
        }
        Ok(config)
    }
}

fn mode(found: String) -> Result<Mode, ConfigError> {
    match found.as_str() {
        "stable" => Ok(Mode::Stable),
        "canary" => Ok(Mode::Canary),
        _ => Err(ConfigError::Mode { found }),
    }
}

fn version(found: String) -> Result<String, ConfigError> {
    let is_printable = found.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if found.trim().is_empty() || found.len() > LONGEST_VERSION || !is_printable {
        return Err(ConfigError::Version { found });
    }
    Ok(found)
}

fn port(found: String) -> Result<u16, ConfigError> {
    // `parse` would accept a plus sign.
    let is_number = found.bytes().all(|byte| byte.is_ascii_digit());
    match found.parse() {
        Ok(port) if port != 0 && is_number => Ok(port),
        _ => Err(ConfigError::Port { found }),
    }
}

fn bind(found: String) -> Result<IpAddr, ConfigError> {
    found.parse().map_err(|_| ConfigError::Bind { found })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn an_empty_environment_gives_the_defaults() {
        let none: [(&str, &str); 0] = [];
        let config = Config::from_env(none).unwrap();
        assert_eq!((config.mode, config.version.as_str(), config.port), (Mode::Stable, "1.0.0", 3000));
    }

    #[test]
    fn every_variable_is_read_and_others_are_left_alone() {
        let config = Config::from_env([
            ("MODE", "canary"),
            ("APP_VERSION", "2.0.0-rc.1"),
            ("APP_PORT", "8081"),
            ("APP_BIND", "127.0.0.1"),
            ("PATH", "/bin"),
        ])
        .unwrap();
        assert_eq!(
            config,
            Config {
                mode: Mode::Canary,
                version: "2.0.0-rc.1".into(),
                port: 8081,
                bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            }
        );
    }

    #[rstest]
    #[case::unknown_mode("MODE", "Canary", "MODE is \"Canary\"; it must be stable or canary")]
    #[case::empty_mode("MODE", "", "MODE is \"\"; it must be stable or canary")]
    #[case::empty_version("APP_VERSION", " ", "APP_VERSION is \" \"")]
    #[case::control_character("APP_VERSION", "1\n2", "APP_VERSION is \"1\\n2\"")]
    #[case::port_zero("APP_PORT", "0", "APP_PORT is \"0\"; it must be a number from 1 to 65535")]
    #[case::port_too_high("APP_PORT", "65536", "APP_PORT is \"65536\"")]
    #[case::port_with_sign("APP_PORT", "+80", "APP_PORT is \"+80\"")]
    #[case::port_is_a_word("APP_PORT", "http", "APP_PORT is \"http\"")]
    #[case::bind_is_a_name("APP_BIND", "localhost", "APP_BIND is \"localhost\"")]
    fn an_unusable_value_is_refused_by_name(#[case] name: &str, #[case] value: &str, #[case] message: &str) {
        let error = Config::from_env([(name, value)]).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
        assert!(!error.next_step().is_empty());
    }

    #[test]
    fn a_version_longer_than_the_limit_is_refused() {
        let long = "1".repeat(LONGEST_VERSION + 1);
        assert!(Config::from_env([("APP_VERSION", long.as_str())]).is_err());
        assert!(Config::from_env([("APP_VERSION", &long[1..])]).is_ok());
    }
}
