//! The JSON Schema agrees with the reader.

use jsonschema::Validator;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::super::{rules, schema};
use super::{FULL, LEAST, SEED, parse};

const COMMITTED: &str = include_str!("../../../assets/manifest.schema.json");

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

fn json_of(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap()
}

#[test]
fn the_committed_schema_is_current() {
    let current = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/manifest.schema.json"), &current)
            .unwrap();
    } else {
        assert_eq!(COMMITTED, current, "run this test with UPDATE_SCHEMA=1 and commit the file");
    }
}

#[test]
fn the_schema_is_a_schema() {
    assert!(jsonschema::meta::is_valid(&schema()));
    assert_eq!(schema()["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema()["$id"].is_string());
}

#[rstest]
#[case::seed(SEED)]
#[case::full(FULL)]
#[case::least(LEAST)]
fn manifests_are_accepted(#[case] text: &str) {
    let validator = validator();
    let errors: Vec<String> = validator.iter_errors(&json_of(text)).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[rstest]
#[case::unknown_key("services: {prot: 1, image: a, port: 1}\nnginx: {image: n, port: 1}")]
#[case::unknown_section("servcies: {}\nservices: {image: a, port: 1}\nnginx: {image: n, port: 1}")]
#[case::missing_section("services: {image: a, port: 1}")]
#[case::missing_key("services: {image: a}\nnginx: {image: n, port: 1}")]
#[case::empty_key("services: {image: a, port: }\nnginx: {image: n, port: 1}")]
#[case::port("services: {image: a, port: 70000}\nnginx: {image: n, port: 1}")]
#[case::mode("services: {image: a, port: 1, mode: blue}\nnginx: {image: n, port: 1}")]
#[case::swarm("target: swarm\nservices: {image: a, port: 1}\nnginx: {image: n, port: 1}")]
#[case::unit("services: {image: a, port: 1}\nnginx: {image: n, port: 1, proxy_timeout: 30 s}")]
fn what_the_reader_refuses_the_schema_refuses(#[case] text: &str) {
    assert!(!validator().is_valid(&json_of(text)));
    assert!(parse(text).is_err());
}

#[rstest]
#[case::number("30")]
#[case::seconds("30s")]
#[case::quoted("\"30s\"")]
#[case::compound("1m30s")]
fn durations_are_numbers_or_text(#[case] value: &str) {
    let text = LEAST.replace("port: 8080", &format!("port: 8080, proxy_timeout: {value}"));
    assert!(validator().is_valid(&json_of(&text)));
    assert!(parse(&text).is_ok());
}

/// Walks the schema along the references and calls back for each property
/// with its path and its own schema.
fn properties(root: &Value, at: &Value, path: &mut Vec<String>, visit: &mut impl FnMut(&[String], &Value)) {
    let at = match at["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => at,
    };
    let Some(members) = at["properties"].as_object() else { return };
    for (name, member) in members {
        path.push(name.clone());
        visit(path, member);
        properties(root, member, path, visit);
        path.pop();
    }
}

#[test]
fn every_key_is_described_and_every_default_is_the_one_that_the_reader_takes() {
    let root = schema();
    let base = parse(LEAST).unwrap();
    let mut defaults = 0;
    properties(&root, &root, &mut Vec::new(), &mut |path, member| {
        let name = path.join(".");
        assert!(member["description"].is_string(), "{name} has no description");
        for value in
            member.get("default").into_iter().chain(member["examples"].as_array().into_iter().flatten())
        {
            let mut manifest = json_of(LEAST);
            let mut node = &mut manifest;
            for key in path {
                node = &mut node[key.as_str()];
            }
            *node = value.clone();
            let document = parse(&manifest.to_string()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(validator().is_valid(&manifest), "{name}");
            if member.get("default") == Some(value) {
                defaults += 1;
                assert_eq!(document.manifest(), base.manifest(), "the default of {name}");
            }
        }
    });
    assert!(defaults >= 30, "{defaults}");
}

#[test]
fn the_full_fixture_uses_every_key() {
    let root = schema();
    let full = json_of(FULL);
    properties(&root, &root, &mut Vec::new(), &mut |path, _| {
        let found = path.iter().try_fold(&full, |node, key| node.get(key.as_str()));
        assert!(found.is_some(), "{} is not in fixtures/full.yaml", path.join("."));
    });
}

type Rule = fn(&str) -> rules::Verdict;

/// The rules beside the patterns that the schema shows.
const RULES: [(&str, Rule, &str); 12] = [
    ("name", rules::name, rules::NAME),
    ("image", rules::image, rules::IMAGE),
    ("version", rules::version, rules::VERSION),
    ("contact", rules::contact, rules::CONTACT),
    ("network", rules::network, rules::NETWORK),
    ("driver", rules::driver, rules::DRIVER),
    ("env name", rules::env_name, rules::ENV_NAME),
    ("plain", rules::plain, rules::PLAIN),
    ("path", rules::path, rules::PATH),
    ("metric", rules::metric, rules::METRIC),
    ("label", rules::label, rules::LABEL),
    ("package", rules::package, rules::PACKAGE),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn rules_and_patterns_agree(text in prop_oneof![
        "[a-zA-Z0-9_./:@-]{0,14}",
        "/?[a-z.]{0,3}(/[a-z.]{0,3}){0,3}",
        "[a-z]{1,4}(\\.(if|with|data|infra|a1|_))?(\\.[a-z]{0,3})?",
        "(infra|canary|system|if|__a|_)[a-z.]{0,4}",
        "[a-z0-9]{1,3}([._-]{1,3}[a-z0-9]{1,2}){0,3}(:[A-Za-z0-9._-]{0,4})?",
        "[A-Za-z.-]{1,5}(:[0-9]{0,6})?/[a-z0-9/_-]{0,8}(:[a-z]{0,3})?",
        "/\\.swiftdeploy[a-z/]{0,3}",
        "[a-z0-9-]{38,42}",
        "[ -~]{0,8}",
        ".{0,6}",
        "[\\x00-\\x7f\\u0080-\\u00a0\\u2028\\u2029]{0,4}",
    ]) {
        for (name, rule, pattern) in RULES {
            let validator = VALIDATORS.with(|validators| validators[pattern].is_valid(&json!(text)));
            prop_assert_eq!(rule(&text).is_ok(), validator, "{} {:?}", name, text);
        }
    }
}

thread_local! {
    static VALIDATORS: std::collections::HashMap<&'static str, Validator> = RULES
        .iter()
        .map(|(_, _, pattern)| (*pattern, jsonschema::draft202012::new(&json!({ "pattern": pattern })).unwrap()))
        .collect();
}
