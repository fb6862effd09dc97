//! What the proxy is told and what it tells: two JSON files in the state
//! directory, and the rules that a configuration must obey.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::{Routes, Slot};
use crate::runtime::ProxyRules;
use crate::runtime::local::layout::read_json;
use crate::runtime::local::probe::is_generation;

/// What the proxy shall serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyConfig {
    /// Higher on every write, so that a reload can be told from the one before
    /// even when it names the same generation.
    pub revision: u64,
    /// What it promises.
    pub rules: ProxyRules,
    /// Who gets what.
    pub routes: Routes,
    /// Where the slots listen. A slot without an address is answered 503.
    pub upstreams: BTreeMap<Slot, SocketAddr>,
}

/// What the proxy serves, by its own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyStatus {
    /// Who wrote this.
    pub pid: u32,
    /// The configuration in force.
    pub serving: ProxyConfig,
    /// The last configuration, if it was refused.
    pub refused: Option<Refusal>,
}

/// A configuration that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Which; 0 when the file could not be read.
    pub revision: u64,
    /// Why.
    pub reason: String,
}

impl ProxyConfig {
    /// Reads a configuration without judging it.
    pub fn read(path: &Path) -> Result<Self, String> {
        read_json(path).map_err(|error| error.to_string())?.ok_or_else(|| "there is no such file".into())
    }

    /// Whether the proxy can serve it; what is wrong with it otherwise.
    pub fn check(&self) -> Result<(), String> {
        let Self { rules, routes, .. } = self;
        if rules.port == 0 {
            return Err("port 0 is not a port that clients can find".into());
        }
        if rules.timeout_ms == 0 {
            return Err("a timeout of 0 would answer every request with 504".into());
        }
        if !["host", "closed", "open"].contains(&rules.operator.as_str()) {
            return Err(format!("operator access is host, closed or open, not {:?}", rules.operator));
        }
        if let Some(path) = rules.operator_paths.iter().find(|path| !path.starts_with('/')) {
            return Err(format!("the operator's path {path:?} does not start with /"));
        }
        if !is_generation(&routes.generation) {
            return Err(format!("{:?} is not a generation's name", routes.generation));
        }
        check_shares(routes)
    }

    /// Whether a running proxy can change over from `old` without a restart.
    pub fn check_succeeds(&self, old: &Self) -> Result<(), String> {
        if (self.rules.bind, self.rules.port) == (old.rules.bind, old.rules.port) {
            return Ok(());
        }
        Err(format!(
            "a running proxy stays on {}, it cannot move to {}",
            SocketAddr::new(old.rules.bind, old.rules.port),
            SocketAddr::new(self.rules.bind, self.rules.port)
        ))
    }
}

fn check_shares(routes: &Routes) -> Result<(), String> {
    for (index, share) in routes.shares.iter().enumerate() {
        if !(1..=100).contains(&share.percent) {
            return Err(format!("{} has {} %, a share is 1 to 100 %", share.slot, share.percent));
        }
        if routes.shares[..index].iter().any(|other| other.slot == share.slot) {
            return Err(format!("{} has two shares", share.slot));
        }
    }
    let sum: u32 = routes.shares.iter().map(|share| u32::from(share.percent)).sum();
    if routes.shares.is_empty() || sum == 100 {
        Ok(())
    } else {
        Err(format!("the shares add up to {sum} %, not 100 %"))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::Share;

    fn config() -> ProxyConfig {
        ProxyConfig {
            revision: 1,
            rules: ProxyRules {
                bind: "127.0.0.1".parse().unwrap(),
                port: 8080,
                timeout_ms: 30_000,
                service: "app".into(),
                contact: "ops@localhost".into(),
                operator: "host".into(),
                operator_paths: vec!["/metrics".into()],
            },
            routes: Routes::all_to(Slot::Blue, "g1"),
            upstreams: BTreeMap::new(),
        }
    }

    fn shares(shares: &[(Slot, u8)]) -> Vec<Share> {
        shares.iter().map(|(slot, percent)| Share { slot: *slot, percent: *percent }).collect()
    }

    #[rstest]
    #[case::nothing_runs(&[])]
    #[case::all_to_one(&[(Slot::Green, 100)])]
    #[case::split(&[(Slot::Blue, 90), (Slot::Green, 10)])]
    fn sound_shares_are_served(#[case] given: &[(Slot, u8)]) {
        let mut config = config();
        config.routes.shares = shares(given);
        assert_eq!(config.check(), Ok(()));
    }

    #[rstest]
    #[case::too_little(&[(Slot::Blue, 90)], "add up to 90 %")]
    #[case::too_much(&[(Slot::Blue, 90), (Slot::Green, 20)], "add up to 110 %")]
    #[case::nothing_for_one(&[(Slot::Blue, 100), (Slot::Green, 0)], "green has 0 %")]
    #[case::twice(&[(Slot::Blue, 50), (Slot::Blue, 50)], "blue has two shares")]
    fn unsound_shares_are_refused(#[case] given: &[(Slot, u8)], #[case] reason: &str) {
        let mut config = config();
        config.routes.shares = shares(given);
        assert!(config.check().unwrap_err().contains(reason));
    }

    #[rstest]
    #[case::port(|c: &mut ProxyConfig| c.rules.port = 0, "port 0")]
    #[case::timeout(|c: &mut ProxyConfig| c.rules.timeout_ms = 0, "timeout of 0")]
    #[case::operator(|c: &mut ProxyConfig| c.rules.operator = "all".into(), "host, closed or open")]
    #[case::path(|c: &mut ProxyConfig| c.rules.operator_paths.push("chaos".into()), "does not start with /")]
    #[case::generation(|c: &mut ProxyConfig| c.routes.generation = "a b".into(), "not a generation")]
    fn unsound_rules_are_refused(#[case] spoil: fn(&mut ProxyConfig), #[case] reason: &str) {
        let mut config = config();
        spoil(&mut config);
        assert!(config.check().unwrap_err().contains(reason));
    }

    #[test]
    fn a_running_proxy_does_not_move() {
        let mut moved = config();
        moved.rules.port = 9090;
        assert!(moved.check_succeeds(&config()).unwrap_err().contains("127.0.0.1:9090"));
        assert_eq!(config().check_succeeds(&config()), Ok(()));
    }
}
