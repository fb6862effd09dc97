//! Situations that more than one test draws.

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::KeyCode;

use super::verdicts::*;
use super::world::World;
use crate::engine::{
    Action, Connection, FileChange, FileStatus, OperationEvent, OperationId, Outcome, PlanReport, StateEvent,
    StepResult,
};
use crate::tui::message::{Message, Reply};

/// The target is lost.
pub fn disconnected() -> World {
    let mut world = World::stable();
    world.watch(StateEvent::Connection(Connection::Down {
        reason: "nothing listens at unix:///var/run/docker.sock; start Docker, or set DOCKER_HOST".into(),
        retry_in: Duration::from_secs(5),
    }));
    world.pass(Duration::from_secs(2));
    world.watch(StateEvent::Gates(vec![opa_down()]));
    world
}

/// Something is typed into the palette.
pub fn palette() -> World {
    let mut world = World::stable();
    world.keys(":promote");
    world
}

/// Canary or stable?
pub fn promote_chooser() -> World {
    let mut world = World::failing_canary();
    world.keys("p");
    world
}

/// A fault with other values than the usual ones.
pub fn chaos_menu() -> World {
    let mut world = World::failing_canary();
    world.keys("c");
    world.key(KeyCode::Down);
    world.key(KeyCode::Right);
    world.keys("+");
    world
}

/// Everything is listed and the name is typed.
pub fn teardown() -> World {
    let mut world = World::stable();
    world.keys("t");
    let names = [
        "container shop-app-blue",
        "container shop-nginx",
        "container shop-opa",
        "network swiftdeploy-net",
        "network shop-policy",
        "volume shop-logs",
        "volume shop-policies",
    ];
    let generation = world.state.generation;
    let result = Ok(names.map(str::to_owned).to_vec());
    world.tell(Message::Reply(Reply::Belongings { generation, result }));
    world.key(KeyCode::Tab);
    world.keys("shop");
    world
}

/// Logs as services write them.
pub fn logs() -> World {
    let mut world = World::failing_canary();
    world.keys("l");
    let generation = world.state.generation;
    let mut lines: Vec<_> = (0..30).map(|n| (false, format!("GET /cart/{n} 200 3 ms"))).collect();
    lines.push((true, "\u{1b}[31mpanic\u{1b}[0m: cannot reach the database at db:5432 after 5 attempts; the connection pool is empty, giving up for now".into()));
    lines.push((false, "GET /漢字 500 1 ms\r".into()));
    world.tell(Message::Reply(Reply::LogLines { generation, lines }));
    world
}

/// Logs with a filter, scrolled back.
pub fn filtered_logs() -> World {
    let mut world = World::failing_canary();
    world.keys("l");
    let generation = world.state.generation;
    let lines = (0..60).map(|n| (false, format!("GET /cart/{n} 200 3 ms"))).collect();
    world.tell(Message::Reply(Reply::LogLines { generation, lines }));
    world.keys("/cart/1");
    world.key(KeyCode::Enter);
    world.key(KeyCode::Up);
    world
}

/// A decision in full.
pub fn decision() -> World {
    let mut world = World::failing_canary();
    world.keys("4");
    world.key(KeyCode::Enter);
    world
}

/// The same, with the rules, facts and limits behind the decision.
pub fn explained() -> World {
    let mut world = decision();
    let generation = world.state.generation;
    world.tell(Message::Reply(Reply::Explained { generation, explanation: Box::new(explanation()) }));
    world
}

/// The recorded decisions are asked again.
pub fn replaying() -> World {
    let mut world = World::stable();
    world.keys(":replay");
    world.key(KeyCode::Enter);
    world
}

/// The recorded decisions were asked again.
pub fn replayed() -> World {
    let mut world = replaying();
    let generation = world.state.generation;
    world.tell(Message::Reply(Reply::Replayed { generation, result: Ok(Box::new(replay_report())) }));
    world
}

/// A plan was made.
pub fn plan() -> World {
    let mut world = World::stable();
    world.begin("op-1", Action::Plan);
    world.operation(OperationEvent::Planned {
        id: OperationId("op-1".into()),
        plan: PlanReport {
            files: vec![
                FileChange {
                    path: PathBuf::from("generated/nginx.conf"),
                    status: FileStatus::Changed,
                    diff: "@@ -4,3 +4,3 @@\n-    proxy_read_timeout 30s;\n+    proxy_read_timeout 60s;\n"
                        .into(),
                },
                FileChange {
                    path: PathBuf::from("generated/docker-compose.yml"),
                    status: FileStatus::Same,
                    diff: String::new(),
                },
            ],
            start: vec!["app-green: swift-deploy-1-node:latest, version 1.1.0, stable".into()],
            replace: vec![
                "nginx: nginx.port is 9090 and was 8080; INTERRUPTS THE TRAFFIC until the new one serves"
                    .into(),
            ],
            stop: vec!["app-blue, after 10 s of draining".into()],
            decisions: vec![passing_infra().decision.unwrap(), opa_down().decision.unwrap()],
        },
    });
    world
}

/// Quit while something runs.
pub fn leaving() -> World {
    let mut world = World::connected();
    world.deploy_running();
    world.keys("q");
    world
}

/// The menu.
pub fn menu() -> World {
    let mut world = World::stable();
    world.keys("m");
    world.key(KeyCode::Down);
    world
}

/// All keys.
pub fn help() -> World {
    let mut world = World::stable();
    world.keys("?");
    world
}

/// The demo says what it does.
pub fn announced() -> World {
    let mut world = World::stable();
    said(&mut world, "First everything is generated from manifest.yaml: look at generated/.");
    world.begin("op-1", Action::Init { check: false });
    let outcome = Outcome::Done { summary: "3 files, all as they should be".into() };
    world.finish("op-1", Action::Init { check: false }, outcome, 40);
    said(
        &mut world,
        "Promote canary: the other slot starts and takes the traffic, the stable one stays warm. No request is lost.",
    );
    world.begin("op-2", Action::PromoteCanary);
    world
}

/// As the demo does it: said outside of any operation.
fn said(world: &mut World, text: &str) {
    world.operation(OperationEvent::Notice { id: OperationId("demo".into()), text: text.into() });
}

/// A promotion of the failing canary was denied.
pub fn denied() -> World {
    let mut world = World::failing_canary();
    world.begin("op-2", Action::PromoteStable);
    world.step("op-2", 0, "measure", "301 requests in 30 s", 30_000);
    world.step_as("op-2", 1, "gate canary", "FAIL", 1, StepResult::Failed);
    let decision = failing_canary_gate().decision.unwrap();
    let reasons = decision.reasons.clone();
    world.operation(OperationEvent::Decided { id: OperationId("op-2".into()), decision: Box::new(decision) });
    let outcome = Outcome::Denied {
        headline: "Promotion blocked: Canary safety policy violation".into(),
        reasons,
        state: "app-blue serves 75 % (stable), app-green 25 % (canary); nothing was changed".into(),
    };
    world.finish("op-2", Action::PromoteStable, outcome, 30_100);
    world
}
