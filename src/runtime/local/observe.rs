//! Everything of the project that exists now, in one look.

use std::sync::PoisonError;
use std::time::Duration;

use futures_util::future::join_all;

use super::layout::at;
use super::probe::reachable;
use super::record::ProcessRecord;
use super::release::loopback;
use super::{PROXY, Shared};
use crate::domain::Routes;
use crate::runtime::{Health, Instance, Observed, RuntimeError};

/// How often the proxy is asked again when its account and its answer differ,
/// as they do for a moment in a swap.
const ATTEMPTS: usize = 3;

/// How long the proxy may take to answer for the first time.
const PROXY_STARTS: Duration = Duration::from_secs(5);

impl Shared {
    /// Apps first, then the proxy, and what it serves.
    pub async fn observe(&self) -> Result<Observed, RuntimeError> {
        let mut records = self.records.all()?;
        records.sort_by_key(|record| (record.slot.is_none(), record.slot, record.service.clone()));
        let routes = self.served_routes().await?;
        let healths = join_all(records.iter().map(|record| self.health(record, routes.is_some()))).await;
        let mut instances: Vec<Instance> =
            records.iter().zip(healths).map(|(record, health)| self.instance(record, health)).collect();
        self.measure(&records, &mut instances);
        if let Some(proxy) = instances.iter_mut().find(|instance| instance.service == PROXY) {
            proxy.endpoint = self.proxy_endpoint();
        }
        Ok(Observed { instances, routes, last_routes: None })
    }

    async fn health(&self, record: &ProcessRecord, proxy_answers: bool) -> Health {
        if record.living().is_none() {
            return Health::Exited(record.process.and_then(|id| self.children.exit(id)));
        }
        let (answer, patience) = if record.slot.is_some() {
            let options = &self.options;
            let asked =
                self.probe.health(loopback(record.port), &options.health_path, options.health_timeout);
            (asked.await, options.health_wait)
        } else if proxy_answers {
            (Ok(()), PROXY_STARTS)
        } else {
            (Err("it does not tell its generation".into()), PROXY_STARTS)
        };
        match answer {
            Ok(()) => Health::Healthy,
            // It may have ended while it was asked.
            Err(_) if record.living().is_none() => {
                Health::Exited(record.process.and_then(|id| self.children.exit(id)))
            }
            Err(_) if self.age(record) < patience => Health::Starting,
            Err(reason) => Health::Unhealthy(reason),
        }
    }

    fn age(&self, record: &ProcessRecord) -> Duration {
        // A clock that was set back makes it young, not old.
        (self.options.clock.wall() - record.started_at).to_std().unwrap_or_default()
    }

    /// The routes in force: the proxy's own account, confirmed by what the
    /// public port answers.
    async fn served_routes(&self) -> Result<Option<Routes>, RuntimeError> {
        let Some(proxy) = self.living_proxy()? else { return Ok(None) };
        for _ in 0..ATTEMPTS {
            let Some(status) = self.proxy_status(proxy)? else { return Ok(None) };
            let rules = &status.serving.rules;
            let marker = self.probe.marker(reachable(rules.bind, rules.port)).await;
            if marker.as_ref() == Some(&status.serving.routes.generation) {
                return Ok(Some(status.serving.routes));
            }
        }
        Ok(None)
    }

    fn proxy_endpoint(&self) -> Option<std::net::SocketAddr> {
        let proxy = self.living_proxy().ok()??;
        let rules = self.proxy_status(proxy).ok()??.serving.rules;
        Some(reachable(rules.bind, rules.port))
    }

    fn measure(&self, records: &[ProcessRecord], instances: &mut [Instance]) {
        let living: Vec<_> = records
            .iter()
            .zip(instances)
            .filter(|(_, instance)| !matches!(instance.health, Health::Exited(_)))
            .filter_map(|(record, instance)| Some((record.process?, instance)))
            .collect();
        let ids: Vec<_> = living.iter().map(|(id, _)| *id).collect();
        let usages = self.meter.lock().unwrap_or_else(PoisonError::into_inner).look(&ids);
        for ((_, instance), usage) in living.into_iter().zip(usages) {
            instance.usage = usage;
        }
    }

    /// What `teardown` would remove.
    pub fn belongings(&self) -> Result<Vec<String>, RuntimeError> {
        let mut names = Vec::new();
        for service in self.records.services()? {
            let living = self.records.get(&service).ok().flatten().and_then(|record| record.living());
            names.push(living.map_or_else(|| service.clone(), |id| format!("{service} (pid {})", id.pid)));
        }
        for id in self.orphans() {
            names.push(format!("process {}", id.pid));
        }
        let root = self.layout.root();
        if root.try_exists().map_err(at(root))? {
            names.push(root.display().to_string());
        }
        Ok(names)
    }
}
