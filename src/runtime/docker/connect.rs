//! Finds the daemon and opens the connection. Four ways to fail are told
//! apart, because each has its own remedy: nobody there, not allowed, not a
//! Docker daemon, too old.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::SystemVersion;
use bollard::{API_DEFAULT_VERSION, Docker};

use super::client::{chain, unreachable_daemon};
use crate::runtime::RuntimeError;

/// The socket of an engine that runs as root.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// Oldest API that has all we use; Docker 19.03 of 2019.
const OLDEST_API: (u32, u32) = (1, 40);
/// Longest wait for the first answer: a person is waiting for a first screen.
pub const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// Backstop of the client itself, above every limit that a call has.
const CLIENT_SECONDS: u64 = 600;

/// Where a daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket on this machine.
    Socket(PathBuf),
    /// An address on a network, without encryption.
    Tcp {
        /// Host name or address.
        host: String,
        /// Its port.
        port: u16,
    },
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

impl Address {
    /// The address that a person gave, or else `DOCKER_HOST`, or else the
    /// default socket, or else a rootless engine's.
    pub fn find(given: Option<&str>) -> Result<Self, RuntimeError> {
        let from_environment = std::env::var("DOCKER_HOST").ok();
        match given.or(from_environment.as_deref()).map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => Self::parse(text),
            None => Ok(Self::default_socket(
                std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).as_deref(),
                Path::exists,
            )),
        }
    }

    fn default_socket(runtime_dir: Option<&Path>, exists: impl Fn(&Path) -> bool) -> Self {
        let default = PathBuf::from(DEFAULT_SOCKET);
        if !exists(&default)
            && let Some(rootless) = runtime_dir.map(|dir| dir.join("docker.sock"))
            && exists(&rootless)
        {
            return Self::Socket(rootless);
        }
        Self::Socket(default)
    }

    fn parse(text: &str) -> Result<Self, RuntimeError> {
        let refused = |reason: &str| {
            Err(RuntimeError::EngineAbsent { address: text.to_owned(), reason: reason.to_owned() })
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            return refused("an address starts with unix:// or tcp://");
        };
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Socket(PathBuf::from(rest))),
            "unix" => refused("a socket is named by its whole path, as in unix:///var/run/docker.sock"),
            "tcp" | "http" => {
                let rest = rest.trim_end_matches('/');
                let (host, port) = match rest.rsplit_once(':') {
                    Some((host, port)) if !host.ends_with(':') => (host, port.parse().ok()),
                    _ => (rest, Some(2375)),
                };
                match port {
                    Some(port) if !host.is_empty() => Ok(Self::Tcp { host: host.to_owned(), port }),
                    _ => refused("an address has the form tcp://HOST:PORT"),
                }
            }
            "ssh" => refused(
                "ssh:// is not supported, since releases are asked for their health over the network; \
                 run swiftdeploy on that machine",
            ),
            "https" => refused("TLS is not supported; run swiftdeploy on the daemon's machine"),
            _ => refused("an address starts with unix:// or tcp://"),
        }
    }

    /// Whether it can only lead to this machine. A forwarded socket leads
    /// elsewhere all the same: `info` compares the machines.
    pub fn is_on_this_machine(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Tcp { host, .. } => matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]"),
        }
    }

    /// Opens a client and makes sure that a daemon we can speak to answers.
    pub async fn open(&self) -> Result<Docker, RuntimeError> {
        self.open_within(FIRST_ANSWER).await
    }

    async fn open_within(&self, limit: Duration) -> Result<Docker, RuntimeError> {
        let address = self.to_string();
        let docker = match self {
            Self::Socket(path) => {
                Docker::connect_with_unix(&path.to_string_lossy(), CLIENT_SECONDS, API_DEFAULT_VERSION)
            }
            Self::Tcp { host, port } => {
                Docker::connect_with_http(&format!("{host}:{port}"), CLIENT_SECONDS, API_DEFAULT_VERSION)
            }
        }
        .map_err(|error| not_a_daemon(&address, &error))?;
        let version = ask_version(&address, &docker, limit).await?;
        refuse_too_old(&version)?;
        // 0.21 of the client sends no version in its requests, so this changes
        // nothing on the wire today; later versions do and then need it.
        match tokio::time::timeout(limit, docker.negotiate_version()).await {
            Ok(docker) => docker.map_err(|error| not_a_daemon(&address, &error)),
            Err(_) => Err(no_answer(&address, limit)),
        }
    }
}

/// Asks a daemon who it is, with an error for each way it can be wrong.
pub async fn ask_version(
    address: &str,
    docker: &Docker,
    limit: Duration,
) -> Result<SystemVersion, RuntimeError> {
    match tokio::time::timeout(limit, docker.version()).await {
        Ok(Ok(version)) if version.api_version.is_some() => Ok(version),
        Ok(Ok(_)) => Err(RuntimeError::EngineRefuses {
            address: address.to_owned(),
            reason: "what answers there names no Docker API version".to_owned(),
        }),
        Ok(Err(error)) => Err(not_a_daemon(address, &error)),
        Err(_) => Err(no_answer(address, limit)),
    }
}

