//! Open Policy Agent over HTTP. The decision is asked for, and which policies
//! are loaded. OPA keeps an old policy when an edit is broken and old data when
//! a file is deleted, and answers 200 all the while; so an answer counts only
//! when what decided is what is on disk. Once that was compared, OPA proves
//! with its answers that nothing has changed since ([`proof`]); one that does
//! not is asked for the list before and after every decision.
//!
//! The same holds when the disk cannot be read any more, as after `data.json`
//! vanished: an OPA that answers then decides by what is gone, and is stale.
//!
//! Checked are the text of every policy file, that there is no other one, and
//! every value of `data.json` (echoed by each answer): it holds `thresholds`
//! alone, since nothing else in it would be proven.

mod http;
mod loaded;
mod plain;
mod proof;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Url;
use serde_json::{Value, json};

use self::http::{Connection, Received};
use self::loaded::{Loaded, difference};
use self::plain::plain;
use self::proof::{Kept, Proof, Since, is_read};
use super::answer::{Answer, excerpt, malformed, obey};
use super::bundle::{PolicyBundle, unusable};
use super::settle::{Question, settle};
use super::{Decision, EngineId, Fault, PolicyEngine};
use crate::clock::SharedClock;

/// A decision is a few kilobytes.
const MAX_DECISION_BYTES: usize = 1024 * 1024;

/// Every policy with its syntax tree: about ten times the text.
const MAX_POLICIES_BYTES: usize = 16 * 1024 * 1024;

/// The metric that tells whether a kept query was used.
const KEPT_QUERY: &str = "counter_server_query_cache_hit";

/// Asks an OPA at an address.
pub struct OpaEngine {
    connection: Connection,
    address: SocketAddr,
    policies: PathBuf,
    timeout: Duration,
    clock: SharedClock,
    proof: Proof,
    /// As read last.
    read: Mutex<Option<Arc<PolicyBundle>>>,
    /// As the last answer told it.
    version: Mutex<Option<String>>,
}

/// What OPA said to the question.
#[derive(Debug, Default)]
struct Reply {
    result: Option<Value>,
    version: Option<String>,
    kept: Kept,
}

/// How far a question came: told when it runs out of time.
#[derive(Default)]
struct Progress {
    /// The revision of the policies on disk, as soon as it is known.
    revision: OnceLock<String>,
    decision: Received,
    policies: Received,
}

/// What came of a question.
struct Asked {
    result: Value,
    outcome: Result<Answer, Fault>,
}

impl OpaEngine {
    /// Asks the OPA at `address`; `policies` is the folder on disk that it
    /// must have loaded; `timeout` bounds a question as a whole.
    #[must_use]
    pub fn new(
        address: SocketAddr,
        timeout: Duration,
        policies: impl Into<PathBuf>,
        clock: SharedClock,
    ) -> Self {
        Self {
            connection: Connection::to(address),
            address,
            policies: policies.into(),
            timeout,
            clock,
            proof: Proof::new(),
            read: Mutex::default(),
            version: Mutex::default(),
        }
    }

    async fn asked(&self, package: &str, input: &Value, progress: &Progress) -> Asked {
        let bundle = match self.bundle().await {
            Ok(bundle) => bundle,
            Err(fault) => return Asked::without_result(self.unlike(fault, progress).await),
        };
        let _ = progress.revision.set(bundle.revision().to_owned());
        if !bundle.packages().contains(package) {
            return Asked::without_result(Fault::Undefined { package: package.to_owned() });
        }
        // Unless it is proven what decided, the list is compared before and
        // after the decision: OPA loads anew while it is asked.
        let mut is_compared = false;
        loop {
            let reply = match self.decision(package, input, progress).await {
                Ok(reply) => reply,
                Err(fault) => return Asked::without_result(fault),
            };
            if let Some(version) = reply.version {
                *self.version.lock().unwrap_or_else(PoisonError::into_inner) = Some(version);
            }
            let (is_proven, same) = match self.proof.answered(package, bundle.revision(), reply.kept) {
                Ok(()) => (true, Ok(())),
                Err(since) => (false, self.compared(package, &bundle, &since, progress).await),
            };
            let outcome = judge(reply.result.as_ref(), same, package, &bundle);
            if is_proven || is_compared || outcome.is_err() {
                return Asked { result: reply.result.unwrap_or_default(), outcome };
            }
            is_compared = true;
        }
    }

