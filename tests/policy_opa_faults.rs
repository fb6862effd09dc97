//! Every way in which an OPA can fail to give an answer denies, each with its
//! own fault. The OPA here is a small real server on a free port that says
//! what a case wants it to say.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/opa_server.rs"]
mod opa_server;
mod policy_support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use opa_server::{loaded, request, says};
use policy_support::{Policies, TIMEOUT, free_address, limits, roomy_host};
use rstest::rstest;
use serde_json::{Value, json};
use swiftdeploy::policy::{Decision, Fault, PolicyBundle, PolicyEngine, Verdict};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// Short, for the cases that wait for it.
const SHORT: Duration = Duration::from_millis(300);

/// What the server does with a question.
#[derive(Clone)]
enum Says {
    /// A status and a JSON body.
    Json(u16, Value),
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, then nothing more, with the connection open.
    Stalls(Vec<u8>),
}

impl Says {
    fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

/// A server that answers the decision and the list of policies as told.
async fn serve(decision: Says, policies: Says) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (decision, policies) = (Arc::new(decision), Arc::new(policies));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&decision), Arc::clone(&policies)));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, decision: Arc<Says>, policies: Arc<Says>) {
    let head = request(&mut stream).await;
    let answer = if head.starts_with("POST /v1/data/") {
        decision
    } else if head.starts_with("GET /v1/policies ") {
        policies
    } else {
        Arc::new(Says::Json(400, json!({"asked": head})))
    };
    match answer.as_ref() {
        Says::Json(status, body) => {
            let _ = stream.write_all(says(*status, &body.to_string()).as_bytes()).await;
        }
        Says::Bytes(bytes) => {
            let _ = stream.write_all(bytes).await;
        }
        Says::Stalls(bytes) => {
            let _ = stream.write_all(bytes).await;
            std::future::pending::<()>().await;
        }
    }
    let _ = stream.shutdown().await;
}

fn bundle_of(policies: &Policies) -> PolicyBundle {
    PolicyBundle::load(policies.path()).unwrap()
}

fn allowing() -> Value {
    json!({
        "allow": true, "verdict": "pass", "violations": [], "reasons": ["fine"], "checks": [], "limits": limits(),
    })
}

/// Asks with this answer to the question and a true list of policies.
async fn asked(decision: Says, timeout: Duration) -> Decision {
    let policies = Policies::starters();
    let address = serve(decision, Says::Json(200, loaded(&bundle_of(&policies)))).await;
    policies.asked_at(address, timeout).ask("infra", &roomy_host()).await
}

fn assert_denied(decision: &Decision) -> &Fault {
    assert!(!decision.allow);
    assert_eq!(decision.verdict, Verdict::Fail);
    let fault = decision.fault.as_ref().unwrap();
    assert_eq!(decision.reasons, [fault.to_string()]);
    assert_eq!(decision.violations.len(), 1);
    assert_eq!(decision.violations[0].code, fault.code());
    assert!(!fault.next_step().is_empty());
    fault
}

#[tokio::test]
async fn complete_answer_is_obeyed() {
    let answer = json!({"result": allowing(), "provenance": {"version": "1.19.1"}});
    let decision = asked(Says::Json(200, answer), TIMEOUT).await;
    assert!(decision.allow, "{:?}", decision.fault);
    assert_eq!(decision.verdict, Verdict::Pass);
    assert_eq!(decision.fault, None);
    assert_eq!(decision.engine.version.as_deref(), Some("1.19.1"));
    assert_eq!(decision.revision.len(), 12);
    assert_eq!(decision.input, roomy_host());
    assert_eq!(decision.result, allowing());
}

#[tokio::test]
async fn nobody_listening_is_not_running() {
    let policies = Policies::starters();
    let address = free_address();
    let decision = policies.asked_at(address, TIMEOUT).ask("infra", &roomy_host()).await;
    assert_eq!(assert_denied(&decision), &Fault::NotRunning { at: address.to_string() });
}

