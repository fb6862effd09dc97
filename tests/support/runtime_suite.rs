//! What every target must do, whatever it is made of. Each function is one
//! promise of `swiftdeploy::runtime::Runtime`; a target's own test file brings
//! a [`Harness`] and calls them all.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test tells what went wrong by ending")]

mod eventually;
mod runtime_traffic;
mod runtime_unanswered;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use async_trait::async_trait;
use swiftdeploy::domain::stack::{ContainerSpec, Role, Stack};
use swiftdeploy::domain::{Mode, Routes, Slot};
use swiftdeploy::runtime::{
    CheckStatus, Health, ImagePresence, Instance, LogRequest, PortOwner, Runtime, RuntimeError, StackFiles,
};

use eventually::PATIENCE;
pub use eventually::eventually;
pub use runtime_traffic::{changed_shares_lose_nothing, swaps_under_traffic_lose_nothing};
pub use runtime_unanswered::{
    a_slot_that_another_stands_in_for_is_counted, errors_of_a_slot_are_counted,
    requests_that_clients_give_up_are_told_by_how_long_they_waited, requests_without_an_answer_are_counted,
    what_the_proxy_does_not_tell_is_not_zero,
};

/// How long something may take to stop.
const GRACE: Duration = Duration::from_secs(5);

/// What a target brings to be tested. Project, ports and folders are the
/// test's own, so that tests can run side by side.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The stack: an app in slot blue, a proxy and what else belongs to it.
    fn stack(&self) -> &Stack;

    /// Files that work.
    fn files(&self) -> StackFiles;

    /// Files whose proxy configuration the proxy refuses.
    fn broken_files(&self) -> StackFiles;

    /// A release in a slot, which tells mode and version at `/`.
    fn spec(&self, slot: Slot, mode: Mode, version: &str) -> ContainerSpec;

    /// The same release, but it ends at once with an exit code.
    fn dying_spec(&self, slot: Slot) -> ContainerSpec;

    /// What the target says of something to start that is not there. Where an
    /// image's name stands for that, this is enough.
    async fn absent_image(&self, runtime: &dyn Runtime) -> ImagePresence {
        runtime.image("swiftdeploy-has-no-such-image:1").await.unwrap()
    }

    /// A service whose log gets a line with the path of each request that
    /// comes through the proxy.
    fn access_log(&self) -> &'static str;

    /// The proxy's public address.
    fn public(&self) -> SocketAddr;

    /// Makes the proxy's processes hang, or go on.
    async fn let_proxy_hang(&self, proxy: &Instance, hangs: bool);

    /// Makes things that look much like this project's and are not.
    async fn plant_strangers(&self);

    /// Tells which of them are gone, and removes the others.
    async fn strangers_gone(&self) -> Vec<String>;
}

/// A project that was never deployed is empty, and every question about it
/// has an answer.
pub async fn nothing_is_there_before_the_first_deploy(runtime: &dyn Runtime, harness: &dyn Harness) {
    let observed = runtime.observe().await.unwrap();
    assert_eq!(observed.instances, []);
    assert_eq!(observed.routes, None);
    assert_eq!(runtime.generation(harness.stack()).await.unwrap(), None);
    assert_eq!(runtime.belongings().await.unwrap(), Vec::<String>::new());
    assert_eq!(runtime.teardown().await.unwrap(), Vec::<String>::new());
    runtime.stop(Slot::Blue, GRACE).await.unwrap();
    runtime.kill(Slot::Green).await.unwrap();
    runtime.sync_policies(harness.stack(), &harness.files()).await.unwrap();
}

/// A started release is seen, healthy, where it answers.
pub async fn a_started_release_is_seen_where_it_answers(runtime: &dyn Runtime, harness: &dyn Harness) {
    platform(runtime, harness).await;
    let spec = harness.spec(Slot::Green, Mode::Canary, "1.2.3");
    let started = runtime.start(&spec, None).await.unwrap();
    let seen = healthy(runtime, Slot::Green).await;
    assert_eq!(seen.id, started.id);
    assert_eq!(seen.service, spec.service);
    assert_eq!(seen.role, Role::App { slot: Slot::Green, mode: Mode::Canary });
    assert_eq!(seen.spec, Some(spec.hash()));
    let release = seen.release.clone().unwrap();
    assert_eq!((release.version.as_str(), release.mode), ("1.2.3", Mode::Canary));
    assert_eq!(release.image, spec.image);
    assert!(seen.started_at.is_some());
    eventually("its use of memory is known", async || {
        let usage = runtime.observe().await.unwrap().in_slot(Slot::Green)?.usage?;
        (usage.memory > 0 && usage.cpu_percent >= 0.0).then_some(())
    })
    .await;

    let body = get(&client(), seen.endpoint.unwrap(), "/").await.unwrap();
    assert!(body.contains("\"version\":\"1.2.3\"") && body.contains("\"mode\":\"canary\""), "{body}");

    // The very same content starts again by its id, in the place of the first.
    let again = runtime.start(&spec, release.image_id.as_deref()).await.unwrap();
    assert_ne!(again.id, started.id);
    let all = runtime.observe().await.unwrap().instances;
    assert_eq!(all.iter().filter(|instance| instance.service == spec.service).count(), 1, "{all:?}");
}

