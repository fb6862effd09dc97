//! The commands beside the story: each does what its line in the help says.

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use world::{World, until};

#[test]
fn new_writes_a_project_once() {
    let world = World::local();
    world.run(&["new", "."]).ends_with(1).says("is there already; nothing was written");
    world.run(&["new", "second", "--target", "docker"]).ends_with(0).says("second/manifest.yaml");
    assert!(world.read("second/manifest.yaml").starts_with("target: docker\n"));
    world.run(&["--manifest", "second/manifest.yaml", "init", "--check"]).ends_with(1);
}

#[test]
fn validate_tells_what_runs_in_place_of_an_image_that_nobody_looked_for() {
    let world = World::local();
    world.edit_manifest(|text| text.replace("swift-deploy-1-node:latest", "registry.example/shop:9"));
    let instead = "the built-in sample service runs in place of registry.example/shop:9";
    world.run(&["validate"]).ends_with(0).says("PASS  image present").says(instead);
}

#[test]
fn plan_tells_what_would_happen_and_changes_nothing() {
    let world = World::local();
    let plan = world.run(&["plan"]).ends_with(0);
    let plan = plan.says("new").says("start").says("app-blue").says("gate infra: PASS");
    assert!(!world.path("generated").exists(), "{}", plan.out);
    assert!(world.processes().is_empty());
    world.run(&["deploy"]).ends_with(0);
    world.edit_manifest(|text| text.replace("proxy_timeout: 30", "proxy_timeout: 31"));
    world.run(&["plan"]).ends_with(0).says("changed").says("31s").says("app-green").says("retire");
}

#[test]
fn a_limit_edited_while_the_stack_runs_is_in_force_at_once() {
    let world = World::local();
    world.run(&["policy", "ask", "infra"]).ends_with(0).says("infra: PASS");
    world.set_limits(
        r#"{"thresholds":{"disk_free_gb":1,"cpu_load":-1,"error_rate":0.01,"p99_latency_ms":500}}"#,
    );
    world.run(&["policy", "ask", "infra"]).ends_with(2).says("cpu_load");
    world
        .run(&["policy", "explain", "infra"])
        .ends_with(2)
        .says("decided by")
        .says("revision")
        .says("facts:");
    world
        .run(&["policy", "ask", "nothing"])
        .ends_with(1)
        .says("there is no gate nothing; there is canary, infra");
    world.run(&["policy", "test"]).ends_with(0).says(" 0 failed");
}

#[test]
fn a_gate_of_ones_own_can_only_deny() {
    let world = World::local();
    let gate = |allow: bool| {
        let (verdict, violations) = if allow {
            ("pass", "[]")
        } else {
            ("fail", r#"[{"code": "frozen", "message": "no deploys today", "observed": 1, "limit": 0}]"#)
        };
        let rego = format!(
            "package freeze\n\ndecision := {{\"allow\": {allow}, \"verdict\": \"{verdict}\", \"violations\": {violations}, \
             \"reasons\": [\"no deploys today: {}\"], \"checks\": [], \"limits\": data.thresholds}}\n",
            !allow
        );
        std::fs::write(world.path("policies/freeze.rego"), rego).unwrap();
    };
    world.edit_manifest(|text| {
        text.replace("policy:\n", "policy:\n  gates:\n    - package: freeze\n      before: deploy\n")
    });
    gate(false);
    world
        .run(&["deploy"])
        .ends_with(2)
        .says("Deployment blocked: freeze policy violation")
        .says("no deploys today");
    assert!(world.processes().is_empty());
    gate(true);
    world.run(&["deploy"]).ends_with(0).says("gate freeze");
    // It cannot lift a denial of ours.
    world.set_limits(
        r#"{"thresholds":{"disk_free_gb":1,"cpu_load":-1,"error_rate":0.01,"p99_latency_ms":500}}"#,
    );
    world.run(&["deploy"]).ends_with(2).says("Infrastructure policy violation");
}

#[test]
fn logs_are_found_by_the_names_that_hints_use() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    for name in ["proxy", "nginx"] {
        world.run(&["logs", name]).ends_with(0);
    }
    world.edit_manifest(|text| text.replace("  name: app\n", "  name: shop\n"));
    world.run(&["logs"]).ends_with(0).says("listening on");
}

