//! The shipped policies as programs for regorus' virtual machine, which takes
//! a third of the interpreter's time.
//!
//! The machine is younger than the interpreter and not always right (0.14.1
//! takes the undefined result of a function for a value). So it is given only
//! text that is byte for byte what SwiftDeploy ships, whose answers
//! `tests/policy_programs.rs` holds to those of the interpreter; whatever it
//! cannot answer, and every other text, the interpreter evaluates.

use std::sync::{Arc, Mutex, PoisonError};

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::program::{Program, RuleType};
use regorus::rvm::vm::RegoVM;
use serde::Deserialize as _;
use serde_json::Value;

use super::bundle::{Module, PolicyBundle, STARTERS};
use super::rego::parsed;

/// Instructions of the machine in one decision: fifty times what one takes, and some
/// 5 ms. It looks at no clock then, which took a thirtieth of the time.
const MOST_INSTRUCTIONS: usize = 100_000;

/// A shipped package with the limits on disk.
#[derive(Clone)]
pub(super) struct Shipped {
    package: String,
    program: Arc<Program>,
    data: regorus::Value,
    /// The machine that answered last, which has its memory already.
    idle: Arc<Mutex<Option<RegoVM>>>,
}

impl Shipped {
    /// The packages of a folder that are as they were shipped.
    pub(super) fn of(bundle: &PolicyBundle) -> Vec<Self> {
        STARTERS
            .iter()
            .filter_map(|(file, text)| Self::compiled(bundle, file.strip_suffix(".rego")?, text))
            .collect()
    }

    /// `None` for another text, and for one that cannot be compiled.
    fn compiled(bundle: &PolicyBundle, package: &str, text: &str) -> Option<Self> {
        // Other files of the package, or of one inside it, add to its rules.
        let mut of_package = bundle.modules().iter().filter(|module| module.package.starts_with(package));
        let module = of_package.next().filter(|module| is_shipped(module, package, text))?;
        if of_package.next().is_some() {
            return None;
        }
        let mut engine = parsed(std::iter::once(module)).ok()?;
        engine.add_data_json(&bundle.data().to_string()).ok()?;
        let rule = format!("data.{package}.decision");
        let data = regorus::Value::from_json_str(&bundle.data().to_string()).ok()?;
        let policy = engine.compile_with_entrypoint(&regorus::Rc::from(rule.as_str())).ok()?;
        let program = Compiler::compile_from_policy(&policy, &[&rule]).ok()?;
        let program = Arc::new(without_names(program));
        Some(Self { package: package.to_owned(), program, data, idle: Arc::default() })
    }

    pub(super) fn package(&self) -> &str {
        &self.package
    }

    /// The decision; `None` where the machine gives none. One that failed or
    /// broke down is not used again.
    pub(super) fn decision(&self, input: &Value) -> Option<Value> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut machine = idle.map_or_else(|| self.machine(), Some)?;
        machine.set_input(regorus::Value::deserialize(input).ok()?);
        let value = machine.execute().ok()?;
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(machine);
        match value {
            regorus::Value::Undefined => None,
            value => serde_json::to_value(&value).ok(),
        }
    }

    fn machine(&self) -> Option<RegoVM> {
        let mut machine = RegoVM::new();
        machine.set_max_instructions(MOST_INSTRUCTIONS);
        machine.load_program(Arc::clone(&self.program));
        machine.set_data(self.data.clone()).ok()?;
        Some(machine)
    }
}

/// The program without what the machine only carries along. It copies what it
/// knows of a rule whenever one asks for it, a hundred times in a decision: the
/// names, which stand in listings, and lists that tell nothing else than empty
/// ones do.
fn without_names(program: Arc<Program>) -> Program {
    let mut program = Arc::unwrap_or_clone(program);
    for rule in &mut program.rule_infos {
        rule.name = String::new();
        if let Some(function) = &mut rule.function_info {
            function.param_names = Vec::new();
        }
        if rule.destructuring_blocks.iter().all(Option::is_none) {
            rule.destructuring_blocks = Vec::new();
        }
        // Only partial rules look at which of their bodies is an `else`.
        if rule.rule_type == RuleType::Complete {
            rule.else_bodies = Vec::new();
        }
    }
    program
}

fn is_shipped(module: &Module, package: &str, text: &str) -> bool {
    module.package == package && module.source == text
}
