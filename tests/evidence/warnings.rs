//! What is no fault and still makes the figures worse than they could be is said
//! where they are shown.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use swiftdeploy::policy::Verdict::Pass;

use super::app::{App, Spoilt};
use super::stage::{Stage, is};

async fn warnings(stage: &Stage) -> Vec<String> {
    stage.engine.metrics().await.unwrap().remove(0).warnings
}

/// The durations of health checks and scrapes are among them.
#[tokio::test]
async fn a_histogram_that_does_not_tell_paths_apart_is_warned_of() {
    let app = App::start("a");
    let stage = Stage::with(&[&app]);
    is(&stage.good_window(&[&app]).await, Pass, &[]);
    assert_eq!(warnings(&stage).await, [""; 0]);

    let bare = App::start("b");
    bare.spoil(Spoilt::NoPathsOfDurations);
    let stage = Stage::with(&[&bare]);
    is(&stage.good_window(&[&bare]).await, Pass, &[]);
    let told = warnings(&stage).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("no label path") && told[0].contains("make the P99 look better"), "{told:?}");
}
