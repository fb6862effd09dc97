//! The promises that are kept under traffic, and the traffic.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use swiftdeploy::domain::{Mode, Routes, Share, Slot};
use swiftdeploy::runtime::Runtime;

use super::{GRACE, Harness, client, eventually, get, healthy, platform};

/// Four swaps between the slots under traffic on kept and on new connections:
/// every request is answered.
pub async fn swaps_under_traffic_lose_nothing(runtime: &dyn Runtime, harness: &dyn Harness) {
    platform(runtime, harness).await;
    let stack = harness.stack();
    runtime.start(&harness.spec(Slot::Blue, Mode::Stable, "0"), None).await.unwrap();
    healthy(runtime, Slot::Blue).await;
    runtime.route(stack, &harness.files(), &Routes::all_to(Slot::Blue, "swap-0")).await.unwrap();

    let traffic = Traffic::start(harness.public());
    let mut live = Slot::Blue;
    for swap in 1..=4 {
        traffic.more(200).await;
        let next = live.other();
        runtime.start(&harness.spec(next, Mode::Stable, &swap.to_string()), None).await.unwrap();
        healthy(runtime, next).await;
        let routes = Routes::all_to(next, format!("swap-{swap}"));
        runtime.route(stack, &harness.files(), &routes).await.unwrap();
        traffic.more(200).await;
        runtime.stop(live, GRACE).await.unwrap();
        live = next;
    }
    traffic.more(200).await;
    let (answered, failures) = traffic.end().await;
    assert!(answered >= 1800, "only {answered} requests were made");
    assert_eq!(failures, Vec::<String>::new(), "of {answered}");
}

/// Ten changes of the shares of two slots under traffic: every request is
/// answered, also in the moment after a change.
pub async fn changed_shares_lose_nothing(runtime: &dyn Runtime, harness: &dyn Harness) {
    platform(runtime, harness).await;
    let stack = harness.stack();
    for slot in Slot::ALL {
        runtime.start(&harness.spec(slot, Mode::Stable, "0"), None).await.unwrap();
        healthy(runtime, slot).await;
    }
    runtime.route(stack, &harness.files(), &Routes::all_to(Slot::Blue, "shares-0")).await.unwrap();
    let traffic = Traffic::start(harness.public());
    for change in 1..=10 {
        let percent = if change % 2 == 0 { 50 } else { 10 };
        let blue = Share { slot: Slot::Blue, percent: 100 - percent };
        let shares = vec![blue, Share { slot: Slot::Green, percent }];
        let routes = Routes { generation: format!("shares-{change}"), shares };
        runtime.route(stack, &harness.files(), &routes).await.unwrap();
        traffic.more(200).await;
    }
    let (answered, failures) = traffic.end().await;
    assert!(answered >= 2000, "only {answered} requests were made");
    assert_eq!(failures, Vec::<String>::new(), "of {answered}");
}

/// Requests without a pause, half of the callers on kept connections, half on
/// a new one each time.
pub struct Traffic {
    pub answered: Arc<AtomicU64>,
    pub failed: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    callers: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Traffic {
    pub fn start(address: SocketAddr) -> Self {
        let answered = Arc::new(AtomicU64::new(0));
        let failed = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let callers = (0..8)
            .map(|caller| {
                let (answered, stop) = (Arc::clone(&answered), Arc::clone(&stop));
                let failed = Arc::clone(&failed);
                tokio::spawn(async move {
                    let kept = client();
                    let mut failures = Vec::new();
                    while !stop.load(Ordering::SeqCst) {
                        let answer = if caller % 2 == 0 {
                            get(&kept, address, "/").await
                        } else {
                            get(&client(), address, "/").await
                        };
                        failed.fetch_add(u64::from(answer.is_err()), Ordering::SeqCst);
                        failures.extend(answer.err());
                        answered.fetch_add(1, Ordering::SeqCst);
                        // Idle for a moment: a kept connection is most at risk
                        // between two requests.
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    failures
                })
            })
            .collect();
        Self { answered, failed, stop, callers }
    }

    /// Waits for so many more requests.
    pub async fn more(&self, requests: u64) {
        let goal = self.answered.load(Ordering::SeqCst) + requests;
        let reached = async || (self.answered.load(Ordering::SeqCst) >= goal).then_some(());
        eventually("traffic goes on", reached).await;
    }

    pub async fn end(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        let mut failures = Vec::new();
        for caller in self.callers {
            failures.extend(caller.await.unwrap());
        }
        (self.answered.load(Ordering::SeqCst), failures)
    }
}
