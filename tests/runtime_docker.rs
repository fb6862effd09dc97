//! The Docker target against a real daemon: the promises that every target
//! keeps, and those that only this one makes. Runs where
//! `SWIFTDEPLOY_TEST_DOCKER_HOST` names a daemon that has the test images
//! (`tests/fixtures`).

#![expect(clippy::unwrap_used, reason = "a test tells what went wrong by ending")]

#[path = "runtime_docker/broken.rs"]
mod broken;
#[path = "support/docker_harness.rs"]
mod docker_harness;
#[path = "runtime_docker/failures.rs"]
mod failures;
#[path = "runtime_docker/health.rs"]
mod health;
#[path = "runtime_docker/left_over.rs"]
mod left_over;
#[path = "runtime_docker/replacement.rs"]
mod replacement;
#[path = "runtime_docker/rotation.rs"]
mod rotation;
#[path = "support/runtime_suite.rs"]
mod runtime_suite;

use docker_harness::{Relay, World, with_docker};
use runtime_suite::{Harness as _, client, eventually, get, healthy};
use swiftdeploy::domain::stack::Role;
use swiftdeploy::domain::{Mode, Routes, Slot};
use swiftdeploy::runtime::{Health, ImagePresence, Runtime as _, RuntimeError};

/// One test for each promise of the suite.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                with_docker(async |world: &World| {
                    runtime_suite::$name(&world.runtime, world).await;
                })
                .await;
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
    a_refused_configuration_leaves_the_old_one_serving,
    a_killed_release_is_seen,
    logs_are_told_and_followed,
    a_proxy_that_hangs_is_not_healthy,
    changes_are_told,
    the_port_has_an_owner,
    teardown_removes_all_and_only_ours,
    the_engine_describes_itself,
);

fn idle() -> Routes {
    Routes { generation: "idle".into(), shares: Vec::new() }
}

async fn deployed(world: &World) {
    runtime_suite::bring(&world.runtime, &world.stack, &world.files(), &idle()).await.unwrap();
    world.runtime.start(&world.spec(Slot::Blue, Mode::Stable, "1.0.0"), None).await.unwrap();
    healthy(&world.runtime, Slot::Blue).await;
    let routes = Routes::all_to(Slot::Blue, "first");
    world.runtime.route(&world.stack, &world.files(), &routes).await.unwrap();
}

