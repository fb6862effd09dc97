//! The count of requests that got no answer, from logs on the proxy's volume:
//! across the one that was put aside, and of one too long to be read as a whole.

use std::fmt::Write as _;

use bollard::query_parameters::{StopContainerOptions, UploadToContainerOptionsBuilder};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use rstest::rstest;
use swiftdeploy::clock::{Clock as _, SystemClock};
use swiftdeploy::domain::stack::{ContainerSpec, Stack};
use swiftdeploy::domain::{Mode, Routes, Slot};
use swiftdeploy::render;
use swiftdeploy::runtime::Runtime as _;

use super::docker_harness::{World, with_docker};
use super::idle;
use super::runtime_suite::{self, Harness as _, client, eventually, healthy};

/// A proxy that writes nothing into these logs itself.
async fn quiet(world: &World, image: &str) {
    let (mut manifest, files) = world.declared();
    image.clone_into(&mut manifest.nginx.image);
    runtime_suite::bring(&world.runtime, &render::stack(&manifest), &files, &idle()).await.unwrap();
}

/// The moment from which these tests count seconds: lines lie before and after.
fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(SystemClock.wall().timestamp() - 10_000, 0).unwrap()
}

/// A request of the green slot that failed in each of these seconds, in the words
/// of nginx.
fn failed(start: DateTime<Utc>, seconds: std::ops::Range<i64>, request: &str) -> String {
    seconds.fold(String::new(), |mut log, second| {
        let at = (start + TimeDelta::seconds(second)).timestamp();
        writeln!(log, "{at}.000 | 502 | swiftdeploy_green | 172.18.0.3:3000 | {request}").unwrap();
        log
    })
}

/// Puts logs on the volume, each with the moment at which it was written last.
async fn put(world: &World, logs: &[(&str, &str, DateTime<Utc>)]) {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text, written) in logs {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(text.len().try_into().unwrap());
        header.set_uid(101);
        header.set_gid(101);
        header.set_mtime(written.timestamp().try_into().unwrap());
        archive.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    let proxy = format!("{}-nginx", world.stack.project);
    let options = UploadToContainerOptionsBuilder::new().path("/var/tmp").build();
    let body = bollard::body_full(archive.into_inner().unwrap().into());
    world.docker.upload_to_container(&proxy, Some(options), body).await.unwrap();
}

