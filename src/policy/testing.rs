//! Runs the policies' own tests (`test_*` rules of `*_test.rego`) with the
//! embedded engine, for those who have no `opa test` at hand.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::Fault;
use super::bundle::{Module, PolicyBundle};
use super::rego::Interpreter;

/// Longest time of one test.
const TEST_TIME: Duration = Duration::from_secs(5);

/// What the tests of a folder gave.
#[derive(Debug, Clone, PartialEq)]
pub struct TestReport {
    /// The revision of the policies that were tested.
    pub revision: String,
    /// Each test, in the order of files and lines.
    pub cases: Vec<TestCase>,
}

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub struct TestCase {
    /// The file and line, `policies/infra_test.rego:12`.
    pub at: String,
    /// Its package, `infra_test`.
    pub package: String,
    /// Its rule, `test_denies_a_full_disk`.
    pub name: String,
    /// What it gave.
    pub outcome: TestOutcome,
}

/// What a test gave.
#[derive(Debug, Clone, PartialEq)]
pub enum TestOutcome {
    /// The rule is true.
    Passed,
    /// The rule is something else.
    Failed {
        /// What it is: `undefined`, `false`, ….
        reason: String,
    },
    /// The rule cannot be evaluated.
    Broken {
        /// File, line and cause.
        reason: String,
    },
}

impl TestReport {
    /// Whether there are tests and all passed.
    #[must_use]
    pub fn is_success(&self) -> bool {
        !self.cases.is_empty() && self.passed() == self.cases.len()
    }

    /// How many passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.cases.iter().filter(|case| case.outcome == TestOutcome::Passed).count()
    }
}

/// Runs every test of a folder. Blocks while it runs.
///
/// # Errors
/// [`Fault::Policies`] when the folder or a file cannot be used.
pub fn run_tests(dir: &Path) -> Result<TestReport, Fault> {
    let bundle = PolicyBundle::load(dir)?;
    let interpreter = Interpreter::with_tests(&bundle, TEST_TIME)?;
    let cases = bundle.tests().iter().flat_map(|module| cases_of(module, &interpreter)).collect();
    Ok(TestReport { revision: bundle.revision().to_owned(), cases })
}

fn cases_of(module: &Module, interpreter: &Interpreter) -> Vec<TestCase> {
    let mut first_seen = BTreeMap::new();
    tests_in(&module.source)
        .map(|(line, name)| {
            let outcome = match first_seen.insert(name, line) {
                // Rego would join the two, and one could hide the other.
                Some(first) => TestOutcome::Failed { reason: format!("also defined in line {first}") },
                None => run(&module.package, name, interpreter.clone()),
            };
            TestCase {
                at: format!("{}:{line}", module.shown),
                package: module.package.clone(),
                name: name.to_owned(),
                outcome,
            }
        })
        .collect()
}

/// Rules stand at the beginning of a line, as `opa fmt` puts them.
fn tests_in(source: &str) -> impl Iterator<Item = (usize, &str)> {
    source.lines().enumerate().filter_map(|(index, line)| {
        let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(line.len());
        line[..end].starts_with("test_").then_some((index + 1, &line[..end]))
    })
}

fn run(package: &str, name: &str, mut interpreter: Interpreter) -> TestOutcome {
    match interpreter.value_of(&format!("data.{package}.{name}"), TEST_TIME) {
        Ok(Some(Value::Bool(true))) => TestOutcome::Passed,
        Ok(Some(other)) => TestOutcome::Failed { reason: format!("{other}, not true") },
        Ok(None) => TestOutcome::Failed { reason: "undefined, not true".to_owned() },
        Err(fault) => TestOutcome::Broken { reason: fault.to_string() },
    }
}
