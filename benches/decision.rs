//! How long a decision takes, beside what it may take: 2,000 through a real
//! OPA, with the check of what it has loaded, and 2,000 by the embedded engine.
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

use policy_support::{Policies, RunningOpa, TIMEOUT, good_canary, roomy_host};
use swiftdeploy::policy::{PolicyEngine, check};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Decisions that are measured.
const DECISIONS: usize = 2_000;

/// Decisions before, so that nothing is done for the first time.
const WARM_UP: usize = 100;

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
    println!("{:<10} {:<8} {:>10} {:>10} {:>10}", "engine", "gate", "median", "p99", "longest");
    let aim = Aim { median: Some(Duration::from_millis(2)), p99: Duration::from_millis(5) };
    match binary {
        None => println!(
            "opa        not measured: set SWIFTDEPLOY_TEST_OPA to its program, or put `opa` on the path"
        ),
        Some(binary) => {
            let flags = ["--ignore", "*_test.rego"];
            let running = RunningOpa::start(&binary, policies.path(), &flags).await;
            measure("opa", &policies.asked_at(running.address, TIMEOUT), &aim).await;
        }
    }
    let aim = Aim { median: None, p99: Duration::from_micros(200) };
    measure("embedded", &policies.embedded(), &aim).await;
}

async fn measure(name: &str, engine: &dyn PolicyEngine, aim: &Aim) {
    for (gate, input) in [("infra", roomy_host()), ("canary", good_canary())] {
        let mut took = Vec::with_capacity(DECISIONS);
        for number in 0..WARM_UP + DECISIONS {
            let began = Instant::now();
            let decision = engine.ask(gate, &input).await;
            let elapsed = began.elapsed();
            assert!(decision.allow, "{:?}", decision.fault);
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
            "{name:<10} {gate:<8} {:>7.3} ms {:>7.3} ms {:>7.3} ms   aim: {aims}p99 ≤ {} ms: {}",
            median.as_secs_f64() * 1e3,
            p99.as_secs_f64() * 1e3,
            longest.as_secs_f64() * 1e3,
            aim.p99.as_secs_f64() * 1e3,
            if is_kept { "kept" } else { "MISSED" },
        );
    }
}
