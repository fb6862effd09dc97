//! Expressions: literals, references and calls, and the operators that are
//! calls to OPA.

use std::collections::BTreeSet;

use regorus::Value;
use regorus::unstable::{self as syntax, ArithOp, AssignOp, BinOp, BoolOp, ExprRef, Span};

use super::super::tree::{children, text};
use super::lower::{Lowered, Lowerer, Unmodelled};
use super::term::{Call, Callee, Comprehension, ComprehensionKind, Head, Kind, Reference, Term};

/// Stands for another variable each time.
pub(super) const WILDCARD: &str = "_";

/// How deep expressions may lie in each other; the interpreter's parser takes
/// fewer in brackets, and any number of operators in a row.
const DEEPEST: usize = 120;

/// How many computed keys an object may have.
const COMPUTED_KEYS: usize = 200;

/// One step of a reference.
pub(super) enum Step<'a> {
    Name(&'a Value),
    Index(&'a syntax::Expr),
}

impl Step<'_> {
    pub(super) fn constant(&self) -> Option<Value> {
        match self {
            Self::Name(name) => Some((*name).clone()),
            Self::Index(
                syntax::Expr::String { value, .. }
                | syntax::Expr::RawString { value, .. }
                | syntax::Expr::Number { value, .. }
                | syntax::Expr::Bool { value, .. }
                | syntax::Expr::Null { value, .. },
            ) => Some(value.clone()),
            Self::Index(_) => None,
        }
    }
}

/// What a reference begins with, and its steps.
pub(super) fn steps(expr: &syntax::Expr) -> (&syntax::Expr, Vec<Step<'_>>) {
    let mut steps = Vec::new();
    let mut rest = expr;
    loop {
        match rest {
            syntax::Expr::RefDot { refr, field, .. } => {
                steps.push(Step::Name(&field.1));
                rest = refr;
            }
            syntax::Expr::RefBrack { refr, index, .. } => {
                steps.push(Step::Index(index));
                rest = refr;
            }
            base => {
                steps.reverse();
                return (base, steps);
            }
        }
    }
}

/// A name with dots, `json.patch`.
fn dotted(expr: &syntax::Expr) -> Option<(String, String)> {
    let (syntax::Expr::Var { value, .. }, steps) = steps(expr) else { return None };
    let root = text(value);
    let name = steps.iter().try_fold(root.clone(), |name, step| match step {
        Step::Name(part) => Some(format!("{name}.{}", text(part))),
        Step::Index(_) => None,
    })?;
    Some((root, name))
}

/// `print(…)` is for people and gives no variable a type.
pub(super) fn is_print(function: &syntax::Expr) -> bool {
    dotted(function).is_some_and(|(_, name)| name == "print")
}

/// The names that stand anywhere in an expression.
pub(super) fn mentioned(expr: &syntax::Expr, into: &mut BTreeSet<String>) {
    let mut waiting = vec![expr];
    while let Some(expr) = waiting.pop() {
        if let syntax::Expr::Var { value, .. } = expr {
            into.insert(text(value));
        }
        waiting.extend(children(expr));
    }
}

