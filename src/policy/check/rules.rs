//! Which rules there are, and which cannot stand beside each other.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use regorus::unstable::{Expr, Rule, RuleHead, Span};

use super::Finding;
use super::tree::{ModuleRef, Part, Path, chain, children, package_of, refused, shown};

/// What a rule defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// One value, or a field of an object.
    Value,
    /// Members of a set (`contains`).
    Set,
    /// A function of so many arguments.
    Function(usize),
}

/// One definition; a rule may have several.
pub(super) struct Definition {
    /// Below `data`, with the package.
    pub path: Path,
    pub kind: Kind,
    pub is_default: bool,
    pub span: Span,
}

/// Every definition, in the order of files and lines. The index is the number
/// by which the other checks speak of one.
pub(super) struct Rules {
    all: Vec<Definition>,
    /// Every path that leads to a rule or through where one lies.
    known: BTreeSet<Path>,
    functions: BTreeMap<Path, usize>,
}

impl Rules {
    pub(super) fn of(modules: &[ModuleRef]) -> Self {
        let mut all = Vec::new();
        for module in modules {
            let package = package_of(module);
            all.extend(module.policy.iter().map(|rule| definition(&package, rule)));
        }
        let mut known = BTreeSet::new();
        let mut functions = BTreeMap::new();
        for rule in &all {
            known.extend((1..=rule.path.len()).map(|length| rule.path[..length].to_vec()));
            if let Kind::Function(arity) = rule.kind {
                functions.entry(rule.path.clone()).or_insert(arity);
            }
        }
        Self { all, known, functions }
    }

    pub(super) fn all(&self) -> &[Definition] {
        &self.all
    }

    /// Whether a package has a rule whose name begins so.
    pub(super) fn has(&self, package: &[Part], name: &str) -> bool {
        let mut path = package.to_vec();
        path.push(Part::Name(name.to_owned()));
        self.known.contains(&path)
    }

    /// The function at exactly this path: its number of arguments.
    pub(super) fn function(&self, path: &[Part]) -> Option<usize> {
        self.functions.get(path).copied()
    }
}

fn definition(package: &[Part], rule: &Rule) -> Definition {
    let (refr, kind, is_default) = match rule {
        Rule::Spec { head: RuleHead::Compr { refr, .. }, .. } => (refr, Kind::Value, false),
        Rule::Spec { head: RuleHead::Set { refr, .. }, .. } => (refr, Kind::Set, false),
        Rule::Spec { head: RuleHead::Func { refr, args, .. }, .. } => {
            (refr, Kind::Function(args.len()), false)
        }
        Rule::Default { refr, args, .. } if args.is_empty() => (refr, Kind::Value, true),
        Rule::Default { refr, args, .. } => (refr, Kind::Function(args.len()), true),
    };
    let mut path = package.to_vec();
    path.extend(super::tree::path_of(refr));
    Definition { path, kind, is_default, span: rule.span().clone() }
}

/// Looks for definitions that exclude each other.
pub(super) fn conflicts(rules: &Rules, modules: &[ModuleRef], found: &mut Vec<Finding>) {
    one_kind_for_a_name(rules, found);
    one_default_for_a_rule(rules, modules, found);
    apart_from_packages(rules, modules, found);
}

fn is_static(path: &[Part]) -> bool {
    path.iter().all(|part| *part != Part::Any)
}

fn one_kind_for_a_name(rules: &Rules, found: &mut Vec<Finding>) {
    let mut first: BTreeMap<&[Part], &Definition> = BTreeMap::new();
    for rule in rules.all().iter().filter(|rule| is_static(&rule.path)) {
        let known = *first.entry(&rule.path).or_insert(rule);
        if known.kind != rule.kind {
            found.push(refused(
                &rule.span,
                format!(
                    "{} is defined in two ways, also in line {}; give one of them another name",
                    shown(&rule.path),
                    known.span.line
                ),
            ));
        }
    }
    for rule in rules.all() {
        let above = (1..rule.path.len()).find_map(|length| first.get_key_value(&rule.path[..length]));
        if let Some((path, known)) = above {
            found.push(refused(
                &rule.span,
                format!(
                    "{} lies inside {}, which line {} defines as a whole",
                    shown(&rule.path),
                    shown(path),
                    known.span.line
                ),
            ));
        }
    }
}

fn one_default_for_a_rule(rules: &Rules, modules: &[ModuleRef], found: &mut Vec<Finding>) {
    let mut first: BTreeMap<&[Part], u32> = BTreeMap::new();
    for rule in rules.all().iter().filter(|rule| rule.is_default) {
        let line = *first.entry(&rule.path).or_insert(rule.span.line);
        if line != rule.span.line {
            found.push(refused(
                &rule.span,
                format!("{} has a second default; the first is in line {line}", shown(&rule.path)),
            ));
        }
    }
    for rule in modules.iter().flat_map(|module| module.policy.iter()) {
        if let Rule::Default { value, .. } = rule.as_ref()
            && has_reference(value)
        {
            found.push(refused(value.span(), "a default must be a constant".to_owned()));
        }
    }
}

fn has_reference(expr: &Expr) -> bool {
    matches!(expr, Expr::Call { .. })
        || chain(expr).is_some()
        || children(expr).into_iter().any(has_reference)
}

fn apart_from_packages(rules: &Rules, modules: &[ModuleRef], found: &mut Vec<Finding>) {
    let packages: BTreeSet<Path> = modules.iter().map(|module| package_of(module)).collect();
    for rule in rules.all().iter().filter(|rule| is_static(&rule.path)) {
        // What a path begins is next to it in the order.
        let next =
            packages.range::<[Part], _>((Bound::Included(rule.path.as_slice()), Bound::Unbounded)).next();
        let package = next.filter(|package| package.starts_with(&rule.path));
        if let Some(package) = package {
            found.push(refused(
                &rule.span,
                format!("{} is also where the package {} lies", shown(&rule.path), shown(package)),
            ));
        }
    }
}
