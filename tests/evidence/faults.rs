//! The table of faults: what the gate says of a canary whose metrics are not
//! what they should be. None is a pass, each has its name, and when the fault
//! ends the next window passes, in the same engine.

#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use rstest::rstest;
use swiftdeploy::policy::Verdict::{self, Inconclusive, Pass};

use super::app::{App, Spoilt};
use super::stage::{Stage, WINDOW, is};

/// Fault of the metrics as the docs name it | verdict | code of the violation | code of the cause.
const TABLE: &[(&str, Spoilt, Verdict, &str, Option<&str>)] = &[
    ("connection refused", Spoilt::Refused, Inconclusive, "metrics_unavailable", Some("metrics_unreachable")),
    ("HTTP 404", Spoilt::NotFound, Inconclusive, "metrics_unavailable", Some("metrics_http")),
    ("HTTP 500", Spoilt::ServerError, Inconclusive, "metrics_unavailable", Some("metrics_http")),
    ("hangs", Spoilt::Hangs, Inconclusive, "metrics_unavailable", Some("metrics_timeout")),
    ("slow drip", Spoilt::Drips, Inconclusive, "metrics_unavailable", Some("metrics_timeout")),
    ("truncated", Spoilt::Truncated, Inconclusive, "metrics_unavailable", Some("metrics_malformed")),
    ("last line cut off", Spoilt::CutOff, Inconclusive, "metrics_unavailable", Some("metrics_malformed")),
    (
        "truncated at a line end without a length",
        Spoilt::CutAtLineEnd,
        Inconclusive,
        "metrics_unavailable",
        Some("metrics_series_lost"),
    ),
    ("malformed line", Spoilt::Malformed, Inconclusive, "metrics_unavailable", Some("metrics_malformed")),
    ("HTML page", Spoilt::Html, Inconclusive, "metrics_unavailable", Some("metrics_content_type")),
    ("empty body", Spoilt::Empty, Inconclusive, "metrics_unavailable", Some("metrics_malformed")),
    ("wrong names", Spoilt::WrongNames, Inconclusive, "metrics_unavailable", Some("metrics_absent")),
    ("NaN", Spoilt::NaN, Inconclusive, "metrics_unavailable", Some("metrics_malformed")),
    ("counter reset", Spoilt::Reset, Inconclusive, "process_restarted", None),
    ("histogram without +Inf", Spoilt::NoInf, Inconclusive, "p99_unknown", None),
    ("no histogram", Spoilt::NoHistogram, Inconclusive, "p99_unknown", None),
];

/// The row of a fault.
fn row(spoilt: Spoilt) -> (Verdict, &'static str, Option<&'static str>) {
    let (_, _, verdict, code, cause) = TABLE.iter().find(|(_, known, ..)| *known == spoilt).unwrap();
    (*verdict, code, *cause)
}

#[test]
fn the_table_of_the_docs_is_this_one_and_has_no_pass() {
    let docs = include_str!("../../docs/verdicts.md");
    for (name, _, verdict, code, cause) in TABLE {
        assert_ne!(*verdict, Pass, "{name}");
        let row = docs.lines().find(|line| line.starts_with(&format!("| {name} | "))).unwrap_or_default();
        assert!(
            row.ends_with(&format!(" | `{code}` | {verdict} |")),
            "{name} is not in docs/verdicts.md: {row:?}"
        );
        assert!(cause.is_none_or(|cause| row.contains(&format!(" | `{cause}` | "))), "{row}");
    }
}

