//! The service over real sockets, in this process.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure here is a failure of the test")]

mod support;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rstest::rstest;
use support::{exchange, get, metric, request, send, wait_for_metric};
use swiftdeploy_service::{Config, Mode, serve};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// A running service; it ends when `stop` is sent or dropped.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<io::Result<()>>,
}

async fn start(mode: Mode) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let config = Config { mode, version: "1.2.3".into(), ..Config::default() };
    let ended = tokio::spawn(serve(listener, config, async move {
        let _ = stopped.await;
    }));
    Running { address, stop, ended }
}

#[tokio::test]
async fn the_root_tells_message_mode_version_and_time() {
    let service = start(Mode::Stable).await;
    let answer = get(service.address, "/").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-mode"), None);
    let json = answer.json();
    assert_eq!((&json["mode"], &json["version"]), (&"stable".into(), &"1.2.3".into()));
    assert!(!json["message"].as_str().unwrap().is_empty());
    let timestamp = json["timestamp"].as_str().unwrap();
    assert!(chrono::DateTime::parse_from_rfc3339(timestamp).is_ok(), "{timestamp}");
}

#[tokio::test]
async fn health_tells_status_uptime_mode_and_version() {
    let service = start(Mode::Canary).await;
    let json = get(service.address, "/healthz").await.json();
    assert_eq!(json["status"], "ok");
    assert!(json["uptime"].as_f64().unwrap() >= 0.0);
    assert_eq!((&json["mode"], &json["version"]), (&"canary".into(), &"1.2.3".into()));
}

