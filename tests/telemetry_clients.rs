//! The same traffic, played into the common client libraries, gives the same
//! figures. The scrapes are recorded from the real libraries; see
//! `tests/fixtures/clients/README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::path::PathBuf;
use std::time::Duration;

use rstest::rstest;
use swiftdeploy::telemetry::exposition::{Format, parse};
use swiftdeploy::telemetry::{Bucket, EXCLUDED_PATHS, Figures, Names, compare, quantile};

/// The bounds that the recording programs give their histograms, in seconds.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const WINDOW: Duration = Duration::from_secs(30);

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clients").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the traffic itself says, counted without any client.
struct Played {
    requests: u64,
    errors: u64,
    /// Cumulative, one for each of [`BOUNDS`] and one for all.
    buckets: Vec<u64>,
}

fn played() -> Played {
    let mut played = Played { requests: 0, errors: 0, buckets: vec![0; BOUNDS.len() + 1] };
    for line in fixture("traffic.tsv").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [phase, _method, status, seconds, count, path] = fields[..] else {
            panic!("not six fields: {line}")
        };
        if phase != "after" || EXCLUDED_PATHS.contains(&path) {
            continue;
        }
        let (seconds, count): (f64, u64) = (seconds.parse().unwrap(), count.parse().unwrap());
        played.requests += count;
        if status.starts_with('5') {
            played.errors += count;
        }
        for (bucket, bound) in played.buckets.iter_mut().zip(BOUNDS.into_iter().chain([f64::INFINITY])) {
            if seconds <= bound {
                *bucket += count;
            }
        }
    }
    played
}

/// The figures that the traffic must give.
fn expected() -> Figures {
    let played = played();
    let count = |number: u64| f64::from(u32::try_from(number).unwrap());
    let bounds = BOUNDS.into_iter().map(|seconds| Some((seconds * 1e6).round() / 1e3)).chain([None]);
    let buckets: Vec<Bucket> =
        bounds.zip(&played.buckets).map(|(le_ms, &number)| Bucket { le_ms, count: count(number) }).collect();
    let p99 = quantile::p99(&buckets).unwrap();
    Figures {
        requests: played.requests,
        errors: played.errors,
        error_rate: Some(count(played.errors) / count(played.requests)),
        request_rate: count(played.requests) / WINDOW.as_secs_f64(),
        p99_latency_ms: Some(p99.ms),
        p99_bucket: Some((p99.low_ms, p99.high_ms)),
        resets: 0,
        vanished: 0,
        window_seconds: WINDOW.as_secs_f64(),
        buckets,
    }
}

#[test]
fn the_traffic_is_what_it_is_meant_to_be() {
    let figures = expected();
    assert_eq!((figures.requests, figures.errors), (1313, 11));
    assert_eq!(figures.p99_bucket, Some((250.0, Some(500.0))));
    // One request took longer than the highest bound.
    let [.., highest, all] = &figures.buckets[..] else { panic!("no buckets") };
    assert_eq!((highest.count, all.count), (1312.0, 1313.0));
}

#[rstest]
fn every_client_gives_the_figures_of_the_traffic(
    #[values("python", "node", "go", "java", "rust")] client: &str,
    #[values("text", "openmetrics")] before: &str,
    #[values("text", "openmetrics")] after: &str,
) {
    let from = fixture(&format!("recorded/{client}-{before}-before.prom"));
    let to = fixture(&format!("recorded/{client}-{after}-after.prom"));
    assert_eq!(compare(&from, &to, &Names::default(), WINDOW), Ok(expected()));
}

#[rstest]
fn every_client_is_read_whole_and_reads_back_as_it_was(
    #[values("python", "node", "go", "java", "rust")] client: &str,
    #[values("text", "openmetrics")] format: &str,
    #[values("before", "after")] phase: &str,
) {
    let body = fixture(&format!("recorded/{client}-{format}-{phase}.prom"));
    let expected = if format == "text" { Format::Text } else { Format::OpenMetrics };
    assert_eq!(Format::of_saved(body.as_bytes()), expected);
    let exposition = parse(&body, expected).unwrap();
    let lines = body.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    assert_eq!(exposition.samples().len(), lines);
    assert_eq!(parse(&exposition.to_string(), expected).as_ref(), Ok(&exposition));
}

/// A process that is scraped after it restarted: the other life's scrape comes
/// first, so that counters fall.
#[rstest]
fn every_client_shows_a_restart(
    #[values("python", "node", "go", "java", "rust")] client: &str,
    #[values("text", "openmetrics")] format: &str,
) {
    let first = fixture(&format!("recorded/{client}-{format}-after.prom"));
    let second = fixture(&format!("recorded/{client}-{format}-before.prom"));
    let figures = compare(&first, &second, &Names::default(), WINDOW).unwrap();
    // 120 + 40 + 3 + 2 of the first phase, none of the operator's.
    assert_eq!((figures.resets, figures.requests, figures.errors), (1, 165, 3));
}
