//! What clients get when the service does not answer, or they may not ask.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use swiftdeploy::domain::{Routes, Slot};
use swiftdeploy::runtime::Runtime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::world::{World, client};

async fn check_problem(answer: reqwest::Response, code: u16, error: &str) {
    assert_eq!(answer.status(), code);
    assert_eq!(answer.headers()["x-deployed-by"], "swiftdeploy");
    assert_eq!(answer.headers()["content-type"], "application/json");
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(body, json!({"error": error, "code": code, "service": "app", "contact": "ops@example.com"}));
}

#[tokio::test]
async fn while_nothing_runs_clients_get_503_as_json() {
    let world = World::new();
    world.platform(&Routes { generation: "g0".into(), shares: vec![] }).await;
    check_problem(world.get("/").await, 503, "Service Unavailable").await;
}

#[tokio::test]
async fn a_dead_service_is_502_as_json_whatever_the_method() {
    let world = World::with_app();
    world.serving().await;
    assert_eq!(world.get("/").await.status(), 200, "a connection is kept now");
    world.runtime.kill(Slot::Blue).await.unwrap();

    check_problem(world.get("/").await, 502, "Bad Gateway").await;
    check_problem(client().post(world.url("/")).body("x").send().await.unwrap(), 502, "Bad Gateway").await;
}

#[tokio::test]
async fn a_service_that_dies_under_a_request_is_502_as_json() {
    let world = World::with_app();
    world.serving().await;
    check_problem(world.get("/exit").await, 502, "Bad Gateway").await;
}

#[tokio::test]
async fn a_service_that_does_not_answer_in_time_is_504_as_json() {
    let mut world = World::with_app();
    world.rules.timeout_ms = 150;
    world.serving().await;
    check_problem(world.get("/slow/60000").await, 504, "Gateway Timeout").await;
    let post = client().post(world.url("/slow/60000")).body("x").send().await.unwrap();
    check_problem(post, 504, "Gateway Timeout").await;
}

#[rstest]
#[case::answered_at_its_end("/", "8")]
#[case::answered_from_its_beginning("/begun", "begun \r\n1\r\n8\r\n0\r\n\r\n")]
#[tokio::test]
async fn an_upload_slower_than_the_timeout_is_fine_while_it_moves(#[case] path: &str, #[case] end: &str) {
    let mut world = World::with_app();
    world.rules.timeout_ms = 500;
    world.serving().await;
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    stream
        .write_all(
            format!("POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 8\r\n\r\n")
                .as_bytes(),
        )
        .await
        .unwrap();
    // Longer in all than the timeout, shorter each time.
    let mut pace = tokio::time::interval(Duration::from_millis(120));
    for _ in 0..8 {
        pace.tick().await;
        stream.write_all(b"x").await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(end), "{answer}");
}

#[tokio::test]
async fn the_services_own_errors_pass_unchanged() {
    let world = World::with_app();
    world.serving().await;
    for code in [404, 500, 502, 503, 504] {
        let answer = world.get(&format!("/status/{code}")).await;
        assert_eq!(answer.status(), code);
        assert_eq!(answer.headers()["x-deployed-by"], "swiftdeploy");
        assert_eq!(answer.text().await.unwrap(), "the service's own words");
    }
}

#[tokio::test]
async fn closed_operator_paths_are_403_as_json_whatever_a_client_claims() {
    let mut world = World::with_app();
    world.rules.operator = "closed".into();
    world.serving().await;
    for path in ["/metrics", "/metrics?x=1", "/%6detrics", "//metrics", "/METRICS"] {
        check_problem(world.get(path).await, 403, "Forbidden").await;
    }
    let claim =
        client().get(world.url("/metrics")).header("x-forwarded-for", "127.0.0.1").send().await.unwrap();
    check_problem(claim, 403, "Forbidden").await;
    assert_eq!(world.get("/metricsx").await.status(), 404, "other paths are the service's");
}

#[tokio::test]
async fn the_host_itself_reaches_the_operator_paths() {
    let mut world = World::with_app();
    world.serving().await;
    assert_eq!(world.get("/metrics").await.text().await.unwrap(), "up 1\n");
    let claim =
        client().get(world.url("/metrics")).header("x-forwarded-for", "203.0.113.9").send().await.unwrap();
    assert_eq!(claim.status(), 200, "a header does not make a stranger either");

    world.rules.operator = "open".into();
    world.platform(&Routes::all_to(Slot::Blue, "g1")).await;
    assert_eq!(world.get("/metrics").await.status(), 200);
}

#[tokio::test]
async fn connect_is_refused() {
    let world = World::with_app();
    world.serving().await;
    let mut stream = TcpStream::connect(world.public()).await.unwrap();
    stream
        .write_all(b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 501"), "{answer}");
}
