//! The proxy as the app sees it: started, told what to serve, and believed
//! only when the public port says so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::layout::{at, read_json, write_json};
use super::logs::last_words;
use super::os::{self, ProcessId};
use super::port::{self, Port};
use super::probe::reachable;
use super::program::{PROXY_ARGS, PROXY_ENV};
use super::proxy::DRAIN;
use super::proxy::config::{ProxyConfig, ProxyStatus};
use super::record::{ProcessRecord, new_token};
use super::release::loopback;
use super::serving::SILENCE;
use super::{PROXY, Shared};
use crate::domain::{Routes, Slot};
use crate::runtime::{Check, CheckStatus, ProxyRules, RuntimeError};

/// How long the proxy may take to start, and to take over a configuration.
const START_LIMIT: Duration = Duration::from_secs(10);
const SWAP_LIMIT: Duration = Duration::from_secs(5);

const POLL: Duration = Duration::from_millis(10);

/// How long the port of a proxy that has ended may still be held.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// A little longer than the proxy gives to its requests.
pub const PROXY_GRACE: Duration = DRAIN.saturating_add(Duration::from_secs(2));

impl Shared {
    /// Makes the folder in which everything of this target lies.
    pub fn prepare(&self) -> Result<(), RuntimeError> {
        self.layout.create()
    }

    /// The proxy's process, if it lives.
    pub fn living_proxy(&self) -> Result<Option<ProcessId>, RuntimeError> {
        Ok(self.records.get(PROXY)?.and_then(|record| record.living()))
    }

    /// What the living proxy serves, by its own account.
    pub fn proxy_status(&self, proxy: ProcessId) -> Result<Option<ProxyStatus>, RuntimeError> {
        let path = self.layout.proxy_status();
        let status: Option<ProxyStatus> = read_json(&path).map_err(at(&path))?;
        Ok(status.filter(|status| status.pid == proxy.pid))
    }

    /// Whether our proxy is the one that listens there.
    pub fn proxy_listens_on(&self, bind: IpAddr, port: u16) -> Result<bool, RuntimeError> {
        let Some(proxy) = self.living_proxy()? else { return Ok(false) };
        Ok(self
            .proxy_status(proxy)?
            .is_some_and(|status| (status.serving.rules.bind, status.serving.rules.port) == (bind, port)))
    }

    /// Judges a configuration without using it.
    pub fn check_proxy(&self, rules: &ProxyRules, routes: &Routes) -> Result<Check, RuntimeError> {
        let upstreams = self.upstreams(routes)?;
        let config = ProxyConfig { revision: 0, rules: rules.clone(), routes: routes.clone(), upstreams };
        let fail = |detail: String| Ok(Check { status: CheckStatus::Fail, detail });
        if let Err(reason) = config.check() {
            return fail(reason);
        }
        match port::look(rules.bind, rules.port) {
            Port::Free => {}
            Port::Taken(_) if self.proxy_listens_on(rules.bind, rules.port)? => {}
            Port::Taken(by) => {
                return fail(format!("port {} is taken by {}", rules.port, port::describe(&by)));
            }
            Port::Forbidden { reason, .. } => return fail(reason),
        }
        let absent = absent_slots(&config);
        if absent.is_empty() {
            return Ok(pass("the built-in proxy accepts it"));
        }
        let absent = absent.join(" and ");
        // Before the first deploy the declared routes name a slot that is
        // still empty, which is as it should be; later they are not those in force.
        if self.records.all()?.iter().all(|record| record.slot.is_none()) {
            Ok(pass(&format!("the built-in proxy accepts it; it answers 503 until {absent} runs")))
        } else if routes.generation == Routes::DECLARED {
            Ok(pass("the built-in proxy accepts it"))
        } else {
            fail(format!("the routes name {absent}, where nothing runs"))
        }
    }

    /// Sees to it that the proxy runs and obeys `rules`. One that runs keeps
    /// its routes; one that has to be started gets `routes`.
    pub async fn ensure_proxy(&self, rules: &ProxyRules, routes: &Routes) -> Result<(), RuntimeError> {
        self.layout.create()?;
        let config = ProxyConfig {
            revision: 0,
            rules: rules.clone(),
            routes: routes.clone(),
            upstreams: self.upstreams(routes)?,
        };
        config.check().map_err(refused)?;

        // One that lives but does not answer is an error here: it may be serving
        // its requests still, and to end it would lose them.
        if let Some(serving) = self.serving(SILENCE).await?
            && let Some(proxy) = self.living_proxy()?
        {
            if serving.rules == *rules {
                return Ok(());
            }
            if config.check_succeeds(&serving).is_ok() {
                let upstreams = self.upstreams(&serving.routes)?;
                return self.load(proxy, ProxyConfig { upstreams, routes: serving.routes, ..config }).await;
            }
            // It has to move. What stands in the new place stays; so does the proxy.
            ours_to_take(rules)?;
        }
        self.end_service(PROXY, PROXY_GRACE).await?;
        soon_ours_to_take(rules).await?;
        self.start_proxy(config).await
    }

