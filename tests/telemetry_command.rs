//! `metrics`: what the gates see now, what they would see between two saved
//! scrapes, whether one is sound; and what `validate` says of buckets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use world::{Ran, World, until};

/// Longer than a window of these tests, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn recorded(name: &str) -> String {
    format!("{}/tests/fixtures/clients/recorded/{name}.prom", env!("CARGO_MANIFEST_DIR"))
}

fn one(ran: &Ran) -> Value {
    let [only] = &ran.json()[..] else { panic!("not one line: {}", ran.out) };
    only.clone()
}

#[test]
fn two_saved_scrapes_give_the_agreed_fields() {
    let world = World::local();
    let (from, to) = (recorded("go-text-before"), recorded("go-openmetrics-after"));
    let ask = |to: &str, json: bool| {
        let mut args = vec!["metrics", "--from", &from, "--to", to, "--window", "10s"];
        args.extend(json.then_some("--json"));
        world.run(&args).ends_with(0)
    };
    let figures = one(&ask(&to, true));
    let expected = json!({
        "requests": 1313, "errors": 11, "error_rate": 11.0 / 1313.0, "request_rate": 131.3,
        "p99_bucket": [250.0, 500.0], "resets": 0, "vanished": 0, "window_seconds": 10.0,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&figures[field], value, "{field}");
    }
    // 1299.87 of 1313 requests, between 1277 below 250 ms and 1302 below 500.
    let p99 = figures["p99_latency_ms"].as_f64().unwrap();
    assert!((p99 - (250.0 + 250.0 * (1299.87 - 1277.0) / 25.0)).abs() < 1e-9, "{p99}");
    assert_eq!(figures["buckets"].as_array().unwrap().len(), 12);
    ask(&to, false).says("requests     1313 (131.30/s)").says("between 250 and 500 ms").says("<= 500 ms");

    let nothing = one(&ask(&from, true));
    for field in ["error_rate", "p99_latency_ms", "p99_bucket"] {
        assert_eq!(nothing[field], Value::Null, "{field}");
    }
    assert_eq!((&nothing["requests"], &nothing["request_rate"]), (&json!(0), &json!(0.0)));
    ask(&from, false).says("error rate   no data").says("P99          no data");
}

#[test]
fn a_scrape_is_counted() {
    let world = World::local();
    let file = recorded("rust-text-after");
    let text = std::fs::read_to_string(&file).unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    let told = one(&world.run(&["metrics", "--check", &file, "--json"]).ends_with(0));
    assert_eq!(told, json!({ "samples": samples, "families": 2 }));
    world.run(&["metrics", "--check", &file]).ends_with(0).says(&format!("{samples} samples in 2 families"));
}

#[rstest]
#[case::html(b"<html>502</html>\n", 1, "an HTML page, not metrics")]
#[case::empty(b"", 0, "empty body")]
#[case::cut_off(b"a 1\nb 2", 2, "cut off: the last line has no line feed")]
#[case::cr(b"a 1\nb 2\r\n", 2, "CR line end, only LF is allowed")]
#[case::nul(b"a 1\nb 2\0\n", 2, "NUL byte")]
#[case::latin1(b"a 1\nb 2\n# \xf6\n", 3, "not UTF-8")]
#[case::duplicate(b"a 1\nb 2\na 1\n", 3, "duplicate series a, first in line 1")]
#[case::no_sample(b"a 1\nhello world\n", 2, "value \"world\" is not a number")]
fn a_bad_scrape_is_told_with_line_and_reason(#[case] body: &[u8], #[case] line: u64, #[case] reason: &str) {
    let world = World::local();
    std::fs::write(world.path("bad.prom"), body).unwrap();
    let told = one(&world.run(&["metrics", "--check", "bad.prom", "--json"]).ends_with(1));
    assert_eq!((&told["line"], &told["reason"]), (&json!(line), &json!(reason)));
    let place = format!("bad.prom:{line}: {reason}");
    assert_eq!((&told["event"], &told["error"]), (&json!("error"), &json!(place)));
    world.run(&["metrics", "--check", "bad.prom"]).ends_with(1).says(&place);
    // The gate's own code refuses it too.
    std::fs::write(world.path("good.prom"), "http_requests_total 1\n").unwrap();
    world.run(&["metrics", "--from", "bad.prom", "--to", "good.prom"]).ends_with(1).says(reason);
    world.run(&["metrics", "--check", "missing.prom"]).ends_with(1).says("missing.prom: ");
}

