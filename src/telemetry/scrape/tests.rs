//! Against real servers on a free port, each of which misbehaves in one way.

use std::time::Instant;

use chrono::{DateTime, Utc};
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::clock::SystemClock;

/// Long enough that a busy machine does not matter where no time-out is meant.
const PATIENT: Duration = Duration::from_secs(20);
/// Where the time-out is what is tested.
const IMPATIENT: Duration = Duration::from_millis(400);
/// How much later than the time-out a fault may come on a busy machine.
const GRACE: Duration = Duration::from_secs(3);

/// What a server does after its answer.
#[derive(Clone, Copy)]
enum Then {
    Close,
    Hang,
    Drip,
}

/// A server that gives every caller the same bytes; the receiver gets the
/// requests.
async fn server(answer: impl Into<Vec<u8>>, then: Then) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (requests, received) = mpsc::channel(4);
    let answer = answer.into();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A caller that goes away in the middle is part of the tests.
            let _ = answer_one(stream, &answer, then, &requests).await;
        }
    });
    (address, received)
}

async fn answer_one(
    mut stream: TcpStream,
    answer: &[u8],
    then: Then,
    requests: &mpsc::Sender<String>,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await?);
    }
    let _ = requests.try_send(String::from_utf8_lossy(&request).into_owned());
    stream.write_all(answer).await?;
    match then {
        Then::Close => stream.shutdown().await,
        Then::Hang => stream.read_u8().await.map(drop),
        // Never so long between two bytes that it seems to hang.
        Then::Drip => {
            let mut pace = tokio::time::interval(Duration::from_millis(20));
            loop {
                pace.tick().await;
                stream.write_all(b"#").await?;
            }
        }
    }
}

/// An answer with status 200 and an honest length.
fn ok(content_type: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";

async fn scrape(scraper: &Scraper, address: SocketAddr) -> Result<Snapshot, ScrapeFault> {
    scraper.scrape(address, "/metrics", "a", &SystemClock).await
}

/// A clock that stands still.
struct Noon;

impl Clock for Noon {
    fn wall(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_763_901_711, 5).unwrap()
    }

    fn instant(&self) -> Instant {
        SystemClock.instant()
    }
}

#[rstest]
#[case::text(TEXT, "a 1\n", false)]
#[case::openmetrics("application/openmetrics-text; version=1.0.0", "a 1\n# EOF\n", true)]
#[tokio::test]
async fn an_exposition_becomes_a_snapshot(
    #[case] kind: &str,
    #[case] body: &str,
    #[case] is_openmetrics: bool,
) {
    let (address, _requests) = server(ok(kind, body.as_bytes()), Then::Close).await;
    let found = Scraper::new(PATIENT).scrape(address, "/metrics", "4711@17", &Noon).await;
    let instance = "4711@17".to_owned();
    assert_eq!(
        found,
        Ok(Snapshot { instance, taken_at: Noon.wall(), is_openmetrics, body: body.to_owned() })
    );
}

#[tokio::test]
async fn chunks_are_put_together() {
    let (address, _requests) = server(format!("{CHUNKED}3\r\na 1\r\n1\r\n\n\r\n0\r\n\r\n"), Then::Hang).await;
    assert_eq!(scrape(&Scraper::new(PATIENT), address).await.unwrap().body, "a 1\n");
}

#[tokio::test]
async fn plain_text_is_asked_for_and_no_compression() {
    let (address, mut requests) = server(ok(TEXT, b"a 1\n"), Then::Close).await;
    Scraper::new(PATIENT).scrape(address, "/prom?all=1", "a", &SystemClock).await.unwrap();
    let request = requests.recv().await.unwrap().to_ascii_lowercase();
    assert!(request.starts_with("get /prom?all=1 http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\naccept: text/plain;version=0.0.4"), "{request}");
    assert!(!request.contains("accept-encoding"), "{request}");
}

