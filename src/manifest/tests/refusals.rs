//! What is refused, where, and in which words.

use std::fs;

use proptest::prelude::*;
use rstest::rstest;

use super::super::*;
use super::{FULL, LEAST, SEED, parse, problems};

#[test]
fn a_misspelt_key_is_shown_with_its_line_and_the_right_word() {
    let text = SEED.replace("  port: 3000", "  prot: 3000");
    insta::assert_snapshot!(parse(&text).unwrap_err());
}

#[test]
fn all_problems_of_a_file_are_told_at_once_in_its_order() {
    let text = "\
services:
  name: My App
  image: Nginx Latest
  version: 1.10
  mode: blue
  env: {MODE: x, 1A: y}
  health: {interval: 10, wait: 5s, retries: 0}
  resources: {memory: 512m, cpus: 0}
  ports: 80
nginx:
  image:
  port: 70000
  proxy_timeout: '30'
  bind: localhost
network: {name: host, driver: bridge}
canary: {steps: [50, 10, 50], max_wait: 2d}
policy:
  gates:
    - {package: infra, before: deploy}
    - {package: team.data, before: rollback}
    - {before: deploy}
metrics: {requests: a-b, path: 'metrics', path_label: status_code}
target: swarm
unknown: 1
";
    insta::assert_snapshot!(parse(text).unwrap_err());
}

#[test]
fn an_empty_file_says_what_is_needed() {
    assert_eq!(problems(""), ["1:1 services: this section is missing", "1:1 nginx: this section is missing"]);
    assert_eq!(problems("# nothing\n").len(), 2);
    assert_eq!(problems("just words"), ["1:1: expected keys with values, found the text `just words`"]);
    assert_eq!(problems("- a\n- b\n"), ["1:1: expected keys with values, found a list"]);
}

#[test]
fn a_misspelt_section_is_not_missing_as_well() {
    let text = SEED.replace("services:", "service:").replace("nginx:\n", "ngnix:\n");
    assert_eq!(
        problems(&text),
        [
            "1:1 service: unknown key `service` at the top of a manifest",
            "7:1 ngnix: unknown key `ngnix` at the top of a manifest"
        ]
    );
}

#[test]
fn a_key_cannot_bring_control_characters_into_the_report() {
    let report = parse(&format!("{LEAST}\"a\\e[2J\\nb\": 1\n")).unwrap_err().to_string();
    assert!(!report.contains('\x1b'), "{report:?}");
    assert!(report.contains("unknown key `a\u{fffd}[2J\u{fffd}b`"), "{report}");
}

#[rstest]
#[case::services_image("  image: swift-deploy-1-node:latest\n", "services.image")]
#[case::services_port("  port: 3000\n", "services.port")]
#[case::nginx_image("  image: nginx:latest\n", "nginx.image")]
#[case::nginx_port("  port: 8080\n", "nginx.port")]
fn a_required_key_is_missed_and_an_empty_one_is_as_bad(#[case] line: &str, #[case] key: &str) {
    let section = if key.starts_with("services") { "1:1" } else { "7:1" };
    let missing = problems(&SEED.replace(line, ""));
    let section = if key.starts_with("services") { section } else { "7:1" };
    assert_eq!(missing, [format!("{section} {key}: this key is missing")]);

    let name = line.split(':').next().unwrap();
    for empty in ["", " ~", " null", " ''"] {
        let found = problems(&SEED.replace(line, &format!("{name}:{empty}\n")));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(key), "{found:?}");
    }
}

#[rstest]
#[case::duplicate("name: a\n  name: b", "2:3 services.name: the key `name` stands here twice")]
#[case::merge_key("<<: {name: a}", "2:3 services.<<: unknown key `<<` in `services`")]
#[case::key_that_is_no_word("[a]: b", "2:3 services: a key must be a word")]
#[case::section_for_a_value(
    "name: {a: b}",
    "2:9 services.name: expected a single value, found a section with keys"
)]
#[case::value_for_a_section(
    "health: fast",
    "2:11 services.health: expected keys with values, found the text `fast`"
)]
#[case::text_for_a_list(
    "command: run it",
    "2:12 services.command: expected a list, as in [a, b], found the text `run it`"
)]
#[case::empty_list("command: []", "2:12 services.command: the list is empty")]
#[case::list_element(
    "command: [a, {}]",
    "2:16 services.command[1]: expected a single value, found a section with keys"
)]
#[case::truth_for_text("name: true", "2:9 services.name: expected text, found the truth value true")]
#[case::number_for_text("version: 1.10", "2:12 services.version: expected text, found the number 1.10")]
#[case::infinite(
    "resources: {cpus: .inf}",
    "2:21 services.resources.cpus: `.inf` is not a number of processors"
)]
#[case::half_a_millisecond("stop_grace: 0.0005", "2:15 services.stop_grace: `0.0005` is not a duration")]
#[case::negative_time("stop_grace: -1", "2:15 services.stop_grace: `-1` is not a duration")]
#[case::huge_number(
    "health: {retries: 99999999999999999999999}",
    "2:21 services.health.retries: expected a whole number, found 99999999999999999999999"
)]
fn wrong_kinds_of_values(#[case] lines: &str, #[case] expected: &str) {
    let text = format!("services:\n  {lines}\n  image: app\n  port: 1\nnginx: {{image: n, port: 2}}\n");
    let found = problems(&text);
    if lines.contains('\n') {
        assert_eq!(found, [expected.replacen("2:3", "3:3", 1)]);
    } else {
        assert_eq!(found, [expected]);
    }
}