/// A signal sent through the daemon would count as the operator's wish to stop
/// the proxy, which would then stay down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_dies_after_a_reload_is_restarted_with_what_it_served() {
    with_docker(async |world| {
        deployed(world).await;
        let proxy = world.runtime.observe().await.unwrap().proxy().unwrap().clone();
        world.exec(&proxy.id, &["nginx", "-c", "/etc/swiftdeploy/nginx.conf", "-s", "stop"]).await;
        eventually("the proxy came back", async || {
            let observed = world.runtime.observe().await.unwrap();
            let restarted = observed.proxy()?.restarts > 0;
            (restarted && observed.routes? == Routes::all_to(Slot::Blue, "first")).then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_is_loaded_but_not_served_is_taken_back() {
    with_docker(async |world| {
        deployed(world).await;
        let lying = world.files_with(|routes, abilities| {
            Ok(docker_harness::config(&Routes { generation: "lie".into(), ..routes.clone() }, abilities))
        });
        let wanted = Routes::all_to(Slot::Blue, "second");
        let error = world.runtime.route(&world.stack, &lying, &wanted).await.unwrap_err();
        let RuntimeError::NotServed { wanted, served, .. } = &error else { panic!("{error:?}") };
        assert_eq!((wanted.as_str(), served.as_str()), ("second", "lie"));
        let observed = world.runtime.observe().await.unwrap();
        assert_eq!(observed.routes, Some(Routes::all_to(Slot::Blue, "first")));
        get(&client(), world.public(), "/").await.unwrap();
    })
    .await;
}

/// nginx resolves names when it loads; a slot that is gone must be found
/// before the file takes the place of the one that works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_to_an_empty_slot_is_refused() {
    with_docker(async |world| {
        deployed(world).await;
        let routes = Routes::all_to(Slot::Green, "empty");
        let error = world.runtime.route(&world.stack, &world.files(), &routes).await.unwrap_err();
        let RuntimeError::ProxyRefused { reason } = &error else { panic!("{error:?}") };
        assert!(reason.contains("app-green"), "{reason}");
        get(&client(), world.public(), "/").await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throw_away_containers_do_not_stay() {
    with_docker(async |world| {
        deployed(world).await;
        let containers: Vec<String> = world
            .runtime
            .belongings()
            .await
            .unwrap()
            .into_iter()
            .filter(|name| name.starts_with("container "))
            .collect();
        let project = &world.stack.project;
        let expected = ["app-blue", "nginx", "opa"].map(|service| format!("container {project}-{service}"));
        assert_eq!(containers, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_nginx_gets_a_configuration_that_it_knows() {
    with_docker(async |world| {
        let mut stack = world.stack.clone();
        for spec in stack.containers.iter_mut().filter(|spec| spec.role == Role::Proxy) {
            spec.image = "nginx:1.22".into();
        }
        let (sender, seen) = std::sync::mpsc::sync_channel(8);
        let files = world.files_with(move |routes, abilities| {
            sender.try_send(abilities).ok();
            Ok(docker_harness::config(routes, abilities))
        });
        runtime_suite::bring(&world.runtime, &stack, &files, &idle()).await.unwrap();
        let abilities = seen.recv().unwrap();
        assert!(!abilities.keepalive_min_timeout && !abilities.resolve, "{abilities:?}");
        assert_eq!(world.runtime.generation(&stack).await.unwrap().as_deref(), Some("idle"));

        // Another image is another container: the one change that interrupts.
        let before = world.runtime.observe().await.unwrap().proxy().unwrap().id.clone();
        runtime_suite::bring(&world.runtime, &world.stack, &files, &idle()).await.unwrap();
        let abilities = seen.recv().unwrap();
        assert!(abilities.keepalive_min_timeout && abilities.resolve, "{abilities:?}");
        assert_ne!(world.runtime.observe().await.unwrap().proxy().unwrap().id, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_are_copied_replaced_and_taken_away() {
    with_docker(async |world| {
        let (runtime, files) = (&world.runtime, world.files());
        runtime_suite::bring(runtime, &world.stack, &files, &idle()).await.unwrap();
        assert_eq!(world.policy("infra").await, "{\"result\":{\"answer\":1}}");
        let before = world.policy_id().await;
        runtime.sync_policies(&world.stack, &files).await.unwrap();
        assert_eq!(world.policy_id().await, before, "nothing changed, nothing restarted");

        std::fs::write(world.policies.join("infra.rego"), "package infra\n\nanswer := 2\n").unwrap();
        std::fs::create_dir(world.policies.join("own")).unwrap();
        std::fs::write(world.policies.join("own/gate.rego"), "package gate\n\nanswer := 3\n").unwrap();
        runtime.sync_policies(&world.stack, &files).await.unwrap();
        world.policy_becomes("infra", "{\"result\":{\"answer\":2}}").await;
        world.policy_becomes("gate", "{\"result\":{\"answer\":3}}").await;

        std::fs::remove_file(world.policies.join("own/gate.rego")).unwrap();
        runtime.sync_policies(&world.stack, &files).await.unwrap();
        assert_eq!(world.policy("infra").await, "{\"result\":{\"answer\":2}}");
        assert_eq!(world.policy("gate").await, "{}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_does_not_parse_takes_the_place_of_no_other_and_ends_nothing() {
    with_docker(async |world| {
        let files = world.files();
        runtime_suite::bring(&world.runtime, &world.stack, &files, &idle()).await.unwrap();
        let before = world.policy_id().await;
        std::fs::write(world.policies.join("infra.rego"), "package infra\n\nanswer := \n").unwrap();
        world.runtime.sync_policies(&world.stack, &files).await.unwrap();
        // OPA may have looked between the end of the old file and the begin of
        // the new one: then it has none, which no gate takes for a consent.
        let answer = world.policy("infra").await;
        assert!(["{\"result\":{\"answer\":1}}", "{}"].contains(&answer.as_str()), "{answer}");

        std::fs::write(world.policies.join("infra.rego"), "package infra\n\nanswer := 4\n").unwrap();
        world.runtime.sync_policies(&world.stack, &files).await.unwrap();
        world.policy_becomes("infra", "{\"result\":{\"answer\":4}}").await;
        assert_eq!(world.policy_id().await, before, "OPA was never started anew");
    })
    .await;
}

/// The gates then say that no policy engine runs, and deny.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opa_that_dies_of_its_first_policy_is_no_failure_and_comes_back_with_a_better_one() {
    with_docker(async |world| {
        let files = world.files();
        std::fs::write(world.policies.join("infra.rego"), "package infra\n\nanswer := \n").unwrap();
        world.runtime.ensure_ground(&world.stack).await.unwrap();
        let started = World::now();
        world.runtime.ensure_policy(&world.stack, &files).await.unwrap();
        for _ in 0..2 {
            world.runtime.sync_policies(&world.stack, &files).await.unwrap();
        }
        let took = World::now() - started;
        assert!(took < std::time::Duration::from_secs(10), "{took:?}");
        let answer = get(&client(), world.policy_address(), "/health").await;
        assert!(answer.is_err(), "{answer:?}");

        std::fs::write(world.policies.join("infra.rego"), "package infra\n\nanswer := 5\n").unwrap();
        world.runtime.sync_policies(&world.stack, &files).await.unwrap();
        assert_eq!(world.policy("infra").await, "{\"result\":{\"answer\":5}}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_engine_that_somebody_stopped_stays_stopped() {
    with_docker(async |world| {
        let files = world.files();
        runtime_suite::bring(&world.runtime, &world.stack, &files, &idle()).await.unwrap();
        let (id, _) = world.policy_id().await;
        let options = None::<bollard::query_parameters::StopContainerOptions>;
        world.docker.stop_container(&id, options).await.unwrap();
        runtime_suite::bring(&world.runtime, &world.stack, &files, &idle()).await.unwrap();
        let observed = world.runtime.observe().await.unwrap();
        let policy = observed.instances.iter().find(|instance| instance.role == Role::Policy).unwrap();
        assert!(matches!(policy.health, Health::Exited(_)), "{policy:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_ours_is_not_used() {
    with_docker(async |world| {
        world.plant_strangers().await;
        let mut stack = world.stack.clone();
        stack.networks[0].name = format!("{}-net-2", stack.project);
        let taken = world.runtime.taken_names(&stack).await.unwrap();
        let told: Vec<String> = taken.iter().map(ToString::to_string).collect();
        let name = &stack.networks[0].name;
        assert_eq!(
            told,
            [format!("there is a network {name} that is not this project's but somebody else's")]
        );
        assert_eq!(world.runtime.taken_names(&world.stack).await.unwrap().len(), 0);
        let error = runtime_suite::bring(&world.runtime, &stack, &world.files(), &idle()).await.unwrap_err();
        assert_eq!(error.to_string(), told[0]);
        let mut spec = world.spec(Slot::Blue, Mode::Stable, "1");
        spec.name = format!("{}-app-blue-2", stack.project);
        runtime_suite::bring(&world.runtime, &world.stack, &world.files(), &idle()).await.unwrap();
        let error = world.runtime.start(&spec, None).await.unwrap_err();
        assert!(error.to_string().contains("is taken by a container"), "{error}");
        assert_eq!(world.strangers_gone().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_image_is_told_by_name() {
    with_docker(async |world| {
        runtime_suite::bring(&world.runtime, &world.stack, &world.files(), &idle()).await.unwrap();
        let mut spec = world.spec(Slot::Blue, Mode::Stable, "1");
        spec.image = "swift-deploy-1-node:no-such-tag".into();
        let error = world.runtime.start(&spec, None).await.unwrap_err();
        assert!(
            matches!(&error, RuntimeError::ImageAbsent { image, .. } if *image == spec.image),
            "{error:?}"
        );
        let ImagePresence::Absent(detail) = world.runtime.image(&spec.image).await.unwrap() else {
            panic!("there is no such tag")
        };
        assert!(detail.contains("swift-deploy-1-node:latest"), "{detail}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_release_is_unwell_and_a_look_stays_quick() {
    with_docker(async |world| {
        deployed(world).await;
        world.runtime.start(&world.spec(Slot::Green, Mode::Canary, "2"), None).await.unwrap();
        let green = healthy(&world.runtime, Slot::Green).await;
        world.docker.pause_container(&green.id).await.unwrap();
        let mut fastest = std::time::Duration::MAX;
        for _ in 0..5 {
            let started = World::now();
            let observed = world.runtime.observe().await.unwrap();
            fastest = fastest.min(World::now() - started);
            let health = &observed.in_slot(Slot::Green).unwrap().health;
            assert_eq!(*health, Health::Unhealthy("it is paused".into()));
        }
        assert!(fastest < std::time::Duration::from_secs(1), "{fastest:?}");
        world.runtime.stop(Slot::Green, std::time::Duration::from_secs(1)).await.unwrap();
    })
    .await;
}

/// With every ability of a new nginx: names that are resolved anew, and idle
/// connections that survive a reload.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_with_the_rendered_configuration_lose_nothing() {
    with_docker(async |world| {
        world.use_rendered();
        runtime_suite::swaps_under_traffic_lose_nothing(&world.runtime, world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_shares_of_the_rendered_configuration_lose_nothing() {
    with_docker(async |world| {
        world.use_rendered();
        runtime_suite::changed_shares_lose_nothing(&world.runtime, world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_without_an_answer_are_counted() {
    with_docker(async |world| {
        world.use_rendered();
        runtime_suite::requests_without_an_answer_are_counted(&world.runtime, world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_clients_give_up_are_told_by_how_long_they_waited() {
    with_docker(async |world| {
        world.use_rendered();
        let runtime = &world.runtime;
        runtime_suite::requests_that_clients_give_up_are_told_by_how_long_they_waited(runtime, world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_a_slot_are_counted() {
    with_docker(async |world| {
        world.use_rendered();
        runtime_suite::errors_of_a_slot_are_counted(&world.runtime, world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_another_stands_in_for_is_counted() {
    with_docker(async |world| {
        world.use_rendered();
        let end = async || {
            let green = world.runtime.observe().await.unwrap().in_slot(Slot::Green).unwrap().id.clone();
            let options = None::<bollard::query_parameters::StopContainerOptions>;
            world.docker.stop_container(&green, options).await.unwrap();
        };
        runtime_suite::a_slot_that_another_stands_in_for_is_counted(&world.runtime, world, end).await;
    })
    .await;
}

/// No proxy at all, and one whose configuration keeps no log of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_proxy_does_not_tell_is_not_zero() {
    with_docker(async |world| {
        runtime_suite::what_the_proxy_does_not_tell_is_not_zero(&world.runtime).await;
        deployed(world).await;
        runtime_suite::what_the_proxy_does_not_tell_is_not_zero(&world.runtime).await;
    })
    .await;
}

/// As rootless engines and Docker Desktop need it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_whose_address_is_out_of_reach_is_asked_at_a_published_port() {
    with_docker(async |world| {
        let runtime = world.connect().await.publishing_apps();
        runtime_suite::a_started_release_is_seen_where_it_answers(&runtime, world).await;
        let before = healthy(&runtime, Slot::Green).await;
        assert!(before.endpoint.unwrap().ip().is_loopback(), "{before:?}");
        // The daemon may choose another port at a restart.
        runtime.kill(Slot::Green).await.unwrap();
        let after = healthy(&runtime, Slot::Green).await;
        get(&client(), after.endpoint.unwrap(), "/healthz").await.unwrap();
    })
    .await;
}

/// Whoever looks again at each event would otherwise never come to rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_is_no_event() {
    with_docker(async |world| {
        deployed(world).await;
        let mut events = world.runtime.events().await.unwrap();
        for _ in 0..3 {
            assert!(world.runtime.observe().await.unwrap().routes.is_some());
        }
        // The daemon tells in order: what came before the kill was the looks.
        world.runtime.kill(Slot::Blue).await.unwrap();
        let first = events.recv().await.unwrap();
        assert_eq!((first.service.as_str(), first.what.as_str()), ("app-blue", "die"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_runs_and_cannot_be_asked_is_an_error() {
    with_docker(async |world| {
        deployed(world).await;
        let proxy = world.runtime.observe().await.unwrap().proxy().unwrap().clone();
        world.docker.pause_container(&proxy.id).await.unwrap();
        let started = World::now();
        let error = world.runtime.observe().await.unwrap_err();
        let took = World::now() - started;
        assert!(took < std::time::Duration::from_secs(8), "{took:?}");
        let RuntimeError::ProxySilent { reason, .. } = &error else { panic!("{error:?}") };
        assert_eq!(reason, "it is paused");

        // A moment's pause is waited for.
        let relay = Relay::new(&world.host, &format!("/containers/{}/json", proxy.id));
        let watched = world.connect_at(&relay.address).await;
        let (observed, end) = tokio::join!(watched.observe(), async {
            // Once for its state, and then again and again for its answer.
            eventually("it has been asked more than once", async || (relay.seen() > 2).then_some(())).await;
            world.docker.unpause_container(&proxy.id).await
        });
        end.unwrap();
        assert_eq!(observed.unwrap().routes, Some(Routes::all_to(Slot::Blue, "first")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_serves_what_nobody_wrote_down_is_an_error() {
    with_docker(async |world| {
        let files = world.files_with(|routes, abilities| {
            Ok(docker_harness::config(routes, abilities).replace("'idle'", "'foreign'"))
        });
        // It is brought up all the same, which the error here says.
        runtime_suite::bring(&world.runtime, &world.stack, &files, &idle()).await.unwrap_err();
        let error = world.runtime.observe().await.unwrap_err();
        assert!(error.to_string().contains("it serves generation foreign"), "{error}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stopped_proxy_served_last_is_known() {
    with_docker(async |world| {
        deployed(world).await;
        let proxy = world.runtime.observe().await.unwrap().proxy().unwrap().clone();
        let options = None::<bollard::query_parameters::StopContainerOptions>;
        world.docker.stop_container(&proxy.id, options).await.unwrap();
        let observed = world.runtime.observe().await.unwrap();
        assert_eq!(observed.routes, None);
        assert_eq!(observed.last_routes, Some(Routes::all_to(Slot::Blue, "first")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_that_cannot_work_says_why() {
    with_docker(async |world| {
        let (progress, _seen) = tokio::sync::mpsc::channel(4);
        // Port 9 (discard) of this machine is no registry.
        let error = world.runtime.pull("127.0.0.1:9/app:1", progress).await.unwrap_err();
        assert!(matches!(&error, RuntimeError::PullFailed { reason, .. } if !reason.is_empty()), "{error:?}");
    })
    .await;
}
