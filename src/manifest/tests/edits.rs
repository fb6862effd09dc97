//! What an edit changes, and that it changes nothing else.

use proptest::prelude::*;
use rstest::rstest;

use super::super::*;
use super::{FULL, SEED, parse};
use crate::domain::Mode;

fn mode(mode: Mode) -> Edit {
    Edit { mode: Some(mode), ..Edit::default() }
}

const TAIL: &str = "nginx: {image: nginx, port: 8080}\n";

#[rstest]
#[case::plain("services:\n  image: a\n  port: 1\n  mode: stable\n")]
#[case::double_quoted("services:\n  image: a\n  port: 1\n  mode: \"stable\"\n")]
#[case::single_quoted("services:\n  image: a\n  port: 1\n  mode: 'stable'\n")]
#[case::comment_behind("services:\n  image: a\n  port: 1\n  mode: stable   # stable or canary\n")]
#[case::comment_saying_the_same(
    "services:\n  # mode: stable\n  mode: stable # mode: stable\n  image: a\n  port: 1\n"
)]
#[case::byte_order_mark("\u{feff}services:\n  image: a\n  port: 1\n  mode: stable\n")]
#[case::crlf("services:\r\n  image: a\r\n  port: 1\r\n  mode: stable\r\n")]
#[case::characters_of_many_bytes(
    "# ä€𝄞\nservices:\n  image: a\n  port: 1\n  env: {A: ä€𝄞}\n  mode: stable\n"
)]
#[case::flow("services: { mode: stable , image: a, port: 1 }\n")]
#[case::flow_over_lines("services: {\n  mode:\n    stable,\n  image: a,\n  port: 1 }\n")]
#[case::json("\"services\": {\"mode\": \"stable\", \"image\": \"a\", \"port\": 1}\n")]
#[case::unused_anchor("services:\n  image: a\n  port: 1\n  mode: &mode stable\n")]
#[case::tag("services:\n  image: a\n  port: 1\n  mode: !!str stable\n")]
#[case::value_on_its_own_line("services:\n  image: a\n  port: 1\n  mode:\n      stable\n")]
#[case::spaces("services:\n     image: a\n     port: 1\n     mode:      stable     \n")]
#[case::explicit_key("services:\n  image: a\n  port: 1\n  ? mode\n  : stable\n")]
#[case::quoted_key("services:\n  image: a\n  port: 1\n  'mode': stable\n")]
#[case::first_key("services:\n  mode: stable\n  image: stable\n  port: 1\n")]
fn the_mode_is_changed_in_every_layout(#[case] services: &str) {
    for text in [format!("{services}{TAIL}"), format!("{services}{}", TAIL.trim_end())] {
        let document = parse(&text).unwrap();
        let edited = document.with(&mode(Mode::Canary)).unwrap();
        assert_eq!(edited.manifest().services.mode, Mode::Canary);
        assert_eq!(edited.text().len(), text.len(), "the words are as long as each other");
        let differing =
            text.bytes().zip(edited.text().bytes()).filter(|(before, after)| before != after).count();
        assert!(differing <= "stable".len(), "{differing} bytes differ:\n{}", edited.text());
        assert_eq!(edited.with(&mode(Mode::Stable)).unwrap().text(), text, "and back");
        assert_eq!(document.text(), text, "the document itself is not touched");
    }
}

