//! Types, inferred as OPA's compiler does: which values a variable, a rule or
//! the result of a function can be, and where two that must be the same never
//! are.
//!
//! A rule goes the same way as in OPA: names are resolved (`lower`, `statements`, `names`),
//! calls are taken out of terms (`expand`), statements are put in the order in
//! which variables get their values (`order`, `outputs`, `safe`), references
//! get variables of their own (`dynamics`), and then the statements are looked
//! at one by one (`infer`, `unify`, `refs`) with what is known of the rules
//! before (`deps`, `tree`) and of the builtins (`builtins`).
//!
//! Nothing may be refused here that OPA takes. Where something is written in a
//! way that is not followed, or is too large, it is `any`, of which nothing is
//! said.

mod builtins;
mod deps;
mod dynamics;
mod expand;
mod infer;
mod lattice;
mod lower;
mod names;
mod order;
mod outputs;
mod refs;
mod safe;
mod statements;
mod term;
mod tree;
mod unify;
mod words;

use std::collections::BTreeSet;

use regorus::Value;

use super::Finding;
use super::imports::imports;
use super::metadata::has_schemas;
use super::tree::{ModuleRef, package_of, refused};
use infer::{Checker, Env, Problem};
use lattice::{Known, Type};
use lower::{Definition, Lowering, names_of};
use term::{Callee, Head, Rule, RuleHead, Term, Vars};
use tree::Node;

/// Looks at the types of all rules.
pub(super) fn check(modules: &[ModuleRef], found: &mut Vec<Finding>) {
    // A schema says what documents are, and that counts more than what rules
    // give; schemas are not read here.
    if modules.iter().any(|module| has_schemas(module)) {
        return;
    }
    let mut definitions = lowered(modules);
    let functions = Functions::of(&definitions);
    let is_function = |term: &Term| functions.has(term);
    for definition in &mut definitions {
        if let Ok(rule) = &mut definition.rule {
            expand::expand(rule, &is_function);
        }
    }
    let mut index = deps::Index::default();
    for (number, definition) in definitions.iter().enumerate() {
        index.add(&definition.ground, number);
    }
    let mentions: Vec<Vec<usize>> = definitions
        .iter()
        .map(|definition| {
            definition.rule.as_ref().map_or_else(|_| Vec::new(), |rule| deps::mentions(rule, &index))
        })
        .collect();
    // Recursion is told by itself.
    let Some(order) = deps::sorted(&mentions) else { return };
    let arity = |callee: &Callee| functions.arity(callee);
    let mut data = Node::default();
    for number in order {
        let Definition { ground, rule } = &mut definitions[number];
        let checked = match rule {
            Err(lower::Unmodelled) => None,
            Ok(rule) => {
                if let Err(lower::Unmodelled) = order::order(rule, &arity) {
                    None
                } else {
                    dynamics::rewrite(rule);
                    checked(rule, &data, found)
                }
            }
        };
        match checked {
            None => data.insert(ground, &Type::any()),
            Some(Some(of)) => data.insert(ground, &of),
            Some(None) => {}
        }
    }
}

fn lowered(modules: &[ModuleRef]) -> Vec<Definition> {
    let names = names_of(modules);
    let mut definitions = Vec::new();
    for module in modules {
        let package = package_of(module);
        // What is wrong with them is told elsewhere.
        let imports = imports(module, &mut Vec::new());
        let lowering = Lowering { package: &package, imports: &imports, names: &names };
        definitions.extend(module.policy.iter().flat_map(|rule| lowering.rule(rule)));
    }
    definitions
}

/// The user's functions.
struct Functions {
    /// By their paths, with their numbers of arguments.
    by_path: std::collections::BTreeMap<Vec<Value>, usize>,
    /// Every rule.
    all: BTreeSet<Vec<Value>>,
}

impl Functions {
    fn of(definitions: &[Definition]) -> Self {
        let mut functions = Self { by_path: std::collections::BTreeMap::new(), all: BTreeSet::new() };
        for Definition { ground, rule } in definitions {
            if let Ok(Rule { head: RuleHead::Function { args, .. }, .. }) = rule {
                functions.by_path.insert(ground.clone(), args.len());
            }
            functions.all.insert(ground.clone());
        }
        functions
    }

    /// Whether a term names a function; `with` takes these uncalled.
    fn has(&self, term: &Term) -> bool {
        let Term::Ref(reference) = term else { return false };
        match &reference.head {
            Head::Builtin(_) => true,
            Head::Data => {
                let path: Option<Vec<Value>> = reference.path.iter().map(Term::constant).collect();
                path.is_some_and(|path| self.by_path.contains_key(&path))
            }
            Head::Input | Head::Var(_) | Head::Inner(_) => false,
        }
    }

    fn arity(&self, callee: &Callee) -> Option<usize> {
        match callee {
            Callee::Rule(path) => self.by_path.get(path).copied(),
            Callee::Builtin(name) => match builtins::builtin(name) {
                Some(Type::Function(function)) => Some(function.args.len()),
                _ => regorus::unstable::BUILTINS.get(name.as_str()).map(|(_, count)| usize::from(*count)),
            },
        }
    }
}

/// The type of what a rule gives; `None` where that is not to be known, and
/// of nothing where OPA, too, knows nothing: its `checkRule`.
fn checked(rule: &Rule, data: &Node, found: &mut Vec<Finding>) -> Option<Known> {
    let mut checker = Checker::new(data, &rule.names);
    let (known, problems) = checker.body(None, &rule.body);
    let mut env = Env { known, around: None };
    if let RuleHead::Function { args, .. } = &rule.head {
        let mut vars = Vars::new();
        for arg in args {
            outputs::term_vars(arg, &mut vars);
        }
        for var in vars {
            if env.get(var).is_none() {
                env.put(var, Some(Type::any()));
            }
        }
    }
    let of = match &rule.head {
        RuleHead::Value(value) => nested(&mut checker, &env, rule, value, false),
        RuleHead::Member(value) => nested(&mut checker, &env, rule, value, true),
        RuleHead::Function { args, value } => {
            let args = args.iter().map(|arg| checker.of(&env, arg)).collect();
            Some(Type::function(args, checker.of(&env, value).or_else(|| Some(Type::any()))))
        }
    };
    if checker.is_exhausted() {
        return None;
    }
    if problems.is_empty() {
        return Some(of);
    }
    found.extend(problems.into_iter().map(|Problem { span, what, .. }| refused(&span, what)));
    None
}

/// The type at the constant part of a rule's path: OPA's `nestedObject`.
fn nested(checker: &mut Checker<'_>, env: &Env<'_>, rule: &Rule, value: &Term, is_member: bool) -> Known {
    let of = checker.of(env, value)?;
    let of = if is_member { Type::set(Some(of)) } else { of };
    let ground = rule.path.iter().take_while(|part| matches!(part, Term::Constant(_))).count();
    rule.path[ground..].iter().rev().try_fold(of, |of, key| {
        let key = checker.of(env, key)?;
        Some(Type::object(Vec::new(), Some((Some(key), Some(of)))))
    })
}
