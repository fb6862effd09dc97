//! Several instances of a canary, judged together, and what only the proxy saw.

use rstest::rstest;
use serde_json::json;
use swiftdeploy::domain::Mode;
use swiftdeploy::policy::Verdict::{Fail, Inconclusive, Pass};
use swiftdeploy::runtime::{Health, Unanswered};

use super::app::App;
use super::stage::{Stage, WINDOW, is, nothing_unseen};

#[tokio::test]
async fn what_several_instances_serve_is_summed_and_stable_stands_apart() {
    let (a, b, stable) = (App::start("a"), App::start("b"), App::start("s"));
    let stage = Stage::with(&[&a, &b]);
    stage.runs(&[&stable], Mode::Stable, 3600);
    stage.ask().await;
    a.serves(40, 0);
    b.serves(60, 1);
    stable.serves(500, 400);
    stage.pass(WINDOW);
    let decision = stage.ask().await;
    is(&decision, Pass, &[]);
    let input = &decision.input;
    assert_eq!((&input["requests"], &input["errors"]), (&json!(100), &json!(1)));
    assert_eq!(input["instances"], 2);
    assert_eq!((&input["stable"]["requests"], &input["stable"]["errors"]), (&json!(500), &json!(400)));
    assert!(decision.reasons.iter().any(|reason| reason.contains("stable is failing too")));
    let source = input["source"].as_str().unwrap();
    for app in [&a, &b] {
        assert!(source.contains(&app.address.to_string()), "{source}");
    }

    a.serves(100, 0);
    b.serves(100, 30);
    stage.pass(WINDOW);
    is(&stage.ask().await, Fail, &["error_rate_high"]);
}

#[rstest]
#[case::unhealthy(|stage: &Stage| stage.runtime.tell(|told| {
    told.instances[1].health = Health::Unhealthy("503 from /healthz".into());
}), "canary_unhealthy", "fails its health check: 503 from /healthz")]
#[case::ended(|stage: &Stage| stage.runtime.tell(|told| {
    told.instances[1].health = Health::Exited(Some(137));
}), "canary_unhealthy", "does not run; it ended with code 137")]
#[case::restarted(|stage: &Stage| stage.runtime.tell(|told| told.instances[1].restarts = 2), "canary_restarted", "restarts 2")]
#[case::out_of_memory(
    |stage: &Stage| stage.runtime.tell(|told| told.instances[1].oom_killed = true),
    "canary_out_of_memory",
    "oom_kills 1"
)]
#[tokio::test]
async fn two_are_as_well_as_the_worse_of_them(
    #[case] spoil: fn(&Stage),
    #[case] code: &str,
    #[case] told: &str,
) {
    let (a, b) = (App::start("a"), App::start("b"));
    let stage = Stage::with(&[&a, &b]);
    is(&stage.good_window(&[&a, &b]).await, Pass, &[]);
    a.serves(100, 0);
    b.serves(100, 0);
    stage.pass(WINDOW);
    spoil(&stage);
    let decision = stage.ask().await;
    is(&decision, Fail, &[code]);
    assert!(decision.reasons[0].contains(told), "{:?}", decision.reasons);
}

#[tokio::test]
async fn one_that_starts_is_waited_for_and_hides_no_failure_of_another() {
    let (a, b) = (App::start("a"), App::start("b"));
    let stage = Stage::with(&[&a, &b]);
    is(&stage.good_window(&[&a, &b]).await, Pass, &[]);
    a.serves(100, 0);
    b.serves(100, 0);
    stage.pass(WINDOW);
    stage.runtime.tell(|told| told.instances[0].health = Health::Starting);
    let decision = stage.ask().await;
    is(&decision, Inconclusive, &["canary_starting"]);
    assert!(
        decision.waiting_helps() && decision.reasons[0].contains("still starting"),
        "{:?}",
        decision.reasons
    );
    stage.runtime.tell(|told| told.instances[1].health = Health::Unhealthy("503".into()));
    is(&stage.ask().await, Fail, &["canary_unhealthy"]);
}

#[tokio::test]
async fn one_that_went_away_leaves_the_figures_incomplete_until_the_window_is_past_it() {
    let (a, b) = (App::start("a"), App::start("b"));
    let stage = Stage::with(&[&a, &b]);
    is(&stage.good_window(&[&a, &b]).await, Pass, &[]);
    stage.pass(10);
    stage.ask().await;

    stage.runs(&[&a], Mode::Canary, 3600);
    a.serves(100, 0);
    stage.pass(20);
    let decision = stage.ask().await;
    is(&decision, Inconclusive, &["process_vanished"]);
    assert!(decision.waiting_helps());

    a.serves(100, 0);
    stage.pass(WINDOW);
    is(&stage.ask().await, Pass, &[]);
}

/// As after `docker restart`, of an app that tells neither its start nor its
/// uptime and soon counted more than before.
#[tokio::test]
async fn one_that_was_started_again_by_hand_counts_from_zero() {
    let (a, b) = (App::start("a"), App::start("b"));
    let stage = Stage::with(&[&a, &b]);
    for app in [&a, &b] {
        app.count(|counted| counted.uptime = 0);
    }
    is(&stage.good_window(&[&a, &b]).await, Pass, &[]);

    stage.pass(10);
    let started = stage.now();
    stage.runtime.tell(|told| told.instances[1].started_at = Some(started));
    stage.pass(20);
    a.serves(100, 0);
    b.count(|counted| {
        counted.served += 400;
        counted.uptime += WINDOW.unsigned_abs();
    });
    a.count(|counted| counted.uptime += WINDOW.unsigned_abs());
    let decision = stage.ask().await;
    is(&decision, Inconclusive, &["process_restarted"]);
    assert!(decision.waiting_helps());
    assert_eq!((&decision.input["resets"], &decision.input["vanished"]), (&json!(1), &json!(0)));
    assert_eq!(decision.input["requests"], 100 + 1000 + 100 + 400, "{}", decision.input);

    is(&stage.good_window(&[&a, &b]).await, Pass, &[]);
}