#[rstest]
#[case::behind_the_version(
    "services:\n  image: a\n  version: '1.0' # v\n  port: 1\n",
    "services:\n  image: a\n  version: '1.0' # v\n  mode: canary\n  port: 1\n"
)]
#[case::behind_the_port(
    "services:\n    image: a\n    port: 1\n",
    "services:\n    image: a\n    port: 1\n    mode: canary\n"
)]
#[case::crlf(
    "services:\r\n  image: a\r\n  port: 1\r\n",
    "services:\r\n  image: a\r\n  port: 1\r\n  mode: canary\r\n"
)]
#[case::flow("services: {image: a, port: 1}\n", "services: {image: a, port: 1, mode: canary}\n")]
#[case::json(
    "{\"services\": {\n  \"image\": \"a\",\n  \"port\": 1\n}, ",
    "{\"services\": {\n  \"image\": \"a\",\n  \"port\": 1, \"mode\": \"canary\"\n}, "
)]
#[case::behind_a_list_of_lines(
    "services:\n  image: a\n  port: 1\n  command:\n  - x\n",
    "services:\n  image: a\n  port: 1\n  mode: canary\n  command:\n  - x\n"
)]
fn a_missing_mode_is_written_behind_a_sibling(#[case] before: &str, #[case] after: &str) {
    let tail = if before.starts_with('{') { "\"nginx\": {\"image\": \"n\", \"port\": 2}}" } else { TAIL };
    let document = parse(&format!("{before}{tail}")).unwrap();
    assert_eq!(document.with(&mode(Mode::Canary)).unwrap().text(), format!("{after}{tail}"));
    let same = document.with(&mode(Mode::Stable)).unwrap();
    assert_eq!(same.text(), document.text(), "the default needs no line");
}

#[test]
fn a_last_line_without_line_end_stays_one() {
    let text = format!("{TAIL}services:\n  image: a\n  port: 1");
    let edited = parse(&text).unwrap().with(&mode(Mode::Canary)).unwrap();
    assert_eq!(edited.text(), format!("{text}\n  mode: canary"));
}

#[rstest]
#[case::alias("services:\n  image: a\n  port: 1\n  env: {M: &m stable}\n  mode: *m\n", "alias of a value")]
#[case::alias_of_the_section("services: *other\n", "alias of a section")]
#[case::anchor_used_elsewhere(
    "services:\n  mode: &m stable\n  image: a\n  port: 1\n  env: {M: *m}\n",
    "anchor is used elsewhere"
)]
#[case::block_scalar("services:\n  image: a\n  port: 1\n  mode: >-\n    stable\n", "over several lines")]
#[case::literal_block("services:\n  image: a\n  port: 1\n  mode: |-\n    stable\n", "over several lines")]
#[case::escapes("services:\n  image: a\n  port: 1\n  mode: \"st\\x61ble\"\n", "with escapes")]
fn what_cannot_be_changed_exactly_is_left_to_the_person(#[case] services: &str, #[case] reason: &str) {
    let document = parse(&format!("nginx: &other {{image: nginx, port: 8080}}\n{services}")).unwrap();
    let error = document.with(&mode(Mode::Canary)).unwrap_err();
    assert!(matches!(error, ManifestError::CannotEdit { .. }), "{error}");
    assert!(error.to_string().contains(reason), "{error}");
    assert!(error.next_step().contains("`mode: canary` under `services`"), "{}", error.next_step());
}

#[test]
fn a_release_is_adopted_with_its_quotes() {
    let edit = Edit {
        mode: Some(Mode::Stable),
        image: Some(
            "registry:5000/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                .into(),
        ),
        version: Some("1.10".into()),
    };
    insta::assert_snapshot!(parse(SEED).unwrap().with(&edit).unwrap().text());
}

#[test]
fn a_version_that_would_become_a_number_gets_quotes() {
    let text = format!("services:\n  image: a\n  port: 1\n  version: 1.0.0\n{TAIL}");
    let edit = Edit { version: Some("1.10".into()), ..Edit::default() };
    let edited = parse(&text).unwrap().with(&edit).unwrap();
    assert_eq!(edited.text(), text.replace("1.0.0", "\"1.10\""));
    assert_eq!(edited.manifest().services.version, "1.10");
}

#[test]
fn adopting_the_sample_image_may_change_its_own_health_check_only() {
    let text = format!("services:\n  image: a\n  port: 1\n{TAIL}");
    let edit = Edit { image: Some("swift-deploy-1-node:2".into()), ..Edit::default() };
    let edited = parse(&text).unwrap().with(&edit).unwrap();
    assert_eq!(edited.text(), text.replace("image: a", "image: swift-deploy-1-node:2"));
    assert!(edited.manifest().services.health.command.is_some());
}

