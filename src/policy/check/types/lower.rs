//! From the interpreter's syntax tree to terms in which every name is resolved:
//! OPA's `resolveAllRefs` and `rewriteLocalVars`.
//!
//! What is written in no way that is known here is [`Unmodelled`]; the rule
//! then is `any` and nothing is said of it.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{self as syntax, Query, Span};

use super::super::imports::Imports;
use super::super::tree::{Part, Path, package_of, pattern_vars, text};
use super::names;
use super::statements;
use super::term::{Expr, Head, Kind, Reference, Rule, RuleHead, Term, Var, fresh};

/// Something that is not looked at.
pub(super) struct Unmodelled;

pub(super) type Lowered<T> = Result<T, Unmodelled>;

/// Which names the rules of a package may be called by.
pub(super) type Names = BTreeMap<Path, BTreeSet<String>>;

/// One definition, or a branch of one.
pub(super) struct Definition {
    /// The path below `data` as far as it is constant.
    pub ground: Vec<Value>,
    pub rule: Lowered<Rule>,
}

/// The names of all packages' rules.
pub(super) fn names_of(modules: &[super::super::tree::ModuleRef]) -> Names {
    let mut names = Names::new();
    for module in modules {
        let known = names.entry(package_of(module)).or_default();
        for rule in &module.policy {
            let refr = match rule.as_ref() {
                syntax::Rule::Default { refr, .. } => refr,
                syntax::Rule::Spec { head, .. } => match head {
                    syntax::RuleHead::Compr { refr, .. }
                    | syntax::RuleHead::Set { refr, .. }
                    | syntax::RuleHead::Func { refr, .. } => refr,
                },
            };
            if let syntax::Expr::Var { value, .. } = names::steps(refr).0 {
                known.insert(text(value));
            }
        }
    }
    names
}

/// The variables that a query, an argument list or an `every` declares.
#[derive(Default)]
pub(super) struct Frame {
    pub locals: BTreeMap<String, Var>,
    /// Declared somewhere in the query: never the name of a rule.
    pub declared: BTreeSet<String>,
}

/// Reads the rules of one module.
pub(super) struct Lowering<'a> {
    pub package: &'a [Part],
    pub imports: &'a Imports,
    pub names: &'a Names,
}

/// Reads one rule.
pub(super) struct Lowerer<'a> {
    module: &'a Lowering<'a>,
    pub frames: Vec<Frame>,
    /// The variables that nothing declares.
    undeclared: BTreeMap<String, Var>,
    pub variables: Vec<String>,
    pub depth: usize,
}

impl Lowering<'_> {
    /// A rule with all its branches: OPA takes each for a rule.
    pub(super) fn rule(&self, rule: &syntax::Rule) -> Vec<Definition> {
        match rule {
            syntax::Rule::Default { refr, args, value, span, .. } => {
                let parts = Parts { refr, args, member: Member::None, assigned: Some(value), span };
                vec![self.definition(&parts, None)]
            }
            syntax::Rule::Spec { head, bodies, span } => {
                let (refr, args, member, assign) = match head {
                    syntax::RuleHead::Compr { refr, assign, .. } => {
                        (refr, &[][..], Member::None, assign.as_ref())
                    }
                    syntax::RuleHead::Set { refr, key, .. } => {
                        let member = key.as_ref().map_or(Member::Old, Member::Contains);
                        (refr, &[][..], member, None)
                    }
                    syntax::RuleHead::Func { refr, args, assign, .. } => {
                        (refr, args.as_slice(), Member::None, assign.as_ref())
                    }
                };
                let assigned = assign.map(|assign| assign.value.as_ref());
                if bodies.is_empty() {
                    return vec![self.definition(&Parts { refr, args, member, assigned, span }, None)];
                }
                bodies
                    .iter()
                    .map(|body| {
                        let own = body.assign.as_ref().map(|assign| assign.value.as_ref());
                        let assigned = if body.is_else { own } else { assigned };
                        let parts = Parts { refr, args, member, assigned, span };
                        self.definition(&parts, Some(&body.query))
                    })
                    .collect()
            }
        }
    }

    fn definition(&self, parts: &Parts<'_>, query: Option<&Query>) -> Definition {
        let mut lowerer = Lowerer {
            module: self,
            frames: Vec::new(),
            undeclared: BTreeMap::new(),
            variables: Vec::new(),
            depth: 0,
        };
        let rule = lowerer.rule(parts, query);
        if let Ok(rule) = rule {
            let constant = |part: &Term| match part {
                Term::Constant(key) => Some(key.clone()),
                _ => None,
            };
            return Definition { ground: rule.path.iter().map_while(constant).collect(), rule: Ok(rule) };
        }
        let mut ground: Vec<Value> = self.package.iter().filter_map(constant_part).collect();
        let (base, steps) = names::steps(parts.refr);
        if let syntax::Expr::Var { value, .. } = base {
            ground.push(value.clone());
        }
        ground.extend(steps.iter().map_while(names::Step::constant));
        Definition { ground, rule }
    }
}