#[test]
fn logs_show_the_service_and_the_proxy() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    assert_eq!(world.get("/logged-path").status, 404);
    world.run(&["logs"]).ends_with(0).says("listening on");
    until("the request is in the access log", Duration::from_secs(10), || {
        let ran = world.run(&["logs", "proxy-access"]);
        if ran.out.contains("| 404 |") && ran.out.contains("GET /logged-path") {
            Ok(())
        } else {
            Err(ran.text())
        }
    });
    world.run(&["logs", "nobody"]).ends_with(1).says("there is no service nobody");
}

#[test]
fn chaos_needs_a_canary_and_recovers() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    world.run(&["chaos", "error"]).ends_with(1).says("no canary runs");
    world.run(&["promote", "canary"]).ends_with(0);
    world.run(&["chaos", "error", "--rate", "1", "--for", "60s"]).ends_with(0);
    assert_eq!(world.get("/").status, 500);
    world.run(&["status", "--once"]).ends_with(0).says("error rate 100 %");
    world.run(&["chaos", "recover"]).ends_with(0);
    assert_eq!(world.get("/").status, 200);
    world.run(&["chaos", "slow", "--duration", "61"]).ends_with(1);
    world.run(&["chaos", "kill"]).ends_with(0);
    until("the kill is seen", Duration::from_secs(10), || {
        let ran = world.run(&["status", "--once"]);
        if ran.out.contains("exited") { Ok(()) } else { Err(ran.out) }
    });
    world.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/").status, 200);
}

#[test]
fn metrics_are_compared_and_checked_by_the_gates_own_code() {
    let world = World::local();
    let scrape = |requests: u32, errors: u32| {
        format!(
            "# TYPE http_requests_total counter\nhttp_requests_total{{path=\"/\",status_code=\"200\"}} {requests}\n\
             http_requests_total{{path=\"/\",status_code=\"500\"}} {errors}\n"
        )
    };
    std::fs::write(world.path("a.prom"), scrape(100, 0)).unwrap();
    std::fs::write(world.path("b.prom"), scrape(190, 10)).unwrap();
    let figures = world
        .run(&["metrics", "--from", "a.prom", "--to", "b.prom", "--window", "50s", "--json"])
        .ends_with(0);
    let figures = figures.json().remove(0);
    assert_eq!((figures["requests"].as_u64(), figures["errors"].as_u64()), (Some(100), Some(10)));
    assert_eq!((figures["error_rate"].as_f64(), figures["request_rate"].as_f64()), (Some(0.1), Some(2.0)));
    assert!(figures["p99_latency_ms"].is_null() && figures["p99_bucket"].is_null());
    let checked = world.run(&["metrics", "--check", "b.prom", "--json"]).ends_with(0).json().remove(0);
    assert_eq!((checked["samples"].as_u64(), checked["families"].as_u64()), (Some(2), Some(1)));
    std::fs::write(world.path("bad.prom"), "up 1\nup{ 2\n").unwrap();
    world.run(&["metrics", "--check", "bad.prom"]).ends_with(1).says("bad.prom:2:");
}

#[test]
fn the_history_proves_itself_and_an_edit_is_found() {
    let world = World::local();
    world.run(&["init"]).ends_with(0);
    world.run(&["init"]).ends_with(0);
    world.run(&["audit", "verify"]).ends_with(0);
    let text = world.read("history.jsonl");
    std::fs::write(world.path("history.jsonl"), text.replacen("files written", "files WRITTEN", 1)).unwrap();
    world.run(&["audit", "verify"]).ends_with(1).says("history.jsonl");
    world.run(&["audit", "--out", "report.md"]).ends_with(1).says("broken");
    assert!(world.read("report.md").contains("| Timestamp | Policy | Details |"));
}