    /// Makes the proxy serve `routes`, whose slots must all run.
    pub async fn route(&self, rules: &ProxyRules, routes: &Routes) -> Result<(), RuntimeError> {
        let config = ProxyConfig {
            revision: 0,
            rules: rules.clone(),
            routes: routes.clone(),
            upstreams: self.upstreams(routes)?,
        };
        let absent = absent_slots(&config);
        if !absent.is_empty() {
            return Err(refused(format!("nothing runs in {}", absent.join(" and "))));
        }
        let proxy = self.living_proxy()?.ok_or_else(|| gone_proxy("making it serve new routes"))?;
        self.load(proxy, config).await
    }

    /// Tells the proxy where a slot listens now, where it routes to that slot;
    /// `without` is on its way out.
    pub async fn refresh_upstreams(&self, slot: Slot, without: Option<Slot>) -> Result<(), RuntimeError> {
        let Some(proxy) = self.living_proxy()? else { return Ok(()) };
        let Some(status) = self.proxy_status(proxy)? else { return Ok(()) };
        let serving = status.serving;
        if serving.routes.percent(slot) == 0 {
            return Ok(());
        }
        let mut upstreams = self.upstreams(&serving.routes)?;
        upstreams.retain(|slot, _| Some(*slot) != without);
        if upstreams == serving.upstreams {
            return Ok(());
        }
        self.load(proxy, ProxyConfig { upstreams, ..serving }).await
    }

    /// Where the slots with a share listen, as far as something runs there.
    fn upstreams(&self, routes: &Routes) -> Result<BTreeMap<Slot, SocketAddr>, RuntimeError> {
        let records = self.records.all()?;
        let running: BTreeSet<Slot> = routes.shares.iter().map(|share| share.slot).collect();
        Ok(records
            .iter()
            .filter(|record| record.living().is_some())
            .filter_map(|record| Some((record.slot?, loopback(record.port))))
            .filter(|(slot, _)| running.contains(slot))
            .collect())
    }

    /// Hands a configuration to the running proxy and waits until the public
    /// port proves it. On failure the file on disk is the old one again.
    async fn load(&self, proxy: ProcessId, mut config: ProxyConfig) -> Result<(), RuntimeError> {
        config.check().map_err(refused)?;
        let path = self.layout.proxy_config();
        let old = ProxyConfig::read(&path).ok();
        config.revision = self.next_revision(old.as_ref());
        write_json(&path, &config).map_err(at(&path))?;
        let taken_over = self.hand_over(proxy, &config).await;
        if taken_over.is_err()
            && let Some(old) = old
        {
            write_json(&path, &old).map_err(at(&path))?;
        }
        taken_over
    }

    async fn hand_over(&self, proxy: ProcessId, config: &ProxyConfig) -> Result<(), RuntimeError> {
        let doing = "making it serve new routes";
        let told = os::signal(proxy, Signal::HUP)
            .map_err(|error| RuntimeError::Engine { doing: doing.into(), reason: error.to_string() })?;
        if !told {
            return Err(gone_proxy(doing));
        }
        let address = reachable(config.rules.bind, config.rules.port);
        let served = async {
            loop {
                if let Some(status) = self.proxy_status(proxy)? {
                    if let Some(refusal) = status.refused.filter(|by| by.revision == config.revision) {
                        return Err(refused(refusal.reason));
                    }
                    if status.serving.revision == config.revision
                        && self.probe.marker(address).await.as_ref() == Some(&config.routes.generation)
                    {
                        return Ok(());
                    }
                }
                if !os::is_alive(proxy) {
                    return Err(gone_proxy(doing));
                }
                tokio::time::sleep(POLL).await;
            }
        };
        match tokio::time::timeout(SWAP_LIMIT, served).await {
            Ok(result) => result,
            Err(_) => Err(RuntimeError::NotServed {
                wanted: config.routes.generation.clone(),
                served: self.probe.marker(address).await.unwrap_or_else(|| "nothing".into()),
                waited: SWAP_LIMIT,
            }),
        }
    }