#[rstest]
#[tokio::test]
async fn a_fault_of_the_metrics_has_its_verdict_and_ends_with_the_fault(
    #[values(
        Spoilt::Refused,
        Spoilt::NotFound,
        Spoilt::ServerError,
        Spoilt::Hangs,
        Spoilt::Drips,
        Spoilt::Truncated,
        Spoilt::CutOff,
        Spoilt::CutAtLineEnd,
        Spoilt::Malformed,
        Spoilt::Html,
        Spoilt::Empty,
        Spoilt::WrongNames,
        Spoilt::NaN,
        Spoilt::Reset,
        Spoilt::NoInf,
        Spoilt::NoHistogram
    )]
    spoilt: Spoilt,
) {
    let app = App::start("a");
    let stage = Stage::with(&[&app]);
    is(&stage.good_window(&[&app]).await, Pass, &[]);

    app.serves(100, 0);
    app.count(|counted| counted.uptime += WINDOW.unsigned_abs());
    app.spoil(spoilt);
    stage.pass(WINDOW);
    let decision = stage.ask().await;
    let (verdict, code, cause) = row(spoilt);
    let cause_told = decision.input["metrics_error"]["code"].as_str();
    assert_eq!(cause_told, cause, "{:#?}", decision.reasons);
    // After a reset there are too few requests as well.
    let codes = if spoilt == Spoilt::Reset { vec![code, "too_few_requests"] } else { vec![code] };
    is(&decision, verdict, &codes);
    assert!(decision.reasons[0].contains("app-green at 127.0.0.1:"), "{:?}", decision.reasons);
    let comes_with_time = matches!(spoilt, Spoilt::CutAtLineEnd | Spoilt::Reset);
    assert_eq!(decision.waiting_helps(), comes_with_time);

    app.spoil(Spoilt::No);
    is(&stage.good_window(&[&app]).await, Pass, &[]);
}

#[rstest]
#[tokio::test]
async fn one_of_two_that_fails_is_no_pass_and_is_named(
    #[values(
        Spoilt::Refused,
        Spoilt::ServerError,
        Spoilt::Hangs,
        Spoilt::Malformed,
        Spoilt::WrongNames,
        Spoilt::NoHistogram
    )]
    spoilt: Spoilt,
) {
    let (good, bad) = (App::start("a"), App::start("b"));
    let both = [&good, &bad];
    let stage = Stage::with(&both);
    is(&stage.good_window(&both).await, Pass, &[]);

    for app in both {
        app.serves(100, 0);
        app.count(|counted| counted.uptime += WINDOW.unsigned_abs());
    }
    bad.spoil(spoilt);
    stage.pass(WINDOW);
    let decision = stage.ask().await;
    let (verdict, code, cause) = row(spoilt);
    is(&decision, verdict, &[code]);
    let error = &decision.input["metrics_error"];
    assert_eq!(error["code"].as_str(), cause, "{error}");
    if cause.is_some() {
        assert_eq!(error["instance"], format!("app-green at {}", bad.address), "{error}");
    }

    bad.spoil(Spoilt::No);
    is(&stage.good_window(&both).await, Pass, &[]);
}

/// Every second request fails, and the metrics end before they say so. What was
/// cut short does not begin the next window, in which all counts again.
#[tokio::test]
async fn errors_that_are_cut_away_are_no_pass_and_count_in_the_next_window() {
    let app = App::start("a");
    let stage = Stage::with(&[&app]);
    is(&stage.good_window(&[&app]).await, Pass, &[]);

    app.serves(100, 50);
    app.count(|counted| counted.uptime += WINDOW.unsigned_abs());
    app.spoil(Spoilt::CutAtLineEnd);
    stage.pass(WINDOW);
    is(&stage.ask().await, Inconclusive, &["metrics_unavailable"]);

    app.spoil(Spoilt::No);
    app.serves(100, 50);
    app.count(|counted| counted.uptime += WINDOW.unsigned_abs());
    stage.pass(WINDOW);
    let decision = stage.ask().await;
    is(&decision, Verdict::Fail, &["error_rate_high"]);
    // Both windows: nothing in between was whole.
    assert_eq!((&decision.input["requests"], &decision.input["errors"]), (&200.into(), &100.into()));
}

/// The watch of the app lives on: it tells the fault, then figures again.
#[tokio::test]
async fn the_watch_tells_the_fault_and_goes_on() {
    use swiftdeploy::engine::StateEvent;
    let app = App::start("a");
    let stage = Stage::with(&[&app]);
    let reading = || {
        let sample = stage.engine.snapshot().into_iter().find_map(|event| match event {
            StateEvent::Sample(sample) => Some(sample),
            _ => None,
        });
        sample.expect("the watch told").leading().expect("a canary runs").measured.clone()
    };
    stage.engine.look_once().await;
    app.spoil(Spoilt::ServerError);
    stage.pass(WINDOW);
    stage.engine.look_once().await;
    let error = reading().expect_err("there is nothing to read");
    assert!(error.contains("HTTP 500"), "{error}");
    app.spoil(Spoilt::No);
    app.serves(100, 0);
    stage.pass(5);
    stage.engine.look_once().await;
    assert_eq!(reading().map(|measured| measured.requests), Ok(100));
}
