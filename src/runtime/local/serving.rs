//! What the proxy serves. Three answers are kept apart: this, nothing since no
//! proxy runs, and unknown since one runs that does not tell. Taking the last
//! for the second would let a deploy replace the release that has the traffic.

use std::time::Duration;

use super::Shared;
use super::layout::read_json;
use super::os::ProcessId;
use super::probe::reachable;
use super::proxy::config::{ProxyConfig, ProxyStatus};
use crate::domain::Routes;
use crate::runtime::RuntimeError;

/// How long a proxy that runs may stay silent before that is an error: longer
/// than a start, a swap or a busy moment takes.
pub const SILENCE: Duration = Duration::from_secs(5);

/// Pause before it is asked again.
const POLL: Duration = Duration::from_millis(20);

impl Shared {
    /// The configuration in force: the proxy's own account, confirmed by what
    /// the public port answers. `None` when no proxy lives, an error when one
    /// lives and does not tell within `patience`.
    pub async fn serving(&self, patience: Duration) -> Result<Option<ProxyConfig>, RuntimeError> {
        let mut silent = None;
        let asking = async {
            while let Some(proxy) = self.living_proxy()? {
                match self.ask(proxy).await? {
                    Ok(config) => return Ok(Some(config)),
                    Err(why) => silent = Some((proxy, why)),
                }
                tokio::time::sleep(POLL).await;
            }
            Ok(None)
        };
        if let Ok(answer) = tokio::time::timeout(patience, asking).await {
            return answer;
        }
        let Some(proxy) = self.living_proxy()? else { return Ok(None) };
        let why = silent
            .filter(|(asked, _)| *asked == proxy)
            .map_or_else(|| "does not answer".to_owned(), |(_, why)| why);
        Err(RuntimeError::ProxySilent {
            seen: Vec::new(),
            reason: format!(
                "it runs (pid {pid}) but {why} for {patience:?}; if it is stopped, `kill -CONT {pid}`, if it \
                 hangs, `kill -KILL {pid}`, then repeat",
                pid = proxy.pid
            ),
        })
    }

    /// Asks once. In a swap account and answer differ for a moment.
    async fn ask(&self, proxy: ProcessId) -> Result<Result<ProxyConfig, String>, RuntimeError> {
        let Some(status) = self.proxy_status(proxy)? else {
            return Ok(Err("has not told what it serves".into()));
        };
        let config = status.serving;
        let address = reachable(config.rules.bind, config.rules.port);
        Ok(match self.probe.marker(address).await {
            Some(generation) if generation == config.routes.generation => Ok(config),
            Some(other) => Err(format!("answers {other} instead of {}", config.routes.generation)),
            None => Err(format!("does not answer on {address}")),
        })
    }

    /// What a proxy that does not live any more served last. Its own account
    /// is what counts: it may have ended before it took over the last
    /// configuration that it was handed.
    pub fn served_last(&self) -> Option<Routes> {
        match read_json::<ProxyStatus>(&self.layout.proxy_status()) {
            Ok(status) => status.map(|status| status.serving.routes),
            // Damaged from outside; what it was handed last is nearly as good.
            Err(_) => ProxyConfig::read(&self.layout.proxy_config()).ok().map(|config| config.routes),
        }
    }
}
