//! The embedded policy engine: the same files, evaluated in this process. For
//! the local target, or where the manifest asks for it; never a stand-in for
//! an OPA that is down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{JoinHandle, block_in_place, spawn_blocking};

use super::answer::{Answer, obey};
use super::bundle::{PolicyBundle, unusable};
use super::rego::{IN_PROCESS, Interpreter, VERSION, out_of_time};
use super::settle::{Question, settle};
use super::shipped::Shipped;
use super::{Decision, EngineId, Fault, PolicyEngine};
use crate::clock::SharedClock;

/// Longest time of reading and compiling the policies, which is done once for
/// every edit.
const PREPARING: Duration = Duration::from_secs(10);

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
    /// `None` while there was no need of it: where there is nothing but what is
    /// shipped, and the machine answers.
    interpreter: Arc<Mutex<Option<Interpreter>>>,
    shipped: Arc<[Shipped]>,
}

impl Compiled {
    /// What is shipped needs no look at what OPA would refuse: it is shown to a
    /// real one in the tests.
    fn of(bundle: &PolicyBundle, limit: Duration) -> Result<Self, Fault> {
        let shipped: Arc<[Shipped]> = Shipped::of(bundle).into();
        let is_all = shipped.len() == bundle.modules().len();
        let interpreter = if is_all { None } else { Some(Interpreter::of_policies(bundle, limit)?) };
        let interpreter = Arc::new(Mutex::new(interpreter));
        Ok(Self { revision: bundle.revision().to_owned(), interpreter, shipped })
    }

    fn interpreter(&self, bundle: &PolicyBundle, limit: Duration) -> Result<Interpreter, Fault> {
        let known = self.interpreter.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known {
            return Ok(known);
        }
        let made = Interpreter::of_policies(bundle, limit)?;
        *self.interpreter.lock().unwrap_or_else(PoisonError::into_inner) = Some(made.clone());
        Ok(made)
    }

    fn shipped(&self, package: &str) -> Option<&Shipped> {
        self.shipped.iter().find(|shipped| shipped.package() == package)
    }

    fn asked(
        &self,
        bundle: &PolicyBundle,
        package: &str,
        input: &Value,
        limit: Duration,
    ) -> Result<Option<Value>, Fault> {
        if !bundle.packages().contains(package) {
            return Ok(None);
        }
        let shipped = self.shipped(package);
        if let Some(decision) = shipped.and_then(|shipped| shipped.decision(input)) {
            return Ok(Some(decision));
        }
        let mut interpreter = self.interpreter(bundle, limit)?;
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
    /// `timeout` bounds the evaluation of a question.
    #[must_use]
    pub fn new(policies: impl Into<PathBuf>, timeout: Duration, clock: SharedClock) -> Self {
        Self { policies: policies.into(), timeout, clock, read: Arc::default(), compiled: Arc::default() }
    }

    /// Answers on this thread, where that is a matter of a tenth of a
    /// millisecond: what is shipped, compiled before and as it was. Handing it
    /// to another thread and back took as long as the evaluation itself, and
    /// one in a hundred times twice as long.
    fn at_once(&self, package: &str, input: &Value) -> Option<Evaluated> {
        let compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let shipped = compiled.shipped(package)?;
        let handle = Handle::try_current().ok()?;
        if handle.runtime_flavor() != RuntimeFlavor::MultiThread {
            return None;
        }
        // Other tasks go on elsewhere, should the disk be slow. A panic inside
        // the machine shows once more, as a fault, when it is asked apart.
        let answer = || {
            let bundle = read_again(&self.policies, &self.read).ok()?;
            let is_as_it_was = compiled.revision == bundle.revision();
            let decision = is_as_it_was.then(|| shipped.decision(input))??;
            Some(Evaluated::of(&bundle, package, Ok(Some(decision))))
        };
        block_in_place(|| catch_unwind(AssertUnwindSafe(answer))).ok().flatten()
    }

    /// Answers on threads of their own: compiling takes long, reading files may
    /// block, and a gate of the user's own may loop until its time is up. There
    /// it holds up nobody, and a panic inside the interpreter ends as a fault.
    async fn apart(&self, package: &str, input: &Value) -> Result<Evaluated, Fault> {
        // What is compiled once is no part of the time of a question.
        let preparing = spawn_blocking({
            let (policies, timeout) = (self.policies.clone(), self.timeout);
            let (read, compiled) = (Arc::clone(&self.read), Arc::clone(&self.compiled));
            move || {
                let bundle = read_again(&policies, &read)?;
                let compiled = compiled_from(&bundle, &compiled, timeout);
                Ok((bundle, compiled))
            }
        });
        let (bundle, compiled) = self.within(PREPARING, preparing).await??;
        let evaluating = spawn_blocking({
            let (package, input, timeout) = (package.to_owned(), input.clone(), self.timeout);
            move || {
                let result = compiled.and_then(|compiled| compiled.asked(&bundle, &package, &input, timeout));
                Evaluated::of(&bundle, &package, result)
            }
        });
        self.within(self.timeout, evaluating).await
    }

    async fn within<T>(&self, limit: Duration, work: JoinHandle<T>) -> Result<T, Fault> {
        match tokio::time::timeout(limit, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => {
                Err(unusable(format!("{}: the embedded engine broke down on them", self.policies.display())))
            }
            Err(_) => Err(out_of_time(limit)),
        }
    }
}

#[async_trait]
impl PolicyEngine for EmbeddedEngine {
    async fn ask(&self, package: &str, input: &Value) -> Decision {
        let started = self.clock.instant();
        let evaluated = match self.at_once(package, input) {
            Some(evaluated) => evaluated,
            None => self.apart(package, input).await.unwrap_or_else(Evaluated::without_policies),
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
    fn of(bundle: &PolicyBundle, package: &str, result: Result<Option<Value>, Fault>) -> Self {
        let revision = bundle.revision().to_owned();
        match result {
            Ok(result) => {
                let outcome = obey(result.as_ref(), package, bundle.thresholds());
                Self { revision, result: result.unwrap_or(Value::Null), outcome }
            }
            Err(fault) => Self { revision, ..Self::without_policies(fault) },
        }
    }

    fn without_policies(fault: Fault) -> Self {
        Self { revision: String::new(), result: Value::Null, outcome: Err(fault) }
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
    let compiled = compiled_from(bundle, compiled, limit);
    Evaluated::of(
        bundle,
        package,
        compiled.and_then(|compiled| compiled.asked(bundle, package, input, limit)),
    )
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
