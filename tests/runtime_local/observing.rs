//! Logs, events, facts.

use std::time::Duration;

use swiftdeploy::domain::{Mode, Routes, Slot, Target};
use swiftdeploy::runtime::local::LocalRuntime;
use swiftdeploy::runtime::{Health, Instance, LogRequest, Runtime, RuntimeError};

use super::world::{PATIENCE, World, client, options, pid};

#[tokio::test]
async fn logs_end_or_go_on() {
    let world = World::with_script(
        "echo one; echo two >&2; while [ ! -e go ]; do sleep 0.02; done; echo three; exec sleep 600",
    );
    world.runtime.start(&world.spec(Slot::Blue, Mode::Stable, "1"), None).await.unwrap();
    let request = |tail, follow| LogRequest { service: "app-blue".into(), tail, follow };

    let mut ended = world.runtime.logs(request(1, false)).await.unwrap();
    assert_eq!(ended.recv().await.unwrap().text, "two");
    assert_eq!(ended.recv().await, None);

    let mut followed = world.runtime.logs(request(10, true)).await.unwrap();
    for expected in ["one", "two"] {
        assert_eq!(followed.recv().await.unwrap().text, expected);
    }
    std::fs::write(world.folder.path().join("go"), "").unwrap();
    let next = tokio::time::timeout(PATIENCE, followed.recv()).await.unwrap();
    assert_eq!(next.unwrap().text, "three");
}

#[tokio::test]
async fn the_proxy_has_three_logs_and_answers_to_the_name_nginx() {
    let world = World::new();
    world.platform(&Routes { generation: "g0".into(), shares: vec![] }).await;
    for name in ["proxy", "nginx"] {
        let request = LogRequest { service: name.into(), tail: 10, follow: false };
        let line = world.runtime.logs(request).await.unwrap().recv().await.unwrap();
        assert!(line.text.contains("serves g0"), "{line:?}");
    }
    world.get("/").await;
    let request = LogRequest { service: "proxy-access".into(), tail: 10, follow: true };
    let mut lines = world.runtime.logs(request).await.unwrap();
    let line = tokio::time::timeout(PATIENCE, lines.recv()).await.unwrap().unwrap();
    assert!(line.text.ends_with("| - | GET / HTTP/1.1"), "{line:?}");

    let unknown = LogRequest { service: "opa".into(), tail: 1, follow: false };
    let error = world.runtime.logs(unknown).await.unwrap_err();
    assert!(
        matches!(&error, RuntimeError::UnknownService { known, .. } if known == "proxy, proxy-access, proxy-failures"),
        "{error}"
    );
}

#[tokio::test]
async fn events_tell_of_starts_and_ends_until_nobody_listens() {
    let world = World::new();
    let mut events = world.runtime.events().await.unwrap();
    world.start(Slot::Blue, "1.0.0").await;
    let mut seen = Vec::new();
    let mut until = async |wanted: &str| {
        while !seen.iter().any(|what: &String| what == wanted) {
            let event = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
            assert_eq!(event.service, "app-blue");
            seen.push(event.what);
        }
    };
    until("health_status: healthy").await;
    world.runtime.kill(Slot::Blue).await.unwrap();
    until("die").await;
    assert_eq!(seen[0], "start");
}

#[tokio::test]
async fn a_release_that_does_not_answer_is_starting_then_unhealthy_with_the_reason() {
    let world = World::with_script("exec sleep 600");
    world.runtime.start(&world.spec(Slot::Blue, Mode::Stable, "1"), None).await.unwrap();
    assert_eq!(world.runtime.observe().await.unwrap().in_slot(Slot::Blue).unwrap().health, Health::Starting);

    let mut options = options(world.folder.path(), None);
    options.health_wait = Duration::ZERO;
    let impatient = LocalRuntime::new(options).unwrap();
    let seen = impatient.observe().await.unwrap();
    let one = seen.in_slot(Slot::Blue).unwrap();
    assert!(
        matches!(&one.health, Health::Unhealthy(why) if why.contains("nothing listens")),
        "{:?}",
        one.health
    );
}

