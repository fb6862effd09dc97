//! A history full of decisions, made from nothing and always the same: for the
//! tests and the benchmark of the replay.
#![allow(dead_code, reason = "every test binary uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: clippy knows only test functions as tests"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use swiftdeploy::domain::Mode;
use swiftdeploy::history::{Actor, Entry, Record};
use swiftdeploy::policy::replay::Asker;
use swiftdeploy::policy::{PolicyBundle, STARTERS, Verdict};

/// Every so many decisions, one was asked while the engine was down.
pub const DOWN_EVERY: usize = 100;

/// Writes `policies/` with the starters.
pub fn write_policies(root: &Path) {
    let folder = root.join("policies");
    fs::create_dir_all(&folder).unwrap();
    for (name, content) in STARTERS {
        fs::write(folder.join(name), content).unwrap();
    }
}

/// A history that grows in memory-sized steps: parts, chain and head as the
/// real one has them.
pub struct Writer<'a> {
    root: &'a Path,
    out: BufWriter<fs::File>,
    seq: u64,
    prev: String,
    began: DateTime<Utc>,
}

impl<'a> Writer<'a> {
    pub fn new(root: &'a Path) -> Self {
        fs::create_dir_all(root.join(".swiftdeploy")).unwrap();
        let out = BufWriter::new(fs::File::create(root.join("history.jsonl")).unwrap());
        let began = "2026-01-01T00:00:00Z".parse().unwrap();
        Self { root, out, seq: 0, prev: "0".repeat(64), began }
    }

    /// Appends a record; returns its number.
    pub fn append(&mut self, entry: Entry) -> u64 {
        self.seq += 1;
        let record = Record {
            timestamp: self.began + TimeDelta::seconds(i64::try_from(self.seq).unwrap()),
            seq: self.seq,
            actor: Actor("ann@host".to_owned()),
            entry,
            prev: self.prev.clone(),
        };
        let line = serde_json::to_vec(&record).unwrap();
        self.prev = Sha256::digest(&line).iter().fold(String::new(), |mut hash, byte| {
            let _ = write!(hash, "{byte:02x}");
            hash
        });
        self.out.write_all(&line).unwrap();
        self.out.write_all(b"\n").unwrap();
        self.seq
    }

    /// Closes a part and begins the next.
    pub fn rotate(&mut self, first_seq: u64) {
        self.out.flush().unwrap();
        let current = self.root.join("history.jsonl");
        fs::rename(&current, self.root.join(format!("history.{first_seq}.jsonl"))).unwrap();
        self.out = BufWriter::new(fs::File::create(current).unwrap());
    }

    /// The number of the next record.
    pub const fn next_seq(&self) -> u64 {
        self.seq + 1
    }

    /// Everything is on disk, with the head.
    pub fn finish(mut self) {
        self.out.flush().unwrap();
        fs::write(self.root.join(".swiftdeploy/head"), format!("{} {}\n", self.seq, self.prev)).unwrap();
    }
}

/// A decision as an operation records it.
pub fn entry(asker: &Asker, revision: &str, gate: &str, input: Value) -> Entry {
    let again = asker.ask(gate, &input);
    let answer = again.outcome.unwrap();
    Entry::Decision {
        operation_id: "op-1".to_owned(),
        gate: gate.to_owned(),
        verdict: answer.verdict.to_string(),
        input,
        result: again.result,
        reasons: answer.reasons,
        engine: serde_json::to_value(Asker::id()).unwrap(),
        revision: revision.to_owned(),
        took_us: Some(60),
        fault: None,
    }
}

/// A decision without an answer: the engine was down. As older versions wrote
/// it when `is_old`.
pub fn unanswered(gate: &str, input: Value, is_old: bool) -> Entry {
    Entry::Decision {
        operation_id: "op-1".to_owned(),
        gate: gate.to_owned(),
        verdict: Verdict::Fail.to_string(),
        input,
        result: Value::Null,
        reasons: vec!["policy engine not running: nothing answers at 127.0.0.1:8181".to_owned()],
        engine: json!({"name": "opa", "version": null, "at": "127.0.0.1:8181"}),
        revision: String::new(),
        took_us: (!is_old).then_some(800),
        fault: (!is_old).then(|| json!({"fault": "not_running", "at": "127.0.0.1:8181"})),
    }
}

