//! A policy engine that is absent, slow or wrong, and policies that cannot be
//! used: each denies with its own message.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use rstest::rstest;
use serde_json::{Value, json};

use super::fake::{Fake, Reply};
use super::untouched::{Untouched, initialised};
use super::world::World;
use super::world::ports::free_port;

/// What an engine that works says to everything asked of it here.
struct Good {
    policies: Value,
    decision: Value,
}

impl Good {
    /// As an OPA that has loaded the project's folder.
    fn of(world: &World) -> Self {
        let folder = world.path("policies");
        let loaded = |name: &str| json!({"id": name, "raw": read(&folder, name)});
        let files = ["infra.rego", "canary.rego", "infra_test.rego", "canary_test.rego"];
        let data: Value = serde_json::from_str(&read(&folder, "data.json")).unwrap();
        Self {
            policies: json!({"result": files.map(loaded)}),
            decision: json!({"result": {
                "allow": true, "verdict": "pass", "violations": [],
                "reasons": ["everything keeps its limit"], "checks": [], "limits": data["thresholds"],
            }}),
        }
    }

    fn reply(&self, path: &str) -> Reply {
        Reply::json(if path.starts_with("/v1/policies") { &self.policies } else { &self.decision })
    }
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// A project that asks an OPA, and where.
fn asking_opa() -> (World, u16) {
    let world = World::local();
    let port = free_port();
    world.edit_manifest(|text| {
        let section = text.find("policy:\n  port: ").unwrap();
        let end = section + text[section..].find("status:").unwrap();
        let ours = format!("policy:\n  engine: opa\n  port: {port}\n");
        format!("{}{ours}{}", &text[..section], &text[end..])
    });
    world.run(&["init"]).ends_with(0);
    (world, port)
}

/// How the decision goes wrong.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Silent,
    Html,
    Empty,
    BareTrue,
    AllowsWithViolations,
    Forbidden,
    Broken,
    OtherPolicies,
    OtherLimits,
}

