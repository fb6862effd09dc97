//! The proxy: nginx' configuration for a routing state, and the same promises
//! as plain data for the built-in proxy.

mod view;

use std::time::Duration;

use super::template::Template;
use super::{RenderError, stack};
use crate::domain::Routes;
use crate::manifest::{Manifest, OperatorAccess};
use crate::runtime::{KEPT_OVER_RELOAD, ProxyAbilities, ProxyRules, SlotServers};

/// Where nginx writes its logs: the mount point of their volume.
pub(super) const LOG_FOLDER: &str = "/var/tmp";

/// Where faults are injected.
const CHAOS_PATH: &str = "/chaos";

const NGINX: Template = Template { name: "nginx.conf", text: include_str!("../../templates/nginx.conf.hbs") };

/// nginx' configuration for a routing state, with the directives that the
/// nginx at hand knows. Answers [`Routes::MARKER_PATH`] with the generation.
///
/// # Errors
/// When a value of the manifest could change the meaning of the file, or the
/// shares make no sense.
pub fn nginx_conf(
    manifest: &Manifest,
    routes: &Routes,
    abilities: ProxyAbilities,
) -> Result<String, RenderError> {
    nginx_conf_for(manifest, routes, abilities, &SlotServers::new())
}

/// As [`nginx_conf`], with the servers that really run: the release in a slot may
/// have been started by a manifest with another name or port. For a slot that is
/// not among them it is the manifest that tells.
///
/// # Errors
/// As [`nginx_conf`].
pub fn nginx_conf_for(
    manifest: &Manifest,
    routes: &Routes,
    abilities: ProxyAbilities,
    servers: &SlotServers,
) -> Result<String, RenderError> {
    NGINX.fill(&view::View::new(manifest, routes, abilities, servers)?)
}

/// What the proxy promises, for the built-in proxy of the local target.
#[must_use]
pub fn proxy_rules(manifest: &Manifest) -> ProxyRules {
    ProxyRules {
        bind: manifest.nginx.bind,
        port: manifest.nginx.port,
        timeout_ms: u64::try_from(manifest.nginx.proxy_timeout.as_millis()).unwrap_or(u64::MAX),
        service: manifest.services.name.clone(),
        contact: manifest.contact.clone(),
        operator: match manifest.nginx.operator {
            OperatorAccess::Host => "host",
            OperatorAccess::Closed => "closed",
            OperatorAccess::Open => "open",
        }
        .to_owned(),
        operator_paths: operator_paths(manifest).into_iter().map(str::to_owned).collect(),
    }
}

/// The paths that are the operator's alone.
fn operator_paths(manifest: &Manifest) -> Vec<&str> {
    let mut paths = vec![CHAOS_PATH, manifest.metrics.path.as_str()];
    paths.dedup();
    paths
}

/// How long nginx may take to finish what runs: the drain of an old slot, the
/// longest request, and the connections that were kept over a reload.
pub(super) fn shutdown_timeout(manifest: &Manifest) -> Duration {
    let longest = manifest.nginx.drain + manifest.nginx.proxy_timeout + KEPT_OVER_RELOAD;
    Duration::from_secs(longest.as_secs() + u64::from(longest.subsec_nanos() > 0))
}
