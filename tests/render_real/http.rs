//! The least of an HTTP client: one request, one answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    /// Every value of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

pub fn get(port: u16, path: &str) -> Result<Answer, String> {
    request(port, "GET", path, "", "")
}

/// Sends one request to this machine; `headers` are whole lines.
pub fn request(port: u16, method: &str, path: &str, headers: &str, body: &str) -> Result<Answer, String> {
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\nContent-Length: {}\r\n\
         {headers}\r\n{body}",
        body.len()
    );
    raw(port, &text).map_err(|error| format!("{method} {path} on port {port}: {error}"))
}

/// Sends requests over one connection, head and body apart, as many clients
/// do; how many were answered with 200 before the connection ended.
pub fn posts_over_one_connection(port: u16, count: usize) -> usize {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!("POST / HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 1\r\n\r\n");
    let is_answered = |stream: &mut TcpStream| -> std::io::Result<bool> {
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"x")?;
        // The answers here are short and come in one piece.
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer)?;
        Ok(answer[..length].starts_with(b"HTTP/1.1 200"))
    };
    (0..count).take_while(|_| is_answered(&mut stream).unwrap_or(false)).count()
}

fn raw(port: u16, text: &str) -> Result<Answer, String> {
    let say = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(say)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(say)?;
    stream.write_all(text.as_bytes()).map_err(say)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(say)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the answer has no head")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