/// Refuses a daemon whose API lacks what we use.
pub fn refuse_too_old(version: &SystemVersion) -> Result<(), RuntimeError> {
    let found = version.api_version.clone().unwrap_or_default();
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok());
    let mut parts = found.split('.');
    match (number(parts.next()), number(parts.next())) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST_API => Ok(()),
        _ => Err(RuntimeError::EngineTooOld { found, needed: format!("{}.{}", OLDEST_API.0, OLDEST_API.1) }),
    }
}

fn no_answer(address: &str, limit: Duration) -> RuntimeError {
    RuntimeError::EngineAbsent {
        address: address.to_owned(),
        reason: format!("it gives no answer within {limit:?}"),
    }
}

fn not_a_daemon(address: &str, error: &Error) -> RuntimeError {
    if let Some(unreachable) = unreachable_daemon(address, error) {
        return unreachable;
    }
    let reason = match error {
        Error::DockerResponseServerError { message, .. } if message.contains("HTTPS server") => {
            "it wants TLS, which is not supported; run swiftdeploy on the daemon's machine".to_owned()
        }
        Error::DockerResponseServerError { status_code, message } => {
            format!(
                "what answers there is not a Docker daemon (status {status_code}: {})",
                first_line(message)
            )
        }
        other => format!("what answers there is not a Docker daemon ({})", chain(other)),
    };
    RuntimeError::EngineRefuses { address: address.to_owned(), reason }
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[rstest]
    #[case("unix:///run/d.sock", "unix:///run/d.sock")]
    #[case("tcp://10.0.0.7:2375", "tcp://10.0.0.7:2375")]
    #[case("tcp://docker.lan", "tcp://docker.lan:2375")]
    #[case("http://[::1]:2375/", "tcp://[::1]:2375")]
    fn addresses_are_read(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(Address::parse(text).unwrap().to_string(), expected);
    }

    #[rstest]
    #[case("ssh://me@host", "run swiftdeploy on that machine")]
    #[case("https://host:2376", "TLS")]
    #[case("/var/run/docker.sock", "starts with unix:// or tcp://")]
    #[case("unix://docker.sock", "whole path")]
    #[case("tcp://host:port", "tcp://HOST:PORT")]
    #[case("tcp://:2375", "tcp://HOST:PORT")]
    fn addresses_that_cannot_work_say_why(#[case] text: &str, #[case] expected: &str) {
        let error = Address::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[rstest]
    #[case(&["/var/run/docker.sock", "/run/user/7/docker.sock"], "/var/run/docker.sock")]
    #[case(&["/run/user/7/docker.sock"], "/run/user/7/docker.sock")]
    #[case(&[], "/var/run/docker.sock")]
    fn a_rootless_socket_counts_only_without_the_default(#[case] present: &[&str], #[case] expected: &str) {
        let found = Address::default_socket(Some(Path::new("/run/user/7")), |path| {
            present.iter().any(|known| Path::new(known) == path)
        });
        assert_eq!(found, Address::Socket(expected.into()));
    }

    #[tokio::test]
    async fn an_absent_socket_is_an_absent_engine() {
        let folder = tempfile::tempdir().unwrap();
        let error = Address::Socket(folder.path().join("none.sock")).open().await.unwrap_err();
        assert!(
            matches!(&error, RuntimeError::EngineAbsent { reason, .. } if reason.contains("no such socket"))
        );
    }

    #[tokio::test]
    async fn a_socket_without_listener_is_an_absent_engine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let error = Address::Socket(path).open().await.unwrap_err();
        assert!(
            matches!(&error, RuntimeError::EngineAbsent { reason, .. } if reason.contains("nobody listens"))
        );
    }

    #[tokio::test]
    async fn a_refused_port_is_an_absent_engine() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = Address::Tcp { host: "127.0.0.1".into(), port }.open().await.unwrap_err();
        assert!(
            matches!(&error, RuntimeError::EngineAbsent { reason, .. } if reason.contains("nobody listens"))
        );
    }

    /// Answers every connection with the same bytes.
    async fn answers(bytes: &'static str) -> Address {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(bytes.as_bytes()).await;
            }
        });
        Address::Tcp { host: "127.0.0.1".into(), port }
    }

    #[rstest]
    #[case::a_web_server(
        "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnope",
        "not a Docker daemon (status 404: nope)"
    )]
    #[case::a_page("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", "not a Docker daemon")]
    #[case::other_json("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "names no Docker API version")]
    #[case::another_protocol("SSH-2.0-OpenSSH_9.2\r\n", "does not speak the Docker API")]
    #[case::tls(
        "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        "it wants TLS"
    )]
    #[tokio::test]
    async fn what_is_not_a_daemon_is_refused(#[case] answer: &'static str, #[case] expected: &str) {
        let error = answers(answer).await.open().await.unwrap_err();
        assert!(matches!(&error, RuntimeError::EngineRefuses { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[tokio::test]
    async fn an_old_daemon_is_refused_with_both_versions() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n{\"ApiVersion\":\"1.39\"}";
        let error = answers(answer).await.open().await.unwrap_err();
        assert_eq!(error.to_string(), "the Docker daemon speaks API 1.39, at least 1.40 is needed");
    }

    #[tokio::test]
    async fn a_silent_listener_is_given_up() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = Address::Tcp { host: "127.0.0.1".into(), port };
        let error = address.open_within(Duration::from_millis(50)).await.unwrap_err();
        assert!(
            matches!(&error, RuntimeError::EngineAbsent { reason, .. } if reason.contains("no answer")),
            "{error:?}"
        );
    }
}
