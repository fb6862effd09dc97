//! A thousand requests while a release is replaced.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use super::world::{Ran, World, until};

/// Requests at least, from the beginning of the redeploy to its end.
const REQUESTS: usize = 1_000;

/// Clients side by side: half keep their connection, half open one each time.
const CLIENTS: usize = 8;

/// Clients that keep a connection and leave it idle for [`IDLE`]. nginx takes one
/// more request on such a connection by the routes before a reload; the moments
/// at which they do so are spread over that time.
const IDLE_CLIENTS: u32 = 12;

/// Shorter than nginx keeps idle connections over a reload, and longer than a
/// short drain.
const IDLE: Duration = Duration::from_secs(3);

/// When an answer was had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum When {
    Before,
    During,
    After,
}

/// What the clients and the redeploy know of each other.
#[derive(Default)]
struct Scene {
    /// 0 before, 1 during, 2 after the redeploy, 3 at the end of the load.
    phase: AtomicU8,
    answered: AtomicUsize,
}

impl Scene {
    fn now(&self) -> When {
        match self.phase.load(Ordering::SeqCst) {
            0 => When::Before,
            1 => When::During,
            _ => When::After,
        }
    }

    fn is_over(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == 3
    }

    fn enter(&self, phase: u8) {
        self.phase.store(phase, Ordering::SeqCst);
        self.answered.store(0, Ordering::SeqCst);
    }

    /// A pause between two requests, which the end of the scene cuts short.
    async fn pause(&self, time: Duration) {
        let over = async {
            while !self.is_over() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let _ = tokio::time::timeout(time, over).await;
    }

    /// Waits until so many more answers were had.
    fn sees(&self, count: usize) {
        until("answers under load", Duration::from_secs(30), || {
            let answered = self.answered.load(Ordering::SeqCst);
            if answered >= count { Ok(()) } else { Err(format!("{answered} answers")) }
        });
    }
}

type Seen = BTreeMap<(When, String), usize>;

/// Redeploys version `old` as version `new`, and with another `edit` of the
/// manifest, under load. Every single answer is a 200. At least a thousand
/// requests were sent after the command began and answered before it ended, some
/// by the old and some by the new version: the switch lay among them.
pub fn redeploy_under_load(world: &World, old: &str, new: &str, edit: impl FnOnce(String) -> String) -> Ran {
    let scene = Arc::new(Scene::default());
    let url = format!("http://127.0.0.1:{}/", world.port);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let busy = (0..CLIENTS).map(|number| Habit {
        keeps_connection: number % 2 == 0,
        begins_after: Duration::ZERO,
        pause: Duration::from_millis(5),
    });
    let idle = (0..IDLE_CLIENTS).map(|number| Habit {
        keeps_connection: true,
        begins_after: IDLE / IDLE_CLIENTS * number,
        pause: IDLE,
    });
    let clients: Vec<_> =
        busy.chain(idle).map(|habit| runtime.spawn(client(url.clone(), habit, Arc::clone(&scene)))).collect();
    let version = |version: &str| format!("version: \"{version}\"");
    world.edit_manifest(|text| edit(text).replace(&version(old), &version(new)));
    scene.sees(CLIENTS);
    scene.enter(1);
    let ran = world.run(&["deploy"]);
    scene.enter(2);
    let ran = ran.ends_with(0);
    scene.sees(CLIENTS);
    scene.enter(3);
    let mut seen = Seen::new();
    for client in clients {
        for (what, count) in runtime.block_on(client).unwrap() {
            *seen.entry(what).or_default() += count;
        }
    }
    let (old, new) = (&format!("200 {old}"), &format!("200 {new}"));
    let failed: Vec<_> = seen.keys().filter(|(_, what)| what != old && what != new).collect();
    assert!(failed.is_empty(), "lost requests: {seen:?}");
    let during = |version: &str| seen.get(&(When::During, version.to_owned())).copied().unwrap_or_default();
    assert!(during(old) > 0 && during(new) > 0, "the switch was not under load: {seen:?}");
    assert!(during(old) + during(new) >= REQUESTS, "too little load during the redeploy: {seen:?}");
    let before = seen.keys().filter(|(when, _)| *when == When::Before);
    assert!(before.map(|(_, what)| what).all(|what| what == old), "{seen:?}");
    ran
}

/// How a client sends its requests.
struct Habit {
    keeps_connection: bool,
    begins_after: Duration,
    pause: Duration,
}

/// Sends until the scene is over. What was sent in one phase and answered in
/// the next counts for neither, but must not fail.
async fn client(url: String, habit: Habit, scene: Arc<Scene>) -> Seen {
    let pool = usize::from(habit.keeps_connection);
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(pool)
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    let mut seen = Seen::new();
    scene.pause(habit.begins_after).await;
    while !scene.is_over() {
        let sent = scene.now();
        let what = match client.get(&url).send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                match answer.json::<serde_json::Value>().await {
                    Ok(body) => format!("{status} {}", body["version"].as_str().unwrap_or("?")),
                    Err(error) => format!("{status} cut off: {error:?}"),
                }
            }
            Err(error) => format!("failed: {error:?}"),
        };
        let answered = scene.now();
        let is_success = what.starts_with("200 ");
        if sent == answered || !is_success {
            *seen.entry((answered, what)).or_default() += 1;
        }
        scene.answered.fetch_add(1, Ordering::SeqCst);
        scene.pause(habit.pause).await;
    }
    seen
}
