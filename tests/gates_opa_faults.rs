//! The table of an OPA's faults, through one engine that stays up: each is
//! shown in the status, denies a deploy with a message of its own and in time,
//! while what serves goes on serving; and when it ends, the same engine lets
//! through again by itself.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[path = "support/opa_server.rs"]
mod opa_server;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opa_server::{head, loaded, request, says};
use serde_json::{Value, json};
use swiftdeploy::clock::{SharedClock, SystemClock};
use swiftdeploy::domain::Target;
use swiftdeploy::engine::{Action, Engine, Options, Outcome, RealParts, StateEvent};
use swiftdeploy::history::Actor;
use swiftdeploy::policy::{Decision, PolicyBundle, Verdict};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use world::World;
use world::ports::free_port;

/// `policy.timeout` as shipped.
const TIMEOUT: Duration = Duration::from_millis(500);

/// A fault may take the timeout and half a second.
const LONGEST: Duration = Duration::from_secs(1);

/// What the answer to the decision is, in place of the good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    NotRunning,
    ClosesAtOnce,
    Hangs,
    Slow,
    Unauthorized,
    NotFound,
    ServerError,
    Redirect,
    Html,
    TruncatedJson,
    EmptyObject,
    ResultNull,
    AllowAsText,
    AllowWithViolations,
    WrongRevision,
    OtherLimits,
    Huge,
    ResetMidAnswer,
}

/// Every row: the fault, the code of its violation, a part of its message.
const TABLE: [(Fault, &str, &str); 18] = [
    (Fault::NotRunning, "policy_not_running", "nothing answers at 127.0.0.1:"),
    (Fault::ClosesAtOnce, "policy_malformed", "ended before an answer"),
    (Fault::Hangs, "policy_timed_out", "no answer from"),
    (Fault::Slow, "policy_timed_out", "no more than 11 bytes of an answer from"),
    (Fault::Unauthorized, "policy_refused", "refused the question (HTTP 401)"),
    (Fault::NotFound, "policy_http_error", "answered HTTP 404"),
    (Fault::ServerError, "policy_http_error", "answered HTTP 500"),
    (Fault::Redirect, "policy_http_error", "a redirect to http://127.0.0.1:1/, which is not followed"),
    (Fault::Html, "policy_malformed", "it begins with `<html>"),
    (Fault::TruncatedJson, "policy_malformed", "it begins with `{\"result\": {\"allow\": tr`"),
    (Fault::EmptyObject, "policy_undefined", "policy infra is undefined"),
    (Fault::ResultNull, "policy_malformed", "the decision is null"),
    (Fault::AllowAsText, "policy_malformed", "`allow` is \"true\", not true or false"),
    (Fault::AllowWithViolations, "policy_malformed", "`allow` is true with violations"),
    (Fault::WrongRevision, "policy_stale", "canary.rego on disk is not what the engine has loaded"),
    (Fault::OtherLimits, "policy_stale", "the limit disk_free_gb is 0 in the engine and 1 in data.json"),
    (Fault::Huge, "policy_malformed", "larger than 1048576 bytes"),
    (Fault::ResetMidAnswer, "policy_malformed", "the connection broke after 11 bytes"),
];

/// An OPA that has loaded the project's policies, lets everything through, and
/// has the fault of the moment.
struct Opa {
    address: SocketAddr,
    fault: Arc<Mutex<Option<Fault>>>,
    good: Arc<Good>,
    accepting: Option<JoinHandle<()>>,
}

struct Good {
    /// How often it was asked for a decision.
    questions: AtomicUsize,
    decision: Value,
    policies: Value,
}

