//! References and comprehensions inside of other terms get a variable and a
//! statement of their own, and `==` becomes `=`: OPA's `rewriteEquals` and
//! `rewriteDynamics`, after the order is settled.

use super::term::{Callee, Expr, Kind, Rule, Term, fresh};

/// Rewrites the body of a rule.
pub(super) fn rewrite(rule: &mut Rule) {
    let body = std::mem::take(&mut rule.body);
    rule.body = rewritten(body, &mut rule.names);
}

fn rewritten(body: Vec<Expr>, names: &mut Vec<String>) -> Vec<Expr> {
    let mut result = Vec::with_capacity(body.len());
    for mut expr in body {
        let mut rewriter = Rewriter { names, original: expr.clone_frame(), result: Vec::new() };
        expr.kind = match expr.kind {
            Kind::Call { function: Callee::Builtin(name), args } if name == "equal" && args.len() == 2 => {
                let mut sides = args.into_iter();
                match (sides.next(), sides.next()) {
                    (Some(left), Some(right)) => {
                        let (left, right) = (rewriter.shallow(left), rewriter.shallow(right));
                        Kind::Equal { left, right, is_assignment: false }
                    }
                    _ => Kind::Term(Term::Constant(regorus::Value::Bool(true))),
                }
            }
            Kind::Equal { left, right, is_assignment } => {
                let (left, right) = (rewriter.shallow(left), rewriter.shallow(right));
                Kind::Equal { left, right, is_assignment }
            }
            Kind::Call { function, args } => {
                let args = args.into_iter().map(|arg| rewriter.deep(arg)).collect();
                Kind::Call { function, args }
            }
            Kind::Every(mut every) => {
                every.domain = rewriter.deep(every.domain);
                every.body = rewritten(every.body, rewriter.names);
                Kind::Every(every)
            }
            Kind::Term(term) => Kind::Term(rewriter.shallow(term)),
        };
        result.append(&mut rewriter.result);
        result.push(expr);
    }
    result
}

struct Rewriter<'a> {
    names: &'a mut Vec<String>,
    /// The modifiers and the place of the statement.
    original: Expr,
    result: Vec<Expr>,
}

impl Expr {
    fn clone_frame(&self) -> Self {
        let mut frame = Self::new(Kind::Term(Term::Constant(regorus::Value::Bool(true))), &self.span);
        frame.with.clone_from(&self.with);
        frame
    }
}

impl Rewriter<'_> {
    /// `rewriteDynamicsInTerm`: what stands alone may stay.
    fn shallow(&mut self, term: Term) -> Term {
        match term {
            Term::Ref(mut reference) => {
                reference.path = reference.path.into_iter().map(|part| self.deep(part)).collect();
                Term::Ref(reference)
            }
            Term::Comprehension(mut comprehension) => {
                comprehension.body = rewritten(comprehension.body, self.names);
                Term::Comprehension(comprehension)
            }
            other => self.deep(other),
        }
    }

    /// `rewriteDynamicsOne`.
    fn deep(&mut self, term: Term) -> Term {
        match term {
            Term::Ref(_) | Term::Comprehension(_) => {
                let span = match &term {
                    Term::Ref(reference) => reference.span.clone(),
                    _ => self.original.span.clone(),
                };
                let named = self.shallow(term);
                let variable = fresh(self.names);
                let mut equal = Expr::equal(variable, named, &span);
                equal.with.clone_from(&self.original.with);
                self.result.push(equal);
                Term::Var(variable)
            }
            Term::Array(items) => Term::Array(items.into_iter().map(|item| self.deep(item)).collect()),
            Term::Set(items) => Term::Set(items.into_iter().map(|item| self.deep(item)).collect()),
            Term::Object(fields) => Term::Object(
                fields
                    .into_iter()
                    .map(|(key, value)| {
                        let key = self.deep(key);
                        (key, self.deep(value))
                    })
                    .collect(),
            ),
            other => other,
        }
    }
}