fn constant_part(part: &Part) -> Option<Value> {
    match part {
        Part::Name(name) => Some(Value::from(name.as_str())),
        Part::Number(_) | Part::Any => None,
    }
}

/// Whether a rule makes a set.
#[derive(Clone, Copy)]
enum Member<'a> {
    None,
    /// What `contains` names.
    Contains(&'a syntax::ExprRef),
    /// Written as OPA no longer reads it.
    Old,
}

/// A rule taken apart.
struct Parts<'a> {
    refr: &'a syntax::Expr,
    args: &'a [syntax::ExprRef],
    member: Member<'a>,
    assigned: Option<&'a syntax::Expr>,
    span: &'a Span,
}

impl Lowerer<'_> {
    fn rule(&mut self, parts: &Parts<'_>, query: Option<&Query>) -> Lowered<Rule> {
        let mut frame = Frame::default();
        for arg in parts.args {
            let mut vars = Vec::new();
            pattern_vars(arg, &mut vars);
            for (name, _) in vars {
                self.declare(&mut frame, &name);
            }
        }
        if let Some(query) = query {
            statements::declared_in(query, &mut frame.declared);
        }
        self.frames.push(frame);
        let body = match query {
            Some(query) => self.statements(query, parts.span)?,
            None => vec![Expr::new(Kind::Term(Term::Constant(Value::Bool(true))), parts.span)],
        };
        let mut path: Vec<Term> =
            self.module.package.iter().filter_map(constant_part).map(Term::Constant).collect();
        let (base, steps) = names::steps(parts.refr);
        let syntax::Expr::Var { value, .. } = base else { return Err(Unmodelled) };
        path.push(Term::Constant(value.clone()));
        for step in steps {
            path.push(self.step(&step)?);
        }
        let value = match parts.assigned {
            Some(value) => self.term(value)?,
            None => Term::Constant(Value::Bool(true)),
        };
        let head = match parts.member {
            Member::Contains(member) => RuleHead::Member(self.term(member)?),
            Member::Old => return Err(Unmodelled),
            Member::None if parts.args.is_empty() => RuleHead::Value(value),
            Member::None => {
                let args: Lowered<Vec<Term>> = parts.args.iter().map(|arg| self.term(arg)).collect();
                RuleHead::Function { args: args?, value }
            }
        };
        let names = std::mem::take(&mut self.variables);
        Ok(Rule { path, head, body, names, span: parts.span.clone() })
    }

    pub(super) fn declare(&mut self, frame: &mut Frame, name: &str) {
        if name != names::WILDCARD {
            frame.declared.insert(name.to_owned());
            let number = self.variable(name);
            frame.locals.entry(name.to_owned()).or_insert(number);
        }
    }

    pub(super) fn declare_here(&mut self, names: &[String]) {
        let Some(mut frame) = self.frames.pop() else { return };
        for name in names {
            self.declare(&mut frame, name);
        }
        self.frames.push(frame);
    }

    fn variable(&mut self, name: &str) -> Var {
        self.variables.push(name.to_owned());
        Var::try_from(self.variables.len() - 1).unwrap_or(Var::MAX)
    }

    /// What a name stands for in an expression.
    pub(super) fn name(&mut self, name: &str, span: &Span) -> Term {
        if name == names::WILDCARD {
            return Term::Var(fresh(&mut self.variables));
        }
        if let Some(var) = self.local(name) {
            return Term::Var(var);
        }
        if let Some((head, path)) = self.global(name) {
            return Term::Ref(Box::new(Reference { head, path, span: span.clone() }));
        }
        if let Some(var) = self.undeclared.get(name) {
            return Term::Var(*var);
        }
        let var = self.variable(name);
        self.undeclared.insert(name.to_owned(), var);
        Term::Var(var)
    }

    pub(super) fn local(&self, name: &str) -> Option<Var> {
        self.frames.iter().rev().find_map(|frame| frame.locals.get(name).copied())
    }

    /// A document, an import or a rule of the package, in the order of OPA's
    /// `getGlobals`.
    pub(super) fn global(&self, name: &str) -> Option<(Head, Vec<Term>)> {
        match name {
            "data" => return Some((Head::Data, Vec::new())),
            "input" => return Some((Head::Input, Vec::new())),
            _ => {}
        }
        if self.frames.iter().any(|frame| frame.declared.contains(name)) {
            return None;
        }
        if let Some((first, path)) = self.module.imports.get(name).and_then(|path| path.split_first()) {
            let head = if *first == Part::Name("input".to_owned()) { Head::Input } else { Head::Data };
            return Some((head, path.iter().filter_map(constant_part).map(Term::Constant).collect()));
        }
        let is_rule = self.module.names.get(self.module.package).is_some_and(|names| names.contains(name));
        is_rule.then(|| {
            let package = self.module.package.iter().filter_map(constant_part);
            (Head::Data, package.chain([Value::from(name)]).map(Term::Constant).collect())
        })
    }
}
