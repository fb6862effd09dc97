//! Edits in place: the one value changes, every other byte stays.

use swiftdeploy::domain::Mode;
use swiftdeploy::manifest::{Document, Edit, Manifest, ManifestError};

/// Another release, whose version would be a number without quotes.
const IMAGE: &str = "registry.example:5000/team/app:1.10";
const VERSION: &str = "1.10";

/// Edits a document in every way that the tool does.
pub(super) fn check(document: &Document) {
    for mode in [Mode::Stable, Mode::Canary] {
        let edit = Edit { mode: Some(mode), ..Edit::default() };
        let Some(edited) = edited(document, &edit) else { continue };
        let mut expected = document.manifest().clone();
        expected.services.mode = mode;
        assert_eq!(edited.manifest(), &expected, "{}", edited.text());
        bytes(document, &edited, document.manifest().services.mode.as_str(), mode.as_str());

        let back = Edit { mode: Some(document.manifest().services.mode), ..Edit::default() };
        let back = edited.with(&back).expect("an edit can be taken back");
        assert_eq!(back.manifest(), document.manifest());
    }
    let edit = Edit { image: Some(IMAGE.into()), version: Some(VERSION.into()), ..Edit::default() };
    if let Some(edited) = edited(document, &edit) {
        let mut expected: Manifest = document.manifest().clone();
        expected.services.image = IMAGE.into();
        expected.services.version = VERSION.into();
        // The sample image brings a health check of its own.
        expected.services.health.command.clone_from(&edited.manifest().services.health.command);
        assert_eq!(edited.manifest(), &expected, "{}", edited.text());
    }
}

/// The edited document, which reads back as the same; `None` when the person
/// was asked to do it by hand.
fn edited(document: &Document, edit: &Edit) -> Option<Document> {
    match document.with(edit) {
        Ok(edited) => {
            let again = Document::parse(edited.path(), edited.text());
            let again = again.unwrap_or_else(|error| panic!("an edit broke the manifest: {error}"));
            assert_eq!(again.manifest(), edited.manifest(), "{}", edited.text());
            Some(edited)
        }
        Err(ManifestError::CannotEdit { .. }) => None,
        Err(other) => panic!("{other}"),
    }
}

/// One place differs, and there only the word, or a new pair of key and word.
fn bytes(before: &Document, after: &Document, was: &str, is: &str) {
    let (before, after) = (before.text(), after.text());
    if before == after {
        return;
    }
    let start = before.bytes().zip(after.bytes()).take_while(|(left, right)| left == right).count();
    let (left, right) = (&before.as_bytes()[start..], &after.as_bytes()[start..]);
    let end = left.iter().rev().zip(right.iter().rev()).take_while(|(left, right)| left == right).count();
    let gone = String::from_utf8_lossy(&left[..left.len() - end]);
    let new = String::from_utf8_lossy(&right[..right.len() - end]);
    let is_word = gone == was && new.trim_matches(['"', '\'']) == is;
    // Cut where the texts differ, an inserted line may begin in the middle of itself.
    let mut pair: Vec<char> = new.chars().filter(|c| !c.is_whitespace() && !"\"',".contains(*c)).collect();
    pair.sort_unstable();
    let mut wanted: Vec<char> = format!("mode:{is}").chars().collect();
    wanted.sort_unstable();
    let is_pair = gone.is_empty() && pair == wanted;
    assert!(is_word || is_pair, "{gone:?} became {new:?} in\n{after}");
}