    /// Compares what OPA has loaded with the disk.
    async fn compared(
        &self,
        package: &str,
        bundle: &PolicyBundle,
        since: &Since,
        progress: &Progress,
    ) -> Result<(), Fault> {
        if let Some(reason) = difference(&self.loaded(progress).await?, bundle) {
            return Err(Fault::Stale { reason });
        }
        self.proof.agreed(package, bundle.revision(), since);
        Ok(())
    }

    /// The policies on disk; what was made of them before is kept as long as
    /// they are the same.
    async fn bundle(&self) -> Result<Arc<PolicyBundle>, Fault> {
        let folder = self.policies.clone();
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reading = tokio::task::spawn_blocking(move || PolicyBundle::load_or_keep(&folder, known)).await;
        let bundle = reading.unwrap_or_else(|_| {
            Err(unusable(format!("{}: reading them broke down", self.policies.display())))
        })?;
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&bundle));
        Ok(bundle)
    }

    /// What it means that the disk cannot be used: an engine that has loaded
    /// something goes on deciding by it.
    async fn unlike(&self, disk: Fault, progress: &Progress) -> Fault {
        match (disk, self.loaded(progress).await) {
            (Fault::Policies { reason }, Ok(loaded)) if !loaded.is_empty() => Fault::Stale {
                reason: format!("it still decides by what it loaded before; on disk: {reason}"),
            },
            (disk, _) => disk,
        }
    }

    async fn decision(&self, package: &str, input: &Value, progress: &Progress) -> Result<Reply, Fault> {
        let mut url = self.connection.url();
        url.set_path(&self.proof.path(package));
        url.set_query(Some("provenance&metrics"));
        let question = json!({ "input": plain(input) });
        let body = self.connection.post(url, &question, MAX_DECISION_BYTES, &progress.decision).await?;
        read_reply(&body)
    }

    async fn loaded(&self, progress: &Progress) -> Result<Vec<Loaded>, Fault> {
        let mut url: Url = self.connection.url();
        url.set_path("/v1/policies");
        let body = self.connection.get(url, MAX_POLICIES_BYTES, &progress.policies).await?;
        loaded::read(&body)
    }
}

#[async_trait]
impl PolicyEngine for OpaEngine {
    async fn ask(&self, package: &str, input: &Value) -> Decision {
        let started = self.clock.instant();
        let progress = Progress::default();
        let work = tokio::time::timeout(self.timeout, self.asked(package, input, &progress));
        let asked = work.await.unwrap_or_else(|_| {
            Asked::without_result(Fault::TimedOut {
                at: self.address.to_string(),
                millis: u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX),
                received: progress.decision.bytes(),
            })
        });
        let question = Question {
            package,
            input,
            engine: self.id(),
            revision: progress.revision.into_inner().unwrap_or_default(),
            took: self.clock.instant().saturating_duration_since(started),
        };
        settle(question, asked.outcome, asked.result)
    }

    fn id(&self) -> EngineId {
        EngineId {
            name: "opa".to_owned(),
            version: self.version.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            at: self.address.to_string(),
        }
    }
}

impl Asked {
    fn without_result(fault: Fault) -> Self {
        Self { result: Value::Null, outcome: Err(fault) }
    }
}

fn read_reply(body: &[u8]) -> Result<Reply, Fault> {
    let answer: Value = serde_json::from_slice(body).map_err(|cause| {
        let start = excerpt(&String::from_utf8_lossy(body), 60);
        malformed(format!("not JSON ({cause}), it begins with `{start}`"))
    })?;
    let Value::Object(mut fields) = answer else {
        return Err(malformed("not an object with `result`".to_owned()));
    };
    let version =
        fields.get("provenance").and_then(|provenance| provenance["version"].as_str()).map(str::to_owned);
    let hits = fields.get("metrics").and_then(|metrics| metrics[KEPT_QUERY].as_u64());
    let hits = hits.filter(|_| version.as_deref().is_some_and(is_read));
    Ok(Reply { result: fields.remove("result"), version, kept: hits.map(|hits| hits > 0) })
}

/// The one outcome of both. A missing decision is explained by a policy that is
/// not loaded, where that is so; otherwise what is wrong with the decision comes
/// first.
fn judge(
    result: Option<&Value>,
    same: Result<(), Fault>,
    package: &str,
    bundle: &PolicyBundle,
) -> Result<Answer, Fault> {
    if let Err(fault @ Fault::Stale { .. }) = same {
        return Err(fault);
    }
    let answer = obey(result, package, bundle.thresholds())?;
    same?;
    Ok(answer)
}
