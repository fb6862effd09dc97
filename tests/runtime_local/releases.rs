//! Starting, stopping, killing releases.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use swiftdeploy::domain::stack::{ContainerSpec, Role};
use swiftdeploy::domain::{Mode, Slot};
use swiftdeploy::runtime::{Health, ImagePresence, Runtime};

use super::runtime_suite::eventually;
use super::world::{World, client, lives, pid};

#[tokio::test]
async fn a_started_release_becomes_healthy_and_answers_at_its_endpoint() {
    let world = World::new();
    let spec = world.spec(Slot::Green, Mode::Canary, "2.1.0");
    let started = world.start_as(Slot::Green, Mode::Canary, "2.1.0").await;

    assert_eq!(started.service, "app-green");
    assert_eq!(started.role, Role::App { slot: Slot::Green, mode: Mode::Canary });
    assert_eq!(started.spec, Some(spec.hash()));
    assert!(lives(pid(&started)));
    let release = started.release.unwrap();
    assert_eq!((release.image.as_str(), release.version.as_str()), (spec.image.as_str(), "2.1.0"));

    let endpoint = started.endpoint.unwrap();
    assert!(endpoint.ip().is_loopback());
    let answer = client().get(format!("http://{endpoint}/")).send().await.unwrap();
    assert_eq!(answer.headers()["x-mode"], "canary");
    assert!(answer.text().await.unwrap().contains("2.1.0"));
}

#[tokio::test]
async fn a_start_replaces_what_is_in_the_slot() {
    let world = World::new();
    let first = world.start(Slot::Blue, "1.0.0").await;
    let second = world.start(Slot::Blue, "1.0.1").await;

    assert!(!lives(pid(&first)));
    let seen = world.runtime.observe().await.unwrap();
    assert_eq!(seen.instances.iter().map(|one| &one.id).collect::<Vec<_>>(), [&second.id]);
}

#[tokio::test]
async fn an_empty_slot_is_stopped_and_killed_without_a_word() {
    let world = World::new();
    world.runtime.stop(Slot::Blue, Duration::ZERO).await.unwrap();
    world.runtime.kill(Slot::Blue).await.unwrap();
    assert!(!world.state_dir().exists(), "neither leaves a trace");
}

#[tokio::test]
async fn a_killed_release_is_seen_to_have_ended_until_it_is_stopped() {
    let world = World::new();
    let killed = world.start(Slot::Blue, "1.0.0").await;

    world.runtime.kill(Slot::Blue).await.unwrap();

    let seen =
        world.until(|seen| seen.in_slot(Slot::Blue).unwrap().health == Health::Exited(Some(137))).await;
    assert_eq!(seen.in_slot(Slot::Blue).unwrap().id, killed.id);
    assert_eq!(seen.in_slot(Slot::Blue).unwrap().endpoint, None);
    world.runtime.kill(Slot::Blue).await.unwrap();

    world.runtime.stop(Slot::Blue, Duration::ZERO).await.unwrap();
    assert_eq!(world.runtime.observe().await.unwrap().instances, []);
}

#[tokio::test]
async fn a_release_that_does_not_stop_in_time_is_killed_with_its_children() {
    let world = World::with_script("trap '' TERM; sleep 600 & echo $! > child; while :; do sleep 0.05; done");
    let spec = world.spec(Slot::Blue, Mode::Stable, "1.0.0");
    let started = world.runtime.start(&spec, None).await.unwrap();
    assert_eq!(started.health, Health::Starting);
    let child: u32 = fs::read_to_string(world.folder.path().join("child")).unwrap().trim().parse().unwrap();
    assert!(lives(child));

    world.runtime.stop(Slot::Blue, Duration::from_millis(50)).await.unwrap();

    assert!(!lives(pid(&started)) && !lives(child));
}

#[tokio::test]
async fn a_stop_lets_the_running_request_finish() {
    let world = World::with_app();
    let endpoint = world.start(Slot::Blue, "1.0.0").await.endpoint.unwrap();
    let request = tokio::spawn(client().get(format!("http://{endpoint}/slow/400")).send());
    wait_for_log(&world, "app-blue", "slow request").await;

    world.runtime.stop(Slot::Blue, Duration::from_secs(20)).await.unwrap();

    assert_eq!(request.await.unwrap().unwrap().text().await.unwrap(), "1.0.0");
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_named_in_the_error() {
    let world = World::with_command(Some(vec!["./no-such-server".into()]));
    let error = world.runtime.start(&world.spec(Slot::Blue, Mode::Stable, "1"), None).await.unwrap_err();
    assert!(error.to_string().contains("no-such-server"), "{error}");
    assert!(
        matches!(world.runtime.image("x").await.unwrap(), ImagePresence::Absent(why) if why.contains("no-such-server"))
    );
    assert_eq!(world.runtime.observe().await.unwrap().instances, []);
}

#[tokio::test]
async fn a_release_starts_as_its_spec_says_whatever_todays_manifest_says() {
    let today = World::with_script("echo today; exec sleep 600");
    let older = ["sh", "-c", "echo older; exec sleep 600"].map(String::from).to_vec();
    let spec = ContainerSpec { command: older, ..today.spec(Slot::Blue, Mode::Stable, "1.0.0") };

    today.runtime.start(&spec, None).await.unwrap();

    wait_for_log(&today, "app-blue", "older").await;
    let log = fs::read_to_string(today.state_dir().join("logs/app-blue.log")).unwrap();
    assert_eq!(log, "older\n");
    let seen = today.runtime.observe().await.unwrap().in_slot(Slot::Blue).unwrap().spec.clone();
    assert_eq!(seen, Some(spec.hash()));
    assert_ne!(seen, Some(today.spec(Slot::Blue, Mode::Stable, "1.0.0").hash()), "and that is seen");
}

#[tokio::test]
async fn a_spec_without_a_command_is_the_sample_service() {
    let mut world = World::with_script("exit 9");
    world.command.clear();
    let endpoint = world.start(Slot::Blue, "1.0.0").await.endpoint.unwrap();
    let answer = client().get(format!("http://{endpoint}/")).send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("\"version\":\"1.0.0\""));
}

