//! The embedded interpreter (regorus) around a bundle: the one place that
//! knows its interface.
//!
//! It is close to OPA and not equal. What OPA would not load, and what it would
//! read differently, is refused before anything is evaluated (`check`), as far
//! as it can be seen in the text; `tests/policy_fixtures.rs` holds both engines
//! to the same answers. A builtin that fails on its arguments is an error here
//! and undefined in OPA: here it denies and says where.

use std::num::NonZeroU32;
use std::time::Duration;

use regorus::utils::limits::ExecutionTimerConfig;
use serde_json::Value;

use super::Fault;
use super::answer::malformed;
use super::bundle::{Module, PolicyBundle, unusable};
use super::check;

/// The version of the interpreter, for screen and record. A test compares it
/// with `Cargo.lock`.
pub(super) const VERSION: &str = "regorus 0.14.1";

/// Work units between two looks at the clock: often enough for a limit of
/// milliseconds, seldom enough to cost nothing.
const CHECK_INTERVAL: NonZeroU32 = NonZeroU32::new(64).unwrap();

/// Longest time of scheduling all modules when nothing is evaluated.
const SCHEDULING: Duration = Duration::from_secs(5);

/// What the interpreter says of a rule that no file defines; for OPA that is
/// an undefined value like any other.
const NO_SUCH_RULE: &str = "not a valid rule path";

/// Policies ready to be evaluated.
#[derive(Clone)]
pub(super) struct Interpreter {
    engine: regorus::Engine,
}

impl Interpreter {
    /// The files that decide, with their data.
    pub(super) fn of_policies(bundle: &PolicyBundle, limit: Duration) -> Result<Self, Fault> {
        Self::of_checked(bundle.modules().iter(), bundle.data(), limit)
    }

    /// The files that decide and those that test them.
    pub(super) fn with_tests(bundle: &PolicyBundle, limit: Duration) -> Result<Self, Fault> {
        Self::of_checked(bundle.modules().iter().chain(bundle.tests()), bundle.data(), limit)
    }

    fn of_checked<'a>(
        modules: impl Iterator<Item = &'a Module>,
        data: &Value,
        limit: Duration,
    ) -> Result<Self, Fault> {
        let mut engine = parsed(modules)?;
        let found = check::findings(engine.get_modules());
        match found.into_iter().find(check::Finding::forbids_deciding) {
            Some(finding) => Err(unusable(finding.to_string())),
            None => Self::of_parsed(engine, data, limit),
        }
    }

    /// Some files with some data, such as variants of policies that were
    /// checked already.
    pub(super) fn of_modules<'a>(
        modules: impl Iterator<Item = &'a Module>,
        data: &Value,
        limit: Duration,
    ) -> Result<Self, Fault> {
        Self::of_parsed(parsed(modules)?, data, limit)
    }

    fn of_parsed(mut engine: regorus::Engine, data: &Value, limit: Duration) -> Result<Self, Fault> {
        engine.add_data_json(&data.to_string()).map_err(|cause| unusable(one_line(&cause.to_string())))?;
        engine.set_execution_timer_config(ExecutionTimerConfig { limit, check_interval: CHECK_INTERVAL });
        // Any query checks and schedules all modules, once for every later use.
        engine.eval_query("1".to_owned(), false).map_err(|cause| unusable(one_line(&cause.to_string())))?;
        Ok(Self { engine })
    }

    /// What OPA would say of the files that decide and of those that test them.
    pub(super) fn findings_of(bundle: &PolicyBundle) -> Result<Vec<check::Finding>, Fault> {
        let mut engine = parsed(bundle.modules().iter().chain(bundle.tests()))?;
        let found = check::findings(engine.get_modules());
        if found.iter().any(check::Finding::forbids_deciding) {
            return Ok(found);
        }
        // What the interpreter itself refuses when it schedules.
        Self::with_tests(bundle, SCHEDULING).map(|_| found)
    }

    /// Sets the facts.
    pub(super) fn set_input(&mut self, input: &Value) -> Result<(), Fault> {
        self.engine
            .set_input_json(&input.to_string())
            .map_err(|cause| malformed(format!("the facts cannot be sent: {}", one_line(&cause.to_string()))))
    }

    /// The value of a rule, `None` when it is undefined.
    pub(super) fn value_of(&mut self, rule: &str, limit: Duration) -> Result<Option<Value>, Fault> {
        let value = match self.engine.eval_rule(rule.to_owned()) {
            Ok(regorus::Value::Undefined) => return Ok(None),
            Ok(value) => value,
            Err(cause) => {
                let cause = one_line(&cause.to_string());
                if cause == NO_SUCH_RULE {
                    return Ok(None);
                }
                if is_out_of_time(&cause) {
                    return Err(out_of_time(limit));
                }
                // A builtin's own errors do not say where.
                let is_placed = cause.contains(".rego:");
                return Err(unusable(if is_placed { cause } else { format!("{rule}: {cause}") }));
            }
        };
        serde_json::to_value(&value)
            .map(Some)
            .map_err(|cause| malformed(format!("{rule} is not JSON: {cause}")))
    }
}

/// An engine that has parsed the files and done nothing else.
pub(super) fn parsed<'a>(modules: impl Iterator<Item = &'a Module>) -> Result<regorus::Engine, Fault> {
    let mut engine = regorus::Engine::new();
    for module in modules {
        engine
            .add_policy(module.shown.clone(), module.source.clone())
            .map_err(|cause| unusable(one_line(&cause.to_string())))?;
    }
    Ok(engine)
}

/// Where the embedded engine is, for messages.
pub(super) const IN_PROCESS: &str = "in process";

pub(super) fn out_of_time(limit: Duration) -> Fault {
    Fault::TimedOut {
        at: format!("{VERSION} {IN_PROCESS}"),
        millis: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
        received: 0,
    }
}

fn is_out_of_time(cause: &str) -> bool {
    cause.contains("time limit")
}

/// The interpreter draws the offending line over several lines; the place and
/// the cause are enough: `policies/infra.rego:12:3: …`.
fn one_line(drawn: &str) -> String {
    let place = drawn.lines().find_map(|line| line.trim().strip_prefix("--> "));
    let cause = drawn.lines().find_map(|line| line.trim().strip_prefix("error: "));
    match (place, cause) {
        (Some(place), Some(cause)) => format!("{}: {}", place.trim(), cause.trim()),
        _ => drawn.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
#[path = "rego_tests.rs"]
mod tests;
