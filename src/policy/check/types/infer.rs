//! The types of a rule's variables, statement by statement: OPA's
//! `typeChecker`, of `v1/ast/check.go`.

use std::collections::BTreeMap;

use regorus::unstable::Span;

use super::builtins::builtin;
use super::lattice::{Function, Known, Type, is_open, or, unifies};
use super::term::{Callee, Comprehension, ComprehensionKind, Expr, Head, Kind, Reference, Term, Var};
use super::tree::{Node, go};
use super::words;

/// How many terms a rule is worth: comprehensions in comprehensions are looked
/// at again and again.
const STEPS: usize = 20_000;

/// Something that OPA refuses, with the place where it stands.
pub(super) struct Problem {
    pub span: Span,
    pub what: String,
    /// Probably nothing but a consequence of another problem.
    pub is_consequence: bool,
}

/// What is known of the variables of a body, and of those around it.
pub(super) struct Env<'a> {
    pub known: BTreeMap<Var, Type>,
    pub around: Option<&'a Env<'a>>,
}

impl Env<'_> {
    pub(super) fn get(&self, var: Var) -> Option<&Type> {
        self.known.get(&var).or_else(|| self.around?.get(var))
    }

    pub(super) fn put(&mut self, var: Var, known: Known) {
        if let Some(of) = known {
            self.known.insert(var, of);
        }
    }
}

/// Looks at one rule.
pub(super) struct Checker<'a> {
    pub data: &'a Node,
    /// The names of the rule's variables.
    pub names: &'a [String],
    steps: usize,
}

impl<'a> Checker<'a> {
    pub(super) const fn new(data: &'a Node, names: &'a [String]) -> Self {
        Self { data, names, steps: 0 }
    }

