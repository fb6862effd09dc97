//! The exposition parser, in both formats.
//!
//! Strict and whole: each line is a sample, a comment or blank, or the body is
//! an error with its line. What is read prints, and reads back as the same.

use swiftdeploy::telemetry;
use swiftdeploy::telemetry::exposition::{Exposition, Format, Malformed, parse};

/// Reads a body, whatever it is.
///
/// # Panics
/// When something does not hold.
pub fn check(body: &[u8]) {
    for format in [Format::Text, Format::OpenMetrics] {
        match parse(body, format) {
            Ok(exposition) => whole(&exposition, body),
            Err(malformed) => told(&malformed, body),
        }
    }
    let saved = parse(body, Format::of_saved(body));
    let counts = saved.map(|exposition| (exposition.samples().len(), exposition.family_count()));
    assert_eq!(telemetry::check(body).map(|checked| (checked.samples, checked.families)), counts);
}

fn whole(exposition: &Exposition<'_>, body: &[u8]) {
    let text = std::str::from_utf8(body).expect("what was read is UTF-8");
    // Lines with something in them that is no comment, counted without the parser.
    let said = text.split('\n').map(|line| line.trim_matches([' ', '\t']));
    let said: Vec<usize> = said
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(index, _)| index + 1)
        .collect();
    let read: Vec<usize> = exposition.samples().iter().map(|sample| sample.line).collect();
    assert_eq!(read, said, "one sample for each line, none made up");
    assert!(exposition.families().len() <= text.lines().count(), "one family for each comment at most");
    assert!(exposition.family_count() <= exposition.families().len() + said.len());

    let printed = exposition.to_string();
    let again = parse(&printed, exposition.format())
        .unwrap_or_else(|malformed| panic!("what was printed does not read back: {malformed}\n{printed}"));
    assert_eq!(&again, exposition, "what was printed reads as something else:\n{printed}");
    assert_eq!(again.to_string(), printed);
}

fn told(malformed: &Malformed, body: &[u8]) {
    let lines = body.split(|&byte| byte == b'\n').count();
    assert!(malformed.line <= lines, "{malformed}, of {lines} lines");
    assert!(!malformed.reason.is_empty(), "{malformed:?}");
    assert!(!malformed.reason.contains(char::is_control), "{malformed:?}");
}
