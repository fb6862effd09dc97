//! How fast a long history is replayed: `cargo bench --bench replay`, with
//! `-- N` for another number of decisions than 100,000. Makes the history in a
//! temporary folder, replays it twice (the second time with limits that many
//! decisions would not have kept), and prints seconds, decisions per second,
//! and the time on processors, which other programs do not lengthen.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark for people")]

#[path = "../tests/support/decisions.rs"]
mod decisions;

use std::fs;
use std::path::Path;
use std::time::Duration;

use swiftdeploy::clock::SystemClock;
use swiftdeploy::engine::{REPLAY_TIMEOUT, ReplayBy, ReplayOptions, ReplayReport, replay};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Decisions where the command line names no number.
const DECISIONS: usize = 100_000;

/// Limits that many decisions would not have kept.
const STRICT: &str =
    r#"{"thresholds":{"disk_free_gb":50,"cpu_load":1.5,"error_rate":0.001,"p99_latency_ms":250}}"#;

fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(DECISIONS);
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    decisions::write_history(root, count);
    let bytes: u64 = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".jsonl"))
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    println!("{count} decisions in {} MB", bytes / 1_000_000);
    told("same limits", &run(root, None));
    let strict = root.join("strict.json");
    fs::write(&strict, STRICT).unwrap();
    told("stricter limits", &run(root, Some(&strict)));
}

/// How long this process has been on processors so far, where the system
/// tells. Other programs lengthen the clock's time, but not this one.
fn busy() -> Option<Duration> {
    let told = fs::read_to_string("/proc/self/stat").ok()?;
    // After the name, which may hold anything: fields 14 and 15, in hundredths.
    let mut fields = told.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

/// A replay, and how long it was on processors.
fn run(root: &Path, data: Option<&Path>) -> (ReplayReport, Option<Duration>) {
    let options = ReplayOptions {
        root: root.to_owned(),
        policies: root.join("policies"),
        data: data.map(Path::to_owned),
        by: ReplayBy::Embedded,
        timeout: REPLAY_TIMEOUT,
    };
    let before = busy();
    let report = replay(&options, &SystemClock::shared(), &mut |_| Ok(())).unwrap();
    let after = busy();
    (report, before.zip(after).map(|(before, after)| after.saturating_sub(before)))
}

fn told(what: &str, (report, busy): &(ReplayReport, Option<Duration>)) {
    assert!(report.is_whole(), "{}", report.chain);
    let seconds = report.elapsed.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a number for people")]
    let rate = report.decisions as f64 / seconds;
    println!(
        "{what}: {seconds:.2} s, {rate:.0} decisions/s; {} would change, {} the same, {} reworded, {} had no answer",
        report.changed,
        report.same,
        report.reworded,
        report.without_answer_then()
    );
    if let Some(busy) = busy {
        let each = busy.as_micros() / u128::from(report.decisions.max(1));
        println!("  {:.2} s on processors, {each} µs a decision", busy.as_secs_f64());
    }
}
