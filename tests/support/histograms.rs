//! Random histograms, and a server that exposes them in two phases.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use swiftdeploy::telemetry::Names;

/// So many scrapes hold all cases, so that none is large.
pub const BATCHES: usize = 10;

const CASES: usize = 200;

/// Which end of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Before,
    After,
}

impl Phase {
    /// The value of the gauge `phase` that goes along.
    pub const fn value(self) -> f64 {
        match self {
            Self::Before => 0.0,
            Self::After => 1.0,
        }
    }
}

/// One histogram: its buckets at both ends.
#[derive(Debug)]
pub struct Case {
    name: String,
    /// Labels, earlier and later value.
    buckets: Vec<(String, u64, u64)>,
}

impl Case {
    /// In which scrape a case is.
    pub const fn batch_of(index: usize) -> usize {
        index / (CASES / BATCHES)
    }

    /// The case as an app with these names.
    pub fn names(&self) -> Names {
        Names {
            requests: format!("{}_total", self.name),
            duration: format!("{}_seconds", self.name),
            ..Names::default()
        }
    }

    fn write(&self, body: &mut String, phase: Phase) {
        let Names { requests, duration, .. } = self.names();
        let requests_so_far = u8::from(phase == Phase::After);
        writeln!(
            body,
            "# TYPE {requests} counter\n{requests}{{path=\"/\",status_code=\"200\"}} {requests_so_far}"
        )
        .unwrap();
        writeln!(body, "# TYPE {duration} histogram").unwrap();
        for (labels, before, after) in &self.buckets {
            let value = if phase == Phase::Before { before } else { after };
            writeln!(body, "{duration}_bucket{{{labels}}} {value}").unwrap();
        }
    }
}

/// Numbers that look random and are the same in every run (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// The cases, the same in every run.
pub fn cases() -> Vec<Case> {
    let mut dice = Dice(0x5EED);
    (0..CASES).map(|index| case(&mut dice, index)).collect()
}

/// One in eight has a trait that is rare: nothing counted, everything above
/// the highest bound, a bound in two spellings, a negative bound, counts that
/// fall from one bound to the next, a single bound, none but `+Inf`.
fn case(dice: &mut Dice, index: usize) -> Case {
    let name = format!("case{index}");
    let kind = index % 16;
    let many = 1 + dice.below(14);
    let bounds = match kind {
        5 => 1,
        6 => 0,
        _ => many,
    };
    let mut thousandths = if kind == 3 { -2_000 } else { 0 };
    let mut edges: Vec<String> = Vec::new();
    for _ in 0..bounds {
        thousandths += 1 + i64::try_from(dice.below(1500)).unwrap();
        edges.push(spelled(thousandths, dice));
        if kind == 2 {
            edges.push(format!("{thousandths}.0e-3"));
        }
    }
    edges.push("+Inf".to_owned());
    let mut buckets = Vec::new();
    for path in ["/", "/b", "/c"].into_iter().take(1 + usize::try_from(dice.below(3)).unwrap()) {
        let (mut before, mut gained) = (0, 0);
        // Below 1e9: newer versions of Prometheus, like us, take differences
        // of a share of 1e-12 for rounding; older ones do not.
        let size = [3, 40, 1_000, 1_000_000][usize::try_from(dice.below(4)).unwrap()];
        for le in &edges {
            before += dice.below(size);
            let is_last = le == "+Inf";
            let grows = match kind {
                0 => 0,
                1 if !is_last => 0,
                _ => dice.below(size),
            };
            // Each bucket holds those below it too, but for a broken client.
            gained = if kind == 4 { grows } else { gained + grows };
            buckets.push((format!("path=\"{path}\",le=\"{le}\""), before, before + gained));
        }
    }
    Case { name, buckets }
}

/// Thousandths of a second as seconds, in one of the clients' spellings.
fn spelled(thousandths: i64, dice: &mut Dice) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    let (whole, rest) = (thousandths.abs() / 1000, thousandths.abs() % 1000);
    match dice.below(3) {
        0 => format!("{thousandths}e-3"),
        1 => format!("{sign}{whole}.{rest:03}"),
        _ => format!("{sign}{whole}.{rest:03}000e0"),
    }
}

/// A server that exposes a batch of cases below `/<batch>`, in the phase that
/// it is in. It ends with the test program.
pub struct Served {
    port: u16,
    bodies: Arc<Vec<[String; 2]>>,
    is_after: Arc<AtomicBool>,
}

impl Served {
    /// Serves the first phase.
    pub fn start(cases: &[Case]) -> Self {
        let bodies: Vec<[String; 2]> = cases
            .chunks(CASES / BATCHES)
            .map(|batch| {
                [Phase::Before, Phase::After].map(|phase| {
                    let mut body = format!("# TYPE phase gauge\nphase {}\n", phase.value());
                    for case in batch {
                        case.write(&mut body, phase);
                    }
                    body
                })
            })
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (bodies, is_after) = (Arc::new(bodies), Arc::new(AtomicBool::new(false)));
        let served = Self { port, bodies: Arc::clone(&bodies), is_after: Arc::clone(&is_after) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let phase = usize::from(is_after.load(Ordering::SeqCst));
                // A caller that goes away is no matter: it comes again.
                let _ = stream.and_then(|stream| answer(stream, &bodies, phase));
            }
        });
        served
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Serves the second phase from now on.
    pub fn go_on(&self) {
        self.is_after.store(true, Ordering::SeqCst);
    }

    /// What a scrape is answered with.
    pub fn body(&self, batch: usize, phase: Phase) -> &str {
        &self.bodies[batch][usize::from(phase == Phase::After)]
    }
}

fn answer(mut stream: std::net::TcpStream, bodies: &[[String; 2]], phase: usize) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head);
    let batch: usize = head.split(['/', ' ']).nth(2).and_then(|number| number.parse().ok()).unwrap_or(0);
    let body = &bodies[batch][phase];
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