/// A release that dies at once is an error that says how.
pub async fn a_release_that_dies_at_once_is_told(runtime: &dyn Runtime, harness: &dyn Harness) {
    platform(runtime, harness).await;
    let error = runtime.start(&harness.dying_spec(Slot::Blue), None).await.unwrap_err();
    let RuntimeError::StartFailed { reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.contains("exit"), "{reason}");
    // And the slot can be used again.
    runtime.start(&harness.spec(Slot::Blue, Mode::Stable, "1.0.0"), None).await.unwrap();
    healthy(runtime, Slot::Blue).await;
}

/// A routing is in force when `route` returns, and is known to a process that
/// did not make it.
pub async fn a_routing_is_served_and_observed(runtime: &dyn Runtime, harness: &dyn Harness) {
    platform(runtime, harness).await;
    runtime.start(&harness.spec(Slot::Blue, Mode::Stable, "1.0.0"), None).await.unwrap();
    healthy(runtime, Slot::Blue).await;
    for generation in ["g1", "g2", "g2"] {
        let routes = Routes::all_to(Slot::Blue, generation);
        runtime.route(harness.stack(), &harness.files(), &routes).await.unwrap();
        let served = runtime.generation(harness.stack()).await.unwrap();
        assert_eq!(served.as_deref(), Some(generation));
        let observed = runtime.observe().await.unwrap();
        assert_eq!(observed.routes, Some(routes));
        assert_eq!(observed.live_slot(), Some(Slot::Blue));
    }
    let body = get(&client(), harness.public(), "/").await.unwrap();
    assert!(body.contains("\"version\":\"1.0.0\""), "{body}");

    // Repeating the platform leaves what is right alone, the routing too.
    let before = proxy_id(runtime).await;
    platform(runtime, harness).await;
    assert_eq!(proxy_id(runtime).await, before);
    assert_eq!(runtime.generation(harness.stack()).await.unwrap().as_deref(), Some("g2"));
}

/// A configuration that the proxy refuses changes nothing.
pub async fn a_refused_configuration_leaves_the_old_one_serving(
    runtime: &dyn Runtime,
    harness: &dyn Harness,
) {
    let stack = harness.stack();
    let (good, broken) = (harness.files(), harness.broken_files());
    let routes = Routes::all_to(Slot::Blue, "kept");
    let check = runtime.check_proxy(stack, &good, &routes).await.unwrap();
    assert_eq!(check.status, CheckStatus::Pass, "{}", check.detail);
    let check = runtime.check_proxy(stack, &broken, &routes).await.unwrap();
    assert_eq!(check.status, CheckStatus::Fail);
    assert!(!check.detail.is_empty());
    assert_eq!(runtime.belongings().await.unwrap(), Vec::<String>::new(), "a check leaves nothing");

    platform(runtime, harness).await;
    runtime.start(&harness.spec(Slot::Blue, Mode::Stable, "1.0.0"), None).await.unwrap();
    healthy(runtime, Slot::Blue).await;
    runtime.route(stack, &good, &routes).await.unwrap();
    let refused = Routes::all_to(Slot::Blue, "refused");
    let error = runtime.route(stack, &broken, &refused).await.unwrap_err();
    assert!(matches!(error, RuntimeError::ProxyRefused { .. }), "{error:?}");
    assert_eq!(runtime.observe().await.unwrap().routes, Some(routes));
    get(&client(), harness.public(), "/").await.unwrap();
}

/// A killed release is seen as ended, or as started again.
pub async fn a_killed_release_is_seen(runtime: &dyn Runtime, harness: &dyn Harness) {
    platform(runtime, harness).await;
    runtime.start(&harness.spec(Slot::Blue, Mode::Stable, "1.0.0"), None).await.unwrap();
    let before = healthy(runtime, Slot::Blue).await;
    runtime.kill(Slot::Blue).await.unwrap();
    eventually("the end of the process shows", async || {
        let observed = runtime.observe().await.unwrap();
        let after = observed.in_slot(Slot::Blue)?.clone();
        let ended = matches!(after.health, Health::Exited(_));
        (ended || after.started_at != before.started_at).then_some(())
    })
    .await;
    runtime.stop(Slot::Blue, GRACE).await.unwrap();
    assert_eq!(runtime.observe().await.unwrap().in_slot(Slot::Blue), None);
    runtime.stop(Slot::Blue, GRACE).await.unwrap();
}

