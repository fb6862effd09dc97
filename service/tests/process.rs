//! The service as the program that runs in a container: environment, signals,
//! exit codes.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure here is a failure of the test")]

#[path = "../../tests/support/ports.rs"]
mod ports;
mod support;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use ports::free_port;
use rstest::rstest;
use support::{exchange, get, request, send, wait_for_metric};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

fn program(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swiftdeploy-service"));
    command.env_clear().envs(variables.iter().copied()).kill_on_drop(true);
    command
}

/// Starts it and waits until it says that it listens.
async fn start(mode: &str) -> (Child, SocketAddr) {
    let port = free_port();
    let mut child = program(&[("MODE", mode), ("APP_VERSION", "9.9"), ("APP_PORT", &port.to_string())])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = log.next_line().await.unwrap().unwrap();
    assert!(line.ends_with(&format!("listening on 0.0.0.0:{port}, mode {mode}, version 9.9")), "{line}");
    // Read on, or the program would write to a closed pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    (child, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

async fn signal(child: &Child, name: &str) {
    let pid = child.id().unwrap().to_string();
    let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid]).status().await.unwrap();
    assert!(sent.success());
}

#[rstest]
#[case("TERM")]
#[case("INT")]
#[tokio::test]
async fn a_signal_finishes_what_runs_and_exits_with_0(#[case] name: &str) {
    let (mut child, address) = start("canary").await;
    request(address, "POST", "/chaos", r#"{"mode":"slow","duration":1}"#).await;
    let running = send(address, "GET", "/", "").await;
    wait_for_metric(address, "http_requests_in_flight ", 2.0).await;
    signal(&child, name).await;
    assert_eq!(exchange(running).await.status, 200);
    let status = tokio::time::timeout(Duration::from_secs(10), child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn the_environment_decides_mode_and_version() {
    let (_child, address) = start("canary").await;
    let json = get(address, "/").await.json();
    assert_eq!((&json["mode"], &json["version"]), (&"canary".into(), &"9.9".into()));
}

#[tokio::test]
async fn the_healthcheck_command_tells_whether_the_service_answers() {
    let (mut child, address) = start("stable").await;
    let port = address.port().to_string();
    let check = || program(&[("APP_PORT", &port)]).arg("healthcheck").output();
    assert!(check().await.unwrap().status.success());

    signal(&child, "TERM").await;
    child.wait().await.unwrap();
    let output = check().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.starts_with(&format!("error: no answer from http://127.0.0.1:{port}/healthz")),
        "{message}"
    );
}

#[rstest]
#[case::mode(&[("MODE", "beta")], "error: MODE is \"beta\"; it must be stable or canary\nnext:  set MODE=")]
#[case::port(&[("APP_PORT", "x")], "error: APP_PORT is \"x\"")]
#[tokio::test]
async fn an_unusable_environment_ends_it_with_the_reason(
    #[case] variables: &[(&str, &str)],
    #[case] message: &str,
) {
    let output = program(variables).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with(message), "{said}");
}

#[tokio::test]
async fn a_port_in_use_ends_it_with_the_reason() {
    let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = program(&[("APP_PORT", &port)]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with(&format!("error: cannot listen on 0.0.0.0:{port}: ")), "{said}");
    assert!(said.contains("\nnext:  stop what listens there"), "{said}");
}

#[tokio::test]
async fn unknown_arguments_are_refused() {
    let output = program(&[]).arg("serve").output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--help"));
}
