//! What an accepted manifest means.

use std::time::Duration;

use rstest::rstest;

use super::{FULL, LEAST, SEED, parse};
use crate::domain::{Mode, Target};

#[test]
fn the_repositorys_own_manifest_means_what_the_specification_says() {
    let document = parse(SEED).unwrap();
    let manifest = document.manifest();
    assert_eq!(manifest.services.name, "app");
    assert_eq!(manifest.services.image, "swift-deploy-1-node:latest");
    assert_eq!(manifest.services.version, "1.0.0");
    assert_eq!(manifest.services.mode, Mode::Stable);
    assert_eq!(manifest.nginx.proxy_timeout, Duration::from_secs(30));
    assert_eq!(manifest.services.health.command.as_deref().unwrap(), ["/swiftdeploy-service", "healthcheck"]);
    assert_eq!(document.text(), SEED);
}

#[test]
fn the_least_manifest_gets_the_defaults() {
    insta::assert_debug_snapshot!(parse(LEAST).unwrap().manifest());
}

#[test]
fn every_optional_key_is_read() {
    insta::assert_debug_snapshot!(parse(FULL).unwrap().manifest());
}

#[rstest]
#[case::byte_order_mark(format!("\u{feff}{SEED}"))]
#[case::crlf(SEED.replace('\n', "\r\n"))]
#[case::document_start(format!("---\n{SEED}"))]
#[case::directive(format!("%YAML 1.2\n---\n{SEED}"))]
#[case::empty_optional_section(format!("{SEED}canary:\n  # steps: [10, 100]\npolicy:\n"))]
#[case::document_end(format!("{SEED}...\n"))]
fn other_ways_to_write_the_same(#[case] text: String) {
    assert_eq!(parse(&text).unwrap().manifest(), parse(SEED).unwrap().manifest());
}

#[test]
fn the_project_is_named_after_the_service_unless_it_says_otherwise() {
    let text = LEAST.replace("{image: app", "{name: shop, image: app");
    assert_eq!(parse(&text).unwrap().manifest().project, "shop");
    assert_eq!(parse(&format!("{text}project: mall\n")).unwrap().manifest().project, "mall");
}

#[test]
fn the_target_is_what_the_file_says_or_open() {
    assert_eq!(parse(LEAST).unwrap().manifest().target, None);
    assert_eq!(parse(&format!("{LEAST}target: local\n")).unwrap().manifest().target, Some(Target::Local));
}

#[rstest]
#[case::sample("swift-deploy-1-node", true)]
#[case::sample_with_registry("registry:5000/x/swift-deploy-1-node:2", true)]
#[case::other("swift-deploy-1-node-fork:2", false)]
fn only_the_sample_service_brings_its_own_health_check(#[case] image: &str, #[case] expected: bool) {
    let text = LEAST.replace("image: app", &format!("image: '{image}'"));
    assert_eq!(parse(&text).unwrap().manifest().services.health.command.is_some(), expected);
}

#[rstest]
#[case::path("team/app")]
#[case::registry("registry.example.com:5000/team/app")]
#[case::localhost("localhost/app:v1")]
#[case::tag_with_signs("app:v1_2.3-rc.1")]
#[case::double_underscore("my__app/a-b.c")]
#[case::dashes("a---b")]
#[case::digest("app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
fn image_references(#[case] image: &str) {
    let text = LEAST.replace("image: app", &format!("image: '{image}'"));
    assert_eq!(parse(&text).unwrap().manifest().services.image, image);
}

#[rstest]
#[case::text("A: info", "info")]
#[case::number("A: 8080", "8080")]
#[case::spelling_of_a_number("A: 1.10", "1.10")]
#[case::truth("A: True", "True")]
#[case::yes_is_a_word("A: yes", "yes")]
#[case::empty("A: ''", "")]
#[case::password(r#"A: 'p$a"s#s; {x}'"#, r#"p$a"s#s; {x}"#)]
fn environment_variables_are_taken_as_written(#[case] entry: &str, #[case] expected: &str) {
    let text =
        format!("services:\n  image: app\n  port: 1\n  env:\n    {entry}\nnginx: {{image: n, port: 2}}\n");
    assert_eq!(parse(&text).unwrap().manifest().services.env["A"], expected);
}

#[test]
fn aliases_are_understood() {
    let text = "services:\n  image: &image app:1\n  port: 1\nnginx: {image: nginx, port: 2}\ncanary: {image: *image}\n";
    assert_eq!(parse(text).unwrap().manifest().canary.image.as_deref(), Some("app:1"));
}
