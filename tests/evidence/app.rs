//! An app that serves metrics, or spoils them as a test wants.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What is wrong with the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoilt {
    /// Nothing.
    No,
    /// Nobody listens.
    Refused,
    /// The path answers 404.
    NotFound,
    /// The path answers 500.
    ServerError,
    /// The connection stays open without a word.
    Hangs,
    /// A few bytes every now and then.
    Drips,
    /// The connection closes before the promised end.
    Truncated,
    /// The last line lacks its end.
    CutOff,
    /// The connection closes at the end of a line, before that of the errors,
    /// and no length was promised.
    CutAtLineEnd,
    /// A line that is no sample.
    Malformed,
    /// A page of a web server.
    Html,
    /// A body of no bytes.
    Empty,
    /// The families have other names.
    WrongNames,
    /// A counter is not a number.
    NaN,
    /// The counters began anew.
    Reset,
    /// The histogram lacks its last bucket.
    NoInf,
    /// No histogram at all.
    NoHistogram,
    NoPathsOfDurations,
}

/// What the app has counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    pub served: u64,
    pub failed: u64,
    pub uptime: u64,
    pub spoilt: Spoilt,
}

/// A process that answers on a port of its own; ends when dropped.
pub struct App {
    pub address: SocketAddr,
    pub id: String,
    counted: Arc<Mutex<Counted>>,
    listening: Mutex<Option<Listening>>,
}

struct Listening {
    is_over: Arc<AtomicBool>,
    accepting: JoinHandle<()>,
}

impl App {
    pub fn start(id: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, super::world::ports::free_port())).unwrap();
        let address = listener.local_addr().unwrap();
        let counted = Counted { served: 1000, failed: 0, uptime: 3600, spoilt: Spoilt::No };
        let app = Self {
            address,
            id: id.into(),
            counted: Arc::new(Mutex::new(counted)),
            listening: Mutex::default(),
        };
        app.listen(listener);
        app
    }

    /// Changes what it has counted.
    pub fn count(&self, change: impl FnOnce(&mut Counted)) {
        change(&mut self.counted.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Serves so many requests, some of which fail.
    pub fn serves(&self, requests: u64, failed: u64) {
        self.count(|counted| {
            counted.served += requests - failed;
            counted.failed += failed;
        });
    }

    /// Spoils its metrics, or mends them.
    pub fn spoil(&self, spoilt: Spoilt) {
        self.count(|counted| {
            counted.spoilt = spoilt;
            if spoilt == Spoilt::Reset {
                (counted.served, counted.failed, counted.uptime) = (40, 0, 3);
            }
        });
        if spoilt == Spoilt::Refused {
            self.close();
        } else if self.listening.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            self.listen(TcpListener::bind(self.address).unwrap());
        }
    }

    fn listen(&self, listener: TcpListener) {
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, counted) = (Arc::clone(&is_over), Arc::clone(&self.counted));
        let accepting = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let counted = *counted.lock().unwrap_or_else(PoisonError::into_inner);
                std::thread::spawn(move || answer(stream, counted));
            }
        });
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Listening { is_over, accepting });
    }

    fn close(&self) {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Listening { is_over, accepting }) = listening {
            is_over.store(true, Ordering::SeqCst);
            drop(TcpStream::connect(self.address));
            accepting.join().unwrap();
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.close();
    }
}