/// A pipe that nobody writes to never ends; a device never stops.
#[rstest]
#[case::device("/dev/zero", "/dev/zero: not a regular file")]
#[case::pipe("pipe", "pipe: not a regular file")]
#[case::folder("policies", "policies: not a regular file")]
#[case::too_large("large.prom", "large.prom: metrics are larger than 16777216 bytes")]
fn only_a_file_of_bearable_size_is_read(#[case] file: &str, #[case] told: &str) {
    let world = World::local();
    let made = std::process::Command::new("mkfifo").arg(world.path("pipe")).status().unwrap();
    assert!(made.success());
    std::fs::create_dir_all(world.path("policies")).unwrap();
    std::fs::File::create(world.path("large.prom")).unwrap().set_len(16 * 1024 * 1024 + 1).unwrap();
    world.run(&["metrics", "--check", file]).ends_with(1).says(told);
    world.run(&["metrics", "--from", file, "--to", file]).ends_with(1).says(told);
}

#[test]
fn saved_health_checks_and_scrapes_are_those_of_the_manifest() {
    let world = World::local();
    let manifest = "services:\n  name: app\n  image: shop:1\n  port: 3000\n  version: \"1.0.0\"\n  mode: stable\n  \
                    health:\n    path: /up\nmetrics:\n  path: /internal/metrics\nnginx:\n  image: nginx:latest\n  port: 8080\n";
    std::fs::write(world.path("own.yaml"), manifest).unwrap();
    let scrape = |count: u32| {
        let line =
            |path: &str| format!("http_requests_total{{path=\"{path}\",status_code=\"200\"}} {count}\n");
        ["/", "/up", "/internal/metrics", "/healthz"].map(line).concat()
    };
    std::fs::write(world.path("from.prom"), scrape(1)).unwrap();
    std::fs::write(world.path("to.prom"), scrape(8)).unwrap();
    let asked = ["metrics", "--from", "from.prom", "--to", "to.prom", "--json"];
    assert_eq!(one(&world.run(&asked).ends_with(0))["requests"], 21);
    let own = [&asked[..], &["--manifest", "own.yaml"]].concat();
    assert_eq!(one(&world.run(&own).ends_with(0))["requests"], 7);
}

#[test]
fn what_the_gates_see_now_is_shown_series_by_series() {
    let world = World::local();
    world.run(&["metrics"]).ends_with(1).says("nothing runs that could be measured");
    world.run(&["deploy"]).ends_with(0);
    let first = world.run(&["metrics", "--json"]).ends_with(3);
    assert_eq!(one(&first)["groups"][0]["fault"]["code"], "window_too_short");
    world.run(&["metrics"]).ends_with(3).says("no figures: ").says("wait until the window has passed");

    for path in ["/", "/", "/", "/nowhere"] {
        world.get(path);
    }
    // The window of these projects is 5 s.
    let told = until("there is a window", PATIENCE, || {
        let ran = world.run(&["metrics", "--json"]);
        if ran.code == 0 { Ok(one(&ran)) } else { Err(ran.text()) }
    });
    let group = &told["groups"][0];
    assert_eq!(
        (&group["mode"], &group["slot"], &group["version"]),
        (&json!("stable"), &json!("blue"), &json!("1.0.0"))
    );
    assert_eq!(group["figures"]["requests"], 4);
    assert_eq!((&group["fault"], &group["warnings"]), (&Value::Null, &json!([])));
    let instance = &group["instances"][0];
    assert_eq!((&instance["service"], &instance["life"]), (&json!("app-blue"), &json!("whole")));
    let series = instance["requests"].as_array().unwrap();
    let counted: f64 = series.iter().map(|one| one["counted"].as_f64().unwrap()).sum();
    assert_eq!(Some(counted), group["figures"]["requests"].as_f64(), "{series:?}");
    let of = |path: &str| series.iter().find(|one| one["series"].as_str().unwrap().contains(path)).unwrap();
    // Scraping is a request too, and does not count.
    let own = of("path=\"/metrics\"");
    assert_eq!((&own["why"], &own["counted"]), (&json!("excluded_path"), &json!(0.0)));
    assert!(own["gained"].as_f64().unwrap() > 0.0, "{own}");
    let new = of("status_code=\"404\"");
    assert_eq!((&new["before"], &new["counted"], &new["why"]), (&Value::Null, &json!(1.0), &json!("new")));
    assert!(!instance["durations"].as_array().unwrap().is_empty());

    let people = world.run(&["metrics"]).ends_with(0);
    people
        .says("stable 1.0.0 in blue")
        .says("lived through the window")
        .says("excluded path, ")
        .says("requests     ");
}

