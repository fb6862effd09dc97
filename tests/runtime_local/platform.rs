//! The proxy's life: started, left alone, changed, moved, refused.

use std::fs;
use std::net::TcpListener;

use swiftdeploy::domain::{Routes, Share, Slot};
use swiftdeploy::runtime::{CheckStatus, Health, PortOwner, Runtime, RuntimeError};

use super::ports::free_port;
use super::world::{World, lives, pid, signal};

fn nothing_routed(generation: &str) -> Routes {
    Routes { generation: generation.into(), shares: vec![] }
}

#[tokio::test]
async fn the_proxy_starts_with_the_routes_and_tells_its_generation() {
    let world = World::new();
    world.platform(&nothing_routed("g0")).await;

    assert_eq!(world.runtime.generation(&world.stack()).await.unwrap().as_deref(), Some("g0"));
    let seen = world.runtime.observe().await.unwrap();
    assert_eq!(seen.routes, Some(nothing_routed("g0")));
    let proxy = seen.proxy().unwrap();
    assert_eq!((proxy.service.as_str(), &proxy.health), ("proxy", &Health::Healthy));
    assert_eq!(proxy.endpoint, Some(world.public()));
}

#[tokio::test]
async fn a_proxy_that_is_right_already_is_left_alone() {
    let world = World::new();
    world.serving().await;
    let before = world.runtime.observe().await.unwrap().proxy().unwrap().id.clone();

    world.platform(&nothing_routed("g9")).await;

    let seen = world.runtime.observe().await.unwrap();
    assert_eq!(seen.proxy().unwrap().id, before);
    assert_eq!(seen.routes.unwrap().generation, "g1", "it keeps its routes");
}

#[tokio::test]
async fn changed_rules_are_taken_over_without_a_restart() {
    let mut world = World::with_app();
    world.serving().await;
    let before = world.runtime.observe().await.unwrap().proxy().unwrap().id.clone();

    world.rules.operator = "closed".into();
    world.platform(&nothing_routed("g2")).await;

    assert_eq!(world.get("/metrics").await.status(), 403);
    assert_eq!(world.get("/").await.status(), 200);
    assert_eq!(world.runtime.observe().await.unwrap().proxy().unwrap().id, before);
}

#[tokio::test]
async fn a_changed_port_moves_the_proxy() {
    let mut world = World::new();
    world.serving().await;
    let old = world.runtime.observe().await.unwrap();

    assert_eq!(world.runtime.replacements(&world.stack()).await.unwrap(), []);
    let before = world.rules.port;
    world.rules.port = free_port();
    let told = world.runtime.replacements(&world.stack()).await.unwrap();
    let why = format!("nginx.port is {} and was {before}", world.rules.port);
    assert_eq!(
        told.iter().map(|one| (one.why.as_str(), one.can_stay)).collect::<Vec<_>>(),
        [(why.as_str(), false)]
    );
    world.platform(&Routes::all_to(Slot::Blue, "g2")).await;

    assert_eq!(world.runtime.replacements(&world.stack()).await.unwrap(), []);
    assert_eq!(world.get("/").await.status(), 200);
    assert!(!lives(pid(old.proxy().unwrap())));
    assert!(TcpListener::bind(old.proxy().unwrap().endpoint.unwrap()).is_ok(), "the old port is free");
}

#[tokio::test]
async fn a_proxy_that_cannot_move_stays() {
    let mut world = World::new();
    world.serving().await;
    let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
    let old = std::mem::replace(&mut world.rules.port, somebody.local_addr().unwrap().port());

    let error =
        world.runtime.ensure_proxy(&world.stack(), &world.files(), &Routes::all_to(Slot::Blue, "g2")).await;

    assert!(matches!(error, Err(RuntimeError::PortTaken { .. })), "{error:?}");
    world.rules.port = old;
    assert_eq!(world.get("/").await.status(), 200);
}

#[tokio::test]
async fn a_killed_proxy_is_started_again() {
    let world = World::new();
    world.serving().await;
    let before = pid(world.runtime.observe().await.unwrap().proxy().unwrap());
    signal("KILL", before);
    let seen = world.until(|seen| matches!(seen.proxy().unwrap().health, Health::Exited(_))).await;
    assert_eq!(seen.routes, None);
    assert_eq!(seen.last_routes, Some(Routes::all_to(Slot::Blue, "g1")), "what it served is not forgotten");
    assert_eq!(world.runtime.generation(&world.stack()).await.unwrap(), None);

    world.platform(&Routes::all_to(Slot::Blue, "g2")).await;

    assert_eq!(world.get("/").await.status(), 200);
}

