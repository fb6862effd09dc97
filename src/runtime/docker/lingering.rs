//! What an nginx reload leaves behind. Old workers finish what they began and,
//! where nginx knows `keepalive_min_timeout`, keep idle client connections for
//! that time; on each they take one more request, by the old routes. A slot that
//! is stopped before they are gone loses it.
//!
//! An old worker says in its title that it shuts down, so that a slot without
//! such clients need not be waited for.

use std::time::Duration;

use bollard::query_parameters::TopOptions;

use super::client::Client;
use super::containers;
use crate::domain::stack::Role;
use crate::runtime::{KEPT_OVER_RELOAD, RuntimeError};

/// The title of a worker that was replaced by a reload.
const OLD_WORKER: &str = "worker process is shutting down";

/// How long after a reload requests may come by the old routes: no time once all
/// old workers have ended. Where that cannot be told, they have not.
pub async fn left(client: &Client) -> Duration {
    match has_old_worker(client).await {
        Ok(false) => Duration::ZERO,
        Ok(true) | Err(_) => KEPT_OVER_RELOAD,
    }
}

async fn has_old_worker(client: &Client) -> Result<bool, RuntimeError> {
    let proxy = containers::in_role(client, Role::Proxy).await?;
    let Some(proxy) = proxy.filter(|proxy| proxy.is_running) else { return Ok(false) };
    let call = client.docker.top_processes(&proxy.id, None::<TopOptions>);
    let top = client.read("listing nginx' processes", call).await?;
    Ok(top.processes.iter().flatten().flatten().any(|field| field.contains(OLD_WORKER)))
}
