//! Where the releases in the slots listen. The proxy is told what runs, not what
//! the manifest says: a release that was started before an edit of its name or its
//! port goes on under the old ones, and the traffic may go back to it.

use super::{DockerRuntime, containers, observe};
use crate::domain::stack::Role;
use crate::runtime::{RuntimeError, SlotServer, SlotServers};

/// The servers of all slots that have a container.
pub async fn running(runtime: &DockerRuntime) -> Result<SlotServers, RuntimeError> {
    let mut servers = SlotServers::new();
    let mut found = containers::list(&runtime.client).await?;
    // One that runs replaces one that does not.
    found.sort_by_key(|found| found.is_running);
    for found in found {
        let Some(Role::App { slot, .. }) = found.role else { continue };
        let Some(inspected) = containers::inspect(&runtime.client, &found).await? else { continue };
        let port = observe::app_port(&inspected).unwrap_or(runtime.service_port);
        servers.insert(slot, SlotServer { service: found.service, port });
    }
    Ok(servers)
}