#[tokio::test]
async fn the_owner_of_the_port_is_nobody_us_or_named() {
    let world = World::new();
    assert_eq!(world.runtime.port_owner(&world.stack()).await.unwrap(), PortOwner::Free);

    world.platform(&nothing_routed("g0")).await;
    assert_eq!(world.runtime.port_owner(&world.stack()).await.unwrap(), PortOwner::OurProxy);

    let other = World::new();
    let somebody = TcpListener::bind(other.public()).unwrap();
    let owner = other.runtime.port_owner(&other.stack()).await.unwrap();
    assert!(
        matches!(&owner, PortOwner::Other(who) if who.contains(&format!("(pid {})", std::process::id()))),
        "{owner:?}"
    );
    let error = other.runtime.ensure_proxy(&other.stack(), &other.files(), &nothing_routed("g0")).await;
    assert!(matches!(error, Err(RuntimeError::PortTaken { .. })), "{error:?}");
    drop(somebody);
}

#[tokio::test]
async fn routes_to_an_empty_slot_are_refused_and_the_old_ones_serve_on() {
    let world = World::new();
    world.serving().await;
    let routes = Routes::all_to(Slot::Green, "g2");

    let check = world.runtime.check_proxy(&world.stack(), &world.files(), &routes).await.unwrap();
    assert_eq!(
        (check.status, check.detail.as_str()),
        (CheckStatus::Fail, "the routes name green, where nothing runs")
    );
    let error = world.runtime.route(&world.stack(), &world.files(), &routes).await;
    assert!(matches!(error, Err(RuntimeError::ProxyRefused { .. })), "{error:?}");

    assert_eq!(world.get("/").await.status(), 200);
    assert_eq!(world.runtime.generation(&world.stack()).await.unwrap().as_deref(), Some("g1"));
}

#[tokio::test]
async fn shares_that_do_not_add_up_are_refused() {
    let world = World::new();
    world.serving().await;
    let routes = Routes { generation: "g2".into(), shares: vec![Share { slot: Slot::Blue, percent: 90 }] };
    let check = world.runtime.check_proxy(&world.stack(), &world.files(), &routes).await.unwrap();
    assert_eq!(check.status, CheckStatus::Fail);
    let error = world.runtime.route(&world.stack(), &world.files(), &routes).await;
    assert!(matches!(error, Err(RuntimeError::ProxyRefused { .. })), "{error:?}");
}

#[tokio::test]
async fn before_the_first_deploy_the_declared_routes_pass_the_check() {
    let world = World::new();
    let check = world.runtime.check_proxy(&world.stack(), &world.files(), &Routes::declared()).await.unwrap();
    assert_eq!(check.status, CheckStatus::Pass, "{}", check.detail);
    assert!(!world.state_dir().exists(), "a check changes nothing");
}

#[tokio::test]
async fn a_taken_port_fails_the_check() {
    let world = World::new();
    let _somebody = TcpListener::bind(world.public()).unwrap();
    let check =
        world.runtime.check_proxy(&world.stack(), &world.files(), &nothing_routed("g0")).await.unwrap();
    assert_eq!(check.status, CheckStatus::Fail);
    assert!(check.detail.contains("is taken by"), "{}", check.detail);
}

#[tokio::test]
async fn a_configuration_that_the_running_proxy_refuses_leaves_the_old_one_serving() {
    let world = World::new();
    world.serving().await;
    let proxy = pid(world.runtime.observe().await.unwrap().proxy().unwrap());
    let path = world.state_dir().join("proxy.json");
    let sound = fs::read(&path).unwrap();

    fs::write(&path, "{ not json").unwrap();
    signal("HUP", proxy);
    super::releases::wait_for_log(&world, "proxy", "refuses the configuration and keeps g1").await;

    assert_eq!(world.get("/").await.status(), 200);
    fs::write(&path, sound).unwrap();
    world.route(&Routes::all_to(Slot::Blue, "g3")).await;
}

#[tokio::test]
async fn a_slot_that_is_started_again_gets_its_traffic_at_its_new_port() {
    let world = World::with_app();
    world.serving().await;
    world.runtime.kill(Slot::Blue).await.unwrap();
    assert_eq!(world.get("/").await.status(), 502);

    world.start(Slot::Blue, "1.0.1").await;

    assert_eq!(world.get("/").await.text().await.unwrap(), "1.0.1");
    world.runtime.stop(Slot::Blue, std::time::Duration::from_secs(10)).await.unwrap();
    assert_eq!(world.get("/").await.status(), 503, "its port is nobody's now");
}

#[tokio::test]
async fn without_a_proxy_nothing_can_be_routed() {
    let world = World::new();
    world.start(Slot::Blue, "1.0.0").await;
    let error = world.runtime.route(&world.stack(), &world.files(), &Routes::all_to(Slot::Blue, "g1")).await;
    assert!(error.unwrap_err().to_string().contains("the proxy does not run"));
}
