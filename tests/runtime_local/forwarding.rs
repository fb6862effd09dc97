//! What passes through the proxy, and what does not.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use swiftdeploy::domain::{Routes, Share, Slot};
use swiftdeploy::runtime::Runtime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::app::BIG;
use super::runtime_suite::eventually;
use super::world::{PATIENCE, World, client};

#[tokio::test]
async fn the_service_learns_who_asked_and_for_what() {
    let world = World::with_app();
    world.serving().await;
    let answer = client()
        .get(world.url("/headers"))
        .header("host", "shop.example")
        .header("x-forwarded-for", "198.51.100.7")
        .header("x-forwarded-host", "evil.example")
        .header("connection", "keep-alive, x-secret")
        .header("x-secret", "for the proxy")
        .header("te", "gzip")
        .header("x-kept", "yes")
        .send()
        .await
        .unwrap();
    let seen: BTreeMap<String, String> = answer.json().await.unwrap();
    assert_eq!(seen["host"], "shop.example");
    assert_eq!(seen["x-forwarded-for"], "198.51.100.7, 127.0.0.1");
    assert_eq!(seen["x-forwarded-host"], "shop.example");
    assert_eq!(seen["x-forwarded-proto"], "http");
    assert_eq!(seen["x-real-ip"], "127.0.0.1");
    assert_eq!(seen["x-request-id"].len(), 32);
    assert_eq!(seen["x-kept"], "yes");
    for hop_by_hop in ["connection", "x-secret", "te", "forwarded"] {
        assert!(!seen.contains_key(hop_by_hop), "{hop_by_hop}");
    }
}

#[tokio::test]
async fn large_bodies_stream_both_ways_without_being_collected() {
    let world = World::with_app();
    world.serving().await;

    let answer = world.get("/big").await;
    assert_eq!(answer.headers()["content-length"], BIG.to_string());
    assert_eq!(answer.headers()["x-deployed-by"], "swiftdeploy", "not what the service claims");
    assert_eq!(answer.headers()["x-mode"], "canary", "the service's own passes");
    assert!(!answer.headers().contains_key("x-private"), "named by Connection: between two only");
    assert_eq!(answer.bytes().await.unwrap().len(), BIG);

    let piece = bytes::Bytes::from(vec![b'y'; 64 * 1024]);
    let pieces = stream::iter(0..BIG / piece.len()).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
    let upload = client().post(world.url("/echo")).body(reqwest::Body::wrap_stream(pieces));
    assert_eq!(upload.send().await.unwrap().bytes().await.unwrap().len(), BIG);

    let seen = world.runtime.observe().await.unwrap();
    let memory = seen.proxy().unwrap().usage.unwrap().memory;
    assert!(memory < BIG as u64, "{memory} bytes for bodies of {BIG}");
}

#[tokio::test]
async fn a_stream_arrives_piece_by_piece() {
    let world = World::with_app();
    world.serving().await;
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    stream.write_all(b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let mut seen = String::new();
    for piece in ["one", "two", "six"] {
        stream.write_all(format!("3\r\n{piece}\r\n").as_bytes()).await.unwrap();
        // The next piece is sent only when this one has come back.
        read_until(&mut stream, &mut seen, piece).await;
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    read_until(&mut stream, &mut seen, "0\r\n\r\n").await;
    assert!(seen.contains("x-deployed-by: swiftdeploy"), "{seen}");
}

#[tokio::test]
async fn a_websocket_passes_and_outlives_a_swap() {
    let world = World::with_app();
    world.serving().await;
    world.start(Slot::Green, "2.0.0").await;
    let (mut stream, head) = websocket(&world).await;
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    assert!(head.contains("x-deployed-by: swiftdeploy"), "{head}");

    for text in [b"hello", b"world"] {
        echo(&mut stream, text).await;
        world.route(&Routes::all_to(Slot::Green, format!("after-{}", text[0]))).await;
    }
}

/// It is silent for longer than an answer that is broken off for it.
#[tokio::test]
async fn a_websocket_may_be_silent() {
    let mut world = World::with_app();
    world.rules.timeout_ms = 150;
    world.serving().await;
    let (mut stream, _) = websocket(&world).await;
    world.get("/stuck").await.bytes().await.unwrap_err();
    echo(&mut stream, b"hello").await;
}

async fn websocket(world: &World) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    // Key and answer are those of RFC 6455, section 1.3.
    stream
        .write_all(
            b"GET /ws HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
              sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await
        .unwrap();
    let mut head = String::new();
    read_until(&mut stream, &mut head, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    (stream, head)
}

/// Sends five bytes over a websocket and waits for them.
async fn echo(stream: &mut TcpStream, text: &[u8; 5]) {
    // A final text frame, masked with zeros as a client's must be.
    stream.write_all(&[&[0x81, 0x85, 0, 0, 0, 0], &text[..]].concat()).await.unwrap();
    let mut frame = [0; 7];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, &[&[0x81, 5], &text[..]].concat()[..]);
}

#[tokio::test]
async fn an_old_client_gets_an_answer_it_understands() {
    let world = World::with_app();
    world.serving().await;
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 200") && answer.ends_with("1.0.0"), "{answer}");
}

#[tokio::test]
async fn shares_are_kept_exactly() {
    let world = World::with_app();
    world.serving().await;
    world.start(Slot::Green, "2.0.0").await;
    let shares = vec![Share { slot: Slot::Blue, percent: 75 }, Share { slot: Slot::Green, percent: 25 }];
    world.route(&Routes { generation: "split".into(), shares }).await;

    let mut to_green = 0;
    for _ in 0..100 {
        to_green += usize::from(world.get("/").await.text().await.unwrap() == "2.0.0");
    }
    assert_eq!(to_green, 25);
}

#[tokio::test]
async fn every_request_is_in_the_access_log_and_cannot_forge_a_line() {
    let world = World::with_app();
    let upstream = world.serving().await.endpoint.unwrap();
    world.get("/?a=1").await;
    world.get("/status/404").await;
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    stream.write_all(b"GET /\xc3\xa9\"x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();

    eventually("three lines", async || (world.access_log().lines().count() >= 3).then_some(())).await;
    let log = world.access_log();
    let lines: Vec<Vec<&str>> = log.lines().map(|line| line.split(" | ").collect()).collect();
    assert!(lines.iter().all(|fields| fields.len() == 5), "{log}");
    assert!(chrono::DateTime::parse_from_rfc3339(lines[0][0]).is_ok());
    assert_eq!(&lines[0][1..], ["200", lines[0][2], &upstream.to_string(), "GET /?a=1 HTTP/1.1"]);
    assert!(lines[0][2].ends_with('s') && lines[0][2].trim_end_matches('s').parse::<f64>().is_ok());
    assert_eq!(lines[1][1], "404");
    assert!(log.is_ascii() && !log.contains(swiftdeploy::domain::Routes::MARKER_PATH));
}

async fn read_until(stream: &mut TcpStream, seen: &mut String, wanted: &str) {
    let reading = async {
        while !seen.contains(wanted) {
            let mut piece = [0; 1];
            assert_eq!(stream.read(&mut piece).await.unwrap(), 1, "closed after {seen}");
            seen.push(piece[0].into());
        }
    };
    assert!(tokio::time::timeout(PATIENCE, reading).await.is_ok(), "{wanted:?} did not come; {seen}");
}
