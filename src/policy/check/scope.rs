//! What every name in a policy means: a variable of the rule, a rule, an
//! import, a function. On the way, the variables that nothing binds, that
//! nothing uses, or that hide `input` and `data`.
//!
//! The interpreter itself finds a variable that nothing binds in a body; not
//! in a head, in the term of a comprehension or under `not`.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{
    AssignOp, BoolOp, Expr, Literal, LiteralStmt, Query, Rule, RuleAssign, RuleBody, RuleHead, Span,
};

use super::Finding;
use super::imports::{Imports, imports, unused_imports};
use super::kinds::{Sort, given};
use super::rules::Rules;
use super::tree::{ModuleRef, Part, Path, chain, children, package_of, pattern_vars, refused, text, untidy};

/// The names of variables that stand for nothing in particular.
const WILDCARD: &str = "_";

/// A mention of something below `data`.
pub(super) struct Mention {
    /// The rule (its number in [`Rules`]) that mentions it.
    pub by: usize,
    pub path: Path,
    pub span: Span,
    /// As the value of a `with`, where a function may stand uncalled.
    pub is_replacement: bool,
}

/// A call.
pub(super) struct Call {
    pub name: CallName,
    pub arguments: usize,
    /// A call that is a whole statement may take its result as one more
    /// argument.
    pub is_statement: bool,
    /// The texts among the arguments, by position.
    pub texts: Vec<Option<String>>,
    /// Which arguments are the number 0.
    pub zeros: Vec<bool>,
    /// The kinds of the arguments that show theirs.
    pub sorts: Vec<Option<Sort>>,
    pub span: Span,
}

/// What is called.
pub(super) enum CallName {
    /// A rule, by its path.
    Rule(Path),
    /// A builtin, by its name.
    Builtin(String),
}

/// Everything that was read.
#[derive(Default)]
pub(super) struct Read {
    pub mentions: Vec<Mention>,
    pub calls: Vec<Call>,
}

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
    floating: BTreeSet<String>,
    /// Get a value here in any way.
    bound: BTreeSet<String>,
    /// The kinds of those that `:=` gives a scalar.
    pub(super) scalars: BTreeMap<String, Sort>,
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
enum Place {
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
    package: &'a [Part],
    pub(super) imports: &'a Imports,
    rules: &'a Rules,
    by: usize,
    pub(super) frames: Vec<Frame>,
    uses: BTreeMap<String, usize>,
    unused: Vec<Declaration>,
    read: &'a mut Read,
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
                if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } = expr.as_ref() {
                    frame.scalars.extend(given(lhs, rhs));
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
                other => {
                    self.equality(other);
                    self.expr(other, Place::Statement);
                }
            },
            Literal::NotExpr { expr, .. } => {
                self.equality(expr);
                self.missing_under_not(expr);
                self.expr(expr, Place::Negated);
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

    /// A statement that two things be equal.
    fn equality(&mut self, expr: &Expr) {
        if let Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, span, .. }
        | Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, span, .. } = expr
        {
            self.never_equal(lhs, rhs, span);
        }
    }

    fn expr(&mut self, expr: &Expr, place: Place) {
        self.operands(expr);
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
                let inner = if place == Place::Replacement { Place::Term } else { place };
                for child in children(other) {
                    self.expr(child, inner);
                }
            }
        }
    }

    fn reference(&mut self, root: &str, parts: Path, span: &Span, is_bare: bool, place: Place) {
        *self.uses.entry(root.to_owned()).or_default() += 1;
        if root == WILDCARD {
            if is_bare && place != Place::Statement {
                self.unbound(root, span);
            }
            return;
        }
        if let Some(frame) = self.frames.iter().rev().find(|frame| frame.declared.contains(root)) {
            let has_value = !frame.floating.contains(root) || frame.bound.contains(root);
            if !has_value && place != Place::Statement {
                self.unbound(root, span);
            }
            self.field_of_a_scalar(root, &parts, span);
            return;
        }
        if let Some(mut path) = self.meaning(root) {
            path.extend(parts);
            let is_replacement = place == Place::Replacement;
            self.read.mentions.push(Mention { by: self.by, path, span: span.clone(), is_replacement });
        } else if root != "input"
            && !self.imports.contains_key(root)
            && !self.frames.iter().any(|frame| frame.bound.contains(root))
            // The value of a `with` may be a builtin.
            && place != Place::Replacement
        {
            self.unbound(root, span);
        }
    }

    fn unbound(&mut self, name: &str, span: &Span) {
        self.found.push(refused(span, format!("nothing gives the variable {name} a value")));
    }

    /// The path below `data` that a name stands for, where it does.
    pub(super) fn meaning(&self, root: &str) -> Option<Path> {
        if root == "data" {
            return Some(Vec::new());
        }
        if self.rules.has(self.package, root) {
            let mut path = self.package.to_vec();
            path.push(Part::Name(root.to_owned()));
            return Some(path);
        }
        let path = self.imports.get(root)?;
        (path.first() == Some(&Part::Name("data".to_owned()))).then(|| path[1..].to_vec())
    }

    fn call(
        &mut self,
        fcn: &Expr,
        params: &[regorus::unstable::ExprRef],
        span: &Span,
        place: Place,
        is_statement: bool,
    ) {
        if let Some(chain) = chain(fcn) {
            *self.uses.entry(chain.root.clone()).or_default() += 1;
            let name = if let Some(mut path) = self.meaning(&chain.root) {
                path.extend(chain.parts);
                self.read.mentions.push(Mention {
                    by: self.by,
                    path: path.clone(),
                    span: span.clone(),
                    // Called, not used as a value.
                    is_replacement: true,
                });
                CallName::Rule(path)
            } else {
                CallName::Builtin(chain.parts.iter().fold(chain.root, |name, part| match part {
                    Part::Name(part) => format!("{name}.{part}"),
                    Part::Any => format!("{name}[_]"),
                }))
            };
            self.read.calls.push(Call {
                name,
                arguments: params.len(),
                is_statement,
                texts: params.iter().map(|param| literal(param)).collect(),
                sorts: params.iter().map(|param| self.sort(param)).collect(),
                zeros: params.iter().map(|param| is_zero(param)).collect(),
                span: span.clone(),
            });
        }
        let inner = if place == Place::Replacement { Place::Term } else { place };
        for param in params {
            self.expr(param, inner);
        }
    }

    /// `with` replaces a document or a function that exists.
    fn replaced(&mut self, target: &Expr) {
        let Some(chain) = chain(target) else { return };
        *self.uses.entry(chain.root.clone()).or_default() += 1;
        let is_known = chain.root == "input"
            || self.imports.contains_key(&chain.root)
            || self.meaning(&chain.root).is_some()
            || super::calls::is_builtin_root(&chain.root);
        if !is_known {
            self.found.push(refused(
                chain.span,
                format!("`with` replaces input, data or a function, not {}", chain.root),
            ));
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

fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::String { value, .. } | Expr::RawString { value, .. } => Some(text(value)),
        _ => None,
    }
}

fn is_zero(expr: &Expr) -> bool {
    matches!(expr, Expr::Number { span, .. } if span.text() == "0")
}