/// A client that goes away early is its own affair.
fn answer(mut stream: TcpStream, counted: Counted) {
    let mut request = [0; 4096];
    let length = stream.read(&mut request).unwrap_or(0);
    let is_metrics = request[..length].starts_with(b"GET /metrics ");
    let spoilt = if is_metrics { counted.spoilt } else { Spoilt::NotFound };
    let body = metrics(counted);
    let _ = match spoilt {
        Spoilt::NotFound => say(&mut stream, 404, "text/plain", "not here\n"),
        Spoilt::ServerError => say(&mut stream, 500, "text/plain", "broken\n"),
        Spoilt::Hangs => stream.read(&mut request).map(|_| ()),
        Spoilt::Drips => drip(&mut stream, &body),
        Spoilt::Truncated => {
            stream.write_all(format!("{}{}", head(200, "text/plain", body.len() + 500), &body).as_bytes())
        }
        Spoilt::CutOff => say(&mut stream, 200, "text/plain", &body[..body.len() - 3]),
        Spoilt::CutAtLineEnd => {
            let end = body.find("http_requests_total{path=\"/\",status_code=\"500\"}").unwrap_or(0);
            let head = "HTTP/1.0 200 Fake\r\nContent-Type: text/plain\r\n\r\n";
            stream.write_all(format!("{head}{}", &body[..end]).as_bytes())
        }
        Spoilt::Malformed => say(&mut stream, 200, "text/plain", &format!("{body}what is this?\n")),
        Spoilt::Html => say(&mut stream, 200, "text/html", "<html><body>welcome</body></html>\n"),
        Spoilt::Empty => say(&mut stream, 200, "text/plain", ""),
        Spoilt::WrongNames => say(&mut stream, 200, "text/plain", &body.replace("http_", "my_")),
        Spoilt::NaN => say(&mut stream, 200, "text/plain", &body.replace("\"500\"} 0", "\"500\"} NaN")),
        Spoilt::NoInf => {
            let kept: String = body.split_inclusive('\n').filter(|line| !line.contains("+Inf")).collect();
            say(&mut stream, 200, "text/plain", &kept)
        }
        Spoilt::NoHistogram => {
            let kept: String = body.split_inclusive('\n').filter(|line| !line.contains("duration")).collect();
            say(&mut stream, 200, "text/plain", &kept)
        }
        Spoilt::NoPathsOfDurations => {
            let bare = |line: &str| line.replace("{path=\"/\",", "{").replace("{path=\"/\"}", "");
            let of = |line: &str| if line.contains("duration") { bare(line) } else { line.to_owned() };
            say(&mut stream, 200, "text/plain", &body.split_inclusive('\n').map(of).collect::<String>())
        }
        Spoilt::No | Spoilt::Reset | Spoilt::Refused => say(&mut stream, 200, "text/plain", &body),
    };
    let _ = stream.shutdown(Shutdown::Write);
}

fn head(status: u16, kind: &str, length: usize) -> String {
    format!(
        "HTTP/1.1 {status} Fake\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )
}

fn say(stream: &mut TcpStream, status: u16, kind: &str, body: &str) -> std::io::Result<()> {
    stream.write_all(format!("{}{body}", head(status, kind, body.len())).as_bytes())
}

fn drip(stream: &mut TcpStream, body: &str) -> std::io::Result<()> {
    stream.write_all(head(200, "text/plain", body.len()).as_bytes())?;
    for byte in body.bytes() {
        stream.write_all(&[byte])?;
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(())
}

fn metrics(counted: Counted) -> String {
    let all = counted.served + counted.failed;
    let mut text = String::from("# TYPE http_requests_total counter\n");
    for (status, count) in [("200", counted.served), ("500", counted.failed)] {
        let _ = writeln!(text, "http_requests_total{{path=\"/\",status_code=\"{status}\"}} {count}");
    }
    text.push_str("# TYPE http_request_duration_seconds histogram\n");
    for bound in ["0.1", "0.5", "+Inf"] {
        let _ = writeln!(text, "http_request_duration_seconds_bucket{{path=\"/\",le=\"{bound}\"}} {all}");
    }
    let _ = writeln!(text, "http_request_duration_seconds_sum{{path=\"/\"}} 1");
    let _ = writeln!(text, "http_request_duration_seconds_count{{path=\"/\"}} {all}");
    let _ = writeln!(text, "# TYPE app_uptime_seconds gauge\napp_uptime_seconds {}", counted.uptime);
    text
}
