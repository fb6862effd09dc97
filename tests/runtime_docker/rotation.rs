//! nginx' logs on their volume: put aside when they are full, without a line
//! lost, whatever the image has.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures_util::TryStreamExt as _;
use rstest::rstest;
use swiftdeploy::domain::stack::{Role, Stack};
use swiftdeploy::render;
use swiftdeploy::runtime::{LogRequest, Runtime as _};

use super::docker_harness::{World, with_docker};
use super::idle;
use super::runtime_suite::{self, Harness as _, client, eventually};

/// A log is full so soon.
const FULL: u64 = 2000;

/// The proxy's files on the volume.
async fn files(world: &World) -> BTreeMap<String, String> {
    let proxy = format!("{}-nginx", world.stack.project);
    let options = DownloadFromContainerOptionsBuilder::new().path("/var/tmp").build();
    let chunks = world.docker.download_from_container(&proxy, Some(options));
    let packed: Vec<u8> = chunks.map_ok(|chunk| chunk.to_vec()).try_concat().await.unwrap();
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(packed.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let kind = entry.header().entry_type();
        assert!(!kind.is_hard_link(), "{name} is the same file as {:?}", entry.link_name());
        if kind.is_file() {
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            files.insert(name, text);
        }
    }
    files
}

/// A look of a process that has not looked before.
async fn tend(world: &World, stack: &Stack) {
    world.connect().await.with_full_logs(FULL).tend(stack).await.unwrap();
}

async fn deployed(world: &World, image: &str) -> Stack {
    let (mut manifest, files) = world.declared();
    image.clone_into(&mut manifest.nginx.image);
    let stack = render::stack(&manifest);
    runtime_suite::bring(&world.runtime, &stack, &files, &idle()).await.unwrap();
    stack
}

/// A request that leaves a line.
async fn get(world: &World, path: &str) {
    client().get(format!("http://{}{path}", world.public())).send().await.unwrap();
}

/// The numbers of the lines in a log, sorted.
fn lines_of(text: &str) -> Vec<u32> {
    let numbers = text.split("/line-").skip(1).map(|rest| rest.split('-').next().unwrap().parse().unwrap());
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

/// Requests one after the other, each with a number in its path. No release is
/// there to answer them, which is a line in the log all the same.
struct Counting {
    sent: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Counting {
    fn start(world: &World) -> Self {
        let (sent, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, end, address) = (Arc::clone(&sent), Arc::clone(&stop), world.public());
        let task = tokio::spawn(async move {
            let http = client();
            while !end.load(Ordering::SeqCst) {
                let number = counter.load(Ordering::SeqCst);
                http.get(format!("http://{address}/line-{number}-")).send().await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { sent, stop, task }
    }

    async fn end(self) -> u32 {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
        self.sent.load(Ordering::SeqCst)
    }
}

#[rstest]
#[case::with_a_shell("nginx:latest")]
#[case::without_one("nginx:1.22")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_logs_are_put_aside_and_no_line_is_lost(#[case] image: &str) {
    with_docker(async |world| {
        let stack = deployed(world, image).await;
        // From the beginning: the stream may begin later than it was asked for.
        let followed = LogRequest { service: "nginx".into(), tail: 1_000_000, follow: true };
        let mut lines = world.runtime.logs(followed).await.unwrap();
        let counting = Counting::start(world);
        eventually("a log is put aside twice", async || {
            tend(world, &stack).await;
            files(world).await.contains_key("access.log.2").then_some(())
        })
        .await;
        let sent = counting.end().await;
        get(world, "/the-last").await;

        // A line is written after its answer, and each worker writes its own.
        let text = eventually("the last lines are in the new file", async || {
            let files = files(world).await;
            let text = ["access.log.2", "access.log.1", "access.log"].map(|name| &*files[name]).concat();
            let is_complete =
                files["access.log"].contains("/the-last") && lines_of(&text).contains(&(sent - 1));
            is_complete.then_some(text)
        })
        .await;
        // It may have been put aside once more meanwhile: then the oldest lines
        // are gone, and only those.
        let kept = lines_of(&text);
        assert_eq!(kept, (kept[0]..sent).collect::<Vec<_>>());

        let mut text = String::new();
        eventually("all of them are shown", async || {
            while let Ok(line) = lines.try_recv() {
                text.push_str(&line.text);
            }
            (lines_of(&text) == (0..sent).collect::<Vec<_>>()).then_some(())
        })
        .await;
        let left = world.runtime.belongings().await.unwrap();
        let containers = left.iter().filter(|name| name.starts_with("container ")).count();
        assert_eq!(containers, 2, "{left:?}");
    })
    .await;
}

/// Each would push the lines of the other further towards the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_look_at_the_same_time_put_a_log_aside_once() {
    with_docker(async |world| {
        let stack = deployed(world, "nginx:latest").await;
        for number in 0..40 {
            get(world, &format!("/line-{number}-")).await;
        }
        let look = || Box::pin(tend(world, &stack));
        tokio::join!(look(), look(), look(), look());
        let files = files(world).await;
        assert!((0..40).all(|number| files["access.log.1"].contains(&format!("/line-{number}-"))));
        assert!(!files.contains_key("access.log.2"), "{:?}", files.keys());
    })
    .await;
}

/// As after a process that ended between renaming and telling.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_nginx_that_was_not_told_of_a_renamed_log_is_told_by_the_next_look() {
    with_docker(async |world| {
        let stack = deployed(world, "nginx:latest").await;
        let observed = world.runtime.observe().await.unwrap();
        let proxy = observed.instances.iter().find(|instance| instance.role == Role::Proxy).unwrap();
        let script = "cd /var/tmp && mv access.log access.log.1 && touch -d @0 access.log";
        world.exec(&proxy.id, &["sh", "-c", script]).await;
        get(world, "/to-the-old").await;
        assert!(files(world).await["access.log.1"].contains("/to-the-old"));
        eventually("the new file is written to", async || {
            tend(world, &stack).await;
            get(world, "/to-the-new").await;
            files(world).await["access.log"].contains("/to-the-new").then_some(())
        })
        .await;
    })
    .await;
}
