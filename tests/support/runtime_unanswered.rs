//! The promises about requests that got no answer.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use swiftdeploy::clock::{Clock as _, SystemClock};
use swiftdeploy::domain::{Mode, Routes, Share, Slot};
use swiftdeploy::runtime::{Runtime, Unanswered};

use super::runtime_traffic::Traffic;
use super::{Harness, client, eventually, get, healthy, platform};

/// What the proxy tells of a slot beside those that wait.
async fn told(runtime: &dyn Runtime, slot: Slot, since: DateTime<Utc>) -> Unanswered {
    Unanswered { waiting: None, ..runtime.unanswered(slot, since).await.unwrap() }
}

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
    assert_eq!(told(runtime, Slot::Green, begin).await, Unanswered::default());

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
        (told(runtime, Slot::Green, begin).await.failed >= expected).then_some(())
    })
    .await;
    let counted = told(runtime, Slot::Green, begin).await.failed;
    // Where a supervisor brings the release back at once, a second try may be
    // answered: the first counts all the same. What was answered before does not.
    let since = all - before;
    assert!(counted <= since, "{counted} counted, {since} requests since the kill");
    assert_eq!(told(runtime, Slot::Blue, begin).await, Unanswered::default());
    let later = SystemClock.wall() + chrono::TimeDelta::minutes(1);
    assert_eq!(told(runtime, Slot::Green, later).await, Unanswered::default());
}

/// A request that its client gave up before an answer began is told with the time
/// that it waited: neither as unanswered nor, where the answer had begun, at all.
pub async fn requests_that_clients_give_up_are_told_by_how_long_they_waited(
    runtime: &dyn Runtime,
    harness: &dyn Harness,
) {
    platform(runtime, harness).await;
    let begin = SystemClock.wall();
    runtime.start(&harness.spec(Slot::Green, Mode::Canary, "1.0.0"), None).await.unwrap();
    let green = healthy(runtime, Slot::Green).await;
    let routes = Routes::all_to(Slot::Green, "given-up");
    runtime.route(harness.stack(), &harness.files(), &routes).await.unwrap();
    let http = client();
    let slow = http
        .post(format!("http://{}/chaos", green.endpoint.unwrap()))
        .header("content-type", "application/json")
        .body(r#"{"mode":"slow","duration":20}"#);
    assert!(slow.send().await.unwrap().status().is_success());
    for waited in [100, 700] {
        let request = http.get(format!("http://{}/", harness.public()));
        let error = request.timeout(Duration::from_millis(waited)).send().await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
    }
    let seen = eventually("both are told", async || {
        let seen = told(runtime, Slot::Green, begin).await;
        (seen.abandoned.values().sum::<u64>() == 2).then_some(seen)
    })
    .await;
    assert_eq!((seen.failed, seen.broken), (0, 0), "{seen:?}");
    // The client's clock begins a little before the proxy's.
    let waits: Vec<u64> = seen.abandoned.into_keys().collect();
    assert!(matches!(waits[..], [short, long] if short < 600 && (600..20_000).contains(&long)), "{waits:?}");
    assert_eq!(told(runtime, Slot::Blue, begin).await, Unanswered::default());
}

/// Answers 500 to 599 are counted, for the slot that gave them; others are not,
/// and none of them is one without an answer.
pub async fn errors_of_a_slot_are_counted(runtime: &dyn Runtime, harness: &dyn Harness) {
    platform(runtime, harness).await;
    let begin = SystemClock.wall();
    runtime.start(&harness.spec(Slot::Green, Mode::Canary, "1.0.0"), None).await.unwrap();
    let green = healthy(runtime, Slot::Green).await;
    let routes = Routes::all_to(Slot::Green, "errors");
    runtime.route(harness.stack(), &harness.files(), &routes).await.unwrap();
    let http = client();
    let chaos = async |body: &'static str| {
        let order = http.post(format!("http://{}/chaos", green.endpoint.unwrap()));
        let answer = order.header("content-type", "application/json").body(body).send().await.unwrap();
        assert!(answer.status().is_success());
    };
    for _ in 0..3 {
        get(&http, harness.public(), "/").await.unwrap();
    }
    chaos(r#"{"mode":"error","rate":1}"#).await;
    for _ in 0..7 {
        assert!(get(&http, harness.public(), "/").await.is_err());
    }
    chaos(r#"{"mode":"recover"}"#).await;
    assert!(get(&http, harness.public(), "/no-such-path").await.is_err());
    let seen = eventually("all are counted", async || {
        let seen = told(runtime, Slot::Green, begin).await;
        (seen.errors >= 7).then_some(seen)
    })
    .await;
    assert_eq!(seen, Unanswered { errors: 7, ..Unanswered::default() });
    assert_eq!(told(runtime, Slot::Blue, begin).await, Unanswered::default());
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
        (told(runtime, Slot::Green, begin).await.failed > 0).then_some(())
    })
    .await;
    assert_eq!(told(runtime, Slot::Blue, begin).await, Unanswered::default());
}

/// A proxy that keeps no such log is an error, not a release without failures.
pub async fn what_the_proxy_does_not_tell_is_not_zero(runtime: &dyn Runtime) {
    let error = runtime.unanswered(Slot::Green, SystemClock.wall()).await.unwrap_err();
    assert!(error.to_string().contains("requests that got no answer"), "{error}");
}