#[rstest]
#[case::zero("0")]
#[case::negative("-1")]
#[case::too_large("65536")]
#[case::text("http")]
#[case::quoted("'8080'")]
#[case::fraction("80.5")]
#[case::truth("true")]
fn a_port_is_a_number_from_1_to_65535(#[case] port: &str) {
    for key in ["services", "nginx"] {
        let text = LEAST.replace(&format!("{key}: {{image: "), &format!("{key}: {{port: {port}, image: "));
        let text = text.replace(", port: 3000", "").replace(", port: 8080", "");
        let text = if key == "services" {
            text.replace("image: nginx", "image: nginx, port: 8080")
        } else {
            text.replace("image: app", "image: app, port: 3000")
        };
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains(&format!("{key}.port")), "{found:?}");
    }
}

/// Every key whose text reaches a generated file unquoted or inside quotes.
const RENDERED: [&str; 20] = [
    "/project",
    "/contact",
    "/services/name",
    "/services/image",
    "/services/version",
    "/services/mode",
    "/services/restart_policy",
    "/services/stop_grace",
    "/services/health/path",
    "/services/health/interval",
    "/services/resources/memory",
    "/nginx/image",
    "/nginx/bind",
    "/nginx/proxy_timeout",
    "/network/name",
    "/network/driver_type",
    "/canary/image",
    "/canary/version",
    "/policy/image",
    "/metrics/path",
];

/// The full manifest with another value at one place; JSON is YAML.
fn full_with(pointer: &str, value: &str) -> String {
    let mut manifest: serde_json::Value = serde_saphyr::from_str(FULL).unwrap();
    *manifest.pointer_mut(pointer).unwrap() = value.into();
    manifest.to_string()
}

#[test]
fn no_sign_that_means_something_elsewhere_gets_into_a_rendered_value() {
    let controls = ['\n', '\r', '\t', '\0', '\u{1b}', '\u{7f}', '\u{85}', '\u{2028}'];
    let signs = ['"', '\'', ';', '{', '}', '$', '#', '\\', '`', '<', '>', '|', 'ü'];
    for pointer in RENDERED {
        let good: serde_json::Value = serde_saphyr::from_str(FULL).unwrap();
        let good = good.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        assert!(parse(&full_with(pointer, &good)).is_ok(), "{pointer} takes {good:?}");
        for bad in controls.into_iter().chain(signs) {
            let middle = good.len() / 2;
            for value in
                [format!("{}{bad}{}", &good[..middle], &good[middle..]), format!("{good}{bad} evil: yes")]
            {
                assert!(parse(&full_with(pointer, &value)).is_err(), "{pointer} takes {value:?}");
            }
        }
    }
}

#[rstest]
#[case::line_feed("a\nb")]
#[case::carriage_return("a\rb")]
#[case::nul("a\0b")]
#[case::next_line("a\u{85}b")]
#[case::escape("\u{1b}[2J")]
fn an_environment_variable_holds_one_line(#[case] value: &str) {
    let json = serde_json::to_string(value).unwrap();
    let text = LEAST.replace("port: 3000", &format!("port: 3000, env: {{A: {json}}}"));
    let found = problems(&text);
    assert!(found[0].contains("services.env.A") && found[0].contains("is not text of one line"), "{found:?}");
}

#[rstest]
#[case::upper_case("App")]
#[case::space("my app")]
#[case::no_tag("app:")]
#[case::two_tags("app:1:2")]
#[case::short_digest("app@sha256:12")]
#[case::other_digest("app@md5:0123")]
#[case::leading_dash("-app")]
#[case::double_slash("a//b")]
#[case::trailing_slash("a/")]
#[case::two_dots("a..b")]
#[case::protocol("https://a/b")]
#[case::port_without_number("a:/b")]
fn images_that_are_no_references(#[case] image: &str) {
    let text = LEAST.replace("image: app", &format!("image: '{image}'"));
    assert!(problems(&text)[0].contains("is not an image reference"), "{image}");
}

#[rstest]
#[case::no_slash("healthz")]
#[case::query("/a?b=c")]
#[case::fragment("/a#b")]
#[case::dots("/a/../b")]
#[case::double_slash("//a")]
#[case::percent("/%2e")]
#[case::space("/a b")]
#[case::the_proxys_own("/.swiftdeploy/generation")]
fn paths_that_mean_something_else_to_a_proxy(#[case] path: &str) {
    let text = LEAST.replace("port: 3000", &format!("port: 3000, health: {{path: '{path}'}}"));
    assert!(problems(&text)[0].contains("services.health.path"), "{path}");
}

