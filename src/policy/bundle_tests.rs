//! What a folder of policies is, and what is wrong with one.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rstest::rstest;
use serde_json::json;
use tempfile::TempDir;

use super::{PolicyBundle, STARTERS, package_of};
use crate::policy::Fault;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        write(folder.path(), name, content);
    }
    folder
}

fn write(dir: &Path, name: &str, content: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

const DATA: (&str, &str) = ("data.json", r#"{"thresholds": {"cpu_load": 2.0}}"#);

fn unusable(folder: &TempDir) -> String {
    match PolicyBundle::load(folder.path()) {
        Err(Fault::Policies { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_are_found_in_all_folders_and_sorted() {
    let folder = folder(&[
        DATA,
        ("b.rego", "# first\n\npackage b # last\n"),
        ("a/z.rego", "package a.z"),
        ("b_test.rego", "package b_test"),
        ("README.md", "not a policy"),
        (".hidden/x.rego", "no package"),
        (".tmp.rego", "no package"),
        (".tmp.json", "no json"),
    ]);
    let bundle = PolicyBundle::load(folder.path()).unwrap();
    let paths: Vec<_> = bundle.modules().iter().map(|module| module.path.as_str()).collect();
    assert_eq!(paths, ["a/z.rego", "b.rego"]);
    assert_eq!(bundle.packages().into_iter().collect::<Vec<_>>(), ["a.z", "b"]);
    assert_eq!(bundle.tests()[0].package, "b_test");
    assert_eq!(bundle.thresholds(), &json!({"cpu_load": 2.0}));
}

#[test]
fn revision_changes_with_what_decides_and_with_nothing_else() {
    let folder = folder(&[DATA, ("a.rego", "package a\n"), ("a_test.rego", "package a_test\n")]);
    let revision = || PolicyBundle::load(folder.path()).unwrap().revision().to_owned();
    let first = revision();
    assert_eq!(first.len(), 12);
    assert!(first.chars().all(|digit| digit.is_ascii_hexdigit()));

    write(folder.path(), "a_test.rego", "package a_test\n# more\n");
    assert_eq!(revision(), first);

    write(folder.path(), "a.rego", "package a\n# more\n");
    let second = revision();
    assert_ne!(second, first);

    write(folder.path(), "data.json", r#"{"thresholds": {"cpu_load": 3.0}}"#);
    assert_ne!(revision(), second);

    fs::rename(folder.path().join("a.rego"), folder.path().join("c.rego")).unwrap();
    let renamed = revision();
    write(folder.path(), "a.rego", "package a\n");
    assert_ne!(revision(), renamed);
}

#[test]
fn starters_are_a_complete_folder() {
    let folder = folder(STARTERS);
    let bundle = PolicyBundle::load(folder.path()).unwrap();
    assert_eq!(bundle.modules().len() + bundle.tests().len() + 1, STARTERS.len());
}

#[test]
fn missing_folder_is_named() {
    let reason = match PolicyBundle::load(Path::new("/nowhere/policies")) {
        Err(Fault::Policies { reason }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(reason.starts_with("/nowhere/policies: "), "{reason}");
}

#[test]
fn folder_without_policies_is_refused() {
    assert!(unusable(&folder(&[DATA])).contains("there is no .rego file"));
    assert!(unusable(&folder(&[DATA, ("a_test.rego", "package a_test")])).contains("there is no .rego file"));
}

#[rstest]
#[case::missing(None, "data.json: ")]
#[case::cut(Some("{\n\"thresholds\": {"), "data.json:2: ")]
#[case::empty(Some(""), "data.json:1: ")]
#[case::no_thresholds(Some("{}"), "with the object `thresholds`")]
#[case::thresholds_null(Some(r#"{"thresholds": null}"#), "with the object `thresholds`")]
#[case::thresholds_list(Some(r#"{"thresholds": [1]}"#), "with the object `thresholds`")]
#[case::no_object(Some("[]"), "with the object `thresholds`")]
#[case::not_proven(
    Some(r#"{"thresholds": {}, "freezes": []}"#),
    "data.json: `freezes` stands beside `thresholds`; put it under thresholds: only those are proven to be what the engine decides by"
)]
fn unusable_limits_are_refused(#[case] data: Option<&str>, #[case] hint: &str) {
    let folder = folder(&[("a.rego", "package a\n")]);
    if let Some(data) = data {
        write(folder.path(), "data.json", data);
    }
    let reason = unusable(&folder);
    assert!(reason.contains(hint), "{reason}");
}

#[rstest]
#[case("limits.json")]
#[case("teams/data.json")]
#[case("teams/more.yaml")]
#[case("more.yml")]
fn data_that_only_opa_would_load_is_refused(#[case] name: &str) {
    let folder = folder(&[DATA, ("a.rego", "package a\n"), (name, "{}")]);
    let reason = unusable(&folder);
    assert!(reason.contains(name) && reason.contains("move its content to data.json"), "{reason}");
}

/// One engine would read them as limits, and another would not.
#[rstest]
#[case("thresholds")]
#[case("thresholds.weekend")]
#[case("thresholds[\"weekend\"]")]
fn package_among_the_limits_is_refused(#[case] package: &str) {
    let reason =
        unusable(&folder(&[DATA, ("more.rego", &format!("package {package}\n\nmin_requests := 1000\n"))]));
    assert!(reason.contains("more.rego: the package") && reason.contains("give it another name"), "{reason}");
}

#[test]
fn file_without_a_package_line_is_named_with_its_line() {
    let reason = unusable(&folder(&[DATA, ("a.rego", "# text\n\nallow := true\n")]));
    assert!(reason.ends_with("a.rego:3: a package line must come first"), "{reason}");
}

#[test]
fn file_that_is_not_text_is_refused() {
    let folder = folder(&[DATA]);
    fs::write(folder.path().join("a.rego"), [0xff, 0xfe]).unwrap();
    assert!(unusable(&folder).contains("a.rego: "));
}

#[test]
fn file_that_is_far_too_large_is_refused() {
    let folder = folder(&[DATA, ("a.rego", &format!("package a\n# {}", "x".repeat(1024 * 1024)))]);
    assert!(unusable(&folder).contains("larger than"));
}

#[rstest]
#[case("package a", Ok("a"))]
#[case("\n# note\n  package a.b # why\nx := 1", Ok("a.b"))]
#[case("package", Err(1))]
#[case("package a b", Err(1))]
#[case("\nimport data.a\npackage a", Err(2))]
#[case("", Err(1))]
fn package_is_read_from_the_first_statement(#[case] source: &str, #[case] expected: Result<&str, usize>) {
    assert_eq!(package_of(source), expected.map(str::to_owned));
}

#[rstest]
#[case::nothing(None, true)]
#[case::hidden_file(Some((".b.rego.swp", "package c\n")), true)]
#[case::one_letter(Some(("b.rego", "package b\nx := 2\n")), false)]
#[case::longer(Some(("b.rego", "package b\nx := 1\n\n")), false)]
#[case::shorter(Some(("b.rego", "package b\n")), false)]
#[case::empty(Some(("b.rego", "")), false)]
#[case::a_test(Some(("b_test.rego", "package b_test\ny := 22\n")), false)]
#[case::limits(Some(("data.json", r#"{"thresholds": {"cpu_load": 3.0}}"#)), false)]
#[case::another_file(Some(("team/c.rego", "package c\n")), false)]
#[case::data_that_opa_would_load(Some(("more.json", "{}")), false)]
fn what_was_read_is_kept_while_the_files_are_the_same(
    #[case] written: Option<(&str, &str)>,
    #[case] is_kept: bool,
) {
    let folder =
        folder(&[DATA, ("b.rego", "package b\nx := 1\n"), ("b_test.rego", "package b_test\ny := 1\n")]);
    let known = Arc::new(PolicyBundle::load(folder.path()).unwrap());
    if let Some((name, text)) = written {
        write(folder.path(), name, text);
    }
    let again = PolicyBundle::load_or_keep(folder.path(), Some(Arc::clone(&known)));
    assert_eq!(again.as_ref().is_ok_and(|again| Arc::ptr_eq(again, &known)), is_kept);
    let anew = PolicyBundle::load(folder.path()).map(|bundle| bundle.revision().to_owned());
    assert_eq!(again.map(|bundle| bundle.revision().to_owned()), anew);

    for name in ["b.rego", "b_test.rego", "data.json"] {
        fs::remove_file(folder.path().join(name)).unwrap();
        let again = PolicyBundle::load_or_keep(folder.path(), Some(Arc::clone(&known)));
        assert!(!again.is_ok_and(|again| Arc::ptr_eq(&again, &known)), "without {name}");
    }
}

#[test]
fn limits_that_no_policy_names_are_told() {
    let policy = "package b\nx := data.thresholds.cpu_load\ny := data.thresholds[\"a-b\"] + min_requests\n";
    let limits = r#"{"thresholds": {"cpu_load": 1, "cpu": 1, "a-b": 1, "min_request": 1}}"#;
    let folder =
        folder(&[("data.json", limits), ("b.rego", policy), ("b_test.rego", "package t\nx := cpu\n")]);
    let bundle = PolicyBundle::load(folder.path()).unwrap();
    assert_eq!(bundle.unnamed_limits(), ["cpu", "min_request"]);
}