/// Its health checks fail from now on, so many times.
async fn fall_sick(release: &Instance, times: u32) {
    let url = format!("http://{}/sick/{times}", release.endpoint.unwrap());
    assert_eq!(client().post(url).send().await.unwrap().status(), 200);
}

async fn health(runtime: &LocalRuntime) -> Health {
    runtime.observe().await.unwrap().in_slot(Slot::Blue).unwrap().health.clone()
}

#[tokio::test]
async fn a_release_that_has_been_healthy_is_never_starting_again() {
    let mut world = World::with_app();
    // Younger than the wait all the time.
    let blue = world.start(Slot::Blue, "1.0.0").await;
    fall_sick(&blue, 1000).await;
    let sick = Health::Unhealthy("/healthz answers 503".into());
    assert_eq!(health(&world.runtime).await, sick);
    let another = LocalRuntime::new(options(world.folder.path(), None)).unwrap();
    assert_eq!(health(&another).await, sick, "whoever looks");

    world.command = ["sh", "-c", "exec sleep 600"].map(String::from).to_vec();
    world.runtime.start(&world.spec(Slot::Blue, Mode::Stable, "2.0.0"), None).await.unwrap();
    assert_eq!(health(&world.runtime).await, Health::Starting, "the next in its slot starts");

    world.runtime.teardown().await.unwrap();
    assert!(!world.state_dir().exists(), "nothing of it is left");
}

#[tokio::test]
async fn a_release_is_unhealthy_when_so_many_health_checks_in_a_row_have_failed() {
    let world = World::with_app();
    let blue = world.start(Slot::Blue, "1.0.0").await;
    fall_sick(&blue, 2).await;
    assert_eq!(health(&world.runtime).await, Health::Healthy);
    fall_sick(&blue, 3).await;
    assert!(matches!(health(&world.runtime).await, Health::Unhealthy(_)));

    let mut options = options(world.folder.path(), None);
    options.health_retries = 1;
    let strict = LocalRuntime::new(options).unwrap();
    fall_sick(&blue, 1).await;
    assert!(matches!(health(&strict).await, Health::Unhealthy(_)));
    assert_eq!(health(&strict).await, Health::Healthy);
}

#[tokio::test]
async fn where_nothing_can_be_noted_health_is_seen_all_the_same() {
    let world = World::with_app();
    // No file can take the place of a folder.
    let note = world.state_dir().join("processes/app-blue.healthy");
    world.runtime.start(&world.spec(Slot::Blue, Mode::Stable, "1.0.0"), None).await.unwrap();
    std::fs::create_dir(&note).unwrap();
    let seen = world.until(|seen| seen.in_slot(Slot::Blue).unwrap().health == Health::Healthy).await;
    fall_sick(seen.in_slot(Slot::Blue).unwrap(), 3).await;
    assert!(matches!(health(&world.runtime).await, Health::Unhealthy(_)));
    std::fs::remove_dir(&note).unwrap();
}

#[tokio::test]
async fn everything_is_seen_in_one_look_apps_first() {
    let world = World::new();
    world.platform(&Routes { generation: "g0".into(), shares: vec![] }).await;
    world.start(Slot::Green, "2.0.0").await;
    world.start(Slot::Blue, "1.0.0").await;

    let seen = world.runtime.observe().await.unwrap();

    let services: Vec<_> = seen.instances.iter().map(|one| one.service.as_str()).collect();
    assert_eq!(services, ["app-blue", "app-green", "proxy"]);
    assert!(seen.instances.iter().all(|one| one.usage.unwrap().memory > 0));
    assert!(seen.instances.iter().all(|one| one.started_at.is_some() && pid(one) > 1));
}

#[tokio::test]
async fn the_target_tells_what_it_is_and_where() {
    let world = World::new();
    assert_eq!(world.runtime.target(), Target::Local);
    let info = world.runtime.info().await.unwrap();
    assert!(info.is_local && info.shows_client_addresses);
    assert!(world.runtime.host_facts().await.unwrap().disk_free_bytes > 0);
    world.runtime.sync_policies(&world.stack(), &world.files()).await.unwrap();
}
