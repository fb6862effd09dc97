//! What the embedded interpreter takes and Open Policy Agent does not.
//!
//! The interpreter parses, schedules and evaluates; it has no compiler that
//! looks at a policy as a whole. OPA's does, and refuses what would here be
//! found out late or never: recursion through `data`, variables that nothing
//! binds, two kinds of rule under one name, functions that do not exist. What
//! can be seen in the syntax tree is looked for here, so that a policy means
//! the same to both. So is what both take and read differently (`not` over a
//! fact that may be missing, `\d` in a regular expression): a decision must not
//! depend on which of them was asked.
//!
//! Types are inferred as OPA does (`types`), without the schemas that METADATA
//! may name. Not looked for: rules with two values for the same input (the same
//! in both). Where a real OPA is at hand it judges by itself (`program`), and
//! that answer counts more.

mod calls;
mod graph;
mod imports;
mod mentions;
mod metadata;
mod negation;
mod program;
mod rules;
mod scope;
mod tree;
mod types;

use std::path::Path;

use super::Fault;
use super::bundle::PolicyBundle;
use super::rego::Interpreter;

pub use program::{Judgement, UNJUDGED, found as opa_on_path, judge_with, words};

/// Something that OPA refuses, or reads in another way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// File and line: `policies/freeze.rego:12`.
    pub at: String,
    /// What is wrong and, where it helps, what to write instead.
    pub what: String,
    /// Who minds.
    pub minds: Minds,
}

/// Who minds a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Minds {
    /// OPA would not load the file.
    Opa,
    /// OPA loads it and decides by it; `opa check --strict` complains.
    StrictOpa,
    /// OPA takes it; the embedded engine has it not, or reads it otherwise.
    Embedded,
}

impl Finding {
    /// Whether the embedded engine must not decide by such a file.
    #[must_use]
    pub fn forbids_deciding(&self) -> bool {
        self.minds != Minds::StrictOpa
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// Looks through the policies of a folder and their tests; nothing found is an
/// empty list. Reads the disk, evaluates nothing.
///
/// # Errors
/// [`Fault::Policies`] when the folder cannot be used or does not even parse.
pub fn examine(dir: &Path) -> Result<Vec<Finding>, Fault> {
    let bundle = PolicyBundle::load(dir)?;
    Interpreter::findings_of(&bundle)
}

/// Everything found in parsed modules, in the order of files and lines.
pub(super) fn findings(modules: &[tree::ModuleRef]) -> Vec<Finding> {
    let rules = rules::Rules::of(modules);
    let mut found = Vec::new();
    rules::conflicts(&rules, modules, &mut found);
    let read = scope::read(modules, &rules, &mut found);
    calls::check(&read, &rules, &mut found);
    types::check(modules, &mut found);
    for module in modules {
        metadata::check(module, &mut found);
    }
    graph::recursion(&read, &rules, &mut found);
    found.sort();
    found.dedup();
    found
}
