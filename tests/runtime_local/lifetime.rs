//! The stack outlives the app, and ends as a whole.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use swiftdeploy::domain::{Routes, Slot};
use swiftdeploy::runtime::{Health, Runtime};

use super::releases::wait_for_log;
use super::world::{World, client, lives, options, own_test, pid};

const FOLDER: &str = "TEST_PROJECT_FOLDER";
const PORT: &str = "TEST_PUBLIC_PORT";

/// What `helper_short_lived_app` does.
pub fn start_a_stack_and_end() {
    let (Ok(folder), Ok(port)) = (std::env::var(FOLDER), std::env::var(PORT)) else { return };
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    own.block_on(async {
        let mut world = World::new();
        world.rules.port = port.parse().unwrap();
        let options = options(&PathBuf::from(folder), None);
        let runtime = swiftdeploy::runtime::local::LocalRuntime::new(options).unwrap();
        runtime
            .start(&world.spec(Slot::Blue, swiftdeploy::domain::Mode::Stable, "1.0.0"), None)
            .await
            .unwrap();
        let routes = Routes::all_to(Slot::Blue, "from-the-short-lived-app");
        runtime.ensure_proxy(&world.stack(), &world.files(), &routes).await.unwrap();
    });
}

#[tokio::test]
async fn the_stack_outlives_the_app_and_the_terminal_it_was_started_from() {
    let world = World::new();
    let terminal = native_pty_system().openpty(PtySize::default()).unwrap();
    let command = own_test("helper_short_lived_app");
    let mut builder = CommandBuilder::new(&command[0]);
    builder.args(&command[1..]);
    builder.env(FOLDER, world.folder.path());
    builder.env(PORT, world.rules.port.to_string());
    let mut app = terminal.slave.spawn_command(builder).unwrap();
    let ended = tokio::task::spawn_blocking(move || app.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "{ended:?}");
    // Closes the terminal: the system hangs up on whoever still belongs to it.
    drop(terminal);

    let seen = world.until(|seen| seen.instances.iter().all(|one| one.health == Health::Healthy)).await;
    assert_eq!(seen.instances.len(), 2);
    assert_eq!(seen.routes.unwrap().generation, "from-the-short-lived-app");
    assert_eq!(world.get("/").await.status(), 200);

    // Another app goes on with it as if it were its own.
    world.start(Slot::Green, "2.0.0").await;
    world.route(&Routes::all_to(Slot::Green, "g2")).await;
    assert_eq!(world.runtime.teardown().await.unwrap().len(), 4);
    assert!(client().get(world.url("/")).send().await.is_err());
}

#[tokio::test]
async fn teardown_ends_and_removes_everything_of_the_project_and_nothing_else() {
    let world = World::with_script("sleep 600 & echo up; exec sleep 600");
    let other = World::new();
    let bystander = other.start(Slot::Blue, "1.0.0").await;
    let blue = world
        .runtime
        .start(&world.spec(Slot::Blue, swiftdeploy::domain::Mode::Stable, "1"), None)
        .await
        .unwrap();
    world.platform(&Routes::all_to(Slot::Blue, "g1")).await;
    let proxy = pid(world.runtime.observe().await.unwrap().proxy().unwrap());
    // A crash before the record was written left this one.
    let record = fs::read_to_string(world.state_dir().join("processes/app-blue.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let token = record["token"].as_str().unwrap().replace("app-blue", "app-green");
    let mut orphan = Command::new("sleep")
        .arg("600")
        .env("SWIFTDEPLOY_TOKEN", token)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    fs::write(world.state_dir().join("notes.txt"), "mine").unwrap();
    let outside = world.folder.path().join("history.jsonl");
    fs::write(&outside, "kept").unwrap();

    let belongings = world.runtime.belongings().await.unwrap();
    let removed = world.runtime.teardown().await.unwrap();

    assert_eq!(removed, belongings);
    assert_eq!(
        removed,
        [
            format!("app-blue (pid {})", pid(&blue)),
            format!("proxy (pid {proxy})"),
            format!("process {}", orphan.id()),
            world.state_dir().display().to_string(),
        ]
    );
    assert!(!lives(pid(&blue)) && !lives(proxy) && !lives(orphan.id()));
    orphan.wait().unwrap();
    assert!(lives(pid(&bystander)), "another project's release lives on");
    let left: Vec<_> =
        fs::read_dir(world.state_dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["notes.txt"], "what is not ours stays");
    assert_eq!(fs::read_to_string(outside).unwrap(), "kept");
}

#[tokio::test]
async fn where_nothing_is_there_is_nothing_to_remove() {
    let world = World::new();
    assert_eq!(world.runtime.belongings().await.unwrap(), [""; 0]);
    assert_eq!(world.runtime.teardown().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn teardown_works_with_a_record_that_cannot_be_read() {
    let world = World::new();
    let started = world.start(Slot::Blue, "1.0.0").await;
    fs::write(world.state_dir().join("processes/app-blue.json"), "{ half").unwrap();
    assert!(world.runtime.observe().await.is_err(), "it is not passed over in silence");

    world.runtime.teardown().await.unwrap();

    assert!(!lives(pid(&started)));
    assert!(!world.state_dir().exists());
}

#[tokio::test]
async fn a_proxy_that_is_asked_to_stop_finishes_what_runs() {
    let world = World::with_app();
    world.serving().await;
    let proxy = pid(world.runtime.observe().await.unwrap().proxy().unwrap());
    let request = tokio::spawn(client().get(world.url("/slow/400")).send());
    wait_for_log(&world, "app-blue", "slow request").await;

    Command::new("kill").args(["-TERM", &proxy.to_string()]).status().unwrap();

    assert_eq!(request.await.unwrap().unwrap().text().await.unwrap(), "1.0.0");
    let ended =
        |seen: &swiftdeploy::runtime::Observed| seen.proxy().unwrap().health == Health::Exited(Some(0));
    world.until(ended).await;
    assert!(world.access_log().contains("GET /slow/400"), "its log is complete");
}
