//! References into values and documents: OPA's `refChecker`.

use super::infer::{Checker, Env, Problem};
use super::lattice::{Known, Type, keys, unifies, values};
use super::term::{Expr, Head, Kind, Reference, Term};
use super::tree::Node;
use super::words;

/// What is wrong with a reference at one of its steps.
pub(super) struct Wrong {
    /// The step; 0 is the first after the head.
    pub step: usize,
    /// The type of what has no such step, or of a document its keys.
    pub of: Known,
}

impl Checker<'_> {
    /// Looks at every reference of a statement that is not in a comprehension.
    pub(super) fn references(&mut self, env: &mut Env<'_>, expr: &Expr, problems: &mut Vec<Problem>) {
        match &expr.kind {
            Kind::Term(term) => self.references_in(env, term, problems),
            Kind::Equal { left, right, .. } => {
                self.references_in(env, left, problems);
                self.references_in(env, right, problems);
            }
            Kind::Call { args, .. } => {
                for arg in args {
                    self.references_in(env, arg, problems);
                }
            }
            Kind::Every(every) => {
                self.references_in(env, &every.domain, problems);
                for expr in &every.body {
                    self.references(env, expr, problems);
                }
                for (target, value) in &expr.with {
                    self.references_in(env, target, problems);
                    self.references_in(env, value, problems);
                }
            }
        }
    }

    fn references_in(&mut self, env: &mut Env<'_>, term: &Term, problems: &mut Vec<Problem>) {
        self.step();
        match term {
            Term::Array(items) | Term::Set(items) => {
                for item in items {
                    self.references_in(env, item, problems);
                }
            }
            Term::Object(fields) => {
                for (key, value) in fields {
                    self.references_in(env, key, problems);
                    self.references_in(env, value, problems);
                }
            }
            Term::Ref(reference) => {
                // A function that is not called, `calls` finds.
                if matches!(self.reference(env, reference), Some(Type::Function(_))) {
                    return;
                }
                if let Err(wrong) = self.reference_holds(env, reference) {
                    problems.push(Problem {
                        span: reference.span.clone(),
                        what: words::no_such_step(reference, &wrong, self.names),
                        is_consequence: false,
                    });
                }
                for part in &reference.path {
                    self.references_in(env, part, problems);
                }
            }
            Term::Constant(_) | Term::Var(_) | Term::Comprehension(_) | Term::Call(_) => {}
        }
    }

    /// OPA's `checkRef`.
    fn reference_holds(&mut self, env: &mut Env<'_>, reference: &Reference) -> Result<(), Wrong> {
        match &reference.head {
            Head::Input => self.leaf(env, Some(Type::any()), &reference.path, 0),
            Head::Var(var) => {
                if let Some(of) = env.get(*var).cloned() {
                    self.leaf(env, Some(of), &reference.path, 0)
                } else {
                    env.put(*var, Some(Type::any()));
                    self.leaf(env, Some(Type::any()), &reference.path, 0)
                }
            }
            Head::Data if self.data.is_empty() => self.leaf(env, Some(Type::any()), &reference.path, 0),
            Head::Data => self.document(env, self.data, &reference.path),
            Head::Builtin(_) | Head::Inner(_) => Ok(()),
        }
    }

    fn document(&mut self, env: &mut Env<'_>, mut node: &Node, path: &[Term]) -> Result<(), Wrong> {
        for (step, part) in path.iter().enumerate() {
            // The first two steps below `data` are names of packages.
            let is_name = matches!(part, Term::Var(_) | Term::Constant(regorus::Value::String(_)));
            if step < 2 && !is_name {
                return Err(Wrong { step, of: Some(node.extent()) });
            }
            if let Term::Var(var) = part {
                let wanted = keys(&node.extent());
                match env.get(*var) {
                    Some(known) if !unifies(wanted.as_ref(), Some(known)) => {
                        return Err(Wrong { step, of: Some(node.extent()) });
                    }
                    Some(_) => {}
                    None => env.put(*var, wanted),
                }
            }
            let Some(child) = part.constant().and_then(|key| node.children.get(&key)) else {
                // OPA goes on below every child, in no order, and keeps what
                // the last one says of the other variables: here, nothing.
                for part in &path[step + 1..] {
                    if let Term::Var(var) = part
                        && env.get(*var).is_none()
                    {
                        env.put(*var, Some(Type::any()));
                    }
                }
                return Ok(());
            };
            if let Some(value) = &child.value {
                return self.leaf(env, Some(value.clone()), path, step + 1);
            }
            node = child;
        }
        Ok(())
    }

    /// OPA's `checkRefLeaf`.
    fn leaf(&mut self, env: &mut Env<'_>, of: Known, path: &[Term], from: usize) -> Result<(), Wrong> {
        let mut of = of;
        for (step, part) in path.iter().enumerate().skip(from) {
            let wrong = |of: Known| Wrong { step, of };
            let Some(here) = of else { return Err(wrong(None)) };
            let Some(wanted) = keys(&here) else { return Err(wrong(Some(here))) };
            of = match part {
                Term::Var(var) => {
                    match env.get(*var) {
                        Some(known) if !unifies(Some(known), Some(&wanted)) => return Err(wrong(Some(here))),
                        Some(_) => {}
                        None => env.put(*var, Some(wanted)),
                    }
                    values(&here)
                }
                Term::Ref(inner) => {
                    let known = self.reference(env, inner);
                    if known.is_some() && !unifies(known.as_ref(), Some(&wanted)) {
                        return Err(wrong(Some(here)));
                    }
                    values(&here)
                }
                Term::Array(_) | Term::Object(_) | Term::Set(_) => {
                    if !self.one(env, part, Some(&wanted), false) {
                        return Err(wrong(Some(here)));
                    }
                    values(&here)
                }
                Term::Constant(_) | Term::Comprehension(_) | Term::Call(_) => {
                    match Self::at_constant(&here, part) {
                        None => return Err(wrong(Some(here))),
                        known => known,
                    }
                }
            };
        }
        Ok(())
    }
}
