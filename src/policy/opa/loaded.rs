//! Which policies OPA has loaded, and whether they are those on disk. Pure.

use serde::Deserialize;

use super::super::Fault;
use super::super::answer::{excerpt, malformed};
use super::super::bundle::{PolicyBundle, package_of};

/// A loaded policy, from `GET /v1/policies`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Loaded {
    /// The path by which OPA was given it; depends on where it runs.
    pub id: String,
    /// Its text.
    pub raw: String,
}

#[derive(Deserialize)]
struct Listing {
    result: Vec<Loaded>,
}

pub(super) fn read(body: &[u8]) -> Result<Vec<Loaded>, Fault> {
    serde_json::from_slice(body)
        .map(|Listing { result }| result)
        .map_err(|cause| malformed(format!("the list of loaded policies cannot be read: {cause}")))
}

/// What differs between OPA and the disk. Files are recognised by their text:
/// the same folder has another name inside a container.
///
/// A policy that only OPA has makes it stale, whatever its package: how Rego
/// may come to mention it (`data.lib`, `data["lib"]`, `data[input.name]`) does
/// not show in a text. `system` is OPA's own configuration.
pub(super) fn difference(loaded: &[Loaded], bundle: &PolicyBundle) -> Option<String> {
    if let Some(missing) =
        bundle.modules().iter().find(|module| !loaded.iter().any(|loaded| loaded.raw == module.source))
    {
        return Some(format!("{} on disk is not what the engine has loaded", missing.shown));
    }
    let is_on_disk = |loaded: &&Loaded| {
        bundle.modules().iter().chain(bundle.tests()).any(|module| module.source == loaded.raw)
    };
    loaded.iter().filter(|loaded| !is_on_disk(loaded)).find_map(|extra| {
        // What cannot be told apart counts.
        let package = package_of(&extra.raw).unwrap_or_default();
        (!is_configuration(&package)).then(|| {
            format!(
                "the engine has loaded {} (package {}), which is not on disk",
                excerpt(&extra.id, 80),
                excerpt(&package, 60)
            )
        })
    })
}

fn is_configuration(package: &str) -> bool {
    package.split(['.', '[']).next() == Some("system")
}