impl Wrong {
    fn reply(self, good: &Good, path: &str) -> Reply {
        let is_listing = path.starts_with("/v1/policies");
        match self {
            Self::OtherPolicies if is_listing => Reply::json(&json!({"result": []})),
            Self::OtherPolicies => good.reply(path),
            _ if is_listing => good.reply(path),
            Self::Silent => Reply::Silence,
            Self::Html => Reply::Says(200, "text/html", "<html>Welcome to nginx!</html>".into()),
            Self::Empty => Reply::json(&json!({})),
            Self::BareTrue => Reply::json(&json!({"result": true})),
            Self::AllowsWithViolations => {
                let mut decision = good.decision.clone();
                decision["result"]["violations"] = json!([{"code": "disk_low", "message": "disk is full"}]);
                Reply::json(&decision)
            }
            Self::Forbidden => Reply::Says(403, "application/json", "{}".into()),
            Self::Broken => Reply::Says(500, "application/json", r#"{"code":"internal_error"}"#.into()),
            Self::OtherLimits => {
                let mut decision = good.decision.clone();
                decision["result"]["limits"]["disk_free_gb"] = json!(0);
                Reply::json(&decision)
            }
        }
    }
}

#[rstest]
#[case::slow(Wrong::Silent, &["policy engine timed out", "within 500 ms", "policy.timeout"])]
#[case::html(Wrong::Html, &["malformed answer: not JSON", "<html>Welcome"])]
#[case::empty(Wrong::Empty, &["policy infra is undefined"])]
#[case::bare_true(Wrong::BareTrue, &["malformed answer", "the decision is true, not an object"])]
#[case::contradiction(Wrong::AllowsWithViolations, &["contradicts itself: `allow` is true with violations"])]
#[case::refused(Wrong::Forbidden, &["policy engine refused the question (HTTP 403)"])]
#[case::http_error(Wrong::Broken, &["policy engine answered HTTP 500", "internal_error"])]
#[case::other_policies(Wrong::OtherPolicies, &["policy engine is stale", "on disk is not what the engine has loaded"])]
#[case::other_limits(Wrong::OtherLimits, &["policy engine is stale", "the limit disk_free_gb is 0 in the engine"])]
fn a_wrong_answer_denies_in_its_own_words(#[case] wrong: Wrong, #[case] shown: &[&str]) {
    let (world, port) = asking_opa();
    let good = Good::of(&world);
    let _engine = Fake::on_port(port, move |path| wrong.reply(&good, path));
    let before = Untouched::of(&world);
    let mut ran = world.run(&["deploy"]).ends_with(2).says("Deployment blocked: no policy decision");
    for text in shown {
        ran = ran.says(text);
    }
    ran.says("- next: ").says("state: nothing serves");
    before.holds();
}

#[test]
fn without_its_engine_every_gate_denies_and_opens_again_when_it_is_back() {
    let (world, port) = asking_opa();
    let good = Arc::new(Good::of(&world));
    let start = || {
        let good = Arc::clone(&good);
        Fake::on_port(port, move |path| good.reply(path))
    };
    let absent = format!("policy engine not running: nothing answers at 127.0.0.1:{port}");

    let before = Untouched::of(&world);
    world.run(&["deploy"]).ends_with(2).says("Deployment blocked: no policy decision").says(&absent);
    before.holds();

    let engine = start();
    world.run(&["deploy"]).ends_with(0);
    drop(engine);
    let before = Untouched::of(&world);
    world
        .run(&["promote", "canary"])
        .ends_with(2)
        .says("Promotion blocked: no policy decision")
        .says(&absent);
    assert_eq!(world.get("/").json()["mode"], "stable");
    before.holds();

    let engine = start();
    world.run(&["promote", "canary"]).ends_with(0);
    drop(engine);
    let before = Untouched::of(&world);
    world
        .run(&["promote", "stable"])
        .ends_with(2)
        .says("Promotion blocked: no policy decision")
        .says(&absent);
    assert_eq!(world.get("/").json()["mode"], "canary");
    before.holds();
    world.run(&["status", "--once"]).ends_with(0).says("NO DECISION").says(&absent);

    // Going back asks nobody.
    world.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/").json()["mode"], "stable");
}

#[test]
fn the_engine_is_asked_for_the_decision_with_the_facts_and_for_what_it_has_loaded() {
    let (world, port) = asking_opa();
    let good = Good::of(&world);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let _engine = Fake::on_port(port, move |path| {
        seen.lock().unwrap().push(path.to_owned());
        good.reply(path)
    });
    world.run(&["deploy"]).ends_with(0);
    let asked = asked.lock().unwrap();
    for path in ["/v1/policies", "/v1/data/infra/decision?provenance&metrics"] {
        assert!(asked.iter().any(|seen| seen == path), "{path} not in {asked:?}");
    }
}

#[rstest]
#[case::folder_missing(None, &["policies"])]
#[case::broken_rego(Some("package infra\n\ndecision := {\n"), &["infra.rego", "policy test"])]
#[case::another_package(Some("package infrastructure\n\ndecision := {}\n"), &["policy infra is undefined", "package line"])]
fn policies_that_cannot_be_used_deny(#[case] infra: Option<&str>, #[case] shown: &[&str]) {
    let world = initialised();
    match infra {
        None => std::fs::remove_dir_all(world.path("policies")).unwrap(),
        Some(text) => {
            std::fs::write(world.path("policies/infra.rego"), text).unwrap();
            std::fs::remove_file(world.path("policies/infra_test.rego")).unwrap();
        }
    }
    let before = Untouched::of(&world);
    let mut ran = world.run(&["deploy"]).ends_with(2).says("Deployment blocked: no policy decision");
    for text in shown {
        ran = ran.says(text);
    }
    ran.says("- next: ");
    before.holds();
}