#[rstest]
#[case::root("GET", "/", 200)]
#[case::query("GET", "/?a=b", 200)]
#[case::head("HEAD", "/", 200)]
#[case::health("GET", "/healthz", 200)]
#[case::metrics("GET", "/metrics", 200)]
#[case::chaos("GET", "/chaos", 200)]
#[case::bad_chaos("POST", "/chaos", 400)]
#[case::unknown_path("GET", "/nowhere", 404)]
#[case::unknown_path_any_method("BREW", "/pot", 404)]
#[case::server_itself("OPTIONS", "*", 404)]
#[case::wrong_method("DELETE", "/", 405)]
#[case::wrong_method_on_chaos("PUT", "/chaos", 405)]
#[tokio::test]
async fn every_answer_of_a_canary_is_marked(#[case] method: &str, #[case] target: &str, #[case] status: u16) {
    let service = start(Mode::Canary).await;
    let answer = request(service.address, method, target, "").await;
    assert_eq!((answer.status, answer.header("x-mode")), (status, Some("canary")));
    if status >= 400 {
        assert_eq!(answer.json()["code"], status);
        assert!(!answer.json()["error"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let service = start(Mode::Stable).await;
    let answer = request(service.address, "PUT", "/chaos", "").await;
    assert_eq!(answer.header("allow"), Some("GET,HEAD,POST"));
}

#[tokio::test]
async fn chaos_is_refused_in_stable_mode_whatever_the_body_is() {
    let service = start(Mode::Stable).await;
    for body in [r#"{"mode":"error","rate":1}"#, "nonsense", ""] {
        let answer = request(service.address, "POST", "/chaos", body).await;
        assert_eq!(answer.status, 403);
        assert!(answer.json()["error"].as_str().unwrap().contains("stable"));
    }
    assert_eq!(get(service.address, "/").await.status, 200);
    assert_eq!(get(service.address, "/chaos").await.body, r#"{"mode":"none","seconds_left":null}"#);
}

#[tokio::test]
async fn error_chaos_fails_the_asked_share_and_spares_the_operators_paths() {
    let service = start(Mode::Canary).await;
    let answer = request(service.address, "POST", "/chaos", r#"{"mode":"error","rate":0.5,"ttl":600}"#).await;
    assert_eq!((answer.status, &answer.json()["rate"]), (200, &0.5.into()));
    assert!(answer.json()["seconds_left"].as_f64().unwrap() > 590.0);

    let mut statuses = Vec::new();
    for target in ["/", "/", "/", "/", "/nowhere", "/nowhere"] {
        statuses.push(get(service.address, target).await.status);
        assert_eq!(get(service.address, "/healthz").await.status, 200);
        assert_eq!(get(service.address, "/chaos").await.status, 200);
    }
    assert_eq!(statuses, [200, 500, 200, 500, 404, 500]);
    assert_eq!(metric(service.address, "chaos_active ").await, Some(2.0));

    let answer = request(service.address, "POST", "/chaos", r#"{"mode":"recover"}"#).await;
    assert_eq!((answer.status, &answer.json()["mode"]), (200, &"none".into()));
    assert_eq!(get(service.address, "/").await.status, 200);
    assert_eq!(metric(service.address, "chaos_active ").await, Some(0.0));
}

#[tokio::test]
async fn slow_chaos_delays_the_application_and_shows_in_the_histogram() {
    let service = start(Mode::Canary).await;
    let answer = request(service.address, "POST", "/chaos", r#"{"mode":"slow","duration":0.3}"#).await;
    assert_eq!(answer.status, 200);
    assert_eq!(metric(service.address, "chaos_active ").await, Some(1.0));
    let begun = Instant::now();
    assert_eq!(get(service.address, "/").await.status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let bucket =
        |le| format!("http_request_duration_seconds_bucket{{method=\"GET\",path=\"/\",le=\"{le}\"}} ");
    assert_eq!(metric(service.address, &bucket("0.25")).await, Some(0.0));
    assert_eq!(metric(service.address, &bucket("10")).await, Some(1.0));
}

#[tokio::test]
async fn a_fault_with_a_time_to_live_ends_by_itself() {
    let service = start(Mode::Canary).await;
    request(service.address, "POST", "/chaos", r#"{"mode":"error","rate":1,"ttl":0.2}"#).await;
    wait_for_metric(service.address, "chaos_active ", 0.0).await;
    assert_eq!(get(service.address, "/").await.status, 200);
}

#[rstest]
#[case::no_json("duration=3", "not a chaos command")]
#[case::unknown_mode(r#"{"mode":"explode"}"#, "slow, error or recover")]
#[case::rate(r#"{"mode":"error","rate":2}"#, "0 to 1")]
#[case::duration(r#"{"mode":"slow","duration":-3}"#, "0 to 60")]
#[tokio::test]
async fn an_impossible_fault_is_refused_with_the_reason(#[case] body: &str, #[case] reason: &str) {
    let service = start(Mode::Canary).await;
    let answer = request(service.address, "POST", "/chaos", body).await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["error"].as_str().unwrap().contains(reason), "{}", answer.body);
    assert_eq!(get(service.address, "/chaos").await.json()["mode"], "none");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_unread() {
    let service = start(Mode::Canary).await;
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    // Only announced: a server that wanted to read it all would not answer.
    let head = "POST /chaos HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[b' '; 5000]).await.unwrap();
    let answer = exchange(stream).await;
    assert_eq!((answer.status, &answer.json()["code"]), (413, &413.into()));
}

#[tokio::test]
async fn metrics_have_every_family_with_its_type() {
    let service = start(Mode::Canary).await;
    let metrics = get(service.address, "/metrics").await;
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for family in [
        "http_requests_total counter",
        "http_request_duration_seconds histogram",
        "http_requests_in_flight gauge",
        "app_uptime_seconds gauge",
        "app_mode gauge",
        "app_info gauge",
        "chaos_active gauge",
        "process_start_time_seconds gauge",
    ] {
        assert_eq!(metrics.body.matches(&format!("# TYPE {family}\n")).count(), 1, "{family}");
    }
    assert!(metrics.body.contains("\napp_mode 1\n"));
    assert!(metrics.body.contains("\napp_info{mode=\"canary\",version=\"1.2.3\"} 1\n"));
    assert!(metrics.body.ends_with('\n'));
}

#[tokio::test]
async fn requests_are_counted_by_method_path_and_status() {
    let service = start(Mode::Stable).await;
    for _ in 0..3 {
        get(service.address, "/").await;
    }
    request(service.address, "POST", "/", "").await;
    let total = |labels| format!("http_requests_total{{{labels}}} ");
    for (labels, count) in [
        (r#"method="GET",path="/",status_code="200""#, 3.0),
        (r#"method="POST",path="/",status_code="405""#, 1.0),
    ] {
        wait_for_metric(service.address, &total(labels), count).await;
    }
}

#[tokio::test]
async fn made_up_paths_and_methods_do_not_make_new_series() {
    let service = start(Mode::Stable).await;
    for nth in 0..20 {
        request(service.address, &format!("BREW{nth}"), &format!("/{nth}/\"}}"), "").await;
    }
    let series = r#"http_requests_total{method="other",path="/*",status_code="404"} "#;
    wait_for_metric(service.address, series, 20.0).await;
}

#[tokio::test]
async fn a_client_that_gives_up_is_counted() {
    let service = start(Mode::Canary).await;
    request(service.address, "POST", "/chaos", r#"{"mode":"slow","duration":60}"#).await;
    let stream = send(service.address, "GET", "/", "").await;
    wait_for_metric(service.address, "http_requests_in_flight ", 2.0).await;
    drop(stream);
    let series = r#"http_requests_total{method="GET",path="/",status_code="499"} "#;
    wait_for_metric(service.address, series, 1.0).await;
}

#[tokio::test]
async fn stopping_finishes_the_request_that_runs_and_takes_no_new_one() {
    let Running { address, stop, ended } = start(Mode::Canary).await;
    request(address, "POST", "/chaos", r#"{"mode":"slow","duration":1}"#).await;
    let running = send(address, "GET", "/", "").await;
    wait_for_metric(address, "http_requests_in_flight ", 2.0).await;
    stop.send(()).unwrap();
    assert_eq!(exchange(running).await.status, 200);
    ended.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn connections_without_a_request_do_not_keep_it_from_stopping() {
    let Running { address, stop, ended } = start(Mode::Stable).await;
    let _silent = TcpStream::connect(address).await.unwrap();
    let mut half_a_request = TcpStream::connect(address).await.unwrap();
    half_a_request.write_all(b"GET / HT").await.unwrap();
    // Answered after the two above were accepted.
    assert_eq!(get(address, "/").await.status, 200);
    stop.send(()).unwrap();
    timeout(Duration::from_secs(10), ended).await.unwrap().unwrap().unwrap();
}
