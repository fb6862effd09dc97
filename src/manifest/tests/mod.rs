//! What a person sees of the manifest: what is accepted, what is refused and
//! in which words, what an edit leaves alone, what the schema says.

mod edits;
mod meaning;
mod refusals;
mod schema;

use std::path::Path;

use super::{Document, ManifestError};

const SEED: &str = include_str!("../../../manifest.yaml");
const FULL: &str = include_str!("../fixtures/full.yaml");

/// The least that is a manifest.
const LEAST: &str = "services: {image: app, port: 3000}\nnginx: {image: nginx, port: 8080}\n";

fn parse(text: &str) -> Result<Document, ManifestError> {
    Document::parse(Path::new("manifest.yaml"), text)
}

/// Every problem as `line:column key: message`.
fn problems(text: &str) -> Vec<String> {
    let error = parse(text).expect_err("the text should be refused");
    error
        .problems()
        .iter()
        .map(|problem| {
            let key = problem.key().map(|key| format!(" {key}")).unwrap_or_default();
            format!("{}:{}{key}: {}", problem.line(), problem.column(), problem.message())
        })
        .collect()
}
