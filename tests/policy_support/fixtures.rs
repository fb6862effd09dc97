//! The table of decisions.

mod errors;
mod evidence;
mod infra;
mod latency;
mod lifetime;
mod proxy;
mod unseen;

use serde_json::{Value, json};
use swiftdeploy::policy::Verdict;

use super::{good_canary, limits, with, without};

/// Facts and limits, and what must come of them.
pub struct Fixture {
    pub name: &'static str,
    pub package: &'static str,
    pub limits: Value,
    pub input: Value,
    pub verdict: Verdict,
    pub codes: &'static [&'static str],
}

fn infra(name: &'static str, input: Value, verdict: Verdict, codes: &'static [&'static str]) -> Fixture {
    Fixture { name, package: "infra", limits: limits(), input, verdict, codes }
}

fn canary(name: &'static str, changes: Value, verdict: Verdict, codes: &'static [&'static str]) -> Fixture {
    Fixture { name, package: "canary", limits: limits(), input: with(good_canary(), changes), verdict, codes }
}

fn buckets(at_limit: u32, total: u32) -> Value {
    json!([{"le_ms": 250, "count": 10}, {"le_ms": 500, "count": at_limit}, {"le_ms": 1000, "count": total}, {"le_ms": null, "count": total}])
}

impl Fixture {
    fn limits(mut self, changes: Value) -> Self {
        self.limits = with(self.limits, changes);
        self
    }

    fn without_limit(mut self, name: &str) -> Self {
        self.limits = without(self.limits, name);
        self
    }

    fn input(mut self, input: Value) -> Self {
        self.input = input;
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.input = without(self.input, name);
        self
    }
}

/// Every fixture of both packages.
pub fn all() -> Vec<Fixture> {
    [
        infra::infra_fixtures(),
        errors::error_fixtures(),
        latency::latency_fixtures(),
        latency::lacking_fixtures(),
        latency::unusable_latency_fixtures(),
        latency::unbounded_fixtures(),
        evidence::evidence_fixtures(),
        lifetime::lifetime_fixtures(),
        proxy::proxy_fixtures(),
        proxy::broken_fixtures(),
        proxy::abandoned_fixtures(),
        proxy::abandoned_beside_fixtures(),
        unseen::answered_error_fixtures(),
        unseen::exact_fixtures(),
        unseen::waiting_fixtures(),
        unseen::settled_fixtures(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
