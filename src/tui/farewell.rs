//! What there is to say after the app has closed.

use super::state::State;

/// What there is to say after the app has closed. Printing is the caller's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Farewell {
    /// That the stack keeps running, and how to end it; `None` when nothing
    /// runs.
    pub still_running: Option<String>,
}

impl Farewell {
    /// What the last state means.
    #[must_use]
    pub(super) fn of(state: &State) -> Self {
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
        let option = if header.manifest.file_name().is_some_and(|name| name == "manifest.yaml")
            && header.manifest.parent().is_none_or(|folder| folder.as_os_str().is_empty())
        {
            String::new()
        } else {
            format!(" --manifest {}", header.manifest.display())
        };
        let project = &header.project;
        let target = header.target;
        Self {
            still_running: Some(format!(
                "{project} keeps running on {target}{address}; end it with: swiftdeploy teardown{option}"
            )),
        }
    }
}
