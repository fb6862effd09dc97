//! The variables of every rule: those that nothing binds, that nothing uses, or
//! that hide `input` and `data`. What the other names mean, `mentions` tells.
//!
//! The interpreter itself finds a variable that nothing binds in a body; not
//! in a head, in the term of a comprehension or under `not`.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{
    AssignOp, Expr, Literal, LiteralStmt, Query, Rule, RuleAssign, RuleBody, RuleHead, Span,
};

use super::Finding;
use super::imports::{Imports, imports, unused_imports};
use super::mentions::Read;
use super::rules::Rules;
use super::tree::{ModuleRef, Part, chain, children, package_of, pattern_vars, refused, text, untidy};

/// The names of variables that stand for nothing in particular.
pub(super) const WILDCARD: &str = "_";

/// Reads all modules.
pub(super) fn read(modules: &[ModuleRef], rules: &Rules, found: &mut Vec<Finding>) -> Read {
    let mut read = Read::default();
    let mut number = 0;
    for module in modules {
        let package = package_of(module);
        let imports = imports(module, found);
        let mut used = BTreeSet::new();
        for rule in &module.policy {
            let mut reader = Reader {
                package: &package,
                imports: &imports,
                rules,
                by: number,
                frames: Vec::new(),
                uses: BTreeMap::new(),
                unused: Vec::new(),
                read: &mut read,
                found,
            };
            reader.rule(rule);
            used.extend(reader.settle());
            number += 1;
        }
        unused_imports(module, &imports, &used, found);
    }
    read
}

/// The variables of a query and of whatever is inside it.
#[derive(Default)]
pub(super) struct Frame {
    /// Declared here: by `:=`, `some`, `every`, or as an argument.
    pub(super) declared: BTreeSet<String>,
    /// Declared by `some`, which alone gives no value.
    pub(super) floating: BTreeSet<String>,
    /// Get a value here in any way.
    pub(super) bound: BTreeSet<String>,
}

/// A declaration that may turn out to be of no use.
struct Declaration {
    name: String,
    span: Span,
    what: &'static str,
    is_strict_only: bool,
}

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Place {
    /// In a statement that must hold: it may bind variables.
    Statement,
    /// In a head or the term of a comprehension: a variable has its value from
    /// the body, or from the place in brackets where it stands.
    Term,
    /// Under `not`: every variable has a value already.
    Negated,
    /// The value of a `with`.
    Replacement,
}

pub(super) struct Reader<'a> {
    pub(super) package: &'a [Part],
    pub(super) imports: &'a Imports,
    pub(super) rules: &'a Rules,
    pub(super) by: usize,
    pub(super) frames: Vec<Frame>,
    pub(super) uses: BTreeMap<String, usize>,
    unused: Vec<Declaration>,
    pub(super) read: &'a mut Read,
    pub(super) found: &'a mut Vec<Finding>,
}

