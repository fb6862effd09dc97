//! Which variables a statement gives a value: OPA's `outputVarsForExpr`.

use super::safe::unified;
use super::term::{Callee, Expr, Head, Kind, Reference, Term, Vars};

/// How many arguments a function takes, where it is known.
pub(super) type Arity<'a> = &'a dyn Fn(&Callee) -> Option<usize>;

/// Which variables are looked for: OPA's `VarVisitorParams`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// All of them.
    Everywhere,
    /// Not those inside comprehensions.
    Outside,
    /// Those in the brackets of references.
    Steps,
    /// What a pattern binds: no comprehensions, no keys, no heads.
    Pattern,
    /// The same, and no members of sets.
    Argument,
}

impl Look {
    const fn in_closures(self) -> bool {
        matches!(self, Self::Everywhere | Self::Steps)
    }

    const fn at_heads(self) -> bool {
        matches!(self, Self::Everywhere | Self::Outside)
    }

    const fn in_keys(self) -> bool {
        !matches!(self, Self::Pattern | Self::Argument)
    }
}

/// All variables of a term.
pub(super) fn term_vars(term: &Term, into: &mut Vars) {
    vars(term, Look::Everywhere, into);
}

pub(super) fn vars(term: &Term, look: Look, into: &mut Vars) {
    match term {
        Term::Var(var) => {
            into.insert(*var);
        }
        Term::Array(items) => {
            for item in items {
                vars(item, look, into);
            }
        }
        Term::Set(items) if look != Look::Argument => {
            for item in items {
                vars(item, look, into);
            }
        }
        Term::Object(fields) => {
            for (key, value) in fields {
                if look.in_keys() {
                    vars(key, look, into);
                }
                vars(value, look, into);
            }
        }
        Term::Ref(reference) => {
            if let (Head::Var(var), true) = (&reference.head, look.at_heads()) {
                into.insert(*var);
            }
            for part in &reference.path {
                vars(part, look, into);
            }
        }
        Term::Comprehension(comprehension) if look.in_closures() => {
            for term in &comprehension.terms {
                vars(term, look, into);
            }
            for expr in &comprehension.body {
                all_vars(expr, look, into);
            }
        }
        Term::Constant(_) | Term::Set(_) | Term::Comprehension(_) | Term::Call(_) => {}
    }
}

fn all_vars(expr: &Expr, look: Look, into: &mut Vars) {
    match &expr.kind {
        Kind::Term(term) => vars(term, look, into),
        Kind::Equal { left, right, .. } => {
            vars(left, look, into);
            vars(right, look, into);
        }
        Kind::Call { args, .. } => {
            for arg in args {
                vars(arg, look, into);
            }
        }
        Kind::Every(every) => {
            into.extend([every.key, every.value]);
            vars(&every.domain, look, into);
            for expr in &every.body {
                all_vars(expr, look, into);
            }
        }
    }
    for (target, value) in &expr.with {
        vars(target, look, into);
        vars(value, look, into);
    }
}

/// The variables of a statement, without those inside its closures: OPA's
/// `SafetyCheckVisitorParams`.
pub(super) fn statement_vars(expr: &Expr, into: &mut Vars) {
    let look = Look::Outside;
    match &expr.kind {
        Kind::Every(every) => return vars(&every.domain, look, into),
        Kind::Term(term) => vars(term, look, into),
        Kind::Equal { left, right, .. } => {
            vars(left, look, into);
            vars(right, look, into);
        }
        Kind::Call { args, .. } => {
            for arg in args {
                vars(arg, look, into);
            }
        }
    }
    with_vars(expr, into);
}

/// The variables of the modifiers, not the names of what is replaced.
fn with_vars(expr: &Expr, into: &mut Vars) {
    let look = Look::Outside;
    for (target, value) in &expr.with {
        if let Term::Ref(reference) = target {
            for part in &reference.path {
                vars(part, look, into);
            }
        }
        match value {
            Term::Ref(reference) => {
                for part in &reference.path {
                    vars(part, look, into);
                }
            }
            other => vars(other, look, into),
        }
    }
}

