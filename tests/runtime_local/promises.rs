//! The promises that every target keeps.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use swiftdeploy::domain::stack::{ContainerSpec, Stack};
use swiftdeploy::domain::{Mode, Slot};
use swiftdeploy::runtime::local::{ACCESS_LOG, LocalRuntime};
use swiftdeploy::runtime::{ImagePresence, Instance, Runtime, StackFiles};

use super::runtime_suite::{self, Harness};
use super::world::{World, end, lives, options, pid, signal};

/// One test for each promise of the suite.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let local = Local::new();
                runtime_suite::$name(&local.world.runtime, &local).await;
            }
        )*
    };
}

promises!(
    nothing_is_there_before_the_first_deploy,
    a_started_release_is_seen_where_it_answers,
    a_release_that_dies_at_once_is_told,
    a_routing_is_served_and_observed,
    swaps_under_traffic_lose_nothing,
    changed_shares_lose_nothing,
    a_refused_configuration_leaves_the_old_one_serving,
    a_killed_release_is_seen,
    logs_are_told_and_followed,
    requests_without_an_answer_are_counted,
    requests_that_clients_give_up_are_told_by_how_long_they_waited,
    errors_of_a_slot_are_counted,
    a_proxy_that_hangs_is_not_healthy,
    changes_are_told,
    the_port_has_an_owner,
    teardown_removes_all_and_only_ours,
    the_engine_describes_itself,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_another_stands_in_for_is_counted() {
    let local = Local::new();
    let runtime = &local.world.runtime;
    let end = async || runtime.kill(Slot::Green).await.unwrap();
    runtime_suite::a_slot_that_another_stands_in_for_is_counted(runtime, &local, end).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_proxy_tells_is_not_zero() {
    let local = Local::new();
    runtime_suite::what_the_proxy_does_not_tell_is_not_zero(&local.world.runtime).await;
}

/// A project of its own with the sample service.
struct Local {
    world: World,
    stack: Stack,
    strangers: Mutex<Option<Strangers>>,
}

/// What looks much like a part of the project and is not.
struct Strangers {
    /// A project whose state directory is named like ours and something more.
    neighbour: LocalRuntime,
    /// Its release.
    release: u32,
    /// A process with the mark of another state directory.
    bystander: Child,
}

impl Drop for Strangers {
    fn drop(&mut self) {
        let _ = self.bystander.kill();
        let _ = self.bystander.wait();
        end(&self.neighbour);
    }
}

impl Local {
    fn new() -> Self {
        let world = World::new();
        Self { stack: world.stack(), world, strangers: Mutex::new(None) }
    }

    /// A file of the user's own among ours.
    fn notes(&self) -> std::path::PathBuf {
        self.world.state_dir().join("notes.txt")
    }
}

#[async_trait]
impl Harness for Local {
    fn stack(&self) -> &Stack {
        &self.stack
    }

    fn files(&self) -> StackFiles {
        self.world.files()
    }

    fn broken_files(&self) -> StackFiles {
        let mut files = self.world.files();
        files.proxy.rules.operator = "anybody".into();
        files
    }

    fn spec(&self, slot: Slot, mode: Mode, version: &str) -> ContainerSpec {
        self.world.spec(slot, mode, version)
    }

    fn dying_spec(&self, slot: Slot) -> ContainerSpec {
        let command = ["sh", "-c", "exit 3"].map(String::from).to_vec();
        ContainerSpec { command, ..self.spec(slot, Mode::Stable, "0") }
    }

    /// An "image" is the program that the manifest names.
    async fn absent_image(&self, _runtime: &dyn Runtime) -> ImagePresence {
        let command = Some(vec!["./no-such-server".into()]);
        let runtime = LocalRuntime::new(options(self.world.folder.path(), command)).unwrap();
        runtime.image("swiftdeploy-has-no-such-image:1").await.unwrap()
    }

    fn access_log(&self) -> &'static str {
        ACCESS_LOG
    }

    fn public(&self) -> SocketAddr {
        self.world.public()
    }

    async fn let_proxy_hang(&self, proxy: &Instance, hangs: bool) {
        signal(if hangs { "STOP" } else { "CONT" }, pid(proxy));
    }

    async fn plant_strangers(&self) {
        let mut options = options(self.world.folder.path(), None);
        options.state_dir = self.world.folder.path().join(".swiftdeploy/local-2");
        let neighbour = LocalRuntime::new(options).unwrap();
        let started = neighbour.start(&self.spec(Slot::Blue, Mode::Stable, "1.0.0"), None).await.unwrap();
        let release = pid(&started);
        let bystander = Command::new("sleep")
            .arg("600")
            .env("SWIFTDEPLOY_TOKEN", "sd-0000000000000000.app-blue.0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        *self.strangers.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Strangers { neighbour, release, bystander });
        std::fs::create_dir_all(self.world.state_dir()).unwrap();
        std::fs::write(self.notes(), "the user's own").unwrap();
    }

    async fn strangers_gone(&self) -> Vec<String> {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap();
        let mut gone = Vec::new();
        if !lives(strangers.release) {
            gone.push("the neighbour's release".into());
        }
        if strangers.bystander.try_wait().unwrap().is_some() {
            gone.push("the bystander".into());
        }
        if !self.notes().exists() {
            gone.push("the notes".into());
        }
        gone
    }
}
