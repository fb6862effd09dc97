//! Ending the whole stack: every process of ours, then every file of ours,
//! and nothing else.

use std::time::Duration;

use super::ending::Family;
use super::os::{self, ProcessId};
use super::record::project_token;
use super::{PROXY, Shared};
use crate::runtime::RuntimeError;

/// For a process whose record cannot be read any more.
const UNKNOWN_GRACE: Duration = Duration::from_secs(10);

impl Shared {
    /// Tells what went.
    pub async fn teardown(&self) -> Result<Vec<String>, RuntimeError> {
        let went = self.belongings()?;
        let mut services = self.records.services()?;
        // The proxy first: its requests still need the releases.
        services.sort_by_key(|service| service != PROXY);
        for service in services {
            let record = self.records.get(&service).ok().flatten();
            let grace = record.map_or(UNKNOWN_GRACE, |record| record.stop_grace());
            self.end_service(&service, grace).await?;
        }
        // Whatever a crash left without a record.
        let token = project_token(&self.layout);
        Family { token: &token, leader: None }.stop(UNKNOWN_GRACE).await.map_err(|error| {
            RuntimeError::Engine { doing: "ending what is left".into(), reason: error.to_string() }
        })?;
        self.layout.remove()?;
        Ok(went)
    }

    /// Processes of this state directory that no record names.
    pub fn orphans(&self) -> Vec<ProcessId> {
        let records = self.records.services().unwrap_or_default();
        let known: Vec<String> = records
            .iter()
            .filter_map(|service| self.records.get(service).ok().flatten())
            .map(|record| record.token)
            .collect();
        let mut orphans = os::family(&project_token(&self.layout), None);
        for token in known {
            let theirs = os::family(&token, None);
            orphans.retain(|id| !theirs.contains(id));
        }
        orphans
    }
}