impl Reader<'_> {
    /// Tells what was declared in vain; gives the names that were used.
    fn settle(self) -> BTreeSet<String> {
        for declared in &self.unused {
            if !self.uses.contains_key(&declared.name) {
                let finding = if declared.is_strict_only { untidy } else { refused };
                self.found.push(finding(
                    &declared.span,
                    format!("{} {} is not used", declared.what, declared.name),
                ));
            }
        }
        self.uses.into_keys().collect()
    }

    fn rule(&mut self, rule: &Rule) {
        let Rule::Spec { head, bodies, .. } = rule else { return };
        let (refr, args, key, assign) = match head {
            RuleHead::Compr { refr, assign, .. } => (refr, &[][..], None, assign.as_ref()),
            RuleHead::Set { refr, key, .. } => (refr, &[][..], key.as_ref(), None),
            RuleHead::Func { refr, args, assign, .. } => (refr, args.as_slice(), None, assign.as_ref()),
        };
        let mut frame = Frame::default();
        for arg in args {
            let mut vars = Vec::new();
            pattern_vars(arg, &mut vars);
            for (name, span) in vars {
                self.declare(&mut frame, &name, span, "the argument", true);
            }
        }
        self.frames.push(frame);
        let head_indexes = chain(refr).map(|chain| chain.indexes).unwrap_or_default();
        let in_head = |reader: &mut Self| {
            for index in &head_indexes {
                reader.term(index);
            }
            if let Some(key) = key {
                reader.term(key);
            }
            if let Some(RuleAssign { value, .. }) = assign {
                reader.term(value);
            }
        };
        match bodies.split_first() {
            None => in_head(self),
            Some((first, others)) => {
                self.query(&first.query, in_head);
                for RuleBody { assign, query, .. } in others {
                    self.query(query, |reader| {
                        if let Some(RuleAssign { value, .. }) = assign {
                            reader.term(value);
                        }
                    });
                }
            }
        }
        self.frames.pop();
    }

    fn declare(
        &mut self,
        frame: &mut Frame,
        name: &str,
        span: &Span,
        what: &'static str,
        is_strict_only: bool,
    ) {
        if name == WILDCARD {
            return;
        }
        if name == "input" || name == "data" {
            self.found.push(refused(span, format!("{what} {name} hides the document of that name")));
        }
        frame.declared.insert(name.to_owned());
        self.unused.push(Declaration { name: name.to_owned(), span: span.clone(), what, is_strict_only });
    }

    /// Reads a query, and then what its variables are for.
    fn query(&mut self, query: &Query, then: impl FnOnce(&mut Self)) {
        let mut frame = Frame::default();
        for stmt in &query.stmts {
            self.declarations(&mut frame, stmt);
            if let Literal::Expr { expr, .. } = &stmt.literal {
                mentioned(expr, &mut frame.bound);
            }
            if let Literal::SomeIn { key, value, collection, .. } = &stmt.literal {
                key.iter().chain([value, collection]).for_each(|expr| mentioned(expr, &mut frame.bound));
            }
            if let Literal::NotExpr { expr, .. } = &stmt.literal {
                computed(expr, true, &mut frame.bound);
            }
            if let Literal::Every { domain, .. } = &stmt.literal {
                mentioned(domain, &mut frame.bound);
            }
        }
        self.frames.push(frame);
        query.stmts.iter().for_each(|stmt| self.statement(stmt));
        then(self);
        self.frames.pop();
    }

    fn declarations(&mut self, frame: &mut Frame, stmt: &LiteralStmt) {
        let mut vars = Vec::new();
        match &stmt.literal {
            Literal::SomeVars { vars, .. } => {
                for span in vars {
                    self.declare(frame, span.text(), span, "the variable", false);
                    frame.floating.insert(span.text().to_owned());
                }
            }
            Literal::SomeIn { key, value, .. } => {
                key.iter().chain([value]).for_each(|pattern| pattern_vars(pattern, &mut vars));
                for (name, span) in vars {
                    self.declare(frame, &name, span, "the variable", true);
                    // Going through a list without looking at its members is
                    // a way to ask whether it has some.
                    self.unused.pop_if(|declared| declared.name == name);
                }
            }
            Literal::Expr { expr, .. } => {
                if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } = expr.as_ref() {
                    pattern_vars(lhs, &mut vars);
                    for (name, span) in vars {
                        self.declare(frame, &name, span, "the variable", true);
                    }
                }
            }
            Literal::NotExpr { .. } | Literal::Every { .. } => {}
        }
    }

    fn statement(&mut self, stmt: &LiteralStmt) {
        match &stmt.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                key.iter().chain([value]).for_each(|pattern| self.pattern(pattern));
                self.expr(collection, Place::Statement);
            }
            Literal::Expr { expr, .. } => match expr.as_ref() {
                Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } => {
                    self.pattern(lhs);
                    self.expr(rhs, Place::Statement);
                }
                Expr::Call { fcn, params, span, .. } => self.call(fcn, params, span, Place::Statement, true),
                other => self.expr(other, Place::Statement),
            },
            Literal::NotExpr { expr, .. } => {
                self.missing_under_not(expr);
                if let Expr::Call { fcn, params, span, .. } = expr.as_ref() {
                    self.call(fcn, params, span, Place::Negated, true);
                } else if is_operator(expr) {
                    for side in children(expr) {
                        self.expr(side, Place::Negated);
                    }
                } else {
                    self.expr(expr, Place::Negated);
                }
            }
            Literal::Every { key, value, domain, query, .. } => {
                self.expr(domain, Place::Statement);
                let mut frame = Frame::default();
                for span in key.iter().chain([value]) {
                    self.declare(&mut frame, span.text(), span, "the variable", false);
                }
                self.frames.push(frame);
                self.query(query, |_| {});
                self.frames.pop();
            }
        }
        for modifier in &stmt.with_mods {
            self.replaced(&modifier.refr);
            self.expr(&modifier.r#as, Place::Replacement);
        }
    }

    /// The variables of a pattern are declared; what else is in it is read.
    fn pattern(&mut self, pattern: &Expr) {
        match pattern {
            Expr::Var { .. } => {}
            Expr::Array { items, .. } => items.iter().for_each(|item| self.pattern(item)),
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.expr(key, Place::Statement);
                    self.pattern(value);
                }
            }
            other => self.expr(other, Place::Statement),
        }
    }

    /// A head or a term, in the frame of its query.
    fn term(&mut self, expr: &Expr) {
        if let Some(frame) = self.frames.last_mut() {
            indexed(expr, &mut frame.bound);
        }
        self.expr(expr, Place::Term);
    }

    pub(super) fn expr(&mut self, expr: &Expr, place: Place) {
        if let Some(chain) = chain(expr) {
            let is_bare = chain.parts.is_empty();
            self.reference(&chain.root, chain.parts, chain.span, is_bare, place);
            let inner = if place == Place::Replacement { Place::Term } else { place };
            for index in chain.indexes {
                let is_wildcard = matches!(index, Expr::Var { value, .. } if text(value) == WILDCARD);
                if !is_wildcard || inner == Place::Negated {
                    self.expr(index, inner);
                }
            }
            return;
        }
        match expr {
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.query(query, |reader| reader.term(term));
            }
            Expr::ObjectCompr { key, value, query, .. } => self.query(query, |reader| {
                reader.term(key);
                reader.term(value);
            }),
            Expr::Call { fcn, params, span, .. } => self.call(fcn, params, span, place, false),
            other => {
                let inner = match place {
                    Place::Replacement => Place::Term,
                    // OPA computes it in a line before.
                    Place::Negated if is_operator(other) => Place::Statement,
                    place => place,
                };
                for child in children(other) {
                    self.expr(child, inner);
                }
            }
        }
    }
}

