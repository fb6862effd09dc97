//! The embedded policy engine: the same files, evaluated in this process. For
//! the local target, or where the manifest asks for it; never a stand-in for
//! an OPA that is down.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::answer::{Answer, obey};
use super::bundle::{PolicyBundle, unusable};
use super::rego::{IN_PROCESS, Interpreter, VERSION, out_of_time};
use super::settle::{Question, settle};
use super::shipped::Shipped;
use super::{Decision, EngineId, Fault, PolicyEngine};
use crate::clock::SharedClock;

/// Evaluates `policies/` in this process.
pub struct EmbeddedEngine {
    policies: PathBuf,
    timeout: Duration,
    clock: SharedClock,
    /// The policies as they were read last.
    read: Arc<Mutex<Option<Arc<PolicyBundle>>>>,
    compiled: Arc<Mutex<Option<Compiled>>>,
}

/// What is kept between questions, and of which content it was made.
#[derive(Clone)]
pub(super) struct Compiled {
    revision: String,
    /// `None` where there is nothing but what is shipped.
    interpreter: Option<Interpreter>,
    shipped: Arc<[Shipped]>,
}

impl Compiled {
    /// What is shipped needs no look at what OPA would refuse: it is shown to a
    /// real one in the tests.
    fn of(bundle: &PolicyBundle, limit: Duration) -> Result<Self, Fault> {
        let shipped: Arc<[Shipped]> = Shipped::of(bundle).into();
        let is_all = shipped.len() == bundle.modules().len();
        let interpreter = if is_all { None } else { Some(Interpreter::of_policies(bundle, limit)?) };
        Ok(Self { revision: bundle.revision().to_owned(), interpreter, shipped })
    }

    fn decision(
        &self,
        bundle: &PolicyBundle,
        package: &str,
        input: &Value,
        limit: Duration,
    ) -> Result<Option<Value>, Fault> {
        let shipped = self.shipped.iter().find(|shipped| shipped.package() == package);
        if let Some(decision) = shipped.and_then(|shipped| shipped.decision(input, limit)) {
            return Ok(Some(decision));
        }
        let mut interpreter = match &self.interpreter {
            Some(interpreter) => interpreter.clone(),
            None => Interpreter::of_policies(bundle, limit)?,
        };
        interpreter.set_input(input)?;
        interpreter.value_of(&format!("data.{package}.decision"), limit)
    }
}

/// What one evaluation gave.
pub(super) struct Evaluated {
    revision: String,
    pub(super) result: Value,
    pub(super) outcome: Result<Answer, Fault>,
}

impl EmbeddedEngine {
    /// Reads the folder at each question, so that an edit counts at once.
    /// `timeout` bounds a question, reading and evaluation together.
    #[must_use]
    pub fn new(policies: impl Into<PathBuf>, timeout: Duration, clock: SharedClock) -> Self {
        Self { policies: policies.into(), timeout, clock, read: Arc::default(), compiled: Arc::default() }
    }
}

#[async_trait]
impl PolicyEngine for EmbeddedEngine {
    async fn ask(&self, package: &str, input: &Value) -> Decision {
        let started = self.clock.instant();
        // An evaluation takes milliseconds, but reading files may block and a
        // gate of the user's own may loop until its time is up; on a thread of
        // its own it holds up nobody, and a panic inside the interpreter ends
        // as a fault.
        let work = tokio::task::spawn_blocking({
            let (policies, timeout) = (self.policies.clone(), self.timeout);
            let (read, compiled) = (Arc::clone(&self.read), Arc::clone(&self.compiled));
            let (package, input) = (package.to_owned(), input.clone());
            move || match read_again(&policies, &read) {
                Ok(bundle) => evaluate(&bundle, &compiled, &package, &input, timeout),
                Err(fault) => Evaluated::without_result(String::new(), fault),
            }
        });
        let evaluated = match tokio::time::timeout(self.timeout, work).await {
            Ok(Ok(evaluated)) => evaluated,
            Ok(Err(_)) => Evaluated::without_result(
                String::new(),
                unusable(format!("{}: the embedded engine broke down on them", self.policies.display())),
            ),
            Err(_) => Evaluated::without_result(String::new(), out_of_time(self.timeout)),
        };
        let question = Question {
            package,
            input,
            engine: self.id(),
            revision: evaluated.revision,
            took: self.clock.instant().saturating_duration_since(started),
        };
        settle(question, evaluated.outcome, evaluated.result)
    }

    fn id(&self) -> EngineId {
        EngineId { name: "embedded".to_owned(), version: Some(VERSION.to_owned()), at: IN_PROCESS.to_owned() }
    }
}

impl Evaluated {
    fn without_result(revision: String, fault: Fault) -> Self {
        Self { revision, result: Value::Null, outcome: Err(fault) }
    }
}

/// The policies that are on disk now; what was made of them before is kept as
/// long as they are the same.
fn read_again(policies: &Path, read: &Mutex<Option<Arc<PolicyBundle>>>) -> Result<Arc<PolicyBundle>, Fault> {
    let known = read.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let bundle = PolicyBundle::load_or_keep(policies, known)?;
    *read.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&bundle));
    Ok(bundle)
}

/// One question to policies that were read.
pub(super) fn evaluate(
    bundle: &PolicyBundle,
    compiled: &Mutex<Option<Compiled>>,
    package: &str,
    input: &Value,
    limit: Duration,
) -> Evaluated {
    let revision = bundle.revision().to_owned();
    let result = if bundle.packages().contains(package) {
        compiled_from(bundle, compiled, limit)
            .and_then(|compiled| compiled.decision(bundle, package, input, limit))
    } else {
        Ok(None)
    };
    match result {
        Ok(result) => {
            let outcome = obey(result.as_ref(), package, bundle.thresholds());
            Evaluated { revision, result: result.unwrap_or(Value::Null), outcome }
        }
        Err(fault) => Evaluated::without_result(revision, fault),
    }
}

/// The compiled policies of exactly this revision.
fn compiled_from(
    bundle: &PolicyBundle,
    compiled: &Mutex<Option<Compiled>>,
    limit: Duration,
) -> Result<Compiled, Fault> {
    // The value is replaced as a whole, so that a panic elsewhere cannot leave
    // half of one.
    let kept = compiled.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(kept) = kept.filter(|kept| kept.revision == bundle.revision()) {
        return Ok(kept);
    }
    let fresh = Compiled::of(bundle, limit)?;
    *compiled.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh.clone());
    Ok(fresh)
}
