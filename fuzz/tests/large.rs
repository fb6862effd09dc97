//! Inputs as large as they may be, of the kinds that cost the most: each is
//! refused or read in a time that a person would wait.
//!
//! The searches keep their inputs small, so that they do many; what grows with
//! the square of the length shows only here.
#![allow(missing_docs, reason = "test names say what they show")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::fmt::Write;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use swiftdeploy::manifest::Document;
use swiftdeploy::policy::answer::obey;
use swiftdeploy::telemetry::exposition::{Format, parse};
use swiftdeploy::telemetry::{Names, compare};

/// Far more than any of them takes, without optimisation and on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The size of the largest manifest.
const MANIFEST: usize = 1 << 20;

/// Runs something on the stack that one of the app's threads has.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, outcome) = sync_channel(1);
    let thread = thread::Builder::new().stack_size(2 << 20);
    thread.spawn(move || done.send(work())).unwrap();
    outcome.recv_timeout(PATIENCE).unwrap_or_else(|cause| panic!("no end in {PATIENCE:?}: {cause}"))
}

/// What is wrong with a text, as it is told.
fn refused(text: String) -> String {
    assert!(text.len() <= MANIFEST, "{} bytes", text.len());
    in_time(move || Document::parse(Path::new("manifest.yaml"), text).unwrap_err().to_string())
}

#[test]
fn a_manifest_of_wrong_keys_is_refused_in_time() {
    let mut text = "services:\n".to_owned();
    for key in 0..2_400 {
        writeln!(text, "  {}{key}: x", "imaage".repeat(60)).unwrap();
    }
    assert!(refused(text).contains("imaage"));
}

#[test]
fn a_manifest_with_one_endless_key_is_refused_in_time() {
    refused(format!("services:\n  {}: x\n", "a".repeat(MANIFEST - 100)));
    refused(format!("services:\n  ? \"{}\"\n  : x\n", "a".repeat(MANIFEST - 100)));
}

#[test]
fn a_manifest_with_one_endless_value_is_refused_in_time() {
    let tail = "  port: 1\nnginx: {image: n, port: 2}\n";
    for key in ["image", "mode", "version", "name", "stop_grace"] {
        refused(format!("services:\n  {key}: {}\n{tail}", "9".repeat(MANIFEST - 100)));
        refused(format!("services:\n  {key}: {}\n{tail}", "ab.".repeat(MANIFEST / 3 - 100)));
    }
    refused(format!("services: {{port: {}}}\n", "1".repeat(MANIFEST - 100)));
    refused(format!("services: {{port: 1e{}}}\n", "1".repeat(MANIFEST - 100)));
}

#[test]
fn a_manifest_of_blank_lines_and_comments_is_refused_in_time() {
    refused("\n".repeat(MANIFEST));
    refused("# x\n".repeat(MANIFEST / 4));
    refused(" ".repeat(MANIFEST));
    refused("- ".repeat(MANIFEST / 2));
    refused("? ".repeat(MANIFEST / 2));
    refused("&a ".repeat(MANIFEST / 3));
    refused("a: |\n".to_owned() + &"  x\n".repeat(MANIFEST / 4 - 100));
    refused(format!("services: [{}", "{".repeat(MANIFEST - 100)));
    refused(format!("services: {}", "[".repeat(MANIFEST - 100)));
    refused(format!("services: \"{}\"", "\\x41".repeat(MANIFEST / 4 - 100)));
}

#[test]
fn a_long_manifest_that_holds_is_read_and_edited_in_time() {
    let mut text = "services:\n  image: a\n  port: 1\n  env:\n".to_owned();
    for key in 0..1_000 {
        writeln!(text, "    K{key}: \"{}\"", "x$".repeat(400)).unwrap();
    }
    text.push_str("nginx: {image: n, port: 2}\n");
    assert!(text.len() <= MANIFEST);
    in_time(move || swiftdeploy_fuzz::manifest::check(text.as_bytes()));
}

#[test]
fn metrics_of_every_shape_are_read_in_time() {
    let size = 2 << 20;
    let bodies = [
        format!(
            "a{{{}}} 1\n",
            (0..50_000).fold(String::new(), |labels, at| labels + &format!("l{at}=\"x\","))
        ),
        format!("a{{x=\"{}\"}} 1\n", "\\\\".repeat(size / 2)),
        format!("a {}\n", "1".repeat(size)),
        format!("a 1e{}\n", "1".repeat(size)),
        format!("a 0.{}1\n", "0".repeat(size)),
        format!("# HELP a {}\n", "x".repeat(size)),
        "\n".repeat(size),
        "a 1\n".repeat(size / 4),
        (0..50_000).fold(String::new(), |body, at| body + &format!("a{{x=\"{at}\"}} {at}\n")),
        (0..50_000).fold(String::new(), |body, at| body + &format!("# TYPE a{at} counter\n")),
        format!("a{{{}", "{".repeat(size)),
        // OpenMetrics lets a gauge and a counter share a name.
        (0..60_000)
            .fold(String::new(), |body, at| body + &format!("# TYPE a{at} gauge\n# TYPE a{at} counter\n"))
            + "# EOF\n",
    ];
    for body in bodies {
        in_time(move || {
            for format in [Format::Text, Format::OpenMetrics] {
                if let Ok(exposition) = parse(&body, format) {
                    assert!(exposition.family_count() <= 120_000);
                }
            }
        });
    }
}

#[test]
fn a_window_over_very_many_series_of_the_process_is_measured_in_time() {
    let body = |uptime: u32| {
        (0..50_000).fold("# TYPE http_requests_total counter\n".to_owned(), |body, at| {
            body + &format!("app_uptime_seconds{{i=\"{at}\"}} {uptime}\n")
                + &format!("process_start_time_seconds{{i=\"{at}\"}} 1\n")
        })
    };
    let (from, to) = (body(100), body(130));
    assert!(from.len() > 2 << 20, "{}", from.len());
    let names = Names {
        requests: "http_requests_total".to_owned(),
        duration: "http_request_duration_seconds".to_owned(),
        path_label: "path".to_owned(),
        status_label: "status_code".to_owned(),
        own_paths: Vec::new(),
    };
    let figures = in_time(move || compare(&from, &to, &names, Duration::from_secs(30))).unwrap();
    assert_eq!(figures.resets, 0);
}

#[test]
fn a_large_answer_is_obeyed_or_refused_in_time() {
    let many = |item: Value| Value::Array(vec![item; 20_000]);
    let check = json!({"fact": "x", "observed": 1, "must": "<=", "limit": 2, "ok": true});
    let whole = json!({
        "allow": true, "verdict": "pass", "violations": [], "reasons": many(json!("fine")),
        "checks": many(check), "limits": {"x": 2},
    });
    let (answer, broken) = (whole.clone(), whole);
    in_time(move || obey(Some(&answer), "canary", &json!({"x": 2})).unwrap());
    for (part, value) in [
        ("checks", many(json!({"fact": "x"}))),
        ("reasons", json!(vec!["x".repeat(1 << 20); 2])),
        (
            "limits",
            (0..20_000).map(|at| (format!("x{at}"), json!(at))).collect::<serde_json::Map<_, _>>().into(),
        ),
    ] {
        let mut answer = broken.clone();
        answer[part] = value;
        in_time(move || obey(Some(&answer), "canary", &json!({"x": 2})).map(|_| ()).unwrap_or_default());
    }
}