/// Logs come from the end backwards, and go on where that is asked.
pub async fn logs_are_told_and_followed(runtime: &dyn Runtime, harness: &dyn Harness) {
    platform(runtime, harness).await;
    runtime.start(&harness.spec(Slot::Blue, Mode::Stable, "1.0.0"), None).await.unwrap();
    healthy(runtime, Slot::Blue).await;
    let routes = Routes::all_to(Slot::Blue, "logs");
    runtime.route(harness.stack(), &harness.files(), &routes).await.unwrap();
    let request = |tail, follow| LogRequest { service: harness.access_log().to_owned(), tail, follow };

    let http = client();
    for n in 1..=3 {
        get(&http, harness.public(), &format!("/seen-{n}")).await.ok();
    }
    eventually("the log has the last request", async || {
        let mut lines = runtime.logs(request(2, false)).await.unwrap();
        let mut told = Vec::new();
        while let Some(line) = lines.recv().await {
            told.push(line.text);
        }
        assert!(told.len() <= 2, "{told:?}");
        let both = told.len() == 2 && told[0].contains("/seen-2") && told[1].contains("/seen-3");
        both.then_some(())
    })
    .await;

    let mut followed = runtime.logs(request(1, true)).await.unwrap();
    assert!(next(&mut followed).await.text.contains("/seen-3"));
    get(&http, harness.public(), "/seen-4").await.ok();
    assert!(next(&mut followed).await.text.contains("/seen-4"));

    let unknown = LogRequest { service: "nobody".into(), tail: 1, follow: false };
    let error = runtime.logs(unknown).await.unwrap_err();
    let RuntimeError::UnknownService { known, .. } = &error else { panic!("{error:?}") };
    assert!(known.contains(harness.access_log()), "{known}");
}

/// A proxy that runs is only healthy while it answers; one that hangs makes the
/// look an error, which still tells of everything.
pub async fn a_proxy_that_hangs_is_not_healthy(runtime: &dyn Runtime, harness: &dyn Harness) {
    platform(runtime, harness).await;
    runtime.start(&harness.spec(Slot::Blue, Mode::Stable, "1.0.0"), None).await.unwrap();
    healthy(runtime, Slot::Blue).await;
    let well = async || {
        let proxy = runtime.observe().await.ok()?.proxy()?.clone();
        (proxy.health == Health::Healthy).then_some(proxy)
    };
    let proxy = eventually("the proxy is healthy", well).await;
    harness.let_proxy_hang(&proxy, true).await;
    let error = runtime.observe().await.unwrap_err();
    harness.let_proxy_hang(&proxy, false).await;
    let RuntimeError::ProxySilent { reason, seen } = &error else { panic!("{error:?}") };
    let told = seen.iter().find(|instance| instance.role == Role::Proxy).unwrap();
    assert_eq!(told.health, Health::Unhealthy(reason.clone()));
    assert!(seen.iter().any(|instance| matches!(instance.role, Role::App { .. })), "{seen:?}");
    eventually("the proxy is healthy again", well).await;
}

/// What happens to the stack is told while it happens.
pub async fn changes_are_told(runtime: &dyn Runtime, harness: &dyn Harness) {
    platform(runtime, harness).await;
    let mut events = runtime.events().await.unwrap();
    let spec = harness.spec(Slot::Blue, Mode::Stable, "1.0.0");
    runtime.start(&spec, None).await.unwrap();
    healthy(runtime, Slot::Blue).await;
    runtime.kill(Slot::Blue).await.unwrap();
    for wanted in ["start", "die"] {
        loop {
            let event = next(&mut events).await;
            if event.service == spec.service && event.what == wanted {
                break;
            }
        }
    }
}

