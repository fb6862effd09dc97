//! Everything of the project that exists now, in one look.

use std::sync::PoisonError;
use std::time::Duration;

use futures_util::future::join_all;

use super::insist::insist;
use super::os::ProcessId;
use super::probe::reachable;
use super::record::ProcessRecord;
use super::release::loopback;
use super::serving::SILENCE;
use super::{PROXY, Shared};
use crate::domain::stack::Role;
use crate::runtime::{Health, Instance, Observed, RuntimeError};

/// How long the proxy may take to answer for the first time.
const PROXY_STARTS: Duration = Duration::from_secs(5);

impl Shared {
    /// Apps first, then the proxy, and what it serves; an error when a proxy
    /// lives but does not tell.
    pub async fn observe(&self) -> Result<Observed, RuntimeError> {
        let routes = match self.serving(SILENCE).await {
            Ok(config) => config.map(|config| config.routes),
            Err(RuntimeError::ProxySilent { reason, .. }) => {
                let mut seen = self.instances(false).await?;
                for proxy in seen.iter_mut().filter(|instance| instance.role == Role::Proxy) {
                    // Whatever its age: this was a long silence.
                    proxy.health = Health::Unhealthy(reason.clone());
                }
                return Err(RuntimeError::ProxySilent { reason, seen });
            }
            Err(other) => return Err(other),
        };
        let instances = self.instances(routes.is_some()).await?;
        let last_routes = if routes.is_none() { self.served_last() } else { None };
        Ok(Observed { instances, routes, last_routes })
    }

    /// Everything that runs or has just ended; `proxy_answers` was found out
    /// before.
    pub async fn instances(&self, proxy_answers: bool) -> Result<Vec<Instance>, RuntimeError> {
        let mut records = self.records.all()?;
        records.sort_by_key(|record| (record.slot.is_none(), record.slot, record.service.clone()));
        let healths = join_all(records.iter().map(|record| self.health(record, proxy_answers))).await;
        let mut instances: Vec<Instance> =
            records.iter().zip(healths).map(|(record, health)| Self::instance(record, health)).collect();
        self.measure(&records, &mut instances);
        if let Some(proxy) = instances.iter_mut().find(|instance| instance.service == PROXY) {
            proxy.endpoint = self.proxy_endpoint();
        }
        Ok(instances)
    }

    async fn health(&self, record: &ProcessRecord, proxy_answers: bool) -> Health {
        let Some(process) = record.living() else { return self.exited(record) };
        let health = if record.slot.is_some() {
            self.release_health(record, process).await
        } else if proxy_answers {
            Health::Healthy
        } else if self.age(record) < PROXY_STARTS {
            Health::Starting
        } else {
            Health::Unhealthy("it does not tell its generation".into())
        };
        // It may have ended while it was asked.
        let has_ended = health != Health::Healthy && record.living().is_none();
        if has_ended { self.exited(record) } else { health }
    }

    /// One that has been healthy does not start again: what fails then is a fault.
    async fn release_health(&self, record: &ProcessRecord, process: ProcessId) -> Health {
        let options = &self.options;
        let is_starting =
            self.age(record) < options.health_wait && !self.been_healthy.has(&record.service, process);
        // Nothing can be wrong yet with one that starts, so it is asked once.
        let retries = if is_starting { 1 } else { options.health_retries };
        let ask = || self.probe.health(loopback(record.port), &options.health_path, options.health_timeout);
        match insist(retries, ask).await {
            Ok(()) => {
                self.been_healthy.note(&record.service, process);
                Health::Healthy
            }
            Err(_) if is_starting => Health::Starting,
            Err(reason) => Health::Unhealthy(reason),
        }
    }

    fn exited(&self, record: &ProcessRecord) -> Health {
        Health::Exited(record.process.and_then(|id| self.children.exit(id)))
    }

    fn age(&self, record: &ProcessRecord) -> Duration {
        // A clock that was set back makes it young, not old.
        (self.options.clock.wall() - record.started_at).to_std().unwrap_or_default()
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
        if self.layout.is_ours()? {
            names.push(self.layout.root().display().to_string());
        }
        Ok(names)
    }
}
