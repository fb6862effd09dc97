//! Open Policy Agent's own configuration: what its API lets through.

use std::collections::BTreeSet;

use serde::Serialize;

use super::template::Template;
use super::{GENERATED, RenderError, safe};
use crate::manifest::Manifest;

const AUTHZ: Template = Template { name: "authz.rego", text: include_str!("../../templates/authz.rego.hbs") };

/// The gates that always exist.
const BUILT_IN: [&str; 2] = ["infra", "canary"];

#[derive(Serialize)]
struct View<'a> {
    generated: &'static str,
    packages: Vec<Vec<&'a str>>,
}

/// The files of `generated/opa/`: name and content. OPA starts with
/// `--authorization=basic`, which asks `system.authz` about every call.
///
/// # Errors
/// When a gate's package is not the name of a Rego package.
pub fn opa_files(manifest: &Manifest) -> Result<Vec<(String, String)>, RenderError> {
    let mut packages: Vec<Vec<&str>> = BUILT_IN.iter().map(|package| vec![*package]).collect();
    let mut seen: BTreeSet<&str> = BUILT_IN.into();
    for gate in &manifest.policy.gates {
        // One package may stand at several gates.
        if seen.insert(&gate.package) {
            packages.push(safe::package("policy.gates", &gate.package)?);
        }
    }
    let authz = AUTHZ.fill(&View { generated: GENERATED, packages })?;
    Ok(vec![(AUTHZ.name.to_owned(), authz)])
}