impl Lowerer<'_> {
    /// A statement that must hold.
    pub(super) fn condition(&mut self, expr: &syntax::Expr) -> Lowered<Kind> {
        if let syntax::Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } = expr {
            return Ok(Kind::Equal { left: self.term(lhs)?, right: self.term(rhs)?, is_assignment: false });
        }
        Ok(match self.term(expr)? {
            Term::Call(call) => Kind::Call { function: call.function, args: call.args },
            term => Kind::Term(term),
        })
    }

    pub(super) fn term(&mut self, expr: &syntax::Expr) -> Lowered<Term> {
        if self.depth >= DEEPEST {
            return Err(Unmodelled);
        }
        self.depth += 1;
        let term = self.term_here(expr);
        self.depth -= 1;
        term
    }

    fn term_here(&mut self, expr: &syntax::Expr) -> Lowered<Term> {
        Ok(match expr {
            syntax::Expr::String { value, .. }
            | syntax::Expr::RawString { value, .. }
            | syntax::Expr::Number { value, .. }
            | syntax::Expr::Bool { value, .. }
            | syntax::Expr::Null { value, .. } => Term::Constant(value.clone()),
            syntax::Expr::UnaryExpr { expr, .. } => Term::Constant(negative(expr)?),
            syntax::Expr::Var { value, span, .. } => self.name(&text(value), span),
            syntax::Expr::RefDot { .. } | syntax::Expr::RefBrack { .. } => self.reference(expr)?,
            syntax::Expr::Array { items, .. } => Term::Array(self.terms(items)?),
            syntax::Expr::Set { items, .. } => Term::Set(self.terms(items)?),
            syntax::Expr::Object { fields, .. } => self.object(fields)?,
            syntax::Expr::ArrayCompr { term, query, .. } => {
                self.comprehension(ComprehensionKind::Array, query, &[term])?
            }
            syntax::Expr::SetCompr { term, query, .. } => {
                self.comprehension(ComprehensionKind::Set, query, &[term])?
            }
            syntax::Expr::ObjectCompr { key, value, query, .. } => {
                self.comprehension(ComprehensionKind::Object, query, &[key, value])?
            }
            syntax::Expr::Call { fcn, params, span, .. } => Term::Call(Box::new(Call {
                function: self.callee(fcn)?,
                args: self.terms(params)?,
                span: span.clone(),
            })),
            syntax::Expr::BinExpr { op, lhs, rhs, span, .. } => {
                let name = match op {
                    BinOp::Intersection => "and",
                    BinOp::Union => "or",
                };
                self.operator(name, &[lhs, rhs], span)?
            }
            syntax::Expr::ArithExpr { op, lhs, rhs, span, .. } => {
                let name = match op {
                    ArithOp::Add => "plus",
                    ArithOp::Sub => "minus",
                    ArithOp::Mul => "mul",
                    ArithOp::Div => "div",
                    ArithOp::Mod => "rem",
                };
                self.operator(name, &[lhs, rhs], span)?
            }
            syntax::Expr::BoolExpr { op, lhs, rhs, span, .. } => {
                let name = match op {
                    BoolOp::Lt => "lt",
                    BoolOp::Le => "lte",
                    BoolOp::Eq => "equal",
                    BoolOp::Ge => "gte",
                    BoolOp::Gt => "gt",
                    BoolOp::Ne => "neq",
                };
                self.operator(name, &[lhs, rhs], span)?
            }
            syntax::Expr::Membership { key: None, value, collection, span, .. } => {
                self.operator("internal.member_2", &[value, collection], span)?
            }
            syntax::Expr::Membership { key: Some(key), value, collection, span, .. } => {
                self.operator("internal.member_3", &[key, value, collection], span)?
            }
            // `:=` and `=` are statements of their own.
            syntax::Expr::AssignExpr { .. } => return Err(Unmodelled),
        })
    }

    fn terms(&mut self, exprs: &[ExprRef]) -> Lowered<Vec<Term>> {
        exprs.iter().map(|expr| self.term(expr)).collect()
    }

    fn operator(&mut self, name: &str, args: &[&ExprRef], span: &Span) -> Lowered<Term> {
        let args: Lowered<Vec<Term>> = args.iter().map(|arg| self.term(arg)).collect();
        let function = Callee::Builtin(name.to_owned());
        Ok(Term::Call(Box::new(Call { function, args: args?, span: span.clone() })))
    }

    /// Of two fields with one key the later counts, as in OPA.
    fn object(&mut self, fields: &[(Span, ExprRef, ExprRef)]) -> Lowered<Term> {
        let mut known = std::collections::BTreeMap::new();
        let mut computed: Vec<usize> = Vec::new();
        let mut terms: Vec<(Term, Term)> = Vec::with_capacity(fields.len());
        for (_, key, value) in fields {
            let (key, value) = (self.term(key)?, self.term(value)?);
            let at = if let Some(constant) = key.constant() {
                let at = *known.entry(constant).or_insert(terms.len());
                (at < terms.len()).then_some(at)
            } else {
                let at = computed.iter().copied().find(|at| terms[*at].0 == key);
                if at.is_none() {
                    computed.push(terms.len());
                }
                at
            };
            match at {
                Some(at) => terms[at].1 = value,
                None => terms.push((key, value)),
            }
            if computed.len() > COMPUTED_KEYS {
                return Err(Unmodelled);
            }
        }
        Ok(Term::Object(terms))
    }

    fn comprehension(
        &mut self,
        kind: ComprehensionKind,
        query: &syntax::Query,
        terms: &[&ExprRef],
    ) -> Lowered<Term> {
        let (body, terms) = self.scoped(query, terms)?;
        Ok(Term::Comprehension(Box::new(Comprehension { kind, terms, body })))
    }

    pub(super) fn step(&mut self, step: &Step<'_>) -> Lowered<Term> {
        match step {
            Step::Name(name) => Ok(Term::Constant((*name).clone())),
            Step::Index(index) => self.term(index),
        }
    }

    fn reference(&mut self, expr: &syntax::Expr) -> Lowered<Term> {
        let (base, steps) = steps(expr);
        let (head, mut path) = match self.term(base)? {
            Term::Var(var) => (Head::Var(var), Vec::new()),
            Term::Ref(reference) => (reference.head, reference.path),
            Term::Constant(_) => return Err(Unmodelled),
            other => (Head::Inner(Box::new(other)), Vec::new()),
        };
        for step in steps {
            path.push(self.step(&step)?);
        }
        Ok(Term::Ref(Box::new(Reference { head, path, span: expr.span().clone() })))
    }

    fn callee(&self, function: &syntax::Expr) -> Lowered<Callee> {
        let (root, name) = dotted(function).ok_or(Unmodelled)?;
        if self.local(&root).is_some() {
            return Err(Unmodelled);
        }
        let Some((head, path)) = self.global(&root) else { return Ok(Callee::Builtin(name)) };
        if head != Head::Data {
            return Err(Unmodelled);
        }
        let mut path: Vec<Value> = path.iter().filter_map(Term::constant).collect();
        path.extend(steps(function).1.iter().filter_map(Step::constant));
        Ok(Callee::Rule(path))
    }

    /// Either side of a `with`, where a function may stand uncalled.
    pub(super) fn replaced(&mut self, expr: &syntax::Expr) -> Lowered<Term> {
        if let Some((root, name)) = dotted(expr)
            && self.local(&root).is_none()
            && self.global(&root).is_none()
            && syntax::BUILTINS.contains_key(name.as_str())
        {
            let head = Head::Builtin(name);
            return Ok(Term::Ref(Box::new(Reference { head, path: Vec::new(), span: expr.span().clone() })));
        }
        self.term(expr)
    }
}

/// A number with a minus; OPA knows no other use of one.
fn negative(expr: &syntax::Expr) -> Lowered<Value> {
    let syntax::Expr::Number { value, .. } = expr else { return Err(Unmodelled) };
    if let Some(whole) = value.as_i64().ok().and_then(i64::checked_neg) {
        return Ok(Value::from(whole));
    }
    value.as_f64().map(|number| Value::from(-number)).map_err(|_| Unmodelled)
}
