//! The manifest: its text, its edits in place, and the files made from it.
//!
//! What loads can be edited so that nothing else changes, and can be rendered
//! so that no value becomes a directive, a key or a line of its own.

mod edits;
mod files;

use std::path::Path;

use swiftdeploy::manifest::{Document, ManifestError};

/// Loads a text, whatever it is.
///
/// # Panics
/// When something does not hold.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Document::parse(Path::new("manifest.yaml"), text) {
        Ok(document) => {
            assert_eq!(document.text(), text);
            edits::check(&document);
            files::check(document.manifest());
        }
        Err(error) => told(&error, text),
    }
}

fn told(error: &ManifestError, text: &str) {
    let lines = text.split('\n').count();
    assert!(!error.problems().is_empty(), "{error}");
    for problem in error.problems() {
        assert!((1..=lines).contains(&problem.line()), "line {} of {lines}: {error}", problem.line());
        assert!(problem.column() >= 1, "{error}");
        let message = problem.message();
        assert!(!message.is_empty() && !message.contains(char::is_control), "{message:?}");
    }
}
