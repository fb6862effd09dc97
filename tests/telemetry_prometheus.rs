//! Against a real Prometheus server: the same scrapes give the same P99, and
//! a running service is judged on the figures that Prometheus has of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[path = "support/histograms.rs"]
mod histograms;
#[path = "support/prometheus.rs"]
mod prometheus;
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use chrono::DateTime;
use histograms::{BATCHES, Case, Phase, Served, cases};
use prometheus::{PATIENCE, Prometheus, Target, program};
use swiftdeploy::clock::{Clock, SystemClock};
use swiftdeploy::telemetry::compare;
use world::{Ran, World, until};

/// How far two P99 may be apart, as a share of the larger: both are computed
/// in double precision by the same rule, ours from bounds in milliseconds, so
/// that they may differ in the last digits.
const ROUNDING: f64 = 1e-9;

#[track_caller]
fn assert_same(what: &str, ours: Option<f64>, theirs: Option<f64>) {
    let is_same = match (ours, theirs) {
        (Some(ours), Some(theirs)) => (ours - theirs).abs() <= ROUNDING * ours.abs().max(theirs.abs()),
        (ours, theirs) => ours == theirs,
    };
    assert!(is_same, "{what}: ours {ours:?}, Prometheus' {theirs:?}");
}

/// 200 random histograms, exposed by a server that Prometheus scrapes before
/// and after they grew. Both see the same bytes.
#[test]
fn the_p99_of_random_histograms_is_that_of_prometheus() {
    let Some(program) = program() else { return };
    let cases = cases();
    assert_eq!(cases.len(), 200);
    let served = Served::start(&cases);
    let targets: Vec<Target> = (0..BATCHES)
        .map(|batch| Target { job: format!("batch{batch}"), port: served.port(), path: format!("/{batch}") })
        .collect();
    let prometheus = Prometheus::scraping(&program, "500ms", &targets);

    // The instants of Prometheus' own scrapes, one of each phase.
    let last_of = |batch: usize, phase: Phase| {
        until("Prometheus has scraped", PATIENCE, || {
            let samples = prometheus.samples(&format!("phase{{job=\"batch{batch}\"}}"));
            let wanted = samples.iter().rev().find(|(_, value)| value.total_cmp(&phase.value()).is_eq());
            wanted.map(|(at, _)| *at).ok_or_else(|| format!("{samples:?}"))
        })
    };
    let earlier: Vec<f64> = (0..BATCHES).map(|batch| last_of(batch, Phase::Before)).collect();
    served.go_on();
    let later: Vec<f64> = (0..BATCHES).map(|batch| last_of(batch, Phase::After)).collect();

    let mut known = 0;
    for (index, case) in cases.iter().enumerate() {
        let batch = Case::batch_of(index);
        let (from, to) = (served.body(batch, Phase::Before), served.body(batch, Phase::After));
        let window = Duration::from_secs_f64(later[batch] - earlier[batch]);
        let ours = compare(from, to, &case.names(), window).unwrap();
        let bucket = format!("{}_bucket", case.names().duration);
        let (from, to) =
            (format!("{bucket} @ {:.3}", earlier[batch]), format!("{bucket} @ {:.3}", later[batch]));
        let query = format!("histogram_quantile(0.99, sum by (le) ({to} - {from})) * 1000");
        let theirs = prometheus.value(&query, later[batch]);
        assert_same(&format!("{case:?}"), ours.p99_latency_ms, theirs);
        known += usize::from(theirs.is_some());
    }
    // Some have no requests or too few buckets, on purpose; most have a P99.
    assert!((150..200).contains(&known), "{known} of 200 have a P99");
}

/// The interval of Prometheus' scrapes in the test below.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long the load lasts, and how many requests of each kind it has at
/// least.
const LOAD: Duration = Duration::from_mins(1);

