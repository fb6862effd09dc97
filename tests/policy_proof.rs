//! The list of loaded policies is not asked for with every decision, and still
//! no change is missed: behind a real OPA, made from outside, while the disk
//! stays as it is and others ask the same.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod policy_support;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use policy_support::eventually::eventually;
use policy_support::{Policies, RunningOpa, TIMEOUT, good_canary, real_opa, roomy_host, with};
use serde_json::{Value, json};
use swiftdeploy::policy::{Decision, Fault, PolicyEngine};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// Passes everything on to an OPA and takes note of what is asked.
struct Relay {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    async fn to(opa: SocketAddr) -> Self {
        Self::with(opa, |_| Box::pin(async {})).await
    }

    /// `before` runs ahead of each request, which waits for it.
    async fn with(opa: SocketAddr, before: impl Fn(&str) -> BoxFuture<'static, ()> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&asked);
        tokio::spawn(async move {
            // One request after the other, as the engine asks them.
            while let Ok((client, _)) = listener.accept().await {
                let mut client = BufReader::new(client);
                let mut line = String::new();
                client.read_line(&mut line).await.unwrap();
                before(&line).await;
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(line.trim().to_owned());
                let mut server = TcpStream::connect(opa).await.unwrap();
                // The next request is to come by itself, to be noted too.
                server.write_all(format!("{line}Connection: close\r\n").as_bytes()).await.unwrap();
                tokio::spawn(async move {
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { address, asked }
    }

    /// How often the list was asked for since the last call.
    fn listings(&self) -> usize {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let listings = asked.iter().filter(|line| line.starts_with(LISTING)).count();
        asked.clear();
        listings
    }
}

/// How the question begins for all that is loaded.
const LISTING: &str = "GET /v1/policies";

/// Changes a policy inside OPA, as somebody who has its API might.
async fn tamper(opa: SocketAddr, id: &str, text: &str) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer =
        client.put(format!("http://{opa}/v1/policies/{id}")).body(text.to_owned()).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

/// Asks by the usual path, as another process does.
async fn asked_by_another(opa: SocketAddr, input: &Value) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{opa}/v1/data/infra/decision?metrics");
    let answer = client.post(url).json(&json!({"input": input})).send().await.unwrap();
    answer.json().await.unwrap()
}

fn is_stale(decision: &Decision) -> bool {
    !decision.allow && matches!(decision.fault, Some(Fault::Stale { .. }))
}

#[tokio::test]
async fn list_is_asked_for_until_it_is_proven_and_after_every_change() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::starters();
    let running = RunningOpa::start(&binary, policies.path(), &["--watch"]).await;
    let relay = Relay::to(running.address).await;
    let opa = policies.asked_at(relay.address, TIMEOUT);
    let ask = async || opa.ask("infra", &roomy_host()).await;
    assert!(ask().await.allow);
    assert_eq!(relay.listings(), 1);
    for _ in 0..5 {
        assert!(ask().await.allow);
    }
    assert_eq!(relay.listings(), 0, "OPA proves that nothing has changed");
    assert!(opa.ask("canary", &good_canary()).await.allow);
    assert_eq!(relay.listings(), 1, "each question has a proof of its own");

    policies.append("infra.rego", "\n# An edit.\n");
    eventually("OPA has the edit", async || {
        let decision = ask().await;
        assert!(decision.allow || is_stale(&decision), "{:?}", decision.fault);
        decision.allow.then_some(())
    })
    .await;
    assert!(relay.listings() > 0, "the edit was compared");
}

#[tokio::test]
async fn change_from_outside_is_noticed_with_the_next_question_although_others_ask() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::starters();
    let running = RunningOpa::start(&binary, policies.path(), &[]).await;
    let relay = Relay::to(running.address).await;
    let opa = policies.asked_at(relay.address, TIMEOUT);
    assert!(opa.ask("infra", &roomy_host()).await.allow);
    relay.listings();
    assert!(opa.ask("infra", &roomy_host()).await.allow);
    assert_eq!(relay.listings(), 0);

    // A rule more for the same package, while the disk stays as it is.
    tamper(running.address, "extra", "package infra\n\nharmless := 1\n").await;
    for _ in 0..2 {
        let other = asked_by_another(running.address, &roomy_host()).await;
        assert_eq!(other["result"]["allow"], true, "{other}");
    }
    let other = asked_by_another(running.address, &roomy_host()).await;
    assert_eq!(other["metrics"]["counter_server_query_cache_hit"], 1, "the usual path is warm again");
    let decision = opa.ask("infra", &roomy_host()).await;
    assert!(is_stale(&decision), "{:?}", decision.fault);
    assert!(decision.reasons[0].contains("extra"), "{:?}", decision.reasons);
    assert!(is_stale(&opa.ask("infra", &roomy_host()).await), "and stays so");
}

#[tokio::test]
async fn another_opa_in_its_place_is_compared_anew() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::starters();
    let first = RunningOpa::start(&binary, policies.path(), &[]).await;
    let before = Policies::starters();
    before.append("infra.rego", "\n# Tampered with.\n");
    let second = RunningOpa::start(&binary, before.path(), &[]).await;

    let (address, behind) = switchboard(first.address).await;
    let opa = policies.asked_at(address, TIMEOUT);
    for _ in 0..2 {
        assert!(opa.ask("infra", &roomy_host()).await.allow);
    }
    *behind.lock().unwrap_or_else(PoisonError::into_inner) = second.address;
    // Its end closes the connection that was kept.
    drop(first);
    let decision = opa.ask("infra", &roomy_host()).await;
    assert!(is_stale(&decision), "{:?}", decision.fault);
}

/// OPA reads an edit while it is asked: it decided by the old text and lists
/// the new one.
#[tokio::test]
async fn decision_by_what_was_loaded_before_does_not_count_for_what_is_loaded_now() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::starters();
    let text = std::fs::read_to_string(policies.path().join("infra.rego")).unwrap();
    let lenient = text.replace("\"must\": \">=\"", "\"must\": \"<=\"");
    assert_ne!(lenient, text);
    let running = RunningOpa::start(&binary, policies.path(), &[]).await;
    let address = running.address;
    let id = loaded_as(address, &text).await;
    tamper(address, &id, &lenient).await;

