//! Health of nginx and OPA: by the daemon's word, by what they answer, and
//! both together.

use std::time::Duration;

use bollard::models::HealthStatusEnum;
use bollard::query_parameters::KillContainerOptionsBuilder;
use swiftdeploy::domain::stack::{Role, Stack};
use swiftdeploy::render;
use swiftdeploy::runtime::{Health, Instance, Runtime as _, RuntimeError};

use super::docker_harness::{World, with_docker};
use super::idle;
use super::runtime_suite::{self, Harness as _, eventually};

async fn seen(world: &World, role: Role) -> Option<Instance> {
    world.runtime.observe().await.ok()?.instances.into_iter().find(|instance| instance.role == role)
}

async fn becomes(world: &World, role: Role, wanted: Health) {
    let what = format!("{} is {wanted:?}", role.as_str());
    eventually(&what, async || (seen(world, role).await?.health == wanted).then_some(())).await;
}

async fn signal(world: &World, service: &str, name: &str) {
    let options = KillContainerOptionsBuilder::new().signal(name).build();
    let container = format!("{}-{service}", world.stack.project);
    world.docker.kill_container(&container, Some(options)).await.unwrap();
}

/// The checks of the declared stack, at a pace for tests.
fn impatient(mut stack: Stack) -> Stack {
    for check in stack.containers.iter_mut().filter_map(|spec| spec.health.as_mut()) {
        check.interval = Duration::from_secs(1);
        check.start_period = Duration::ZERO;
        check.retries = 1;
    }
    stack
}

/// With the declared stack: read-only, without root, with OPA's authorization
/// on, and without any release behind the proxy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_and_opa_become_healthy_by_the_daemons_own_word() {
    with_docker(async |world| {
        let (manifest, files) = world.declared();
        runtime_suite::bring(&world.runtime, &render::stack(&manifest), &files, &idle()).await.unwrap();
        let first = seen(world, Role::Proxy).await.unwrap();
        assert!(matches!(first.health, Health::Starting | Health::Healthy), "{first:?}");
        for service in ["nginx", "opa"] {
            eventually(&format!("the daemon calls {service} healthy"), async || {
                (world.daemons_word(service).await? == HealthStatusEnum::HEALTHY).then_some(())
            })
            .await;
        }
        becomes(world, Role::Proxy, Health::Healthy).await;
        becomes(world, Role::Policy, Health::Healthy).await;
    })
    .await;
}

/// The daemon's word comes late; a look asks OPA itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opa_that_hangs_is_not_healthy_at_once_and_unhealthy_by_the_daemons_word_soon() {
    with_docker(async |world| {
        let (manifest, files) = world.declared();
        let stack = impatient(render::stack(&manifest));
        runtime_suite::bring(&world.runtime, &stack, &files, &idle()).await.unwrap();
        becomes(world, Role::Policy, Health::Healthy).await;
        signal(world, "opa", "SIGSTOP").await;
        let url = format!("http://{}/health", world.policy_address());
        let hangs = seen(world, Role::Policy).await.unwrap().health;
        assert_ne!(hangs, Health::Healthy);
        eventually("the daemon calls it unhealthy", async || {
            (world.daemons_word("opa").await? == HealthStatusEnum::UNHEALTHY).then_some(())
        })
        .await;
        let told = seen(world, Role::Policy).await.unwrap().health;
        assert!(matches!(&told, Health::Unhealthy(why) if why.contains("timed out") || why.contains(&url)));
        signal(world, "opa", "SIGCONT").await;
        becomes(world, Role::Policy, Health::Healthy).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opa_without_a_check_is_asked_from_outside() {
    with_docker(async |world| {
        runtime_suite::bring(&world.runtime, &world.stack, &world.files(), &idle()).await.unwrap();
        becomes(world, Role::Policy, Health::Healthy).await;
        assert_eq!(world.daemons_word("opa").await, None);
        let opa = seen(world, Role::Policy).await.unwrap();
        signal(world, "opa", "SIGSTOP").await;
        let url = format!("http://{}/health", world.policy_address());
        becomes(world, Role::Policy, Health::Unhealthy(format!("{url} gives no answer within 1s"))).await;
        signal(world, "opa", "SIGCONT").await;
        becomes(world, Role::Policy, Health::Healthy).await;
        world.docker.pause_container(&opa.id).await.unwrap();
        becomes(world, Role::Policy, Health::Unhealthy("it is paused".into())).await;
        world.docker.unpause_container(&opa.id).await.unwrap();
        becomes(world, Role::Policy, Health::Healthy).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_nginx_that_hangs_is_unhealthy_by_the_daemons_word_too() {
    with_docker(async |world| {
        let (manifest, files) = world.declared();
        let stack = impatient(render::stack(&manifest));
        runtime_suite::bring(&world.runtime, &stack, &files, &idle()).await.unwrap();
        becomes(world, Role::Proxy, Health::Healthy).await;
        let proxy = seen(world, Role::Proxy).await.unwrap();
        world.let_proxy_hang(&proxy, true).await;
        eventually("the daemon calls it unhealthy", async || {
            (world.daemons_word("nginx").await? == HealthStatusEnum::UNHEALTHY).then_some(())
        })
        .await;
        let error = world.runtime.observe().await.unwrap_err();
        assert!(matches!(&error, RuntimeError::ProxySilent { .. }), "{error:?}");
        world.let_proxy_hang(&proxy, false).await;
        becomes(world, Role::Proxy, Health::Healthy).await;
    })
    .await;
}

/// Its check would call it unhealthy for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_nginx_without_a_shell_gets_no_check_and_is_asked_from_outside() {
    with_docker(async |world| {
        let (mut manifest, files) = world.declared();
        manifest.nginx.image = "nginx:1.22".into();
        let stack = render::stack(&manifest);
        runtime_suite::bring(&world.runtime, &stack, &files, &idle()).await.unwrap();
        let proxy = seen(world, Role::Proxy).await.unwrap();
        assert_eq!(proxy.health, Health::Healthy);
        assert_eq!(world.daemons_word("nginx").await, None);
        // It is what the manifest declares all the same.
        runtime_suite::bring(&world.runtime, &stack, &files, &idle()).await.unwrap();
        assert_eq!(seen(world, Role::Proxy).await.unwrap().id, proxy.id);

        world.docker.pause_container(&proxy.id).await.unwrap();
        let error = world.runtime.observe().await.unwrap_err();
        assert!(matches!(&error, RuntimeError::ProxySilent { reason, .. } if reason == "it is paused"));
        world.docker.unpause_container(&proxy.id).await.unwrap();
        becomes(world, Role::Proxy, Health::Healthy).await;
    })
    .await;
}
