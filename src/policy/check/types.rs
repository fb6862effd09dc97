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
    let is_uncalled = |target: &Term, value: &Term| functions.are_uncalled(target, value);
    for definition in &mut definitions {
        if let Ok(rule) = &mut definition.rule {
            expand::expand(rule, &is_uncalled);
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
            Err(lower::Unmodelled) => Outcome::Unknown,
            Ok(rule) => {
                if let Err(lower::Unmodelled) = order::order(rule, &arity) {
                    Outcome::Unknown
                } else {
                    dynamics::rewrite(rule);
                    checked(rule, &data, found)
                }
            }
        };
        match checked {
            // What a rule gives that is wrong, nobody is to trip over again.
            Outcome::Unknown | Outcome::Wrong { is_ground: true } => data.insert(ground, &Type::any()),
            Outcome::Given(Some(of)) => data.insert(ground, &of),
            Outcome::Given(None) => {}
            Outcome::Wrong { is_ground: false } => data.touch(ground),
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

    /// OPA's `validateWith`: a function's name stays, and for a function any
    /// rule's does.
    fn are_uncalled(&self, target: &Term, value: &Term) -> bool {
        self.has(value) || (self.has(target) && self.is_rule(value))
    }

    fn is_rule(&self, term: &Term) -> bool {
        let Term::Ref(reference) = term else { return false };
        let path: Option<Vec<Value>> = reference.path.iter().map(Term::constant).collect();
        reference.head == Head::Data && path.is_some_and(|path| self.all.contains(&path))
    }

    /// Whether a term names a function.
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

/// What came of looking at a rule.
enum Outcome {
    /// What it gives, as far as OPA knows that too.
    Given(Known),
    /// It was not looked at.
    Unknown,
    Wrong {
        is_ground: bool,
    },
}

/// The type of what a rule gives: OPA's `checkRule`.
fn checked(rule: &Rule, data: &Node, found: &mut Vec<Finding>) -> Outcome {
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
        return Outcome::Unknown;
    }
    if problems.is_empty() {
        return Outcome::Given(of);
    }
    found.extend(problems.into_iter().map(|Problem { span, what, .. }| refused(&span, what)));
    Outcome::Wrong { is_ground: rule.path.iter().all(|part| matches!(part, Term::Constant(_))) }
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