#[rstest]
#[case::no_answer(Says::Stalls(Vec::new()))]
#[case::no_body(Says::Stalls(b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n".to_vec()))]
#[case::half_a_body(Says::Stalls(b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{\"result\":".to_vec()))]
#[tokio::test]
async fn no_complete_answer_in_time_is_timed_out(#[case] says: Says) {
    let started = tokio::time::Instant::now();
    let decision = asked(says, SHORT).await;
    assert!(matches!(assert_denied(&decision), Fault::TimedOut { millis: 300, .. }), "{:?}", decision.fault);
    assert!(started.elapsed() < SHORT + Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(decision.revision.len(), 12, "what was asked about is known all the same");
    assert!(decision.took >= SHORT, "{:?}", decision.took);
}

#[rstest]
#[case::unauthorized(401)]
#[case::forbidden(403)]
#[tokio::test]
async fn refusal_is_told_apart_from_other_errors(#[case] status: u16) {
    let decision = asked(Says::Json(status, json!({"code": "unauthorized"})), TIMEOUT).await;
    assert!(matches!(assert_denied(&decision), Fault::Refused { status: found, .. } if *found == status));
}

#[rstest]
#[case::not_found(Says::Json(404, json!({"code": "resource_not_found"})), 404, "resource_not_found")]
#[case::broken(Says::Json(500, json!({"code": "internal_error"})), 500, "internal_error")]
#[case::no_content(Says::text("HTTP/1.1 204 No Content\r\n\r\n"), 204, "No Content")]
#[case::created(Says::Json(201, json!({"result": allowing()})), 201, "allow")]
#[case::redirect(
    Says::text("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/v1\r\ncontent-length: 0\r\n\r\n"),
    302,
    "a redirect to http://127.0.0.1:1/v1, which is not followed"
)]
#[tokio::test]
async fn other_statuses_than_200_are_errors(#[case] says: Says, #[case] status: u16, #[case] hint: &str) {
    let decision = asked(says, TIMEOUT).await;
    let Fault::Http { status: found, detail, .. } = assert_denied(&decision) else {
        panic!("{:?}", decision.fault)
    };
    assert_eq!(*found, status);
    assert!(detail.contains(hint), "{detail}");
}

#[rstest]
#[case::html(
    Says::text("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n<html>hi</html>"),
    "begins with `<html>hi</html>`"
)]
#[case::empty(Says::text("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), "not JSON")]
#[case::cut_json(
    Says::text("HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n{\"result\": {\"allow\""),
    "not JSON"
)]
#[case::cut_connection(
    Says::text("HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{\"result\":"),
    "broke after 10 bytes"
)]
#[case::no_http(Says::text("SSH-2.0-OpenSSH_9.2\r\n"), "ended before an answer")]
#[case::nothing(Says::text(""), "ended before an answer")]
#[case::a_list(Says::Json(200, json!([true])), "not an object")]
#[case::null(Says::Json(200, json!({"result": null})), "the decision is null")]
#[case::a_bare_boolean(Says::Json(200, json!({"result": true})), "the decision is true")]
#[case::huge(
    Says::Json(200, json!({"result": allowing(), "padding": "x".repeat(1024 * 1024)})),
    "larger than 1048576 bytes"
)]
#[tokio::test]
async fn what_is_no_answer_is_malformed(#[case] says: Says, #[case] hint: &str) {
    let decision = asked(says, TIMEOUT).await;
    let Fault::Malformed { reason } = assert_denied(&decision) else { panic!("{:?}", decision.fault) };
    assert!(reason.contains(hint), "{reason}");
}

#[tokio::test]
async fn no_result_is_undefined() {
    for answer in [json!({}), json!({"decision_id": "1"}), json!({"provenance": {"version": "1.19.1"}})] {
        let decision = asked(Says::Json(200, answer), TIMEOUT).await;
        assert_eq!(assert_denied(&decision), &Fault::Undefined { package: "infra".to_owned() });
    }
}

#[tokio::test]
async fn package_that_is_not_on_disk_is_undefined_whatever_the_engine_says() {
    let policies = Policies::starters();
    let allow = Says::Json(200, json!({"result": allowing()}));
    let address = serve(allow, Says::Json(200, loaded(&bundle_of(&policies)))).await;
    let decision = policies.asked_at(address, TIMEOUT).ask("freeze", &roomy_host()).await;
    assert_eq!(assert_denied(&decision), &Fault::Undefined { package: "freeze".to_owned() });
}

