//! Requests that may hang behind a proxy that cannot tell which ones wait: they
//! show when their time is up, here after 30 s, and until then nothing passes.

use swiftdeploy::policy::Decision;
use swiftdeploy::policy::Verdict::{Inconclusive, Pass};
use swiftdeploy::runtime::Unanswered;

use super::app::App;
use super::stage::{MANIFEST, Stage, WINDOW, is, nothing_unseen};

/// Behind a proxy that cannot tell.
fn stage(app: &App) -> Stage {
    let stage = Stage::with(&[app]);
    sees(&stage, 0);
    stage
}

/// So many timed out, and are all that the proxy tells.
fn sees(stage: &Stage, timed_out: u64) {
    let told = Unanswered { failed: timed_out, timed_out, waiting: None, ..Unanswered::default() };
    stage.runtime.tell(|known| known.unanswered = Some(told));
}

/// A window in which the app answers so many requests, and what the gate says.
async fn window(stage: &Stage, app: &App, requests: u64) -> Decision {
    app.serves(requests, 0);
    app.count(|counted| counted.uptime += WINDOW.unsigned_abs());
    stage.pass(WINDOW);
    stage.ask().await
}

#[tokio::test]
async fn nothing_passes_until_requests_are_as_old_as_one_that_hangs_may_become() {
    let app = App::start("a");
    let stage = stage(&app);
    stage.ask().await;
    let decision = window(&stage, &app, 100).await;
    is(&decision, Inconclusive, &["requests_unsettled"]);
    assert!(decision.waiting_helps());
    assert!(decision.reasons[0].contains("settled_requests 0 is below the limit 50"), "{decision:?}");
    let decision = window(&stage, &app, 100).await;
    is(&decision, Pass, &[]);
    assert_eq!(decision.input["settled_requests"], 100);
}

#[tokio::test]
async fn requests_of_now_do_not_stand_for_those_of_then() {
    let app = App::start("a");
    let stage = stage(&app);
    stage.ask().await;
    window(&stage, &app, 3).await;
    let decision = window(&stage, &app, 500).await;
    is(&decision, Inconclusive, &["requests_unsettled"]);
    assert_eq!(decision.input["settled_requests"], 3);
}

#[tokio::test]
async fn what_timed_out_is_held_against_those_that_came_beside_it() {
    let app = App::start("a");
    let stage = stage(&app);
    stage.ask().await;
    window(&stage, &app, 60).await;
    // 2 of 62 hung, which 5,000 newer requests would make 0.04 %.
    sees(&stage, 2);
    let decision = window(&stage, &app, 5000).await;
    is(&decision, Inconclusive, &["requests_unsettled"]);
    assert!(decision.reasons[0].contains("settled_requests 60, proxy_timed_out 2"), "{decision:?}");
}

/// The manifest with another time after which the proxy gives up.
fn giving_up_after(seconds: u64) -> String {
    MANIFEST.replace("nginx:\n", &format!("nginx:\n  proxy_timeout: {seconds}s\n"))
}

/// The proxy still goes by the one that was deployed.
#[tokio::test]
async fn a_shorter_timeout_that_is_not_deployed_makes_no_request_settled() {
    let app = App::start("a");
    let stage = stage(&app);
    stage.write(".swiftdeploy/local-deployed.json", &serde_json::to_string(&giving_up_after(120)).unwrap());
    stage.write("manifest.yaml", &giving_up_after(1));
    stage.ask().await;
    for _ in 0..4 {
        let decision = window(&stage, &app, 100).await;
        is(&decision, Inconclusive, &["requests_unsettled"]);
        assert_eq!(decision.input["proxy_timeout_seconds"], 120.0);
    }
    is(&window(&stage, &app, 100).await, Pass, &[]);
}

/// Where a request may wait for longer than half a window before that is too long,
/// those that wait now are too few to tell.
#[tokio::test]
async fn a_window_that_is_too_short_for_the_limit_wants_old_requests_of_every_proxy() {
    let app = App::start("a");
    for (limit, expected) in [(14_999, Pass), (15_001, Inconclusive)] {
        let stage = Stage::with(&[&app]);
        stage.runtime.tell(|known| known.unanswered = Some(nothing_unseen()));
        stage.write(
            "policies/data.json",
            &format!(
                r#"{{"thresholds": {{"disk_free_gb": 1, "cpu_load": 8, "error_rate": 0.01, "p99_latency_ms": {limit}}}}}"#
            ),
        );
        stage.ask().await;
        let decision = window(&stage, &app, 100).await;
        let codes: &[&str] = if expected == Pass { &[] } else { &["requests_unsettled"] };
        is(&decision, expected, codes);
    }
}
