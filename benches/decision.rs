//! How long a decision takes, beside what it may take: 2,000 through a real
//! OPA, with the check of what it has loaded, and 2,000 by the embedded engine.
//! Both are also asked about a canary under way: with the edges of the built-in
//! service and requests that wait. The embedded one is asked about canaries that
//! fail, and of which too little is known, too: there the policy searches for
//! everything that is wrong. Below each stands what the machine alone makes of so
//! long a time: a p99 far from the median is seldom the policy's.
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
    about: &'static str,
    input: Value,
    verdict: Verdict,
}

impl Asked {
    fn all_passing() -> [Self; 3] {
        let quiet = |gate, input| Self { gate, about: "quiet", input, verdict: Verdict::Pass };
        [quiet("infra", roomy_host()), quiet("canary", good_canary()), Self::under_way()]
    }

    /// Some requests wait, and every edge has its count.
    fn under_way() -> Self {
        let edges = [5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000];
        let up_to = |edge: u32| 300.0 * (1.0 - (-f64::from(edge) / 60.0).exp());
        let mut buckets: Vec<Value> =
            edges.into_iter().map(|edge| json!({"le_ms": edge, "count": up_to(edge).floor()})).collect();
        buckets.push(json!({"le_ms": null, "count": 300}));
        let waits = |figures: &[(u64, u64)]| -> Vec<Value> {
            figures.iter().map(|(waited, count)| json!({"waited_ms": waited, "count": count})).collect()
        };
        let changes = json!({
            "p99_latency_ms": 276.3, "p99_bucket": [250.0, 500.0], "latency_buckets": buckets,
            "proxy_waiting": waits(&[(3, 2), (18, 1), (41, 1), (130, 1)]),
        });
        Self {
            gate: "canary",
            about: "under way",
            input: with(good_canary(), changes),
            verdict: Verdict::Pass,
        }
    }

    /// Too many errors, too slow, and started again.
    fn failing() -> Self {
        let changes = json!({
            "errors": 30, "error_rate": 0.1, "p99_latency_ms": 910.5, "p99_bucket": [500.0, 1000.0], "restarts": 1,
            "latency_buckets": [
                {"le_ms": 500.0, "count": 280.0}, {"le_ms": 1000.0, "count": 300.0}, {"le_ms": null, "count": 300.0},
            ],
        });
        Self { gate: "canary", about: "quiet", input: with(good_canary(), changes), verdict: Verdict::Fail }
    }

    /// Too few requests, as while a promotion waits for evidence.
    fn inconclusive() -> Self {
        let changes = json!({
            "requests": 12, "errors": 0, "error_rate": 0.0,
            "latency_buckets": [{"le_ms": 500.0, "count": 12.0}, {"le_ms": null, "count": 12.0}],
        });
        Self {
            gate: "canary",
            about: "quiet",
            input: with(good_canary(), changes),
            verdict: Verdict::Inconclusive,
        }
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
        "{:<10} {:<8} {:<10} {:<14} {:>8} {:>10} {:>10}",
        "engine", "gate", "about", "verdict", "median", "p99", "longest"
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

/// How long each of them took, the shortest first.
struct Times(Vec<Duration>);

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    fn p99(&self) -> Duration {
        self.0[self.0.len() * 99 / 100]
    }

    fn shown(&self) -> String {
        let millis = |time: Duration| format!("{:>7.3} ms", time.as_secs_f64() * 1e3);
        let longest = self.0.last().copied().unwrap_or_default();
        format!("{} {} {}", millis(self.median()), millis(self.p99()), millis(longest))
    }
}

async fn measure(name: &str, engine: &dyn PolicyEngine, asked: &[Asked], aim: &Aim) {
    for Asked { gate, about, input, verdict } in asked {
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
        let times = Times::of(took);
        let is_kept = times.p99() <= aim.p99 && aim.median.is_none_or(|aim| times.median() <= aim);
        let aims = match aim.median {
            Some(aim) => format!("median ≤ {} ms, ", aim.as_secs_f64() * 1e3),
            None => String::new(),
        };
        println!(
            "{name:<10} {gate:<8} {about:<10} {:<12} {}   aim: {aims}p99 ≤ {} ms: {}",
            verdict.as_str().to_lowercase(),
            times.shown(),
            aim.p99.as_secs_f64() * 1e3,
            if is_kept { "kept" } else { "MISSED" },
        );
        println!("{:<43} {}", "  the machine alone", machine_alone(times.median()).shown());
    }
}

/// As many runs of plain arithmetic that take as long: what is above their median
/// is the machine's own, which others share.
fn machine_alone(long: Duration) -> Times {
    let work = |rounds: u64| {
        let began = Instant::now();
        let mut number = rounds;
        for round in 0..rounds {
            number = std::hint::black_box(number.rotate_left(5) ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        std::hint::black_box(number);
        began.elapsed()
    };
    let trial = Times::of((0..WARM_UP).map(|_| work(10_000)).collect()).median().as_nanos().max(1);
    let rounds = u64::try_from(long.as_nanos() * 10_000 / trial).unwrap();
    Times::of((0..DECISIONS).map(|_| work(rounds)).collect())
}
