//! A plain HTTP client, so that the tests see the bytes that clients see.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: a failure here is a failure of the test"
)]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Sends a request and reads the whole answer.
pub async fn request(address: SocketAddr, method: &str, target: &str, body: &str) -> Answer {
    exchange(send(address, method, target, body).await).await
}

pub async fn get(address: SocketAddr, target: &str) -> Answer {
    request(address, "GET", target, "").await
}

/// Sends a request and does not wait for the answer.
pub async fn send(address: SocketAddr, method: &str, target: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads the answer until the server closes.
pub async fn exchange(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Answer { status, headers, body: body.to_owned() }
}

/// The value of a series on `/metrics`, written as it stands there.
pub async fn metric(address: SocketAddr, series: &str) -> Option<f64> {
    let metrics = get(address, "/metrics").await;
    let line = metrics.body.lines().find_map(|line| line.strip_prefix(series))?;
    Some(line.trim().parse().unwrap())
}

/// Waits until a series has a value.
pub async fn wait_for_metric(address: SocketAddr, series: &str, wanted: f64) {
    for _ in 0..500 {
        if metric(address, series).await == Some(wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{series} did not become {wanted}: {:?}", metric(address, series).await);
}