    let full = with(roomy_host(), json!({"disk_free_gb": 0.5}));
    assert_eq!(asked_by_another(address, &full).await["result"]["allow"], true, "by the old text");
    let relay = Relay::with(address, move |line| {
        let (id, text, is_listing) = (id.clone(), text.clone(), line.starts_with(LISTING));
        Box::pin(async move {
            if is_listing {
                tamper(address, &id, &text).await;
            }
        })
    })
    .await;
    let decision = policies.asked_at(relay.address, TIMEOUT).ask("infra", &full).await;
    assert!(!decision.allow && decision.fault.is_none(), "{:?}", decision.fault);
    assert_eq!(decision.violations[0].code, "disk_free_low");
}

/// The name under which OPA has a text.
async fn loaded_as(opa: SocketAddr, text: &str) -> String {
    let list = reqwest::get(format!("http://{opa}/v1/policies")).await.unwrap();
    let list: Value = list.json().await.unwrap();
    let policy = list["result"].as_array().unwrap().iter().find(|policy| policy["raw"] == text).unwrap();
    policy["id"].as_str().unwrap().to_owned()
}

/// The connection that the engine kept is gone with the first of them.
#[tokio::test]
async fn restarted_opa_costs_no_question() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::starters();
    let mut running = RunningOpa::start(&binary, policies.path(), &[]).await;
    let (address, behind) = switchboard(running.address).await;
    let opa = policies.asked_at(address, TIMEOUT);
    for _ in 0..3 {
        for _ in 0..2 {
            let decision = opa.ask("infra", &roomy_host()).await;
            assert!(decision.allow, "{:?}", decision.fault);
        }
        let next = RunningOpa::start(&binary, policies.path(), &[]).await;
        *behind.lock().unwrap_or_else(PoisonError::into_inner) = next.address;
        running = next;
    }
    drop(running);
    let decision = opa.ask("infra", &roomy_host()).await;
    assert!(!decision.allow && decision.fault.is_some(), "nobody is there any more");
}

/// One address, behind which another answers new connections from a moment on.
async fn switchboard(first: SocketAddr) -> (SocketAddr, Arc<Mutex<SocketAddr>>) {
    let behind = Arc::new(Mutex::new(first));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let now = Arc::clone(&behind);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let to = *now.lock().unwrap_or_else(PoisonError::into_inner);
            tokio::spawn(async move {
                if let Ok(mut server) = TcpStream::connect(to).await {
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    (address, behind)
}