/// Prometheus scrapes the canary of a deployed project once a second while the
/// proxy gives it mixed traffic for a minute: good answers, 404s, injected
/// errors, injected delays.
///
/// No traffic runs at the moments at which `metrics` looks, and Prometheus
/// scrapes once more in each of these pauses, so that both windows hold the
/// same requests: requests, errors and their share are equal exactly, the P99
/// but for rounding. `rate()` spreads what it counted over the range that it
/// is asked for, while its samples reach up to one interval less far at either
/// end: its rate is equal within two intervals of the window's length. It does
/// so for each series, less where one would have been below zero, so that the
/// buckets are stretched by shares that differ as much; a P99 that lies in a
/// bucket with at least a hundredth of all requests moves by at most that share
/// of the bucket's width.
#[test]
fn a_running_service_has_the_figures_that_prometheus_has_of_it() {
    let Some(program) = program() else { return };
    let world = World::local();
    world.edit_manifest(|text| text.replace("window: 5s", "window: 50s"));
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    let port = canary_port(&world);
    let target = Target { job: "canary".into(), port, path: "/metrics".into() };
    let prometheus = Prometheus::scraping(&program, "1s", &[target]);

    // Prometheus does not count a series' first value, we do: every series is
    // there before the window begins.
    world.run(&["chaos", "error", "--rate", "1", "--for", "60s"]).ends_with(0);
    assert_eq!((world.get("/").status, world.get("/nowhere").status), (500, 500));
    world.run(&["chaos", "recover"]).ends_with(0);
    assert_eq!((world.get("/").status, world.get("/nowhere").status), (200, 404));

    let served = "http_requests_total{path!~\"/metrics|/healthz|/chaos\"}";
    let scraped_after = |seen: f64| {
        until("Prometheus has scraped once more", PATIENCE, || {
            let samples = prometheus.samples("process_start_time_seconds{job=\"canary\"}");
            let newer = samples.iter().find(|(at, _)| *at > seen);
            newer.map(|(at, _)| *at).ok_or_else(|| format!("{} samples", samples.len()))
        })
    };
    let now = || (SystemClock.wall() - DateTime::UNIX_EPOCH).as_seconds_f64();

    // The first look has nothing to compare with yet.
    world.run(&["metrics", "--json"]).ends_with(3);
    let start = scraped_after(now());
    let sent = play(&world);
    let end = scraped_after(now());
    let ran = world.run(&["metrics", "--json"]).ends_with(0);
    let ours = canary(&ran)["figures"].clone();

    let count = |selector: &str| {
        let query = format!("sum(({selector} @ {end:.3}) - ({selector} @ {start:.3}))");
        prometheus.value(&query, end).unwrap_or_else(|| panic!("no {query}"))
    };
    let requests = count(served);
    let errors = count(&served.replace('}', ",status_code=~\"5..\"}"));
    assert_eq!(ours["requests"].as_f64(), Some(requests), "{ours}");
    assert_eq!(requests.to_string(), sent.to_string(), "the load itself");
    assert_eq!(ours["errors"].as_f64(), Some(errors), "{ours}");
    assert!(errors > 0.0 && errors < requests, "the load is mixed: {errors} of {requests}");
    assert_eq!(ours["error_rate"].as_f64(), Some(errors / requests));

    let buckets = "http_request_duration_seconds_bucket{path!~\"/metrics|/healthz|/chaos\"}";
    let query = format!(
        "histogram_quantile(0.99, sum by (le) (({buckets} @ {end:.3}) - ({buckets} @ {start:.3}))) * 1000"
    );
    assert_same("P99", ours["p99_latency_ms"].as_f64(), prometheus.value(&query, end));

    // As people ask Prometheus.
    let window = ours["window_seconds"].as_f64().unwrap();
    let range = format!("[{:.0}ms]", window * 1e3);
    let rate = prometheus.value(&format!("sum(rate({served}{range}))"), end).unwrap();
    let ours_rate = ours["request_rate"].as_f64().unwrap();
    let tolerance = 2.0 * INTERVAL.as_secs_f64() / window;
    assert!((rate / ours_rate - 1.0).abs() < tolerance, "ours {ours_rate}, Prometheus' {rate} of {window} s");
    let query = format!("histogram_quantile(0.99, sum by (le) (rate({buckets}{range}))) * 1000");
    let (low, high) = (ours["p99_bucket"][0].as_f64().unwrap(), ours["p99_bucket"][1].as_f64().unwrap());
    let (p99, theirs) = (ours["p99_latency_ms"].as_f64().unwrap(), prometheus.value(&query, end).unwrap());
    assert!((p99 - theirs).abs() <= tolerance * (high - low), "ours {p99} ms, Prometheus' {theirs} ms");
}

/// Where the canary itself listens, past the proxy.
fn canary_port(world: &World) -> u16 {
    let found = canary(&world.run(&["metrics", "--json"]));
    let endpoint = found["instances"][0]["endpoint"].as_str().unwrap();
    endpoint.rsplit(':').next().unwrap().parse().unwrap()
}

/// The canary's part of what `metrics` told.
fn canary(ran: &Ran) -> serde_json::Value {
    let groups = ran.json()[0]["groups"].as_array().unwrap().clone();
    let found = groups.into_iter().find(|group| group["mode"] == "canary");
    found.unwrap_or_else(|| panic!("no canary in {}", ran.out))
}

/// Sends mixed traffic through the proxy for [`LOAD`], four clients with ten
/// requests a second each; a slow answer makes its client wait. How many
/// requests there were.
fn play(world: &World) -> u64 {
    const CLIENTS: usize = 4;
    let began = SystemClock.instant();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn(move || {
                    let mut sent = 0_u64;
                    while (SystemClock.instant() - began) < LOAD {
                        let path = if (sent + client as u64).is_multiple_of(9) { "/nowhere" } else { "/" };
                        world.get(path);
                        sent += 1;
                        std::thread::park_timeout(Duration::from_millis(100));
                    }
                    sent
                })
            })
            .collect();
        // A third of the time good answers, then errors, then delays.
        let wait_until = |share: u32| {
            until("the load goes on", LOAD * 2, || {
                if (SystemClock.instant() - began) >= LOAD * share / 3 { Ok(()) } else { Err(String::new()) }
            });
        };
        wait_until(1);
        world.run(&["chaos", "error", "--rate", "0.3", "--for", "20s"]).ends_with(0);
        wait_until(2);
        world.run(&["chaos", "slow", "--duration", "1", "--for", "10s"]).ends_with(0);
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    })
}
