//! The one way to the daemon: every call has a limit in time and every failure
//! says what was being done. Nothing here may wait for ever, whatever the
//! daemon does.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;

use crate::runtime::RuntimeError;

/// Longest wait for a question.
pub const READ: Duration = Duration::from_secs(10);
/// Longest wait for a change (creating a container copies files, which takes
/// long on a slow disk).
pub const CHANGE: Duration = Duration::from_mins(1);

/// The connection to a daemon, for one project. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    /// The API.
    pub docker: Docker,
    /// Where the daemon is, as a person writes it.
    pub address: String,
    /// The project that all objects belong to.
    pub project: String,
}

/// A call that did not work, with the HTTP status by which some callers know
/// that it was no harm.
#[derive(Debug)]
pub struct Failure {
    /// What to tell a person.
    pub error: RuntimeError,
    /// The status in the daemon's answer, if it answered.
    pub status: Option<u16>,
}

impl Failure {
    /// The daemon knows no such object.
    pub fn is_absent(&self) -> bool {
        self.status == Some(404)
    }

    /// The object is already in the state asked for, or a name is taken.
    pub fn is_conflict(&self) -> bool {
        self.status == Some(409)
    }

    /// The daemon's words, without what was being done.
    pub fn reason(&self) -> String {
        match &self.error {
            RuntimeError::Engine { reason, .. } => reason.clone(),
            other => other.to_string(),
        }
    }
}

impl From<Failure> for RuntimeError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Client {
    /// Asks; `doing` completes "could not …" as a gerund: "inspecting x".
    pub async fn read<T>(
        &self,
        doing: impl Into<String>,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        self.within(READ, doing, call).await
    }

    /// Changes something.
    pub async fn change<T>(
        &self,
        doing: impl Into<String>,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        self.within(CHANGE, doing, call).await
    }

    /// A call with a limit of its own.
    pub async fn within<T>(
        &self,
        limit: Duration,
        doing: impl Into<String>,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(limit, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failure(doing.into(), &error)),
            Err(_) => Err(Failure {
                error: RuntimeError::Engine {
                    doing: doing.into(),
                    reason: format!("the daemon gave no answer within {limit:?}"),
                },
                status: None,
            }),
        }
    }

    fn failure(&self, doing: String, error: &Error) -> Failure {
        if let Error::DockerResponseServerError { status_code, message } = error {
            return Failure {
                error: RuntimeError::Engine { doing, reason: message.trim().to_owned() },
                status: Some(*status_code),
            };
        }
        let error = unreachable_daemon(&self.address, error)
            .unwrap_or_else(|| RuntimeError::Engine { doing, reason: chain(error) });
        Failure { error, status: None }
    }
}

/// What it means when the connection itself fails; `None` for any other error.
/// Absent and refusing daemons are told apart, since the remedies differ.
pub fn unreachable_daemon(address: &str, error: &Error) -> Option<RuntimeError> {
    let absent = |reason: String| RuntimeError::EngineAbsent { address: address.into(), reason };
    let refuses = |reason: String| RuntimeError::EngineRefuses { address: address.into(), reason };
    if let Error::SocketNotFoundError(_) = error {
        return Some(absent("there is no such socket".into()));
    }
    if let Error::RequestTimeoutError = error {
        return Some(absent("it gives no answer".into()));
    }
    let Error::HyperLegacyError { err } = error else { return None };
    let mut source = err.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return Some(match io.kind() {
                io::ErrorKind::NotFound => absent("there is no such socket".into()),
                io::ErrorKind::ConnectionRefused => {
                    absent("nobody listens there; the daemon is not running".into())
                }
                io::ErrorKind::PermissionDenied => {
                    refuses("this user may not open the socket (permission denied)".into())
                }
                _ => absent(io.to_string()),
            });
        }
        source = cause.source();
    }
    Some(if err.is_connect() {
        absent(chain(error))
    } else {
        refuses(format!("what answers there does not speak the Docker API ({})", chain(error)))
    })
}

/// The words of an error and of its causes, each once.
pub fn chain(error: &Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        source = cause.source();
    }
    words
}

/// Absent is an answer, not a failure.
pub fn or_absent<T>(result: Result<T, Failure>) -> Result<Option<T>, RuntimeError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.is_absent() => Ok(None),
        Err(failure) => Err(failure.error),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A daemon that answers every call with the same bytes, or never.
    async fn daemon(answer: Option<&'static str>) -> Client {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.unwrap_or_default().as_bytes()).await;
                kept.push(stream);
            }
        });
        let docker = Docker::connect_with_http(&address, 60, bollard::API_DEFAULT_VERSION).unwrap();
        Client { docker, address, project: "shop".into() }
    }

    #[tokio::test]
    async fn a_daemon_that_hangs_is_given_up_with_what_was_being_done() {
        let client = daemon(None).await;
        let limit = Duration::from_millis(50);
        let failure = client.within(limit, "inspecting x", client.docker.info()).await.unwrap_err();
        assert_eq!(failure.error.to_string(), "inspecting x: the daemon gave no answer within 50ms");
    }

    #[rstest]
    #[case("HTTP/1.1 404 Not Found\r\ncontent-length: 18\r\n\r\n{\"message\":\"gone\"}", true, false)]
    #[case("HTTP/1.1 409 Conflict\r\ncontent-length: 18\r\n\r\n{\"message\":\"used\"}", false, true)]
    #[tokio::test]
    async fn statuses_that_may_be_no_harm_are_kept(
        #[case] answer: &'static str,
        #[case] is_absent: bool,
        #[case] is_conflict: bool,
    ) {
        let client = daemon(Some(answer)).await;
        let failure = client.read("inspecting x", client.docker.info()).await.unwrap_err();
        assert_eq!((failure.is_absent(), failure.is_conflict()), (is_absent, is_conflict));
        let words = failure.reason();
        assert!(words == "gone" || words == "used", "{words}");
        assert_eq!(or_absent::<()>(Err(failure)).is_ok(), is_absent);
    }
}