impl Opa {
    async fn of(world: &World, port: u16) -> Self {
        let bundle = PolicyBundle::load(&world.path("policies")).unwrap();
        let decision = json!({
            "allow": true, "verdict": "pass", "violations": [], "reasons": ["room enough"], "checks": [],
            "limits": bundle.thresholds(),
        });
        let mut opa = Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            fault: Arc::default(),
            good: Arc::new(Good { questions: AtomicUsize::new(0), decision, policies: loaded(&bundle) }),
            accepting: None,
        };
        opa.has(None).await;
        opa
    }

    /// How often it was asked for a decision since the last call.
    fn questions(&self) -> usize {
        self.good.questions.swap(0, Ordering::Relaxed)
    }

    /// From now on it has this fault, or none.
    async fn has(&mut self, fault: Option<Fault>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            let _ = accepting.await;
        }
        if fault != Some(Fault::NotRunning) {
            let listener = TcpListener::bind(self.address).await.unwrap();
            let (fault, good) = (Arc::clone(&self.fault), Arc::clone(&self.good));
            self.accepting = Some(tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let fault = *fault.lock().unwrap_or_else(PoisonError::into_inner);
                    tokio::spawn(answer(stream, fault, Arc::clone(&good)));
                }
            }));
        }
    }
}

async fn answer(mut stream: TcpStream, fault: Option<Fault>, good: Arc<Good>) {
    if fault == Some(Fault::ClosesAtOnce) {
        return;
    }
    let asked = request(&mut stream).await;
    let is_listing = asked.starts_with("GET /v1/policies");
    good.questions.fetch_add(usize::from(asked.starts_with("POST /v1/data/")), Ordering::Relaxed);
    let says = match fault {
        Some(Fault::WrongRevision) if is_listing => {
            json_says(&json!({"result": [{"id": "infra.rego", "raw": "package infra\n\ndecision := {}\n"}]}))
        }
        _ if is_listing => json_says(&good.policies),
        Some(fault) => return faulty(stream, fault, &good).await,
        None => json_says(&json!({"result": good.decision})),
    };
    let _ = stream.write_all(says.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn faulty(mut stream: TcpStream, fault: Fault, good: &Good) {
    let with = |name: &str, value: Value| {
        let mut decision = good.decision.clone();
        decision[name] = value;
        json_says(&json!({ "result": decision }))
    };
    let says = match fault {
        Fault::NotRunning | Fault::ClosesAtOnce => unreachable!("answered before a question is read"),
        Fault::Hangs => return std::future::pending().await,
        Fault::Slow => {
            let _ = stream.write_all(head(200, 400, "{\"result\": ").as_bytes()).await;
            return std::future::pending().await;
        }
        Fault::ResetMidAnswer => {
            let _ = stream.write_all(head(200, 400, "{\"result\": ").as_bytes()).await;
            stream.set_zero_linger().unwrap();
            return;
        }
        Fault::Huge => {
            let _ = stream.write_all(head(200, 100 << 20, "{\"result\": \"").as_bytes()).await;
            let part = vec![b'x'; 1 << 16];
            for _ in 0..(100 << 20) / part.len() {
                if stream.write_all(&part).await.is_err() {
                    return;
                }
            }
            return;
        }
        Fault::Unauthorized => says(401, "{\"code\": \"unauthorized\"}"),
        Fault::NotFound => says(404, "{\"code\": \"resource_not_found\"}"),
        Fault::ServerError => says(500, "{\"code\": \"internal_error\"}"),
        Fault::Redirect => {
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_owned()
        }
        Fault::Html => says(200, "<html><h1>Welcome to nginx!</h1></html>"),
        Fault::TruncatedJson => says(200, "{\"result\": {\"allow\": tr"),
        Fault::EmptyObject => says(200, "{}"),
        Fault::ResultNull => says(200, "{\"result\": null}"),
        Fault::AllowAsText => with("allow", json!("true")),
        Fault::AllowWithViolations => {
            with("violations", json!([{"code": "disk_low", "message": "disk is full"}]))
        }
        Fault::OtherLimits => {
            let mut limits = good.decision["limits"].clone();
            limits["disk_free_gb"] = json!(0);
            with("limits", limits)
        }
        Fault::WrongRevision => json_says(&json!({"result": good.decision})),
    };
    let _ = stream.write_all(says.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn json_says(value: &Value) -> String {
    says(200, &value.to_string())
}

fn asking_opa() -> (World, u16) {
    let world = World::local();
    let port = free_port();
    world.edit_manifest(|text| {
        let from = text.find("policy:\n  port: ").unwrap();
        let to = from + text[from..].find("status:").unwrap();
        format!("{}policy:\n  engine: opa\n  port: {port}\n{}", &text[..from], &text[to..])
    });
    (world, port)
}

fn engine_of(world: &World, clock: SharedClock) -> Engine {
    let assembly =
        Arc::new(RealParts { clock: Arc::clone(&clock), program: world::BINARY.into(), docker_host: None });
    let manifest = world.root().canonicalize().unwrap().join("manifest.yaml");
    let actor = Actor("tester@here".into());
    Engine::open(Options { manifest: &manifest, target: Target::Local, clock, actor, assembly }).unwrap()
}

/// What the status says of the gate before a deploy, after a fresh look.
async fn seen(engine: &Engine) -> Decision {
    engine.look_once().await;
    let gates = engine.snapshot().into_iter().find_map(|event| match event {
        StateEvent::Gates(gates) => Some(gates),
        _ => None,
    });
    gates.unwrap().into_iter().find(|view| view.gate == "infra").unwrap().decision.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_denies_in_its_own_words_and_in_time_and_ends_by_itself() {
    let (world, port) = asking_opa();
    let mut opa = Opa::of(&world, port).await;
    let clock = SystemClock::shared();
    let engine = engine_of(&world, Arc::clone(&clock));
    let deployed = engine.run(Action::Deploy).await.unwrap();
    assert!(matches!(deployed, Outcome::Done { .. }), "{deployed:?}");

    let mut messages = BTreeMap::new();
    for (fault, code, part) in TABLE {
        opa.has(Some(fault)).await;
        let decision = seen(&engine).await;
        assert!(!decision.allow && decision.verdict == Verdict::Fail, "{fault:?}: {decision:?}");
        assert_eq!(decision.violations[0].code, code, "{fault:?}: {:?}", decision.reasons);
        let message = decision.reasons[0].clone();
        assert!(message.contains(part), "{fault:?}: {message}");
        in_time(&engine, &clock, fault).await;

        opa.questions();
        let outcome = engine.run(Action::Deploy).await.unwrap();
        // Nothing is asked twice in the hope of a better answer.
        let heard = usize::from(!matches!(fault, Fault::NotRunning | Fault::ClosesAtOnce));
        assert_eq!(opa.questions(), heard, "{fault:?}");
        assert_eq!(outcome.exit_code(), 2, "{fault:?}: {outcome:?}");
        let Outcome::Denied { headline, reasons, state } = outcome else { panic!("{fault:?}") };
        assert_eq!(headline, "Deployment blocked: no policy decision");
        assert!(reasons[0].contains(part), "{fault:?}: {reasons:?}");
        assert!(reasons[1].starts_with("next: "), "{fault:?}: {reasons:?}");
        assert!(state.contains("serves"), "{fault:?}: {state}");
        assert_eq!(world.get("/").json()["mode"], "stable", "{fault:?}: what serves goes on serving");
        if let Some(other) = messages.insert(message.clone(), fault) {
            panic!("{fault:?} and {other:?} have one message: {message}");
        }

        opa.has(None).await;
        let decision = seen(&engine).await;
        assert!(decision.allow, "after {fault:?}: {:?}", decision.fault);
        let Some(Outcome::Done { summary }) = engine.run(Action::Plan).await else {
            panic!("after {fault:?}")
        };
        assert_eq!(summary, "the policies would let it through", "after {fault:?}");
    }
    assert_eq!(messages.len(), TABLE.len());

    let deployed = engine.run(Action::Deploy).await.unwrap();
    assert!(matches!(deployed, Outcome::Done { .. }), "{deployed:?}");
    engine.close().await;
}

/// The whole way to a denial, by the engine's clock. The machine that runs the
/// tests may stand still for a moment: the quickest of five counts.
async fn in_time(engine: &Engine, clock: &SharedClock, fault: Fault) {
    let mut quickest = Duration::MAX;
    for _ in 0..5 {
        let began = clock.instant();
        let decision = engine.ask_gate("infra").await.unwrap();
        quickest = quickest.min(clock.instant().saturating_duration_since(began));
        assert!(!decision.allow, "{fault:?}: {decision:?}");
        if quickest < LONGEST {
            break;
        }
    }
    assert!(quickest < LONGEST, "{fault:?} took {quickest:?}");
    let waits = matches!(fault, Fault::Hangs | Fault::Slow);
    assert!(!waits || quickest >= TIMEOUT, "{fault:?} took {quickest:?}, less than the timeout");
}