#[test]
fn validate_warns_of_buckets_that_fit_the_limit_badly() {
    let world = World::local();
    let limit = |millis: u32| {
        world.set_limits(&format!(
            r#"{{"thresholds":{{"disk_free_gb":1,"cpu_load":1000,"error_rate":0.01,"p99_latency_ms":{millis}}}}}"#
        ));
    };
    let warns = |text: &str| {
        let ran = world.run(&["validate"]).ends_with(0);
        ran.says("warning: http_request_duration_seconds of the stable: ").says(text);
    };
    limit(300);
    let silent = world.run(&["validate"]).ends_with(0);
    assert!(!silent.text().contains("warning"), "nothing runs yet: {}", silent.text());
    world.run(&["deploy"]).ends_with(0);
    warns("no bucket edge is at the limit p99_latency_ms 300: between 250 and 500 ms");
    let told = world.run(&["validate", "--json"]).ends_with(0);
    assert!(told.json().iter().any(|event| event["event"] == "notice"), "{}", told.out);
    limit(20_000);
    warns("the highest bucket edge is 10000 ms, below the limit p99_latency_ms 20000");
    // Whether the window is long enough by now does not matter.
    let seen = world.run(&["metrics"]).says("warning: the highest bucket edge is 10000 ms");
    assert!([0, 3].contains(&seen.code), "{}", seen.text());
    limit(500);
    let fits = world.run(&["validate"]).ends_with(0);
    assert!(!fits.text().contains("warning"), "{}", fits.text());
}

/// Whatever runs: clients ask for it too.
#[test]
fn validate_warns_where_traffic_counts_as_health_checks() {
    let world = World::local();
    let warning = "services.health.path is /: requests for it count as health checks and not as traffic";
    let before = world.run(&["validate"]).ends_with(0);
    assert!(!before.text().contains("warning"), "{}", before.text());
    world.edit_manifest(|text| text.replace("  mode: stable\n", "  mode: stable\n  health:\n    path: /\n"));
    world.run(&["validate"]).ends_with(0).says(&format!("warning: {warning}"));
    world.run(&["deploy"]).ends_with(0);
    world.run(&["metrics"]).says(&format!("warning: {warning}"));
}

/// Then nothing but the app can have looked at old requests before it began.
#[test]
fn validate_warns_of_a_promotion_that_waits_too_short_for_old_requests() {
    let world = World::local();
    world.edit_manifest(|text| text.replace("max_wait: 20s", "max_wait: 4s"));
    // Half of the window of 5 s, and a little more.
    let limit = |millis: u32| {
        world.set_limits(&format!(
            r#"{{"thresholds":{{"disk_free_gb":1,"cpu_load":1000,"error_rate":0.01,"p99_latency_ms":{millis}}}}}"#
        ));
    };
    limit(2500);
    let silent = world.run(&["validate"]).ends_with(0);
    assert!(!silent.text().contains("warning"), "{}", silent.text());
    limit(2501);
    world
        .run(&["validate"])
        .ends_with(0)
        .says("warning: canary.max_wait is 4 s: a promotion needs requests from longer ago");
    world.edit_manifest(|text| text.replace("max_wait: 4s", "max_wait: 3s"));
    world.run(&["validate"]).ends_with(0).says("warning: canary.max_wait is 3 s, and no window of 5 s");
}