/// The owner of the public port: nobody, somebody else, our own proxy.
pub async fn the_port_has_an_owner(runtime: &dyn Runtime, harness: &dyn Harness) {
    let stack = harness.stack();
    assert_eq!(runtime.port_owner(stack).await.unwrap(), PortOwner::Free);

    let squatter = TcpListener::bind(harness.public()).unwrap();
    let PortOwner::Other(owner) = runtime.port_owner(stack).await.unwrap() else { panic!("it is taken") };
    assert!(owner.contains(&format!("(pid {})", std::process::id())), "{owner}");
    let error = bring(runtime, stack, &harness.files(), &Routes::declared()).await.unwrap_err();
    let RuntimeError::PortTaken { port, owner: told } = &error else { panic!("{error:?}") };
    // Another program that the tests start at this moment may have the socket too, until
    // it has begun.
    assert_eq!(*port, harness.public().port());
    assert!(told.contains(&format!("(pid {})", std::process::id())), "{told}");
    drop(squatter);
    eventually("the port is free again", async || {
        (runtime.port_owner(stack).await.unwrap() == PortOwner::Free).then_some(())
    })
    .await;

    platform(runtime, harness).await;
    assert_eq!(runtime.port_owner(stack).await.unwrap(), PortOwner::OurProxy);
}

/// Teardown removes what `belongings` named and nothing that only looks alike.
pub async fn teardown_removes_all_and_only_ours(runtime: &dyn Runtime, harness: &dyn Harness) {
    harness.plant_strangers().await;
    platform(runtime, harness).await;
    for slot in Slot::ALL {
        runtime.start(&harness.spec(slot, Mode::Stable, "1.0.0"), None).await.unwrap();
    }
    let mut named = runtime.belongings().await.unwrap();
    assert!(named.len() >= 3, "{named:?}");
    let mut removed = runtime.teardown().await.unwrap();
    named.sort();
    removed.sort();
    assert_eq!(removed, named);
    assert_eq!(runtime.belongings().await.unwrap(), Vec::<String>::new());
    assert_eq!(runtime.observe().await.unwrap().instances, []);
    assert_eq!(runtime.teardown().await.unwrap(), Vec::<String>::new());
    assert_eq!(harness.strangers_gone().await, Vec::<String>::new());
}

/// Engine, images and host are described.
pub async fn the_engine_describes_itself(runtime: &dyn Runtime, harness: &dyn Harness) {
    let info = runtime.info().await.unwrap();
    assert_eq!(info.name, runtime.target().as_str());
    assert!(!info.version.is_empty() && !info.host.is_empty(), "{info:?}");
    assert!(info.is_local);
    let facts = runtime.host_facts().await.unwrap();
    assert!(facts.disk_free_bytes > 0 && facts.cpus > 0 && facts.load1 >= 0.0, "{facts:?}");
    assert!(facts.data_root.is_absolute());
    let image = harness.spec(Slot::Blue, Mode::Stable, "1").image;
    assert!(matches!(runtime.image(&image).await.unwrap(), ImagePresence::Present(_)));
    let absent = harness.absent_image(runtime).await;
    assert!(matches!(&absent, ImagePresence::Absent(why) if !why.is_empty()), "{absent:?}");
}

/// Everything but the releases, in the order of an operation.
pub async fn bring(
    runtime: &dyn Runtime,
    stack: &Stack,
    files: &StackFiles,
    routes: &Routes,
) -> Result<(), RuntimeError> {
    runtime.ensure_ground(stack).await?;
    runtime.ensure_policy(stack, files).await?;
    runtime.ensure_proxy(stack, files, routes).await
}

async fn platform(runtime: &dyn Runtime, harness: &dyn Harness) {
    let idle = Routes { generation: "idle".into(), shares: Vec::new() };
    bring(runtime, harness.stack(), &harness.files(), &idle).await.unwrap();
}

async fn proxy_id(runtime: &dyn Runtime) -> String {
    runtime.observe().await.unwrap().proxy().unwrap().id.clone()
}

/// Waits until the runtime and the service itself say that it is well.
pub async fn healthy(runtime: &dyn Runtime, slot: Slot) -> Instance {
    let http = client();
    eventually("the release is healthy", async || {
        let instance = runtime.observe().await.unwrap().in_slot(slot)?.clone();
        if instance.health != Health::Healthy {
            return None;
        }
        get(&http, instance.endpoint?, "/healthz").await.ok().map(|_| instance)
    })
    .await
}

async fn next<T>(receiver: &mut tokio::sync::mpsc::Receiver<T>) -> T {
    let Ok(next) = tokio::time::timeout(PATIENCE, receiver.recv()).await else {
        panic!("nothing came within {PATIENCE:?}")
    };
    next.unwrap()
}

/// A client that keeps its connections.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap()
}

/// The body of a successful answer.
pub async fn get(http: &reqwest::Client, address: SocketAddr, path: &str) -> Result<String, String> {
    let answer =
        http.get(format!("http://{address}{path}")).send().await.map_err(|error| format!("{error:?}"))?;
    let status = answer.status();
    let body = answer.text().await.map_err(|error| format!("{error:?}"))?;
    if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}")) }
}