/// Facts of the n-th decision: no two alike, some good, some bad.
pub fn facts(number: usize) -> (&'static str, Value) {
    let mut random = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635;
    let mut below = |limit: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % limit
    };
    let time =
        format!("2026-{:02}-{:02}T12:{:02}:{:02}Z", 1 + number % 12, 1 + below(28), below(60), below(60));
    if number.is_multiple_of(2) {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let share = |value: u64| value as f64 / 100.0;
        let input = json!({
            "time": time, "project": "shop", "image": "shop:1", "version": "1.0.0", "mode": "stable",
            "disk_free_gb": share(500 + below(9_000)), "cpu_load": share(below(260)), "cpus": 2,
            "sources": {"disk_free_gb": "free space at /var/lib/docker", "cpu_load": "load average of the last minute"},
        });
        return ("infra", input);
    }
    let requests = 20 + below(1_000);
    let errors = if below(3) == 0 { below(30).min(requests) } else { 0 };
    let within: Vec<u64> = (0..11_u64).map(|step| requests * (80 + step * 2) / 100).collect();
    let edges = [5, 10, 25, 50, 100, 250, 500, 750, 1_000, 2_500, 5_000];
    let mut buckets: Vec<Value> =
        edges.iter().zip(&within).map(|(edge, count)| json!({"le_ms": edge, "count": count})).collect();
    buckets.push(json!({"le_ms": null, "count": requests}));
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let error_rate = errors as f64 / requests as f64;
    let input = json!({
        "time": time, "project": "shop", "version": "1.1.0", "source": "app-green at 127.0.0.1:41234",
        "sources": {
            "metrics": "/metrics of app-green at 127.0.0.1:41234",
            "health": "state of app-green at 127.0.0.1:41234",
            "proxy": "the proxy's log of requests that went wrong",
        },
        "requests": requests, "errors": errors, "error_rate": error_rate, "request_rate": 10.5,
        "p99_latency_ms": 300 + below(400), "p99_bucket": [250, 750], "latency_buckets": buckets,
        "window_seconds": 30.0, "resets": 0, "vanished": 0, "samples_needed": 50, "metrics_error": null,
        "proxy_failures": 0, "proxy_timed_out": 0, "proxy_errors": 0, "proxy_broken": 0,
        "proxy_abandoned": [], "proxy_waiting": null, "proxy_timeout_seconds": 30.0, "settled_requests": 290,
        "proxy_error": null, "instances": 1,
        "healthy": below(50) != 0, "health_detail": null, "restarts": 0, "oom_kills": 0,
        "stable": {"requests": 903, "errors": 0, "error_rate": 0.0, "p99_latency_ms": 120.04},
    });
    ("canary", input)
}

/// Writes so many decisions, answered by the starters, over three parts, with
/// other records between them.
pub fn write_history(root: &Path, decisions: usize) {
    write_policies(root);
    let bundle = Arc::new(PolicyBundle::load(&root.join("policies")).unwrap());
    let asker = Asker::new(Arc::clone(&bundle), Duration::from_secs(20));
    let mut writer = Writer::new(root);
    let mut part_begins = 1;
    for number in 0..decisions {
        let (gate, input) = facts(number);
        writer.append(if number % DOWN_EVERY == DOWN_EVERY - 1 {
            unanswered(gate, input, number.is_multiple_of(3))
        } else {
            entry(&asker, bundle.revision(), gate, input)
        });
        if number % 10 == 9 {
            writer.append(scrape());
        }
        if number == decisions / 3 || number == decisions / 3 * 2 {
            writer.rotate(part_begins);
            part_begins = writer.next_seq();
        }
    }
    writer.finish();
}

fn scrape() -> Entry {
    Entry::Scrape {
        mode: Mode::Canary,
        error_rate: Some(0.0),
        request_rate: Some(10.0),
        p99_latency_ms: Some(120.0),
        requests: Some(300),
        error: None,
    }
}