#[test]
fn an_end_of_the_history_that_nothing_proves_is_told() {
    let world = World::local();
    world.run(&["init"]).ends_with(0);
    let verified = |world: &World| world.run(&["audit", "verify", "--json"]).ends_with(0).json().remove(0);
    assert_eq!(verified(&world)["proven"], true);
    std::fs::remove_file(world.path(".swiftdeploy/head")).unwrap();
    let told = verified(&world);
    assert_eq!((&told["intact"], &told["proven"]), (&true.into(), &false.into()));
    assert_eq!(told["report"]["unproven"]["head"], serde_json::Value::Null);
    world.run(&["audit", "verify"]).ends_with(0).says("NOT PROVEN").says("WARNING: there is no");
}

#[test]
fn json_output_is_one_object_a_line_and_nothing_else() {
    let world = World::local();
    let lines = world.run(&["deploy", "--json"]).ends_with(0).json();
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"started"), Some(&"finished")));
    assert!(kinds.contains(&"decision") && kinds.contains(&"step_finished"));
    let last = lines.last().unwrap();
    assert_eq!((last["outcome"].as_str(), last["exit_code"].as_u64()), (Some("done"), Some(0)));
}

#[test]
fn doctor_names_what_is_there() {
    let world = World::local();
    world
        .run(&["doctor"])
        .ends_with(0)
        .says("manifest")
        .says("policies")
        .says("revision")
        .says("nothing runs");
    std::fs::remove_file(world.path("policies/data.json")).unwrap();
    world.run(&["doctor"]).ends_with(1).says("✗ policies");
}

#[test]
fn schema_completions_and_manual_are_printed() {
    let world = World::local();
    let schema = world.run(&["schema"]).ends_with(0).out;
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert!(schema["properties"]["services"].is_object());
    for shell in ["bash", "zsh", "fish"] {
        world.run(&["completions", shell]).ends_with(0).says("swiftdeploy");
    }
    world.run(&["man"]).ends_with(0).says(".TH swiftdeploy");
}

#[test]
fn the_actor_on_record_is_the_one_of_the_user_database() {
    let world = World::local();
    let output = world.command(&["validate"]).env("USER", "somebody-else").env_remove("LOGNAME").output();
    world::Ran::of(&output.unwrap()).ends_with(0);
    let user = world.tool("id", &["-un"]).ends_with(0).out;
    let history = world.read("history.jsonl");
    let record: serde_json::Value = serde_json::from_str(history.lines().next().unwrap()).unwrap();
    let actor = record["actor"].as_str().unwrap();
    assert!(actor.starts_with(&format!("{}@", user.trim())), "{actor}");
}

/// Where the manifest names no target, the one on which the project is deployed is
/// meant, if that is one.
#[test]
fn a_project_is_found_where_it_is_deployed() {
    let world = World::local();
    world.edit_manifest(|text| text.replace("target: local\n", ""));
    world.run(&["deploy", "--target", "local"]).ends_with(0);
    world.run(&["status", "--once"]).ends_with(0).says("app-blue");
    world.run(&["validate"]).ends_with(0);
    world.run(&["teardown", "--yes"]).ends_with(0);
}

/// Nobody may ever write into one.
#[test]
fn a_manifest_that_is_a_pipe_is_refused_and_not_waited_for() {
    let world = World::local();
    std::fs::remove_file(world.path("manifest.yaml")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(world.path("manifest.yaml")).status().unwrap();
    assert!(made.success());
    world.run(&["validate"]).ends_with(1).says("it is a pipe, not a file");
    world.run(&["deploy"]).ends_with(1).says("it is a pipe, not a file");
}
