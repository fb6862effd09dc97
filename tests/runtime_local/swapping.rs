//! Swaps under traffic lose nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use swiftdeploy::domain::{Mode, Routes, Slot};
use swiftdeploy::runtime::Runtime;

use super::world::{PATIENCE, World, client};

const CLIENTS: usize = 24;
const SWAPS: usize = 6;

/// Clients that keep their connections and never pause, with every kind of
/// request, until told to stop. Failures are told one by one.
struct Traffic {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Traffic {
    fn on(world: &World) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let clients = (0..CLIENTS)
            .map(|number| {
                let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
                let (root, slow) = (world.url("/"), world.url("/slow/20"));
                let keeping = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
                tokio::spawn(async move {
                    let mut failures = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let request = match number % 3 {
                            0 => keeping.get(&root),
                            1 => keeping.post(&root).body("payload"),
                            _ => keeping.get(&slow),
                        };
                        match request.send().await {
                            Ok(answer) if answer.status() == 200 => match answer.text().await {
                                Ok(_) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                                Err(error) => failures.push(format!("{error:?}")),
                            },
                            Ok(answer) => failures.push(answer.status().to_string()),
                            Err(error) => failures.push(format!("{error:?}")),
                        }
                    }
                    failures
                })
            })
            .collect();
        Self { stop, answered, clients }
    }

    /// Waits until so many more requests were answered.
    async fn answers(&self, more: usize) {
        let wanted = self.answered.load(Ordering::Relaxed) + more;
        let waiting = async {
            while self.answered.load(Ordering::Relaxed) < wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("traffic flows");
    }

    async fn end(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for client in self.clients {
            failures.extend(client.await.unwrap());
        }
        (self.answered.load(Ordering::Relaxed), failures)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_change_places_under_traffic_and_no_request_is_lost() {
    let world = World::with_app();
    world.serving().await;
    let traffic = Traffic::on(&world);
    traffic.answers(100).await;

    let mut live = Slot::Blue;
    for swap in 0..SWAPS {
        let next = live.other();
        world.start(next, &format!("2.{swap}.0")).await;
        world.route(&Routes::all_to(next, format!("swap-{swap}"))).await;
        // On connections that were opened long before, too.
        traffic.answers(100).await;
        world.runtime.stop(live, PATIENCE).await.unwrap();
        live = next;
        traffic.answers(50).await;
    }

    let (answered, failures) = traffic.end().await;
    assert_eq!(failures, [""; 0], "of {answered} requests");
    assert!(answered > 100 + SWAPS * 150);
}

#[tokio::test]
async fn a_kept_connection_follows_the_swap_at_its_next_request() {
    let world = World::with_app();
    world.serving().await;
    world.start(Slot::Green, "2.0.0").await;
    let keeping = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = || async { keeping.get(world.url("/")).send().await.unwrap().text().await.unwrap() };

    assert_eq!(ask().await, "1.0.0");
    world.route(&Routes::all_to(Slot::Green, "g2")).await;
    assert_eq!(ask().await, "2.0.0");
}

#[tokio::test]
async fn a_request_in_flight_keeps_its_release() {
    let world = World::with_app();
    world.serving().await;
    world.start(Slot::Green, "2.0.0").await;
    let request = tokio::spawn(client().get(world.url("/slow/500")).send());
    super::releases::wait_for_log(&world, "app-blue", "slow request").await;

    world.route(&Routes::all_to(Slot::Green, "g2")).await;
    world.runtime.stop(Slot::Blue, PATIENCE).await.unwrap();

    assert_eq!(request.await.unwrap().unwrap().text().await.unwrap(), "1.0.0");
    assert_eq!(world.get("/").await.text().await.unwrap(), "2.0.0");
}

#[tokio::test]
async fn a_request_that_cannot_be_delivered_goes_to_the_other_slot() {
    let world = World::with_app();
    world.serving().await;
    world.start_as(Slot::Green, Mode::Canary, "2.0.0").await;
    let share = |slot, percent| swiftdeploy::domain::Share { slot, percent };
    let shares = vec![share(Slot::Blue, 50), share(Slot::Green, 50)];
    world.route(&Routes { generation: "half".into(), shares }).await;
    world.runtime.kill(Slot::Green).await.unwrap();

    for _ in 0..10 {
        assert_eq!(world.get("/").await.text().await.unwrap(), "1.0.0");
        let post = client().post(world.url("/")).body("payload").send().await.unwrap();
        assert_eq!(post.text().await.unwrap(), "7", "nothing of the body was lost on the way");
    }
}