#[rstest]
#[case::infra("infra")]
#[case::below_canary("canary.mine")]
#[case::system("system.authz")]
#[case::keyword("team.if")]
#[case::data("data.team")]
#[case::dash("team-a")]
#[case::trailing_dot("team.")]
#[case::digit("1team")]
fn packages_that_cannot_be_a_gate_of_ones_own(#[case] package: &str) {
    let text = format!("{LEAST}policy: {{gates: [{{package: '{package}', before: deploy}}]}}\n");
    assert!(problems(&text)[0].contains("policy.gates[0].package"), "{package}");
}

#[rstest]
#[case::not_rising("[10, 10, 100]", "canary.steps[1]: 10 does not rise above 10")]
#[case::not_ending("[10, 50]", "canary.steps: the last step is 50, not 100")]
#[case::above("[10, 101]", "canary.steps[1]: 101 is out of range")]
#[case::zero("[0, 100]", "canary.steps[0]: 0 is out of range")]
#[case::empty("[]", "canary.steps: the list is empty")]
#[case::number("100", "canary.steps: expected a list, as in [a, b], found the number 100")]
fn steps_rise_to_100(#[case] steps: &str, #[case] expected: &str) {
    let found = problems(&format!("{LEAST}canary: {{steps: {steps}}}\n"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with(expected), "{found:?}");
}

#[test]
fn the_policy_engine_does_not_take_the_proxys_port() {
    let found = problems(&format!("{LEAST}policy: {{port: 8080}}\n"));
    assert!(found[0].contains("policy.port: 8080 is the proxy's port already"), "{found:?}");
}

#[test]
fn swarm_has_an_answer_of_its_own() {
    let error = parse(&format!("{LEAST}target: swarm\n")).unwrap_err();
    assert_eq!(error.problems()[0].message(), "the target `swarm` is not available yet");
    assert!(error.problems()[0].help().unwrap().contains("`docker`"));
}

#[test]
fn files_that_cannot_be_read_say_why_and_what_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.yaml");

    let missing = Document::load(&path).unwrap_err();
    assert!(matches!(missing, ManifestError::NotFound { .. }));
    assert!(missing.next_step().contains("swiftdeploy new"));

    fs::write(&path, b"a: 1\nb: \xff\xfe\n").unwrap();
    let not_text = Document::load(&path).unwrap_err();
    assert!(matches!(not_text, ManifestError::NotUtf8 { offset: 8, line: 2, .. }), "{not_text:?}");
    assert!(not_text.to_string().contains("byte 8 (line 2)"), "{not_text}");

    fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(matches!(Document::load(&path).unwrap_err(), ManifestError::TooLarge { limit: 1_048_576, .. }));

    let full = format!("{SEED}{}", "#".repeat((1 << 20) - SEED.len()));
    fs::write(&path, full).unwrap();
    assert!(Document::load(&path).is_ok());

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(Document::load(&path).unwrap_err(), ManifestError::Read { .. }));
}

#[test]
fn a_long_list_of_problems_is_cut() {
    let keys: Vec<String> = (0..30).map(|number| format!("zz{number}: 1\n")).collect();
    let error = parse(&format!("{LEAST}{}", keys.concat())).unwrap_err();
    assert_eq!(error.problems().len(), 30);
    assert!(error.to_string().ends_with("and 10 more"), "{error}");
}

#[test]
fn a_file_full_of_nonsense_is_refused_without_effort() {
    let keys: Vec<String> = (0..2_000).map(|number| format!("k{number}: 1\n")).collect();
    let text = format!("{}{}", "#".repeat(900_000), "\n") + &keys.concat();
    assert_eq!(parse(&text).unwrap_err().problems().len(), 102);
    let keys: Vec<String> = (0..20_000).map(|number| format!("k{number}: 1\n")).collect();
    assert!(problems(&keys.concat())[0].contains("far more"));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = parse(&text).map_err(|error| error.to_string());
    }

    #[test]
    fn no_damage_to_a_manifest_makes_the_reader_panic(at in 0..FULL.len(), bytes in "\\PC{0,3}|[\\n\\t:{}&*#-]{1,2}", cut in 0_usize..4) {
        let at = (0..=at).rev().find(|at| FULL.is_char_boundary(*at)).unwrap();
        let end = (at + cut..FULL.len()).find(|end| FULL.is_char_boundary(*end)).unwrap_or(FULL.len());
        let text = [&FULL[..at], &bytes, &FULL[end..]].concat();
        if let Err(error) = parse(&text) {
            prop_assert!(!error.problems().is_empty());
            let report = error.to_string();
            prop_assert!(!report.contains('\x1b'), "an escape sequence reaches the terminal");
        }
    }
}
