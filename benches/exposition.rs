//! How long reading a scrape takes, and how much memory, beside
//! `prometheus-parse` on the same input: `cargo bench --bench exposition`.
//!
//! 10,000 lines must take less than 10 ms, and memory must be bounded by the
//! input; otherwise it ends with exit code 1.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a program for developers: it measures with the machine's clock, prints, and ends when something is wrong"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use swiftdeploy::telemetry::exposition::{Format, parse};
use swiftdeploy::telemetry::{Names, Scraper, compare};

const LINES: usize = 10_000;
const LIMIT: Duration = Duration::from_millis(10);
const RUNS: u32 = 51;
/// The largest body that is read at all.
const LARGEST: usize = Scraper::LIMIT;
/// How much more memory than its input reading may take: usual lines, and the
/// shortest lines that there can be, of which each becomes a sample.
const MEMORY: [f64; 2] = [8.0, 24.0];

/// Lines as a client with many routes writes them: a counter and a histogram,
/// without anything that `prometheus-parse` cannot read.
fn plain(lines: usize, count: usize) -> String {
    const BOUNDS: [&str; 8] = ["0.005", "0.01", "0.05", "0.1", "0.5", "1", "5", "+Inf"];
    let mut counters =
        String::from("# HELP http_requests_total Requests\n# TYPE http_requests_total counter\n");
    let mut buckets = String::from("# TYPE http_request_duration_seconds histogram\n");
    for route in 0..lines / (BOUNDS.len() + 2) {
        for status in [200, 500] {
            writeln!(
                counters,
                "http_requests_total{{method=\"GET\",path=\"/items/{route}\",status_code=\"{status}\"}} {count}"
            )
            .unwrap();
        }
        for (nth, bound) in BOUNDS.iter().enumerate() {
            writeln!(
                buckets,
                "http_request_duration_seconds_bucket{{method=\"GET\",path=\"/items/{route}\",le=\"{bound}\"}} {}",
                count * (nth + 1)
            )
            .unwrap();
        }
    }
    counters + &buckets
}

/// The same number of lines with escapes in every label.
fn escaped(lines: usize) -> String {
    (0..lines).fold(String::new(), |mut body, line| {
        writeln!(body, "a{{path=\"/say \\\"{line}\\\" \\\\ {{x,y=z}}\",other=\"größe\\n\"}} {line}.5 # {{t=\"{line}\"}} 1")
            .unwrap();
        body
    }) + "# EOF\n"
}

/// How long a run took.
struct Times {
    /// By the clock, the median of [`RUNS`] runs.
    median: Duration,
    /// On the processor, in the mean; `None` where the system does not tell.
    /// Other programs lengthen the one above, but not this one.
    busy: Option<Duration>,
}

impl Times {
    /// What is judged.
    fn own(&self) -> Duration {
        self.busy.unwrap_or(self.median)
    }
}

/// The times of some runs, after some that warm up.
fn times(mut run: impl FnMut()) -> Times {
    for _ in 0..5 {
        run();
    }
    let before = busy();
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            run();
            began.elapsed()
        })
        .collect();
    let busy = busy().zip(before).and_then(|(after, before)| after.checked_sub(before)?.checked_div(RUNS));
    times.sort_unstable();
    Times { median: times[times.len() / 2], busy }
}

/// How long this thread has been on a processor so far.
fn busy() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// The shortest lines of which no two are the same series.
fn shortest() -> String {
    let mut body = String::with_capacity(LARGEST);
    for number in 0.. {
        if body.len() + 16 > LARGEST {
            break;
        }
        writeln!(body, "a{number:x} 1").unwrap();
    }
    body
}

/// How many bytes the process had more at once than before the run; `None`
/// where the system does not tell.
fn peak(run: impl FnOnce()) -> Option<f64> {
    // Makes the highest value so far the current one.
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    let before = kilobytes("VmRSS:")?;
    run();
    Some((kilobytes("VmHWM:")? - before) * 1024.0)
}

fn kilobytes(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// Whether reading the largest bodies keeps within [`MEMORY`].
fn is_bounded() -> bool {
    let usual = plain(LARGEST / 80, 7);
    let bodies = [("usual lines", usual), ("shortest lines", shortest())];
    bodies.iter().zip(MEMORY).all(|((what, body), limit)| {
        let Some(peak) = peak(|| drop(black_box(parse(black_box(body), Format::Text).unwrap()))) else {
            println!("memory for {what}: this system does not tell");
            return true;
        };
        #[expect(clippy::cast_precision_loss, reason = "a body is far below 2^53 bytes")]
        let times = peak / body.len() as f64;
        println!("memory for {what:<32} {:>9} bytes {times:>8.1} times its size", body.len());
        times <= limit
    })
}

fn told(what: &str, body: &str, times: &Times) {
    let millis = |time: Duration| format!("{:>8.2} ms", time.as_secs_f64() * 1e3);
    let busy = times.busy.map(|busy| format!(", {} on the processor", millis(busy))).unwrap_or_default();
    println!("{what:<44} {:>9} bytes {}{busy}", body.len(), millis(times.median));
}

fn main() -> ExitCode {
    // First, while nothing else has left memory behind.
    let is_bounded = is_bounded();
    let body = plain(LINES, 7);
    let samples = body.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples, LINES);
    println!("{LINES} lines, median of {RUNS} runs");
    let ours = times(|| {
        assert_eq!(parse(black_box(&body), Format::Text).unwrap().samples().len(), LINES);
    });
    told("swiftdeploy", &body, &ours);
    let theirs = times(|| {
        let lines = black_box(&body).lines().map(|line| Ok(line.to_owned()));
        assert!(!prometheus_parse::Scrape::parse(lines).unwrap().samples.is_empty());
    });
    told("prometheus-parse", &body, &theirs);
    let hard = escaped(LINES);
    let hardest = times(|| {
        assert_eq!(parse(black_box(&hard), Format::OpenMetrics).unwrap().samples().len(), LINES);
    });
    told("swiftdeploy, OpenMetrics with escapes", &hard, &hardest);
    let later = plain(LINES, 9);
    let names = Names {
        requests: "http_requests_total".into(),
        duration: "http_request_duration_seconds".into(),
        path_label: "path".into(),
        status_label: "status_code".into(),
        own_paths: Vec::new(),
    };
    let window = times(|| {
        let figures = compare(black_box(&body), &later, &names, Duration::from_secs(30)).unwrap();
        assert_eq!(figures.requests, 2 * 2 * (LINES as u64 / 10));
    });
    told("swiftdeploy, a window of two such scrapes", &body, &window);
    let _ = std::io::Write::flush(&mut std::io::stdout());
    if !is_bounded {
        println!("FAILED: more memory than {MEMORY:?} times the input");
        return ExitCode::FAILURE;
    }
    if ours.own() > LIMIT || hardest.own() > LIMIT {
        println!("FAILED: more than {} ms", LIMIT.as_millis());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