#[rstest]
#[case::not_found("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "http 404")]
#[case::failing(
    "HTTP/1.1 500 Oops\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\na 1\n",
    "http 500"
)]
#[case::no_content("HTTP/1.1 204 No Content\r\n\r\n", "http 204")]
#[case::partial(
    "HTTP/1.1 206 Partial\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\na 1\n",
    "http 206"
)]
#[case::closed_without_an_answer("", "unreachable")]
#[case::no_http("SSH-2.0-OpenSSH_9.2\r\n", "unreachable")]
#[case::cut_in_the_head("HTTP/1.1 200 OK\r\ncontent-ty", "unreachable")]
#[case::html_type(
    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\na 1\n",
    "content type text/html"
)]
#[case::json_type(
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    "content type application/json"
)]
#[case::no_type("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\na 1\n", "content type ")]
#[case::compressed(
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\na 1\n",
    "malformed 0 encoded as \"gzip\""
)]
#[case::shorter_than_announced(
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 99\r\n\r\na 1\n",
    "malformed 0 cut off"
)]
#[case::chunks_cut(
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n4\r\na 1\n\r\n9\r\nb",
    "malformed 0 cut off"
)]
#[case::chunks_without_end(
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n4\r\na 1\n\r\n",
    "malformed 0 cut off"
)]
#[case::no_length_and_cut(
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\na 1\nb 2",
    "malformed 2 cut off"
)]
#[case::empty(
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n",
    "malformed 0 empty body"
)]
#[case::html_body(
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 7\r\n\r\n<html>\n",
    "malformed 1 an HTML page"
)]
#[case::malformed(
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\na 1\nb\n",
    "malformed 2 no value"
)]
#[case::too_large(
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 999999999999\r\n\r\na 1\n",
    "too large 16777216"
)]
#[tokio::test]
async fn each_failure_has_its_own_fault(#[case] answer: &str, #[case] expected: &str) {
    let (address, _requests) = server(answer, Then::Close).await;
    let found = told(&scrape(&Scraper::new(PATIENT), address).await.unwrap_err());
    assert!(found.starts_with(expected), "{found}");
}

/// A fault in a word or two and what it carries.
fn told(fault: &ScrapeFault) -> String {
    match fault {
        ScrapeFault::Unreachable { reason, .. } => format!("unreachable {reason}"),
        ScrapeFault::TimedOut { millis, .. } => format!("timed out {millis}"),
        ScrapeFault::Http { status, .. } => format!("http {status}"),
        ScrapeFault::ContentType { found } => format!("content type {found}"),
        ScrapeFault::TooLarge { limit } => format!("too large {limit}"),
        ScrapeFault::Malformed { line, reason } => format!("malformed {line} {reason}"),
    }
}

#[tokio::test]
async fn nobody_listening_is_unreachable_with_its_cause() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let fault = scrape(&Scraper::new(PATIENT), address).await.unwrap_err();
    assert!(told(&fault).starts_with("unreachable Connection refused"), "{fault}");
    assert!(fault.to_string().contains(&format!("http://{address}/metrics")), "{fault}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, mut requests) = server(ok(TEXT, b"a 1\n"), Then::Close).await;
    let answer = format!("HTTP/1.1 302 Found\r\nlocation: http://{elsewhere}/\r\ncontent-length: 0\r\n\r\n");
    let (address, _requests) = server(answer, Then::Close).await;
    let found = scrape(&Scraper::new(PATIENT), address).await;
    assert_eq!(found.map_err(|fault| told(&fault)), Err("http 302".to_owned()));
    assert!(requests.try_recv().is_err());
}

#[rstest]
#[case::no_answer("", Then::Hang)]
#[case::half_a_head("HTTP/1.1 200 OK\r\nx-slow: ", Then::Drip)]
#[case::no_body("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\n", Then::Hang)]
#[case::dripping_body("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\na 1\n", Then::Drip)]
#[tokio::test]
async fn an_answer_that_does_not_end_times_out(#[case] answer: &str, #[case] then: Then) {
    let (address, _requests) = server(answer, then).await;
    let start = SystemClock.instant();
    let found = scrape(&Scraper::new(IMPATIENT), address).await;
    assert_eq!(found.map_err(|fault| told(&fault)), Err("timed out 400".to_owned()));
    assert!(SystemClock.instant() - start < IMPATIENT + GRACE);
}

#[rstest]
#[case::announced(ok(TEXT, &[b'#'; 101]))]
#[case::in_chunks(format!("{CHUNKED}65\r\n{}\r\n0\r\n\r\n", "#".repeat(101)).into_bytes())]
#[case::without_end(format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n{}", "#".repeat(101)).into_bytes())]
#[tokio::test]
async fn more_than_the_limit_is_not_read(#[case] answer: Vec<u8>) {
    let (address, _requests) = server(answer, Then::Hang).await;
    let found = scrape(&Scraper::with_limit(PATIENT, 100), address).await;
    assert_eq!(found, Err(ScrapeFault::TooLarge { limit: 100 }));
}

#[tokio::test]
async fn as_much_as_the_limit_is_read() {
    let body = format!("a{{b=\"{}\"}} 1\n", "c".repeat(90));
    let (address, _requests) = server(ok(TEXT, body.as_bytes()), Then::Close).await;
    assert!(scrape(&Scraper::with_limit(PATIENT, body.len()), address).await.is_ok());
}
