//! The statements of a query: OPA's `rewriteDeclaredVarsInBody`.

use std::collections::BTreeSet;

use regorus::Value;
use regorus::unstable::{self as syntax, AssignOp, Literal, LiteralStmt, Query, Span};

use super::super::tree::pattern_vars;
use super::lower::{Frame, Lowered, Lowerer};
use super::names;
use super::term::{Every, Expr, Head, Kind, Reference, Term, fresh};

impl Lowerer<'_> {
    /// A query with the terms that stand in its scope.
    pub(super) fn scoped(
        &mut self,
        query: &Query,
        terms: &[&syntax::ExprRef],
    ) -> Lowered<(Vec<Expr>, Vec<Term>)> {
        let mut frame = Frame::default();
        declared_in(query, &mut frame.declared);
        self.frames.push(frame);
        let body = self.statements(query, &query.span)?;
        let terms: Lowered<Vec<Term>> = terms.iter().map(|term| self.term(term)).collect();
        self.frames.pop();
        Ok((body, terms?))
    }

    pub(super) fn statements(&mut self, query: &Query, span: &Span) -> Lowered<Vec<Expr>> {
        let mut body = Vec::with_capacity(query.stmts.len());
        for stmt in &query.stmts {
            if let Some(expr) = self.statement(stmt)? {
                body.push(expr);
            }
        }
        if body.is_empty() {
            body.push(Expr::new(Kind::Term(Term::Constant(Value::Bool(true))), span));
        }
        Ok(body)
    }

    /// OPA's `rewriteDeclaredVarsInBody`, for one statement.
    fn statement(&mut self, stmt: &LiteralStmt) -> Lowered<Option<Expr>> {
        let with = |lowerer: &mut Self| -> Lowered<Vec<(Term, Term)>> {
            let replaced = stmt.with_mods.iter();
            replaced.map(|with| Ok((lowerer.replaced(&with.refr)?, lowerer.replaced(&with.r#as)?))).collect()
        };
        let (kind, with) = match &stmt.literal {
            Literal::SomeVars { vars, .. } => {
                let names: Vec<String> = vars.iter().map(|span| span.text().to_owned()).collect();
                self.declare_here(&names);
                return Ok(None);
            }
            Literal::SomeIn { key, value, collection, .. } => {
                let kind = self.some_in(key.as_ref(), value, collection, &stmt.span)?;
                (kind, with(self)?)
            }
            Literal::Expr { expr, .. } => match expr.as_ref() {
                syntax::Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } => {
                    let right = self.term(rhs)?;
                    let with = with(self)?;
                    let mut vars = Vec::new();
                    pattern_vars(lhs, &mut vars);
                    let names: Vec<String> = vars.into_iter().map(|(name, _)| name).collect();
                    self.declare_here(&names);
                    (Kind::Equal { left: self.term(lhs)?, right, is_assignment: true }, with)
                }
                syntax::Expr::Call { fcn, .. } if names::is_print(fcn) => return Ok(None),
                other => (self.condition(other)?, with(self)?),
            },
            Literal::NotExpr { expr, .. } => {
                let mut negated = Expr::new(self.condition(expr)?, &stmt.span);
                negated.is_negated = true;
                negated.with = with(self)?;
                return Ok(Some(negated));
            }
            Literal::Every { key, value, domain, query, .. } => {
                let domain = self.term(domain)?;
                let mut frame = Frame::default();
                for span in key.iter().chain([value]) {
                    self.declare(&mut frame, span.text());
                }
                let number = |frame: &Frame, variables: &mut Vec<String>, span: Option<&Span>| {
                    let known = span.and_then(|span| frame.locals.get(span.text()).copied());
                    known.unwrap_or_else(|| fresh(variables))
                };
                let key = number(&frame, &mut self.variables, key.as_ref());
                let value = number(&frame, &mut self.variables, Some(value));
                declared_in(query, &mut frame.declared);
                self.frames.push(frame);
                let body = self.statements(query, &query.span)?;
                self.frames.pop();
                (Kind::Every(Box::new(Every { key, value, domain, body })), with(self)?)
            }
        };
        let mut expr = Expr::new(kind, &stmt.span);
        expr.with = with;
        Ok(Some(expr))
    }

    /// `some k, v in xs` is `v = xs[k]` to OPA: `rewriteSomeDeclStatement`.
    fn some_in(
        &mut self,
        key: Option<&syntax::ExprRef>,
        value: &syntax::Expr,
        collection: &syntax::Expr,
        span: &Span,
    ) -> Lowered<Kind> {
        let mut vars = Vec::new();
        key.into_iter().map(AsRef::as_ref).chain([value]).for_each(|part| pattern_vars(part, &mut vars));
        let mut outer = BTreeSet::new();
        names::mentioned(collection, &mut outer);
        let declared: Vec<String> =
            vars.into_iter().map(|(name, _)| name).filter(|name| !outer.contains(name)).collect();
        let collection = self.term(collection)?;
        self.declare_here(&declared);
        let key = match key {
            Some(key) => self.term(key)?,
            None => Term::Var(fresh(&mut self.variables)),
        };
        let left = self.term(value)?;
        let reference = match collection {
            Term::Ref(mut reference) => {
                reference.path.push(key);
                reference
            }
            Term::Var(var) => {
                Box::new(Reference { head: Head::Var(var), path: vec![key], span: span.clone() })
            }
            other => Box::new(Reference {
                head: Head::Inner(Box::new(other)),
                path: vec![key],
                span: span.clone(),
            }),
        };
        Ok(Kind::Equal { left, right: Term::Ref(reference), is_assignment: false })
    }
}

/// The names that a query declares: OPA's `declaredVars`.
pub(super) fn declared_in(query: &Query, into: &mut BTreeSet<String>) {
    for stmt in &query.stmts {
        let mut vars = Vec::new();
        match &stmt.literal {
            Literal::SomeVars { vars, .. } => into.extend(vars.iter().map(|span| span.text().to_owned())),
            Literal::SomeIn { key, value, .. } => {
                key.iter().chain([value]).for_each(|part| pattern_vars(part, &mut vars));
            }
            Literal::Expr { expr, .. } => {
                if let syntax::Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } = expr.as_ref() {
                    pattern_vars(lhs, &mut vars);
                }
            }
            Literal::NotExpr { .. } | Literal::Every { .. } => {}
        }
        into.extend(vars.into_iter().map(|(name, _)| name));
    }
}
