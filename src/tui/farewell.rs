//! What there is to say after the app has closed.

use std::path::Path;

use super::state::State;
use crate::domain::Target;

/// What there is to say after the app has closed. Printing is the caller's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Farewell {
    /// That the stack keeps running, and how to end it; `None` when nothing
    /// runs.
    pub still_running: Option<String>,
}

impl Farewell {
    /// What the last state means for a shell in the folder `here`.
    #[must_use]
    pub(super) fn of(state: &State, here: Option<&Path>) -> Self {
        if !state.watch.is_running() {
            return Self::default();
        }
        let address = state
            .watch
            .manifest()
            .map(|manifest| format!(" at http://localhost:{}", manifest.nginx.port))
            .unwrap_or_default();
        let header = &state.header;
        // The default manifest needs no option; any other has to be named again.
        let manifest = here.and_then(|here| header.manifest.strip_prefix(here).ok());
        let manifest = manifest.unwrap_or(&header.manifest);
        let option = if manifest == Path::new("manifest.yaml") {
            String::new()
        } else {
            format!(" --manifest {}", manifest.display())
        };
        let project = &header.project;
        let target = header.target;
        // Docker is found by itself; the local target is never chosen silently.
        let is_named = state.watch.manifest().is_some_and(|manifest| manifest.target.is_some());
        let named = if target == Target::Local && !is_named { " --target local" } else { "" };
        Self {
            still_running: Some(format!(
                "{project} keeps running on {target}{address}; end it with: swiftdeploy teardown{option}{named}"
            )),
        }
    }
}