#[tokio::test]
async fn allowing_answer_counts_for_nothing_without_the_list_of_policies() {
    let policies = Policies::starters();
    let allow = Says::Json(200, json!({"result": allowing()}));
    for (listing, code) in [
        (Says::Json(401, json!({})), "policy_refused"),
        (Says::Json(404, json!({})), "policy_http_error"),
        (Says::Json(200, json!({})), "policy_malformed"),
        (Says::Json(200, json!({"result": null})), "policy_malformed"),
        (Says::Json(200, json!({"result": []})), "policy_stale"),
        (Says::text("HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{"), "policy_malformed"),
    ] {
        let address = serve(allow.clone(), listing).await;
        let decision = policies.asked_at(address, TIMEOUT).ask("infra", &roomy_host()).await;
        assert_eq!(assert_denied(&decision).code(), code);
    }
}

#[tokio::test]
async fn list_of_policies_that_never_comes_is_timed_out() {
    let policies = Policies::starters();
    let address = serve(Says::Json(200, json!({"result": allowing()})), Says::Stalls(Vec::new())).await;
    let decision = policies.asked_at(address, SHORT).ask("infra", &roomy_host()).await;
    assert_eq!(assert_denied(&decision).code(), "policy_timed_out");
}

#[rstest]
#[case::older_text("infra", "package infra\n\ndecision := {\"allow\": true}\n")]
#[case::asked_by_a_policy_on_disk("helpers", "package helpers\n\nx := 1\n")]
#[case::asked_in_other_words("lib", "package lib\n\nfine := true\n")]
#[case::mentioned_by_nobody("billing", "package billing\n\nx := 1\n")]
#[case::like_its_configuration("systems", "package systems.authz\n\nx := 1\n")]
#[case::no_package_line("?", "x := 1\n")]
#[tokio::test]
async fn policy_that_only_the_engine_has_is_stale(#[case] package: &str, #[case] raw: &str) {
    let policies = Policies::starters();
    policies.append("infra.rego", "\nunused := data.helpers.x\n\nunseen := data[\"lib\"].fine\n");
    let mut list = loaded(&bundle_of(&policies));
    list["result"].as_array_mut().unwrap().push(json!({"id": "extra.rego", "raw": raw}));
    let address = serve(Says::Json(200, json!({"result": allowing()})), Says::Json(200, list)).await;
    let decision = policies.asked_at(address, TIMEOUT).ask("infra", &roomy_host()).await;
    let Fault::Stale { reason } = assert_denied(&decision) else { panic!("{package}: {:?}", decision.fault) };
    assert!(reason.contains("extra.rego"), "{reason}");
}

#[tokio::test]
async fn engines_own_configuration_does_not_matter() {
    let raw = "package system.authz\n\ndefault allow := false\n";
    let policies = Policies::starters();
    let mut list = loaded(&bundle_of(&policies));
    list["result"].as_array_mut().unwrap().push(json!({"id": "extra.rego", "raw": raw}));
    let address = serve(Says::Json(200, json!({"result": allowing()})), Says::Json(200, list)).await;
    let decision = policies.asked_at(address, TIMEOUT).ask("infra", &roomy_host()).await;
    assert!(decision.allow, "{:?}", decision.fault);
}

#[tokio::test]
async fn answer_by_other_limits_is_stale() {
    let mut older = allowing();
    older["limits"]["error_rate"] = json!(0.5);
    let decision = asked(Says::Json(200, json!({"result": older})), TIMEOUT).await;
    let Fault::Stale { reason } = assert_denied(&decision) else { panic!("{:?}", decision.fault) };
    assert_eq!(reason, "the limit error_rate is 0.5 in the engine and 0.01 in data.json");
}

#[tokio::test]
async fn policies_that_cannot_be_read_are_not_asked_about() {
    let policies = Policies::starters();
    policies.remove("data.json");
    let decision = policies.asked_at(free_address(), TIMEOUT).ask("infra", &roomy_host()).await;
    let Fault::Policies { reason } = assert_denied(&decision) else { panic!("{:?}", decision.fault) };
    assert!(reason.contains("data.json"), "{reason}");
    assert_eq!(decision.revision, "");
}