#[rstest]
#[case::injection("1.0\n  evil: yes")]
#[case::comment("1 # x")]
#[case::quote("1\"")]
#[case::empty("")]
fn a_value_that_a_manifest_may_not_hold_is_not_written(#[case] version: &str) {
    let edit = Edit { version: Some(version.into()), ..Edit::default() };
    let error = parse(SEED).unwrap().with(&edit).unwrap_err();
    assert!(matches!(error, ManifestError::CannotEdit { .. }), "{error}");
}

/// A manifest in one of many layouts, with the mode marked by `\u{1}` where
/// it stands.
fn layouts() -> impl Strategy<Value = String> {
    let comment = prop_oneof![Just(String::new()), "[ -~äß€]{0,12}".prop_map(|text| format!(" # {text}"))];
    let quote = prop_oneof![Just(""), Just("'"), Just("\"")];
    let order = Just(vec!["image: stable", "port: 3000", "name: canary", "\u{1}", "env: {MODE_OF: stable}"])
        .prop_shuffle();
    let bits = (any::<bool>(), any::<bool>(), any::<bool>(), 1_usize..6, 1_usize..4);
    (comment, quote, order, bits).prop_map(|(comment, quote, order, (bom, crlf, last, indent, gap))| {
        let mut lines = vec![format!("# head{comment}")];
        let proxy = "nginx: {image: nginx, port: 8080, }".to_owned();
        if !last {
            lines.push(proxy.clone());
        }
        lines.push(format!("services:{comment}"));
        for key in order {
            let pad = " ".repeat(indent);
            match key {
                "\u{1}" => lines.push(format!("{pad}mode:{}{quote}\u{1}{quote}{comment}", " ".repeat(gap))),
                key => lines.push(format!("{pad}{key}{comment}")),
            }
        }
        if last {
            lines.push(proxy);
        }
        let end = if crlf { "\r\n" } else { "\n" };
        format!("{}{}{}", if bom { "\u{feff}" } else { "" }, lines.join(end), if last { "" } else { end })
    })
}

proptest! {
    #[test]
    fn every_other_byte_stays(layout in layouts()) {
        let before = layout.replace('\u{1}', "stable");
        let after = layout.replace('\u{1}', "canary");
        let document = parse(&before).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let edited = document.with(&mode(Mode::Canary)).unwrap();
        prop_assert_eq!(edited.text(), after);
        let back = edited.with(&mode(Mode::Stable)).unwrap();
        prop_assert_eq!(back.text(), before);
    }

    #[test]
    fn an_inserted_line_is_all_that_is_new(layout in layouts()) {
        let marked = layout.split_inclusive('\n').find(|line| line.contains('\u{1}')).unwrap();
        let without = layout.replace(marked, "");
        let document = parse(&without).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let edited = document.with(&mode(Mode::Canary)).unwrap();
        let new = edited.text().lines().filter(|line| line.trim_start().starts_with("mode: canary")).count();
        prop_assert_eq!(new, 1);
        let kept: Vec<&str> = edited.text().lines().filter(|line| !line.trim_start().starts_with("mode: canary")).collect();
        prop_assert_eq!(kept, without.lines().collect::<Vec<_>>());
    }

    #[test]
    fn adopting_any_release_gives_that_release(image in "[a-z0-9]{1,8}(/[a-z]{1,5})?(:[A-Za-z0-9_][A-Za-z0-9._-]{0,8})?", version in "[A-Za-z0-9][A-Za-z0-9._+-]{0,10}") {
        let edit = Edit { mode: None, image: Some(image.clone()), version: Some(version.clone()) };
        for text in [SEED, FULL] {
            let document = parse(text).unwrap();
            let edited = document.with(&edit).unwrap();
            let mut expected = document.manifest().clone();
            expected.services.image.clone_from(&image);
            expected.services.version.clone_from(&version);
            expected.services.health.command.clone_from(&edited.manifest().services.health.command);
            prop_assert_eq!(edited.manifest(), &expected);
            prop_assert_eq!(edited.text().lines().count(), text.lines().count());
        }
    }
}