#[tokio::test]
async fn the_built_in_service_is_always_present_and_nothing_can_be_pulled() {
    let world = World::new();
    assert_eq!(world.runtime.image("whatever").await.unwrap(), ImagePresence::Present(None));
    let (progress, _reader) = tokio::sync::mpsc::channel(1);
    let error = world.runtime.pull("whatever", progress).await.unwrap_err();
    assert!(error.to_string().contains("nothing to pull"), "{error}");
}

#[tokio::test]
async fn a_release_that_ends_at_once_tells_its_last_words() {
    let world = World::with_script("echo first; echo 'no database configured' >&2; exit 3");
    let error = world.runtime.start(&world.spec(Slot::Blue, Mode::Stable, "1"), None).await.unwrap_err();
    assert!(error.to_string().contains("exited at once with code 3"), "{error}");
    assert!(error.to_string().contains("no database configured"), "{error}");
    assert_eq!(world.runtime.observe().await.unwrap().instances, [], "nothing stays behind");
}

#[tokio::test]
async fn a_port_that_somebody_took_first_is_replaced_by_another() {
    // Complains twice as a server would, then runs.
    let world = World::with_script(
        "echo $APP_PORT >> ports; [ $(wc -l < ports) -gt 2 ] || { echo 'bind: Address already in use'; exit 1; }; \
         exec sleep 600",
    );
    let started = world.runtime.start(&world.spec(Slot::Blue, Mode::Stable, "1"), None).await.unwrap();

    let tried = fs::read_to_string(world.folder.path().join("ports")).unwrap();
    assert_eq!(tried.lines().count(), 3);
    assert_eq!(tried.lines().last().unwrap(), started.endpoint.unwrap().port().to_string());
}

#[tokio::test]
async fn a_forged_record_never_gets_a_bystander_signalled() {
    let world = World::new();
    let started = world.start(Slot::Blue, "1.0.0").await;
    let mut bystander =
        Command::new("sleep").arg("600").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();

    // As after the id of an ended process was given to somebody else.
    let path = world.state_dir().join("processes/app-blue.json");
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    record["process"]["pid"] = bystander.id().into();
    record["token"] = "sd-0000000000000000.app-blue.0".into();
    fs::write(&path, record.to_string()).unwrap();

    let seen = world.runtime.observe().await.unwrap();
    assert_eq!(seen.in_slot(Slot::Blue).unwrap().health, Health::Exited(None));
    world.runtime.kill(Slot::Blue).await.unwrap();
    world.runtime.stop(Slot::Blue, Duration::ZERO).await.unwrap();

    assert!(lives(bystander.id()));
    // Its environment, by which it is known here, goes before it does.
    let has_ended = async || (!lives(pid(&started))).then_some(());
    eventually("the real process is found by the token in its environment, and ends", has_ended).await;
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[tokio::test]
async fn a_start_that_a_crash_cut_short_is_still_ours() {
    let world = World::new();
    let started = world.start(Slot::Blue, "1.0.0").await;
    // The intent is on disk, the process runs, its id was never written.
    let path = world.state_dir().join("processes/app-blue.json");
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    record["process"] = serde_json::Value::Null;
    fs::write(&path, record.to_string()).unwrap();

    let seen = world.runtime.observe().await.unwrap();
    assert_eq!(seen.in_slot(Slot::Blue).unwrap().id, started.id);

    // Not even the intent is left.
    fs::remove_file(&path).unwrap();
    world.start(Slot::Blue, "1.0.1").await;
    assert!(!lives(pid(&started)), "the next start ends it");
}

pub async fn wait_for_log(world: &World, service: &str, text: &str) {
    let request = swiftdeploy::runtime::LogRequest { service: service.into(), tail: 100, follow: true };
    let mut lines = world.runtime.logs(request).await.unwrap();
    let found = async {
        while let Some(line) = lines.recv().await {
            if line.text.contains(text) {
                return;
            }
        }
    };
    tokio::time::timeout(super::world::PATIENCE, found).await.expect("it is in the log");
}
