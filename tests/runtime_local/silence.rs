//! A proxy that does not tell what it serves is not the same as no proxy.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use swiftdeploy::clock::{Clock as _, SystemClock};
use swiftdeploy::domain::{Routes, Slot};
use swiftdeploy::runtime::{Health, Observed, Runtime, RuntimeError};

use super::world::{PATIENCE, World, lives, pid, signal};

/// Goes on when the test ends, however it ends: a stopped process obeys
/// nobody.
struct Stopped(u32);

impl Stopped {
    fn new(pid: u32) -> Self {
        signal("STOP", pid);
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal("CONT", self.0);
    }
}

async fn proxy(world: &World) -> u32 {
    pid(world.runtime.observe().await.unwrap().proxy().unwrap())
}

fn proxy_has_ended(seen: &Observed) -> bool {
    matches!(seen.proxy().unwrap().health, Health::Exited(_))
}

fn check_silence<T: std::fmt::Debug>(answer: Result<T, RuntimeError>, proxy: u32) {
    let RuntimeError::ProxySilent { reason, .. } = answer.unwrap_err() else {
        panic!("it is about the proxy")
    };
    assert!(reason.contains(&format!("pid {proxy}")) && reason.contains("does not answer"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_does_not_tell_is_an_error_not_the_absence_of_routes() {
    let world = World::new();
    world.serving().await;
    let proxy = proxy(&world).await;
    let stopped = Stopped::new(proxy);

    let (stack, files, routes) = (world.stack(), world.files(), Routes::all_to(Slot::Green, "g2"));
    let began = SystemClock.instant();
    let (observed, generation, ensured) = tokio::join!(
        world.runtime.observe(),
        world.runtime.generation(&stack),
        world.runtime.ensure_proxy(&stack, &files, &routes),
    );
    assert!(SystemClock.instant() - began < PATIENCE, "it does not wait for ever");
    check_silence(observed, proxy);
    check_silence(generation, proxy);
    check_silence(ensured, proxy);
    assert!(lives(proxy), "its requests are not given up");

    drop(stopped);
    let seen = world.runtime.observe().await.unwrap();
    assert_eq!(seen.routes, Some(Routes::all_to(Slot::Blue, "g1")));
    assert_eq!(seen.last_routes, None, "what is served now says it all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_is_silent_for_a_moment_is_waited_for() {
    let world = World::new();
    world.serving().await;
    let stopped = Stopped::new(proxy(&world).await);
    let runtime = world.runtime.clone();
    let mut look = tokio::spawn(async move { runtime.observe().await });
    let early = tokio::time::timeout(Duration::from_millis(500), &mut look).await;
    assert!(early.is_err(), "it has no answer yet: {early:?}");

    drop(stopped);

    assert_eq!(look.await.unwrap().unwrap().routes, Some(Routes::all_to(Slot::Blue, "g1")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_are_watched_while_the_proxy_is_silent() {
    let world = World::new();
    let blue = world.serving().await;
    let _stopped = Stopped::new(proxy(&world).await);
    let mut events = world.runtime.events().await.unwrap();
    signal("KILL", pid(&blue));
    let died = async {
        while let Some(event) = events.recv().await {
            if event.service == "app-blue" && event.what == "die" {
                return;
            }
        }
        panic!("it is told");
    };
    tokio::time::timeout(PATIENCE, died).await.unwrap();
}

#[tokio::test]
async fn a_proxy_that_could_not_start_served_nothing() {
    let world = World::new();
    world.serving().await;
    world.start(Slot::Green, "2.0.0").await;
    signal("KILL", proxy(&world).await);
    world.until(proxy_has_ended).await;
    let somebody = TcpListener::bind(world.public()).unwrap();

    let routes = Routes::all_to(Slot::Green, "g2");
    let error = world.runtime.ensure_proxy(&world.stack(), &world.files(), &routes).await;

    assert!(matches!(error, Err(RuntimeError::PortTaken { .. })), "{error:?}");
    // Nor one that was handed routes and ended before it took them over.
    let path = world.state_dir().join("proxy.json");
    let handed = fs::read_to_string(&path).unwrap().replace("\"g1\"", "\"g2\"").replace("blue", "green");
    fs::write(&path, handed).unwrap();
    let seen = world.runtime.observe().await.unwrap();
    assert_eq!((seen.routes, seen.last_routes), (None, Some(Routes::all_to(Slot::Blue, "g1"))));
    drop(somebody);
}

#[tokio::test]
async fn a_damaged_account_of_a_dead_proxy_is_made_up_for_by_its_orders() {
    let world = World::new();
    world.serving().await;
    signal("KILL", proxy(&world).await);
    world.until(proxy_has_ended).await;

    fs::write(world.state_dir().join("proxy-status.json"), "{ half").unwrap();

    let seen = world.runtime.observe().await.unwrap();
    assert_eq!(seen.last_routes, Some(Routes::all_to(Slot::Blue, "g1")));
}