    async fn start_proxy(&self, mut config: ProxyConfig) -> Result<(), RuntimeError> {
        let path = self.layout.proxy_config();
        config.revision = self.next_revision(ProxyConfig::read(&path).ok().as_ref());
        write_json(&path, &config).map_err(at(&path))?;
        // The account of the proxy before stays until this one gives its own:
        // if this one does not start, that is what was served last.

        let command = std::iter::once(self.options.program.to_string_lossy().into_owned())
            .chain(PROXY_ARGS.map(String::from))
            .chain(std::iter::once(self.layout.root().to_string_lossy().into_owned()));
        let mut record = ProcessRecord {
            service: PROXY.into(),
            slot: None,
            release: None,
            command: command.collect(),
            token: new_token(&self.layout, PROXY),
            process: None,
            boot: os::boot(),
            port: config.rules.port,
            spec: None,
            started_at: self.options.clock.wall(),
            stop_grace_ms: u64::try_from(PROXY_GRACE.as_millis()).unwrap_or(u64::MAX),
        };
        let before = self.log_length(PROXY);
        let env = PROXY_ENV.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let proxy = self.spawn(&mut record, &env, Path::new("/"))?;
        let address = reachable(config.rules.bind, config.rules.port);
        let ready = async {
            while os::is_alive(proxy) {
                let has_loaded = self
                    .proxy_status(proxy)?
                    .is_some_and(|status| status.serving.revision == config.revision);
                if has_loaded && self.probe.marker(address).await.as_ref() == Some(&config.routes.generation)
                {
                    return Ok(true);
                }
                tokio::time::sleep(POLL).await;
            }
            Ok::<_, RuntimeError>(false)
        };
        if let Ok(Ok(true)) = tokio::time::timeout(START_LIMIT, ready).await {
            return Ok(());
        }
        let words = last_words(&self.layout.log(PROXY), before, 3);
        self.end_service(PROXY, Duration::ZERO).await?;
        let words = if words.is_empty() { format!("no answer on {address}") } else { words };
        Err(RuntimeError::StartFailed { service: PROXY.into(), reason: words })
    }

    /// How long a service's log is now, that is before its next start.
    pub fn log_length(&self, service: &str) -> u64 {
        std::fs::metadata(self.layout.log(service)).map_or(0, |file| file.len())
    }

    fn next_revision(&self, old: Option<&ProxyConfig>) -> u64 {
        let status: Option<ProxyStatus> = read_json(&self.layout.proxy_status()).ok().flatten();
        let told = status.map_or(0, |status| {
            status.serving.revision.max(status.refused.map_or(0, |refusal| refusal.revision))
        });
        told.max(old.map_or(0, |old| old.revision)) + 1
    }
}

/// Fails when somebody else has the public port, or it cannot be had at all.
fn ours_to_take(rules: &ProxyRules) -> Result<(), RuntimeError> {
    match port::look(rules.bind, rules.port) {
        Port::Free => Ok(()),
        Port::Taken(by) => Err(RuntimeError::PortTaken { port: rules.port, owner: port::describe(&by) }),
        Port::Forbidden { reason, next } => Err(RuntimeError::PortUnusable { reason, next }),
    }
}

/// As [`ours_to_take`], with patience for a proxy of ours that was just ended:
/// its threads, and with them its sockets, may outlive its leader for a moment.
async fn soon_ours_to_take(rules: &ProxyRules) -> Result<(), RuntimeError> {
    let freed = async {
        while ours_to_take(rules).is_err() {
            tokio::time::sleep(POLL).await;
        }
    };
    match tokio::time::timeout(RELEASE_LIMIT, freed).await {
        Ok(()) => Ok(()),
        Err(_) => ours_to_take(rules),
    }
}

fn absent_slots(config: &ProxyConfig) -> Vec<&'static str> {
    let shares = config.routes.shares.iter().map(|share| share.slot);
    shares.filter(|slot| !config.upstreams.contains_key(slot)).map(Slot::as_str).collect()
}

fn pass(detail: &str) -> Check {
    Check { status: CheckStatus::Pass, detail: detail.into() }
}

const fn refused(reason: String) -> RuntimeError {
    RuntimeError::ProxyRefused { reason }
}

fn gone_proxy(doing: &str) -> RuntimeError {
    RuntimeError::Engine { doing: doing.into(), reason: "the proxy does not run".into() }
}
