//! A server that answers as a test wants, on a port or on a socket file: what
//! a tool must cope with when somebody else is at the other end.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use std::borrow::Cow;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use percent_encoding::percent_decode_str;

/// What the fake says to a request.
pub enum Reply {
    /// A whole answer.
    Says(u16, &'static str, String),
    /// The connection stays open without a word until the other side goes.
    Silence,
}

impl Reply {
    /// A JSON answer.
    pub fn json(value: &serde_json::Value) -> Self {
        Self::Says(200, "application/json", value.to_string())
    }
}

type Answers = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

/// The server; ends when dropped.
pub struct Fake {
    wake: Box<dyn Fn() + Send>,
    is_over: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Fake {
    /// Answers on a port of the loopback, by the path asked for as it is meant:
    /// letters that are written as numbers are letters again.
    pub fn on_port(port: u16, answers: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let wake = move || drop(TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
        Self::run(move || listener.accept().map(|(stream, _)| stream), wake, Arc::new(answers))
    }

    /// Answers on a socket file.
    pub fn on_socket(path: &Path, answers: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let path: PathBuf = path.into();
        let wake = move || drop(UnixStream::connect(&path));
        Self::run(move || listener.accept().map(|(stream, _)| stream), wake, Arc::new(answers))
    }

    fn run<S: Read + Write + Send + 'static>(
        accept: impl Fn() -> std::io::Result<S> + Send + 'static,
        wake: impl Fn() + Send + 'static,
        answers: Answers,
    ) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let accepting = std::thread::spawn(move || {
            while let Ok(stream) = accept() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let answers = Arc::clone(&answers);
                std::thread::spawn(move || serve(stream, &answers));
            }
        });
        Self { wake: Box::new(wake), is_over, accepting: Some(accepting) }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        (self.wake)();
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// Reads one request, answers, closes. A client that goes away early is its
/// own affair.
fn serve(mut stream: impl Read + Write, answers: &Answers) {
    let Some(path) = request(&mut stream) else { return };
    match answers(&path) {
        Reply::Says(status, kind, body) => {
            let head = format!(
                "HTTP/1.1 {status} Fake\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
        Reply::Silence => {
            let _ = stream.read(&mut [0; 64]);
        }
    }
}

/// The path of a request, read to its end: closing with unread bytes would
/// reset the connection.
fn request(stream: &mut impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, length)| length.trim().parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                let path = percent_decode_str(head.split(' ').nth(1)?);
                return path.decode_utf8().ok().map(Cow::into_owned);
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
