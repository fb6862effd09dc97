//! What is relied on in the interpreter.

use super::{VERSION, one_line};

#[test]
fn version_shown_is_the_version_linked() {
    let lock = include_str!("../../Cargo.lock");
    let (name, version) = VERSION.split_once(' ').unwrap();
    let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
    assert!(lock.contains(&entry), "Cargo.lock has another {name} than {version}");
}

#[test]
fn drawn_errors_become_one_line() {
    let drawn =
        "\n--> policies/infra.rego:12:3\n   |\n12 | x := y\n   |   ^\nerror: use of undefined variable";
    assert_eq!(one_line(drawn), "policies/infra.rego:12:3: use of undefined variable");
    assert_eq!(one_line("not\n  drawn"), "not drawn");
}
