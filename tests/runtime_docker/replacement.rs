//! When the proxy is made anew and when not, and what a reload leaves behind.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, EventsOptionsBuilder, RemoveContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use serde_json::json;
use swiftdeploy::clock::{Clock as _, SystemClock};
use swiftdeploy::domain::stack::{ContainerSpec, Role, Stack, label};
use swiftdeploy::domain::{Mode, Routes, Slot};
use swiftdeploy::runtime::{KEPT_OVER_RELOAD, Runtime as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::docker_harness::{World, with_docker};
use crate::runtime_suite::{self, Harness as _, eventually, healthy};
use crate::{deployed, idle};

/// The stack with another grace for its proxy.
fn with_grace(stack: &Stack, grace: Duration) -> Stack {
    let mut stack = stack.clone();
    proxy_of(&mut stack).stop_grace = grace;
    stack
}

fn proxy_of(stack: &mut Stack) -> &mut ContainerSpec {
    stack.containers.iter_mut().find(|spec| spec.role == Role::Proxy).unwrap()
}

async fn id(world: &World) -> String {
    world.runtime.observe().await.unwrap().proxy().unwrap().id.clone()
}

/// Makes the proxy's container once more, with the label that an older version
/// gave it.
async fn made_by_an_older_version(world: &World) {
    let name = format!("{}-nginx", world.stack.project);
    let inspected = world.docker.inspect_container(&name, None).await.unwrap();
    let spec = proxy_of(&mut world.stack.clone()).clone();
    let mut body = serde_json::to_value(inspected.config.unwrap()).unwrap();
    body["Labels"][label::SPEC] = spec.older_hash(spec.stop_grace).into();
    body["HostConfig"] = serde_json::to_value(inspected.host_config.unwrap()).unwrap();
    let network = &world.stack.networks[0].name;
    body["NetworkingConfig"] = json!({"EndpointsConfig": {network: {}}});
    let body: ContainerCreateBody = serde_json::from_value(body).unwrap();
    let gone = RemoveContainerOptionsBuilder::new().force(true).build();
    world.docker.remove_container(&name, Some(gone)).await.unwrap();
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    let made = world.docker.create_container(Some(options), body).await.unwrap();
    world.docker.start_container(&made.id, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_grace_or_another_rule_of_the_hash_replaces_no_proxy_and_another_image_does() {
    with_docker(async |world| {
        runtime_suite::bring(&world.runtime, &world.stack, &world.files(), &idle()).await.unwrap();
        made_by_an_older_version(world).await;
        let before = id(world).await;
        let mut stack = with_grace(&world.stack, Duration::from_secs(99));
        assert_eq!(world.runtime.replacements(&stack).await.unwrap(), []);
        runtime_suite::bring(&world.runtime, &stack, &world.files(), &idle()).await.unwrap();
        assert_eq!(id(world).await, before);

        proxy_of(&mut stack).image = "nginx:1.22".into();
        let replacements = world.runtime.replacements(&stack).await.unwrap();
        let [only] = &replacements[..] else { panic!("{replacements:?}") };
        assert_eq!(only.why, "nginx.image is nginx:1.22 and was nginx:latest");
        assert!(only.can_stay, "a rollback leaves it");
        assert_eq!(id(world).await, before, "asking changes nothing");
    })
    .await;
}

/// How long nginx took to end once it was asked to, by the daemon's account.
async fn took_to_end(world: &World, id: &str, since: i64) -> Duration {
    let filters = HashMap::from([("container".to_owned(), vec![id.to_owned()])]);
    let (since, until) = (since.to_string(), SystemClock.wall().timestamp() + 1);
    let options =
        EventsOptionsBuilder::new().since(&since).until(&until.to_string()).filters(&filters).build();
    let events: Vec<_> = world.docker.events(Some(options)).map(|event| event.unwrap()).collect().await;
    let at = |what: &str| {
        let event = events.iter().find(|event| event.action.as_deref() == Some(what));
        event.and_then(|event| event.time_nano).unwrap()
    };
    Duration::from_nanos(u64::try_from(at("die") - at("kill")).unwrap())
}

/// While nginx ends nobody serves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_does_not_hold_up_the_end_of_a_proxy_that_is_replaced() {
    with_docker(async |world| {
        deployed(world).await;
        let (before, since) = (id(world).await, SystemClock.wall().timestamp());
        let mut stack = world.stack.clone();
        proxy_of(&mut stack).image = "nginx:1.22".into();
        let mut kept = TcpStream::connect(world.public()).await.unwrap();
        assert!(ask(&mut kept, world.public()).await.contains(" 200 "));
        let routes = Routes::all_to(Slot::Blue, "second");
        world.runtime.ensure_proxy(&stack, &world.files(), &routes).await.unwrap();
        assert_eq!(world.runtime.observe().await.unwrap().routes, Some(routes));
        let took = took_to_end(world, &before, since).await;
        assert!(took < KEPT_OVER_RELOAD / 2, "{took:?}");
    })
    .await;
}

/// One request on a connection that is kept; its answer's head.
async fn ask(connection: &mut TcpStream, address: SocketAddr) -> String {
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64 << 10];
    let read = connection.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// The idle connection of a client brings one more request by the routes before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_routes_linger_while_a_client_has_an_idle_connection() {
    with_docker(async |world| {
        deployed(world).await;
        world.runtime.start(&world.spec(Slot::Green, Mode::Stable, "2"), None).await.unwrap();
        healthy(&world.runtime, Slot::Green).await;
        let gone = async || (world.runtime.lingering().await == Duration::ZERO).then_some(());
        eventually("the workers before have ended", gone).await;

        let mut kept = TcpStream::connect(world.public()).await.unwrap();
        assert!(ask(&mut kept, world.public()).await.contains(" 200 "));
        let routes = Routes::all_to(Slot::Green, "second");
        world.runtime.route(&world.stack, &world.files(), &routes).await.unwrap();
        assert_eq!(world.runtime.lingering().await, KEPT_OVER_RELOAD);
        assert!(ask(&mut kept, world.public()).await.contains("Connection: close"), "it was the last one");
        eventually("the workers before have ended", gone).await;
    })
    .await;
}