/// The variables that stand in an expression, outside of comprehensions and
/// not as the name of a function: in a statement that holds each has a value.
fn mentioned(expr: &Expr, into: &mut BTreeSet<String>) {
    match expr {
        Expr::Var { value, .. } => {
            into.insert(text(value));
        }
        Expr::Call { params, .. } => params.iter().for_each(|param| mentioned(param, into)),
        other => children(other).into_iter().for_each(|child| mentioned(child, into)),
    }
}

/// Whether an expression is a call to OPA, though it is not written as one.
const fn is_operator(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::BinExpr { .. } | Expr::ArithExpr { .. } | Expr::BoolExpr { .. } | Expr::Membership { .. }
    )
}

/// The variables of calls inside of an expression under `not`: OPA computes
/// these in lines before, in which a variable may get its value.
fn computed(expr: &Expr, is_outermost: bool, into: &mut BTreeSet<String>) {
    if !is_outermost && (is_operator(expr) || matches!(expr, Expr::Call { .. })) {
        mentioned(expr, into);
        return;
    }
    for child in children(expr) {
        computed(child, false, into);
    }
}

/// The variables that stand in brackets of a reference: these have a value
/// wherever the reference has one.
fn indexed(expr: &Expr, into: &mut BTreeSet<String>) {
    if let Expr::RefBrack { index, .. } = expr {
        mentioned(index, into);
    }
    for child in children(expr) {
        indexed(child, into);
    }
}
