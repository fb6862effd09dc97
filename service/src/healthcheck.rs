//! The service asks itself whether it is well. The image has no shell and no
//! curl, so the health check of a container is this program again.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::config::Config;

/// The longest wait for each step: connect, send, receive.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The beginning of the answer that says whether it is well.
const WELL: &[u8] = b"HTTP/1.1 200 ";

/// Why the service is not known to be well.
#[derive(Debug, thiserror::Error)]
pub enum HealthcheckError {
    /// No answer.
    #[error("no answer from http://{address}/healthz: {source}")]
    NoAnswer {
        /// Where it was asked.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// An answer that does not say that it is well.
    #[error("http://{address}/healthz answers {answer:?}")]
    NotWell {
        /// Where it was asked.
        address: SocketAddr,
        /// The beginning of the answer.
        answer: String,
    },
}

/// Asks the service of this configuration for its health, on loopback where
/// it listens on every address. Blocks for at most a few seconds.
pub fn healthcheck(config: &Config) -> Result<(), HealthcheckError> {
    let address = SocketAddr::new(reachable(config.bind), config.port);
    let answer = ask(address).map_err(|source| HealthcheckError::NoAnswer { address, source })?;
    if answer.starts_with(WELL) {
        return Ok(());
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Err(HealthcheckError::NotWell { address, answer })
}

fn reachable(bind: IpAddr) -> IpAddr {
    match bind {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    }
}

fn ask(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(
        format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = Vec::new();
    // The status is all that matters; the rest is not waited for.
    stream.take(WELL.len() as u64).read_to_end(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that sends `answer` to the first client; its configuration.
    fn answering(answer: &'static str) -> Config {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        Config { port, ..Config::default() }
    }

    #[test]
    fn a_200_is_well() {
        let config = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        assert!(healthcheck(&config).is_ok());
    }

    #[test]
    fn any_other_status_is_not_well() {
        let error = healthcheck(&answering("HTTP/1.1 503 Service Unavailable\r\n\r\n")).unwrap_err();
        assert!(error.to_string().ends_with("answers \"HTTP/1.1 503 \""), "{error}");
    }

    #[test]
    fn an_answer_that_is_cut_off_is_not_well() {
        assert!(healthcheck(&answering("HTTP/1.1 200")).is_err());
    }

    #[test]
    fn a_closed_port_is_no_answer() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = healthcheck(&Config { port: closed, ..Config::default() }).unwrap_err();
        assert!(matches!(error, HealthcheckError::NoAnswer { .. }), "{error}");
    }
}
