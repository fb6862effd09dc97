//! Which variables an equation gives a value, given some that have one: OPA's
//! `Unify` of `v1/ast/unify.go`.

use std::collections::BTreeMap;

use super::outputs::{Basis, Look, vars};
use super::term::{ComprehensionKind, Term, Var, Vars};

/// The variables of which an equation says what they are.
pub(super) fn unified(basis: &Basis<'_>, left: &Term, right: &Term) -> Vars {
    let mut unifier = Unifier { basis, unified: Vars::new(), unknown: BTreeMap::new() };
    unifier.unify(left, right);
    unifier.unified
}

struct Unifier<'a> {
    basis: &'a Basis<'a>,
    unified: Vars,
    /// What still depends on what.
    unknown: BTreeMap<Var, Vars>,
}

impl Unifier<'_> {
    fn is_safe(&self, var: Var) -> bool {
        self.basis.contains(var) || self.unified.contains(&var)
    }

    fn unify(&mut self, left: &Term, right: &Term) {
        match (left, right) {
            (Term::Var(a), Term::Var(b)) => {
                if self.is_safe(*b) {
                    self.mark(*a);
                } else if self.is_safe(*a) {
                    self.mark(*b);
                } else {
                    self.unknown.entry(*a).or_default().insert(*b);
                    self.unknown.entry(*b).or_default().insert(*a);
                }
            }
            (Term::Var(var), pattern @ (Term::Array(_) | Term::Object(_)))
            | (pattern @ (Term::Array(_) | Term::Object(_)), Term::Var(var)) => self.all_of(*var, pattern),
            (Term::Var(var), Term::Ref(reference)) | (Term::Ref(reference), Term::Var(var))
                if self.basis.has(reference) =>
            {
                self.mark(*var);
            }
            (Term::Var(var), _) | (_, Term::Var(var)) => self.mark(*var),
            (Term::Ref(reference), pattern @ (Term::Array(_) | Term::Object(_)))
            | (pattern @ (Term::Array(_) | Term::Object(_)), Term::Ref(reference))
                if self.basis.has(reference) =>
            {
                self.mark_all(pattern);
            }
            (Term::Array(_), Term::Comprehension(_)) => self.mark_all(left),
            (Term::Comprehension(comprehension), Term::Array(_))
                if comprehension.kind == ComprehensionKind::Array =>
            {
                self.mark_all(right);
            }
            (Term::Comprehension(comprehension), Term::Object(_))
                if comprehension.kind == ComprehensionKind::Object =>
            {
                self.mark_all(right);
            }
            (Term::Array(a), Term::Array(b)) if a.len() == b.len() => {
                a.iter().zip(b).for_each(|(a, b)| self.unify(a, b));
            }
            (Term::Object(a), Term::Object(b)) if a.len() == b.len() => {
                for (key, value) in a {
                    if let Some((_, other)) = b.iter().find(|(other, _)| other == key) {
                        self.unify(value, other);
                    }
                }
            }
            _ => {}
        }
    }

    fn mark_all(&mut self, pattern: &Term) {
        let mut found = Vars::new();
        vars(pattern, Look::Pattern, &mut found);
        for var in found {
            self.mark(var);
        }
    }

    fn mark(&mut self, var: Var) {
        let mut waiting = vec![var];
        while let Some(var) = waiting.pop() {
            self.unified.insert(var);
            waiting.extend(self.unknown.remove(&var).into_iter().flatten());
            let mut settled = Vec::new();
            for (other, needs) in &mut self.unknown {
                if needs.remove(&var) && needs.is_empty() {
                    settled.push(*other);
                }
            }
            for other in settled {
                self.unknown.remove(&other);
                waiting.push(other);
            }
        }
    }

    fn all_of(&mut self, var: Var, pattern: &Term) {
        if self.is_safe(var) {
            self.mark_all(pattern);
            return;
        }
        let mut needed = Vars::new();
        vars(pattern, Look::Pattern, &mut needed);
        needed.retain(|needed| !self.is_safe(*needed));
        if needed.is_empty() {
            self.mark(var);
        } else {
            self.unknown.entry(var).or_default().extend(needed);
        }
    }
}
