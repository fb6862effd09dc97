//! A canary whose metrics are not there or cannot be read: no verdict, and
//! above all no pass.

use rstest::rstest;

use super::untouched::Untouched;
use super::world::World;

#[rstest]
// The sample service answers these paths with a 404 and with JSON.
#[case::absent("/nothing-here", "404")]
#[case::malformed("/healthz", "content type")]
fn metrics_that_cannot_be_read_are_no_evidence(#[case] path: &str, #[case] why: &str) {
    let world = World::local();
    world.edit_manifest(|text| {
        format!("{}metrics:\n  path: {path}\n", text.replace("max_wait: 20s", "max_wait: 3s"))
    });
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    world.run(&["load", "--rps", "30", "--for", "2s"]).ends_with(0);

    let before = Untouched::of(&world);
    let ran = world.run(&["promote", "stable"]).ends_with(3);
    let ran = ran
        .says("Promotion not decided: the canary's metrics cannot be used")
        .says("no metrics of the canary")
        .says(why);
    for wrong in ["PASS", "not enough evidence"] {
        assert!(!ran.text().contains(wrong), "{}", ran.text());
    }
    assert_eq!(world.get("/healthz").json()["mode"], "canary");
    before.holds();

    let status = world.run(&["status", "--once", "--json"]).ends_with(0).json();
    let status = status.last().unwrap();
    assert!(status["metrics_error"].as_str().is_some_and(|error| error.contains(why)), "{status}");
    assert_eq!(
        (&status["error_rate"], &status["requests"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    let canary = status["policies"].as_array().unwrap().iter().find(|policy| policy["policy"] == "canary");
    assert_eq!(canary.unwrap()["verdict"], "INCONCLUSIVE", "{status}");

    world.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/healthz").json()["mode"], "stable");
}
