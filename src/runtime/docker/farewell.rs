//! The last moments of an nginx that is to be replaced. It is asked to finish,
//! takes no new connection from then on, and where it keeps idle connections over
//! a reload (`keepalive_min_timeout`) it keeps them over its end too: for seconds
//! nobody would serve. So it lets them go before, while it still serves.

use std::time::Duration;

use super::helper::Helper;
use super::lingering;
use super::nginx::CONFIG;
use super::proxy::{self, Load, SERVED};
use super::{DockerRuntime, marker};
use crate::domain::Routes;
use crate::domain::stack::FileSet;
use crate::runtime::RuntimeError;

/// Time between two looks at the workers.
const LOOK: Duration = Duration::from_millis(100);

/// Makes the proxy of `load` serve what it serves without keeping connections, and
/// waits until no worker is left that keeps one. Nothing to do for one that keeps
/// none over a reload, or that is not where the new one will be: its clients have
/// to go elsewhere in any case.
pub async fn say(load: &Load<'_>) -> Result<(), RuntimeError> {
    let DockerRuntime { http, client, .. } = load.runtime;
    let Ok(serving) = marker::served(http, load.address).await else { return Ok(()) };
    let shared = Helper::folder(FileSet::ProxyConfig);
    let there = load.carrier.download(&shared).await?;
    let now = proxy::states(&there).into_iter().find(|routes| routes.generation == serving);
    let (Some(now), Some(text)) = (now, there.text(CONFIG)) else { return Ok(()) };
    let leaving = Routes { generation: format!("{serving}-leaving"), shares: now.shares.clone() };
    let Some(text) = without_kept_connections(text, &serving, &leaving.generation) else { return Ok(()) };
    load.carrier.upload(&shared, &proxy::files(text, &leaving, Some(&now))?).await?;
    load.load(&leaving.generation, SERVED).await?;
    let mut waited = Duration::ZERO;
    while waited < lingering::left(client).await {
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
    Ok(())
}

/// The configuration with another marker and without kept connections; `None`
/// where it keeps none over a reload.
fn without_kept_connections(text: &str, generation: &str, leaving: &str) -> Option<String> {
    let kept = text.lines().find(|line| line.trim_start().starts_with("keepalive_min_timeout "))?;
    let marker = |generation: &str| format!("return 200 '{generation}'");
    Some(text.replace(kept, "    keepalive_timeout 0;").replace(&marker(generation), &marker(leaving)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_marker_and_the_kept_connections_change() {
        let text =
            "http {\n    keepalive_min_timeout 5s;\n    server {\n return 200 'op-1';\n return 503 'op-1';";
        let leaving = without_kept_connections(text, "op-1", "op-1-leaving").unwrap();
        let expected = "http {\n    keepalive_timeout 0;\n    server {\n return 200 'op-1-leaving';\n return 503 'op-1';";
        assert_eq!(leaving, expected);
    }

    #[test]
    fn an_nginx_that_keeps_none_over_a_reload_is_left_as_it_is() {
        assert_eq!(without_kept_connections("http {\n keepalive_timeout 65;\n", "a", "b"), None);
    }
}
