//! How long a decision takes, beside what it may take: 2,000 through a real
//! OPA, with the check of what it has loaded, and 2,000 by the embedded engine.
//! That one is also asked about canaries that fail, and of which too little is
//! known: there the policy searches for everything that is wrong.
//!
//! `cargo bench --bench decision`; OPA is the program that
//! `SWIFTDEPLOY_TEST_OPA` names, else `opa` on the path.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints what it measured by the machine's clock, and fails by panicking"
)]

#[path = "../tests/policy_support/mod.rs"]
mod policy_support;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use policy_support::{Policies, RunningOpa, TIMEOUT, good_canary, roomy_host, with};
use serde_json::{Value, json};
use swiftdeploy::policy::{PolicyEngine, Verdict, check};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Decisions that are measured.
const DECISIONS: usize = 2_000;

/// Decisions before, so that nothing is done for the first time.
const WARM_UP: usize = 100;

/// What is asked, and what must be answered.
struct Asked {
    gate: &'static str,
    input: Value,
    verdict: Verdict,
}

impl Asked {
    fn all_passing() -> [Self; 2] {
        [("infra", roomy_host()), ("canary", good_canary())].map(|(gate, input)| Self {
            gate,
            input,
            verdict: Verdict::Pass,
        })
    }

    /// Too many errors, too slow, and started again.
    fn failing() -> Self {
        let changes = json!({
            "errors": 30, "error_rate": 0.1, "p99_latency_ms": 910.5, "p99_bucket": [500.0, 1000.0], "restarts": 1,
            "latency_buckets": [
                {"le_ms": 500.0, "count": 280.0}, {"le_ms": 1000.0, "count": 300.0}, {"le_ms": null, "count": 300.0},
            ],
        });
        Self { gate: "canary", input: with(good_canary(), changes), verdict: Verdict::Fail }
    }

    /// Too few requests, as while a promotion waits for evidence.
    fn inconclusive() -> Self {
        let changes = json!({
            "requests": 12, "errors": 0, "error_rate": 0.0,
            "latency_buckets": [{"le_ms": 500.0, "count": 12.0}, {"le_ms": null, "count": 12.0}],
        });
        Self { gate: "canary", input: with(good_canary(), changes), verdict: Verdict::Inconclusive }
    }
}

/// What a decision may take: median, and the one in a hundred.
struct Aim {
    median: Option<Duration>,
    p99: Duration,
}

#[tokio::main]
async fn main() {
    let policies = Policies::starters();
    let binary = std::env::var_os("SWIFTDEPLOY_TEST_OPA")
        .map(PathBuf::from)
        .or_else(|| check::opa_on_path(std::env::var_os("PATH").as_deref()));
    println!(
        "{:<10} {:<8} {:<14} {:>8} {:>10} {:>10}",
        "engine", "gate", "verdict", "median", "p99", "longest"
    );
    let aim = Aim { median: Some(Duration::from_millis(2)), p99: Duration::from_millis(5) };
    match binary {
        None => println!(
            "opa        not measured: set SWIFTDEPLOY_TEST_OPA to its program, or put `opa` on the path"
        ),
        Some(binary) => {
            let flags = ["--ignore", "*_test.rego"];
            let running = RunningOpa::start(&binary, policies.path(), &flags).await;
            measure("opa", &policies.asked_at(running.address, TIMEOUT), &Asked::all_passing(), &aim).await;
        }
    }
    let aim = Aim { median: None, p99: Duration::from_micros(200) };
    let engine = policies.embedded();
    measure("embedded", &engine, &Asked::all_passing(), &aim).await;
    measure("embedded", &engine, &[Asked::failing(), Asked::inconclusive()], &aim).await;
}

async fn measure(name: &str, engine: &dyn PolicyEngine, asked: &[Asked], aim: &Aim) {
    for Asked { gate, input, verdict } in asked {
        let mut took = Vec::with_capacity(DECISIONS);
        for number in 0..WARM_UP + DECISIONS {
            let began = Instant::now();
            let decision = engine.ask(gate, input).await;
            let elapsed = began.elapsed();
            assert_eq!(decision.verdict, *verdict, "{:?}", decision.fault);
            if number >= WARM_UP {
                took.push(elapsed);
            }
        }
        took.sort_unstable();
        let (median, p99, longest) = (took[DECISIONS / 2], took[DECISIONS * 99 / 100], took[DECISIONS - 1]);
        let is_kept = p99 <= aim.p99 && aim.median.is_none_or(|aim| median <= aim);
        let aims = match aim.median {
            Some(aim) => format!("median ≤ {} ms, ", aim.as_secs_f64() * 1e3),
            None => String::new(),
        };
        println!(
            "{name:<10} {gate:<8} {:<12} {:>7.3} ms {:>7.3} ms {:>7.3} ms   aim: {aims}p99 ≤ {} ms: {}",
            verdict.as_str().to_lowercase(),
            median.as_secs_f64() * 1e3,
            p99.as_secs_f64() * 1e3,
            longest.as_secs_f64() * 1e3,
            aim.p99.as_secs_f64() * 1e3,
            if is_kept { "kept" } else { "MISSED" },
        );
    }
}
