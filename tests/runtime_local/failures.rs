//! Unanswered requests that the proxy could not write down: their number is
//! unknown then, never smaller.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use swiftdeploy::clock::{Clock as _, SystemClock};
use swiftdeploy::domain::{Routes, Slot};
use swiftdeploy::runtime::{Health, Runtime as _, Unanswered, Waits};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::runtime_suite::eventually;
use super::world::{World, client, pid, signal};

/// A release that has ended, behind a proxy that still has it.
async fn dead_release(world: &World) {
    world.serving().await;
    world.runtime.kill(Slot::Blue).await.unwrap();
}

/// The log is a device on which there is never any space.
fn on_a_full_disk(world: &World) {
    fs::create_dir_all(world.state_dir().join("logs")).unwrap();
    symlink("/dev/full", log(world)).unwrap();
}

fn log(world: &World) -> std::path::PathBuf {
    world.state_dir().join("logs/proxy-failures.log")
}

async fn fail(world: &World) {
    assert_eq!(world.get("/").await.status(), 502);
}

async fn count(world: &World, since: DateTime<Utc>) -> Result<u64, String> {
    world
        .runtime
        .unanswered(Slot::Blue, since)
        .await
        .map(|seen| seen.failed)
        .map_err(|error| error.to_string())
}

/// A client has its answer a moment before the proxy counts it.
async fn until_unknown(world: &World, since: DateTime<Utc>) -> String {
    eventually("the count is unknown", async || count(world, since).await.err()).await
}

/// Ends the proxy with a signal.
async fn end_proxy(world: &World, name: &str) {
    signal(name, pid(world.runtime.observe().await.unwrap().proxy().unwrap()));
    world.until(|seen| matches!(seen.proxy().unwrap().health, Health::Exited(_))).await;
}

/// Of a slot of which the proxy knows everything.
fn nothing() -> Unanswered {
    Unanswered { waiting: Some(Waits::new()), ..Unanswered::default() }
}

#[tokio::test]
async fn a_failure_that_could_not_be_written_makes_the_count_unknown() {
    let world = World::with_app();
    let begin = SystemClock.wall();
    on_a_full_disk(&world);
    dead_release(&world).await;
    assert_eq!(count(&world, begin).await, Ok(0), "there was nothing to write");
    fail(&world).await;
    let reason = until_unknown(&world, begin).await;
    assert!(reason.contains("1 lines could not be written into its log"), "{reason}");
}

#[tokio::test]
async fn every_failure_is_counted_once() {
    let world = World::with_app();
    let begin = SystemClock.wall();
    dead_release(&world).await;
    for sent in 1..=20 {
        fail(&world).await;
        world.until_counted(begin, sent).await;
    }
}

/// The service itself may well count it as answered.
#[tokio::test]
async fn an_answer_that_breaks_off_is_told_and_one_that_its_client_leaves_is_not() {
    let world = World::with_app();
    let begin = SystemClock.wall();
    world.serving().await;
    for path in ["/breaks/length", "/breaks/pieces", "/breaks/length"] {
        let answer = world.get(path).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.is_err(), "{path} is complete");
    }
    world.get("/big").await.bytes().await.unwrap();
    let mut left = world.get("/stuck").await;
    assert!(left.chunk().await.unwrap().is_some());
    drop(left);
    eventually("all are over", async || (world.access_log().contains("GET /stuck")).then_some(())).await;
    let seen = world.runtime.unanswered(Slot::Blue, begin).await.unwrap();
    assert_eq!(seen, Unanswered { broken: 3, ..nothing() });
}

/// Half an answer and then nothing: its client waits, and the service has counted it.
#[tokio::test]
async fn an_answer_that_falls_silent_is_broken_off_and_told() {
    let mut world = World::with_app();
    world.rules.timeout_ms = 500;
    let begin = SystemClock.wall();
    world.serving().await;
    for path in ["/stuck", "/half"] {
        let answer = world.get(path).await;
        assert_eq!(answer.status(), 200);
        let error = answer.bytes().await.unwrap_err();
        assert!(!error.is_timeout(), "{path} is broken off before its client gives up");
    }
    let seen = eventually("both are told", async || {
        let seen = world.runtime.unanswered(Slot::Blue, begin).await.unwrap();
        (seen.broken == 2).then_some(seen)
    })
    .await;
    assert_eq!(seen, Unanswered { broken: 2, ..nothing() });

    let pings = world.get("/pings").await.text().await.unwrap();
    assert_eq!(pings, "ping ".repeat(8), "what keeps sending goes on");
    let seen = world.runtime.unanswered(Slot::Blue, begin).await.unwrap();
    assert_eq!(seen.broken, 2);
}