#[tokio::test]
async fn one_that_came_counts_from_its_start_and_one_that_was_missed_makes_no_window() {
    let (a, b) = (App::start("a"), App::start("b"));
    let stage = Stage::with(&[&a]);
    is(&stage.good_window(&[&a]).await, Pass, &[]);
    stage.pass(WINDOW - 5);
    b.count(|counted| (counted.served, counted.uptime) = (70, 5));
    stage.runs(&[&a, &b], Mode::Canary, 5);
    stage.pass(5);
    let decision = stage.ask().await;
    is(&decision, Pass, &[]);
    assert_eq!(decision.input["requests"], 70, "{}", decision.input);

    // Another that has run for long, and that nobody has looked at so far.
    let c = App::start("c");
    stage.runs(&[&a, &b, &c], Mode::Canary, 3600);
    let decision = stage.ask().await;
    is(&decision, Inconclusive, &["metrics_unavailable"]);
    assert_eq!(decision.input["metrics_error"]["code"], "window_too_short");
    assert!(decision.waiting_helps());
    for app in [&a, &b, &c] {
        app.serves(100, 0);
        app.count(|counted| counted.uptime += WINDOW.unsigned_abs());
    }
    stage.pass(WINDOW);
    is(&stage.ask().await, Pass, &[]);
}

/// A one-shot command looks back over what another process has scraped.
#[tokio::test]
async fn a_canary_that_takes_the_place_of_another_begins_a_window_of_its_own() {
    let (old, new) = (App::start("old"), App::start("new"));
    let stage = Stage::with(&[&old]);
    is(&stage.good_window(&[&old]).await, Pass, &[]);
    new.count(|counted| (counted.served, counted.uptime) = (500, 10));
    stage.runs(&[&new], Mode::Canary, 10);
    let decision = stage.ask().await;
    is(&decision, Inconclusive, &["metrics_unavailable"]);
    assert_eq!(decision.input["metrics_error"]["code"], "window_too_short");
}

#[tokio::test]
async fn requests_that_only_the_proxy_saw_count_in_the_same_window() {
    let app = App::start("a");
    let stage = Stage::with(&[&app]);
    is(&stage.good_window(&[&app]).await, Pass, &[]);
    let since = stage.runtime.tell(|told| told.asked_since).unwrap();
    assert_eq!((stage.now() - since).num_seconds(), WINDOW);

    app.serves(100, 0);
    stage.pass(WINDOW);
    let none = nothing_unseen;
    let sees = |seen| stage.runtime.tell(|told| told.unanswered = Some(seen));
    sees(Unanswered { failed: 1, ..none() });
    is(&stage.ask().await, Pass, &[]);
    sees(Unanswered { failed: 60, ..none() });
    let decision = stage.ask().await;
    is(&decision, Fail, &["proxy_failures"]);
    assert!(decision.reasons[0].contains("60 of 160 requests got no answer"), "{:?}", decision.reasons);

    // What the app counted as answered.
    sees(Unanswered { broken: 67, ..none() });
    let decision = stage.ask().await;
    is(&decision, Fail, &["proxy_failures"]);
    assert!(decision.reasons[0].contains("of 100 requests 0 got no answer and 67"), "{:?}", decision.reasons);
    // What it may never have counted.
    sees(Unanswered { abandoned: [(30, 40)].into(), ..none() });
    is(&stage.ask().await, Pass, &[]);
    sees(Unanswered { abandoned: [(30, 40), (1000, 50)].into(), ..none() });
    let decision = stage.ask().await;
    is(&decision, Fail, &["proxy_abandoned"]);
    assert!(decision.reasons[0].contains("50 of 150 requests"), "{:?}", decision.reasons);
    // What it calls answered and is an error.
    sees(Unanswered { errors: 20, ..none() });
    let decision = stage.ask().await;
    is(&decision, Fail, &["proxy_failures"]);
    assert!(decision.reasons[0].contains("20 an error (5xx), of which the canary counted 0"), "{decision:?}");
    // A few may have come between the scrape and the look at the log.
    sees(Unanswered { errors: 2, ..none() });
    is(&stage.ask().await, Inconclusive, &["errors_unknown"]);
    // What it may answer some day.
    sees(Unanswered { waiting: Some([(30, 40)].into()), ..none() });
    is(&stage.ask().await, Pass, &[]);
    sees(Unanswered { waiting: Some([(30, 40), (1000, 50)].into()), ..none() });
    let decision = stage.ask().await;
    is(&decision, Fail, &["proxy_abandoned"]);
    assert!(decision.reasons[0].contains("50, proxy_abandoned 0 of 150 requests"), "{:?}", decision.reasons);

    stage.runtime.tell(|told| told.unanswered = None);
    let decision = stage.ask().await;
    is(&decision, Inconclusive, &["proxy_unknown"]);
    assert!(decision.reasons[0].contains("the log cannot be read"), "{:?}", decision.reasons);
    assert!(!decision.waiting_helps());
}
