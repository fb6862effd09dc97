//! The promises about requests that got no answer.

use std::sync::atomic::Ordering;

use swiftdeploy::clock::{Clock as _, SystemClock};
use swiftdeploy::domain::{Mode, Routes, Share, Slot};
use swiftdeploy::runtime::Runtime;

use super::runtime_traffic::Traffic;
use super::{Harness, client, eventually, get, healthy, platform};

/// Requests that a killed release did not answer are counted, for its slot and
/// since the moment asked about; those that it did answer are not.
pub async fn requests_without_an_answer_are_counted(runtime: &dyn Runtime, harness: &dyn Harness) {
    platform(runtime, harness).await;
    let begin = SystemClock.wall();
    runtime.start(&harness.spec(Slot::Green, Mode::Canary, "1.0.0"), None).await.unwrap();
    healthy(runtime, Slot::Green).await;
    let routes = Routes::all_to(Slot::Green, "counted");
    runtime.route(harness.stack(), &harness.files(), &routes).await.unwrap();
    let http = client();
    for _ in 0..20 {
        get(&http, harness.public(), "/").await.unwrap();
    }
    assert!(
        get(&http, harness.public(), "/no-such-path").await.is_err(),
        "the service's own errors do not count"
    );
    assert_eq!(runtime.unanswered(Slot::Green, begin).await.unwrap(), 0);

    let traffic = Traffic::start(harness.public());
    traffic.more(50).await;
    let before = traffic.answered.load(Ordering::SeqCst);
    runtime.kill(Slot::Green).await.unwrap();
    eventually("clients see the end of the process", async || {
        (traffic.failed.load(Ordering::SeqCst) > 0).then_some(())
    })
    .await;
    let (all, failures) = traffic.end().await;
    // Whoever lost the answer on the way has none from the proxy either.
    let answered_by_proxy = failures.iter().filter(|failure| failure.starts_with("50")).count();
    let expected = u64::try_from(answered_by_proxy).unwrap();
    assert!(expected > 0, "{failures:?}");
    eventually(&format!("the proxy tells of {expected} requests"), async || {
        (runtime.unanswered(Slot::Green, begin).await.unwrap() >= expected).then_some(())
    })
    .await;
    let counted = runtime.unanswered(Slot::Green, begin).await.unwrap();
    // Where a supervisor brings the release back at once, a second try may be
    // answered: the first counts all the same. What was answered before does not.
    let since = all - before;
    assert!(counted <= since, "{counted} counted, {since} requests since the kill");
    assert_eq!(runtime.unanswered(Slot::Blue, begin).await.unwrap(), 0);
    let later = SystemClock.wall() + chrono::TimeDelta::minutes(1);
    assert_eq!(runtime.unanswered(Slot::Green, later).await.unwrap(), 0);
}

/// A request counts for the slot that was given it and did not answer, also
/// where its client has an answer: another slot stood in. `end` ends what runs
/// in the green slot for good.
pub async fn a_slot_that_another_stands_in_for_is_counted(
    runtime: &dyn Runtime,
    harness: &dyn Harness,
    end: impl AsyncFnOnce(),
) {
    platform(runtime, harness).await;
    let begin = SystemClock.wall();
    for slot in Slot::ALL {
        runtime.start(&harness.spec(slot, Mode::Stable, "0"), None).await.unwrap();
        healthy(runtime, slot).await;
    }
    let shares = Slot::ALL.map(|slot| Share { slot, percent: 50 }).into();
    let routes = Routes { generation: "halves".into(), shares };
    runtime.route(harness.stack(), &harness.files(), &routes).await.unwrap();
    end().await;
    let http = client();
    eventually("a request for the slot that is gone is counted", async || {
        get(&http, harness.public(), "/").await.unwrap();
        (runtime.unanswered(Slot::Green, begin).await.unwrap() > 0).then_some(())
    })
    .await;
    assert_eq!(runtime.unanswered(Slot::Blue, begin).await.unwrap(), 0);
}

/// A proxy that keeps no such log is an error, not a release without failures.
pub async fn what_the_proxy_does_not_tell_is_not_zero(runtime: &dyn Runtime) {
    let error = runtime.unanswered(Slot::Green, SystemClock.wall()).await.unwrap_err();
    assert!(error.to_string().contains("requests that got no answer"), "{error}");
}