/// A client that sends for long has not waited for the service, and one that
/// leaves before it has sent everything says nothing about it.
#[tokio::test]
async fn a_wait_begins_when_all_of_the_request_is_sent() {
    let world = World::with_app();
    let begin = SystemClock.wall();
    world.serving().await;
    let upload = async |rest: &[u8]| {
        let mut client = TcpStream::connect(world.public()).await.unwrap();
        let head = "POST /slow/20000 HTTP/1.1\r\nhost: app\r\ncontent-length: 4\r\n\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        // Nothing else shows that the time until here does not count.
        tokio::time::sleep(Duration::from_millis(400)).await;
        let sent = SystemClock.instant();
        client.write_all(rest).await.unwrap();
        sent
    };
    upload(b"abc").await;
    let over = async || world.access_log().contains(" | 400 | ").then_some(());
    eventually("the one that left is over", over).await;
    let sent = upload(b"abcd").await;
    let seen = eventually("the other is told", async || {
        let seen = world.runtime.unanswered(Slot::Blue, begin).await.unwrap();
        (seen.abandoned.values().sum::<u64>() > 0).then_some(seen)
    })
    .await;
    let most = u64::try_from((SystemClock.instant() - sent).as_millis()).unwrap();
    let [(waited, 1)] = seen.abandoned.into_iter().collect::<Vec<_>>()[..] else { panic!("not one") };
    assert!(waited <= most, "{waited} ms of {most}");
    // It would finish what nobody waits for.
    world.runtime.kill(Slot::Blue).await.unwrap();
}

/// What it knew of is gone with it.
#[tokio::test]
async fn a_proxy_that_is_killed_leaves_the_count_unknown_until_the_window_is_past_it() {
    let world = World::with_app();
    let begin = SystemClock.wall();
    on_a_full_disk(&world);
    dead_release(&world).await;
    fail(&world).await;
    until_unknown(&world, begin).await;
    end_proxy(&world, "KILL").await;
    let reason = count(&world, begin).await.unwrap_err();
    assert!(reason.contains("ended before it could write its last lines"), "{reason}");

    // Another one with the same disk, and then with space on it.
    world.platform(&Routes::all_to(Slot::Blue, "g1")).await;
    let reason = count(&world, begin).await.unwrap_err();
    assert!(reason.contains("could not be written"), "{reason}");
    end_proxy(&world, "KILL").await;
    fs::remove_file(log(&world)).unwrap();
    world.platform(&Routes::all_to(Slot::Blue, "g1")).await;
    let reason = count(&world, begin).await.unwrap_err();
    assert!(reason.contains("lines may be missing here: the proxy was ended"), "{reason}");

    let later = SystemClock.wall() + TimeDelta::milliseconds(1);
    assert_eq!(count(&world, later).await, Ok(0), "it is known from then on");
}

#[tokio::test]
async fn a_proxy_that_ends_in_order_leaves_a_count_that_is_known() {
    let world = World::with_app();
    let begin = SystemClock.wall();
    dead_release(&world).await;
    fail(&world).await;
    world.until_counted(begin, 1).await;
    end_proxy(&world, "TERM").await;
    assert_eq!(count(&world, begin).await, Ok(1));
    world.platform(&Routes::all_to(Slot::Blue, "g1")).await;
    assert_eq!(count(&world, begin).await, Ok(1));
}

/// Everybody may ask for the generation; only this machine needs the account.
#[tokio::test]
async fn the_account_is_beside_the_generation() {
    let world = World::with_app();
    world.serving().await;
    let answer = world.get(Routes::MARKER_PATH).await;
    assert_eq!(answer.headers()["x-swiftdeploy-unanswered"], "0/0");
}

/// From the moment on that the slot has them, until their answers begin or their
/// time is up; and they are under way until they are over.
#[tokio::test]
async fn requests_that_wait_are_told_while_they_wait() {
    let mut world = World::with_app();
    world.rules.timeout_ms = 6000;
    let begin = SystemClock.wall();
    world.serving().await;
    let waiting = async || world.runtime.unanswered(Slot::Blue, begin).await.unwrap().waiting.unwrap();
    let number = |waits: &Waits| waits.values().sum::<u64>();
    assert_eq!(waiting().await, Waits::new());

    let hanging = ["/slow/20000", "/slow/20000", "/slow/1000"].map(|path| {
        let request = client().get(world.url(path)).send();
        tokio::spawn(async move { request.await.unwrap().status().as_u16() })
    });
    eventually("all wait", async || (number(&waiting().await) == 3).then_some(())).await;
    let under_way = async |slot| number(&world.runtime.under_way(slot).await.unwrap().unwrap());
    assert_eq!((under_way(Slot::Blue).await, under_way(Slot::Green).await), (3, 0));
    let told = world.runtime.unanswered(Slot::Green, begin).await.unwrap();
    assert_eq!(told, nothing(), "those are of the other slot");
    // The head has come: whatever follows is no wait for it.
    let silent = world.get("/stuck").await;
    assert_eq!(silent.status(), 200);
    let waits = eventually("the first has its answer", async || {
        let waits = waiting().await;
        (number(&waits) == 2).then_some(waits)
    })
    .await;
    assert!(waits.keys().all(|waited| (900..7000).contains(waited)), "{waits:?}");
    // But it is under way until its last byte.
    assert_eq!(under_way(Slot::Blue).await, 3);
    drop(silent);
    eventually("its client is gone", async || (under_way(Slot::Blue).await == 2).then_some(())).await;
    let mut ended = Vec::new();
    for request in hanging {
        ended.push(request.await.unwrap());
    }
    assert_eq!(ended, [504, 504, 200]);
    eventually("all are over", async || (under_way(Slot::Blue).await == 0).then_some(())).await;
    let seen = eventually("both are counted", async || {
        let seen = world.runtime.unanswered(Slot::Blue, begin).await.unwrap();
        (seen.failed == 2).then_some(seen)
    })
    .await;
    assert_eq!(seen, Unanswered { failed: 2, timed_out: 2, ..nothing() });
}