    /// Whether the rule was too much to look at; what was found is then not
    /// to be believed.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.steps > STEPS
    }

    /// OPA's `CheckBody`.
    pub(super) fn body(
        &mut self,
        around: Option<&Env<'_>>,
        body: &[Expr],
    ) -> (BTreeMap<Var, Type>, Vec<Problem>) {
        let mut env = Env { known: BTreeMap::new(), around };
        let mut problems = Vec::new();
        for expr in body {
            if self.is_exhausted() {
                break;
            }
            let before = problems.len();
            problems.extend(self.closures(&env, expr));
            self.references(&mut env, expr, &mut problems);
            let is_followed = problems.len() > before;
            problems.extend(
                self.statement(&mut env, expr).filter(|problem| !(is_followed && problem.is_consequence)),
            );
        }
        (env.known, problems)
    }

    /// OPA's `checkClosures`: the problems of the first that has some.
    fn closures(&mut self, env: &Env<'_>, expr: &Expr) -> Vec<Problem> {
        let mut terms: Vec<&Term> =
            expr.with.iter().rev().flat_map(|(target, value)| [value, target]).collect();
        let mut bodies: Vec<&Expr> = Vec::new();
        match &expr.kind {
            Kind::Term(term) => terms.push(term),
            Kind::Equal { left, right, .. } => terms.extend([right, left]),
            Kind::Call { args, .. } => terms.extend(args.iter().rev()),
            Kind::Every(every) => {
                terms.push(&every.domain);
                bodies.extend(&every.body);
            }
        }
        while let Some(term) = terms.pop() {
            match term {
                Term::Comprehension(comprehension) => {
                    let (_, problems) = self.body(Some(env), &comprehension.body);
                    if !problems.is_empty() {
                        return problems;
                    }
                }
                Term::Array(items) | Term::Set(items) => terms.extend(items.iter().rev()),
                Term::Object(fields) => terms.extend(fields.iter().flat_map(|(key, value)| [key, value])),
                Term::Ref(reference) => terms.extend(&reference.path),
                Term::Constant(_) | Term::Var(_) | Term::Call(_) => {}
            }
        }
        for expr in bodies {
            let problems = self.closures(env, expr);
            if !problems.is_empty() {
                return problems;
            }
        }
        Vec::new()
    }

    /// OPA's `checkExpr`.
    fn statement(&mut self, env: &mut Env<'_>, expr: &Expr) -> Option<Problem> {
        if let Some(problem) = self.replacements(env, expr) {
            return Some(problem);
        }
        match &expr.kind {
            Kind::Equal { left, right, .. } => self.equation(env, left, right, &expr.span),
            Kind::Call { function, args } => self.call(env, function, args, &expr.span),
            Kind::Term(_) | Kind::Every(_) => None,
        }
    }

    /// OPA's `checkExprWith`.
    fn replacements(&mut self, env: &Env<'_>, expr: &Expr) -> Option<Problem> {
        expr.with.iter().find_map(|(target, value)| {
            let (of, by) = (self.of(env, target), self.of(env, value));
            let (Some(Type::Function(_)), Some(Type::Function(_))) = (&of, &by) else { return None };
            (!unifies(of.as_ref(), by.as_ref())).then(|| Problem {
                span: expr.span.clone(),
                what: "`with` replaces a function by one that takes other arguments".to_owned(),
                is_consequence: false,
            })
        })
    }

    /// OPA's `checkExprEq`.
    fn equation(&mut self, env: &mut Env<'_>, left: &Term, right: &Term, span: &Span) -> Option<Problem> {
        let (a, b) = (self.of(env, left), self.of(env, right));
        if self.both(env, (left, a.clone()), (right, b.clone())) {
            return None;
        }
        Some(Problem {
            span: span.clone(),
            what: words::never_equal(a.as_ref(), b.as_ref()),
            is_consequence: is_open(a.as_ref()) || is_open(b.as_ref()),
        })
    }

    /// OPA's `checkExprBuiltin`. What is no function, or gets another number of
    /// arguments, `calls` finds.
    fn call(&mut self, env: &mut Env<'_>, callee: &Callee, args: &[Term], span: &Span) -> Option<Problem> {
        let of = match callee {
            Callee::Builtin(name) => builtin(name).cloned(),
            Callee::Rule(path) => {
                let path: Vec<Term> = path.iter().cloned().map(Term::Constant).collect();
                self.data.at(&path)
            }
        };
        let function = match &of {
            Some(Type::Function(function))
                if function.result.is_some()
                    && (function.args.len()..=function.args.len() + 1).contains(&args.len()) =>
            {
                function
            }
            // Of such a call nothing is known, not even a result.
            _ => {
                for arg in args {
                    self.one(env, arg, Some(&Type::any()), false);
                }
                return None;
            }
        };
        let before: Vec<Known> = args.iter().map(|arg| self.of(env, arg)).collect();
        for (place, (arg, had)) in args.iter().zip(&before).enumerate() {
            let wanted = wanted(function, place);
            let is_wrong = !is_open(had.as_ref()) && !unifies(had.as_ref(), wanted);
            if is_wrong || !self.one(env, arg, wanted, false) {
                let has = self.of(env, arg);
                return Some(Problem {
                    span: span.clone(),
                    what: words::wrong_argument(callee, function, place, has.as_ref()),
                    is_consequence: before.iter().any(|known| is_open(known.as_ref())),
                });
            }
        }
        None
    }

    /// The type of a term: OPA's `TypeEnv.GetByValue`.
    pub(super) fn of(&mut self, env: &Env<'_>, term: &Term) -> Known {
        self.steps += 1;
        if self.is_exhausted() {
            return Some(Type::any());
        }
        match term {
            Term::Constant(value) => Some(super::lattice::of_value(value)),
            Term::Var(var) => env.get(*var).cloned(),
            Term::Array(items) => {
                let fixed: Vec<Known> = items.iter().map(|item| self.of(env, item)).collect();
                let rest = fixed.is_empty().then(Type::any);
                Some(Type::array(fixed, rest))
            }
            Term::Object(fields) => Some(self.object(env, fields)),
            Term::Set(items) => {
                let of = items.iter().fold(None, |known, item| or(known, self.of(env, item)));
                Some(Type::set(of.or_else(|| Some(Type::any()))))
            }
            Term::Comprehension(comprehension) => self.comprehension(env, comprehension),
            Term::Ref(reference) => self.reference(env, reference),
            Term::Call(_) => None,
        }
    }

    fn object(&mut self, env: &Env<'_>, fields: &[(Term, Term)]) -> Type {
        let mut fixed = Vec::new();
        let mut rest: Option<(Known, Known)> = None;
        for (key, value) in fields {
            let of = self.of(env, value);
            if let Some(key) = key.constant() {
                fixed.push((key, of));
            } else {
                // OPA remembers one of several computed keys, in an order that
                // depends on the names of its own variables: here, all.
                let key = self.of(env, key);
                rest = Some(match rest {
                    None => (key, of),
                    Some(_) => (Some(Type::any()), Some(Type::any())),
                });
            }
        }
        if fixed.is_empty() && rest.is_none() {
            rest = Some((Some(Type::any()), Some(Type::any())));
        }
        Type::object(fixed, rest)
    }

    fn comprehension(&mut self, env: &Env<'_>, comprehension: &Comprehension) -> Known {
        let (known, problems) = self.body(Some(env), &comprehension.body);
        if !problems.is_empty() {
            return None;
        }
        let inner = Env { known, around: Some(env) };
        let mut of = comprehension.terms.iter().map(|term| self.of(&inner, term));
        let first = of.next().flatten();
        Some(match comprehension.kind {
            ComprehensionKind::Array => Type::array(Vec::new(), first),
            ComprehensionKind::Set => Type::set(first),
            ComprehensionKind::Object => {
                let value = of.next().flatten();
                Type::object(Vec::new(), Some((first, value)))
            }
        })
    }

    /// OPA's `TypeEnv.GetByRef`.
    pub(super) fn reference(&self, env: &Env<'_>, reference: &Reference) -> Known {
        match &reference.head {
            Head::Input | Head::Inner(_) => Some(Type::any()),
            Head::Data => self.data.at(&reference.path),
            Head::Var(var) => go(env.get(*var).cloned(), &reference.path),
            Head::Builtin(name) => builtin(name).cloned(),
        }
    }

    pub(super) fn step(&mut self) {
        self.steps += 1;
    }
}

/// What a function takes at a place; behind its arguments stands its result.
pub(super) fn wanted(function: &Function, place: usize) -> Option<&Type> {
    function.args.get(place).unwrap_or(&function.result).as_ref()
}