/// What is counted from this second on, or why that is not known.
async fn count(world: &World, start: DateTime<Utc>, second: i64) -> Result<u64, String> {
    let since = start + TimeDelta::seconds(second);
    world
        .runtime
        .unanswered(Slot::Green, since)
        .await
        .map(|seen| seen.failed)
        .map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_began_in_the_log_put_aside_is_counted_in_both() {
    with_docker(async |world| {
        quiet(world, "nginx:latest").await;
        let start = start();
        let second = |second| start + TimeDelta::seconds(second);
        let (before, now) = (failed(start, 0..60, "GET /"), failed(start, 60..100, "GET /"));
        put(world, &[("failures.log.1", &before, second(60)), ("failures.log", &now, second(100))]).await;
        assert_eq!(count(world, start, 70).await, Ok(30));
        assert_eq!(count(world, start, 40).await, Ok(60));
        assert_eq!(count(world, start, 60).await, Ok(40));
        assert_eq!(count(world, start, -600).await, Ok(100), "nothing was put aside before it");

        // The moment after a log was put aside.
        put(world, &[("failures.log", "", second(60))]).await;
        assert_eq!(count(world, start, 40).await, Ok(20));

        // What is still older is not read: it may have failures of the window.
        put(world, &[("failures.log.2", "", second(0)), ("failures.log", &now, second(100))]).await;
        assert_eq!(count(world, start, 40).await, Ok(60));
        let reason = count(world, start, -600).await.unwrap_err();
        assert!(reason.contains("failures.log.1: too many lines for one look"), "{reason}");

        // A line that cannot be read counts where the window is, and only there.
        put(world, &[("failures.log.1", &format!("rubbish\n{before}"), second(60))]).await;
        assert_eq!(count(world, start, 40).await, Ok(60));
        put(world, &[("failures.log.1", &format!("{before}rubbish\n"), second(60))]).await;
        let reason = count(world, start, 40).await.unwrap_err();
        assert!(reason.contains("failures.log.1: the line \"rubbish\" cannot be read"), "{reason}");
        assert_eq!(count(world, start, 70).await, Ok(30), "it was put aside before the window");
    })
    .await;
}

/// More than 2 MiB: only its end is read, by the image's `tail`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_log_that_is_too_long_the_end_is_counted_where_it_reaches_back() {
    with_docker(async |world| {
        quiet(world, "nginx:latest").await;
        let start = start();
        let second = |second| start + TimeDelta::seconds(second);
        let request = format!("GET /{} HTTP/1.1", "a".repeat(1000));
        let long = failed(start, 0..4000, &request);
        assert!(long.len() > 4 << 20, "{}", long.len());
        put(world, &[("failures.log", &long, second(4000))]).await;
        assert_eq!(count(world, start, 3000).await, Ok(1000));
        assert_eq!(count(world, start, 4000).await, Ok(0));
        let reason = count(world, start, 100).await.unwrap_err();
        assert!(reason.contains("failures.log: too many lines for one look"), "{reason}");

        // The same of the one that was put aside.
        let now = failed(start, 4000..4100, &request);
        put(world, &[("failures.log.1", &long, second(4000)), ("failures.log", &now, second(4100))]).await;
        assert_eq!(count(world, start, 3000).await, Ok(1100));
        assert_eq!(count(world, start, 4050).await, Ok(50));
        let reason = count(world, start, 100).await.unwrap_err();
        assert!(reason.contains("failures.log.1: too many lines for one look"), "{reason}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_cannot_read_the_end_of_a_long_log_is_told() {
    with_docker(async |world| {
        quiet(world, "nginx:1.22").await;
        let start = start();
        let long = failed(start, 0..4000, &"a".repeat(1000));
        put(world, &[("failures.log", &long, start)]).await;
        let reason = count(world, start, 3000).await.unwrap_err();
        assert!(reason.contains("failures.log is too long"), "{reason}");
        assert!(reason.contains("tail"), "{reason}");
    })
    .await;
}

/// As it comes about: requests fail, the log is put aside by a look, and more
/// fail.
#[rstest]
#[case::with_a_shell("nginx:latest")]
#[case::without_one("nginx:1.22")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_failure_is_lost_or_counted_twice_when_its_log_is_put_aside(#[case] image: &str) {
    with_docker(async |world| {
        let stack = routed_to_nothing(world, image).await;
        let begin = SystemClock.wall();
        let look = async || world.connect().await.with_full_logs(1000).tend(&stack).await.unwrap();
        let mut sent = 0;
        fail(world, 20, &mut sent).await;
        eventually("they are counted", async || counted(world, begin, sent).await).await;
        look().await;
        assert_eq!(counted(world, begin, sent).await, Some(()), "it was put aside");
        fail(world, 20, &mut sent).await;
        eventually("those in both are counted", async || counted(world, begin, sent).await).await;
        look().await;
        // The oldest is not read any more, and the window began in it.
        let reason = world.runtime.unanswered(Slot::Green, begin).await.unwrap_err().to_string();
        assert!(reason.contains("failures.log.1: too many lines for one look"), "{reason}");
    })
    .await;
}

/// The slot that has all requests has ended.
async fn routed_to_nothing(world: &World, image: &str) -> Stack {
    let (mut manifest, files) = world.declared();
    image.clone_into(&mut manifest.nginx.image);
    let stack = render::stack(&manifest);
    runtime_suite::bring(&world.runtime, &stack, &files, &idle()).await.unwrap();
    let networks = vec![stack.networks[0].key.clone()];
    let spec = ContainerSpec { networks, ..world.spec(Slot::Green, Mode::Canary, "1.0.0") };
    world.runtime.start(&spec, None).await.unwrap();
    let green = healthy(&world.runtime, Slot::Green).await;
    world.runtime.route(&stack, &files, &Routes::all_to(Slot::Green, "ended")).await.unwrap();
    world.docker.stop_container(&green.id, None::<StopContainerOptions>).await.unwrap();
    stack
}

/// At the same time: nobody says no at once where there is nobody.
async fn fail(world: &World, requests: u64, sent: &mut u64) {
    let all = (0..requests).map(|_| client().get(format!("http://{}/", world.public())).send());
    for answer in join_all(all).await {
        assert!(answer.unwrap().status().is_server_error());
        *sent += 1;
    }
}

async fn counted(world: &World, begin: DateTime<Utc>, sent: u64) -> Option<()> {
    (world.runtime.unanswered(Slot::Green, begin).await.unwrap().failed == sent).then_some(())
}