/// The variables inside the closures of a statement.
pub(super) fn closure_vars(expr: &Expr, into: &mut Vars) {
    let mut waiting: Vec<&Term> = expr.with.iter().flat_map(|(target, value)| [target, value]).collect();
    match &expr.kind {
        Kind::Every(every) => {
            for expr in &every.body {
                all_vars(expr, Look::Everywhere, into);
            }
            return;
        }
        Kind::Term(term) => waiting.push(term),
        Kind::Equal { left, right, .. } => waiting.extend([left, right]),
        Kind::Call { args, .. } => waiting.extend(args),
    }
    while let Some(term) = waiting.pop() {
        match term {
            Term::Comprehension(_) => term_vars(term, into),
            Term::Array(items) | Term::Set(items) => waiting.extend(items),
            Term::Object(fields) => waiting.extend(fields.iter().flat_map(|(key, value)| [key, value])),
            Term::Ref(reference) => waiting.extend(&reference.path),
            Term::Constant(_) | Term::Var(_) | Term::Call(_) => {}
        }
    }
}

/// What is known to have a value, beside what is safe anyway.
pub(super) struct Basis<'a> {
    safe: &'a Vars,
    more: Vars,
    except: Vars,
}

impl<'a> Basis<'a> {
    const fn of(safe: &'a Vars) -> Self {
        Self { safe, more: Vars::new(), except: Vars::new() }
    }

    pub(super) fn contains(&self, var: super::term::Var) -> bool {
        self.more.contains(&var) || (self.safe.contains(&var) && !self.except.contains(&var))
    }

    /// OPA's `isRefSafe`.
    pub(super) fn has(&self, reference: &Reference) -> bool {
        match &reference.head {
            Head::Var(var) => self.contains(*var),
            Head::Data | Head::Input | Head::Builtin(_) => true,
            Head::Inner(_) => false,
        }
    }
}

/// What a statement gives a value, beyond what has one.
pub(super) fn outputs(expr: &Expr, arity: Arity<'_>, safe: &Vars) -> Vars {
    if expr.is_negated {
        return Vars::new();
    }
    let mut needed = Vars::new();
    with_vars(expr, &mut needed);
    if !needed.is_subset(safe) {
        return Vars::new();
    }
    let basis = Basis::of(safe);
    let mut given = Vars::new();
    for (target, value) in &expr.with {
        found_by_going_through(target, &basis, &mut given);
        found_by_going_through(value, &basis, &mut given);
    }
    match &expr.kind {
        Kind::Term(term) => found_by_going_through(term, &basis, &mut given),
        Kind::Equal { left, right, is_assignment } => {
            found_by_going_through(left, &basis, &mut given);
            found_by_going_through(right, &basis, &mut given);
            let mut basis = Basis { safe, more: given, except: Vars::new() };
            if *is_assignment {
                term_vars(left, &mut basis.except);
                basis.more = basis.more.difference(&basis.except).copied().collect();
            }
            let unified = unified(&basis, left, right);
            given = basis.more;
            given.extend(unified);
            given.retain(|var| !safe.contains(var));
        }
        Kind::Call { function, args } => {
            let Some(count) = arity(function) else { return Vars::new() };
            for arg in args {
                found_by_going_through(arg, &basis, &mut given);
            }
            if count >= args.len() {
                return given;
            }
            let mut needed = Vars::new();
            args[..count].iter().for_each(|arg| vars(arg, Look::Argument, &mut needed));
            if needed.iter().any(|var| !given.contains(var) && !safe.contains(var)) {
                return Vars::new();
            }
            args[count..].iter().for_each(|arg| vars(arg, Look::Argument, &mut given));
        }
        Kind::Every(every) => found_by_going_through(&every.domain, &basis, &mut given),
    }
    given
}

pub(super) fn outputs_of_body(body: &[Expr], arity: Arity<'_>, safe: &Vars) -> Vars {
    let mut known = safe.clone();
    for expr in body {
        let given = outputs(expr, arity, &known);
        known.extend(given);
    }
    known.difference(safe).copied().collect()
}

/// The variables in the brackets of references: OPA's `outputVarsForTerms`.
fn found_by_going_through(term: &Term, basis: &Basis<'_>, into: &mut Vars) {
    match term {
        Term::Array(items) | Term::Set(items) => {
            for item in items {
                found_by_going_through(item, basis, into);
            }
        }
        Term::Object(fields) => {
            for (key, value) in fields {
                found_by_going_through(key, basis, into);
                found_by_going_through(value, basis, into);
            }
        }
        Term::Ref(reference) if basis.has(reference) => {
            for part in &reference.path {
                vars(part, Look::Steps, into);
            }
            for part in &reference.path {
                found_by_going_through(part, basis, into);
            }
        }
        Term::Ref(_) | Term::Constant(_) | Term::Var(_) | Term::Comprehension(_) | Term::Call(_) => {}
    }
}
