//! Reading the interpreter's syntax tree: the one place, beside `rego`, that
//! knows its shapes.

use regorus::unstable::{Expr, Module, Ref, Span};

use super::{Finding, Minds};

/// A parsed file.
pub(in super::super) type ModuleRef = Ref<Module>;

/// One step of a path: `data.a[x]` is a name and a step that may be anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Known from the text.
    Name(String),
    /// A number, as it is written.
    Number(String),
    /// Known only when it is evaluated.
    Any,
}

/// A path below `data`.
pub(super) type Path = Vec<Part>;

/// A chain of dots and brackets that begins with a variable.
pub(super) struct Chain<'a> {
    /// The variable.
    pub root: String,
    /// Where it stands.
    pub span: &'a Span,
    /// The steps after it.
    pub parts: Path,
    /// What stands in brackets and is no text.
    pub indexes: Vec<&'a Expr>,
}

/// A reference taken apart; `None` for any other expression.
pub(super) fn chain(expr: &Expr) -> Option<Chain<'_>> {
    let mut parts = Vec::new();
    let mut indexes = Vec::new();
    let mut rest = expr;
    loop {
        match rest {
            Expr::Var { span, value, .. } => {
                parts.reverse();
                return Some(Chain { root: text(value), span, parts, indexes });
            }
            Expr::RefDot { refr, field, .. } => {
                parts.push(Part::Name(text(&field.1)));
                rest = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                match index.as_ref() {
                    Expr::String { value, .. } | Expr::RawString { value, .. } => {
                        parts.push(Part::Name(text(value)));
                    }
                    Expr::Number { span, .. } => parts.push(Part::Number(span.text().to_owned())),
                    other => {
                        parts.push(Part::Any);
                        indexes.push(other);
                    }
                }
                rest = refr;
            }
            _ => return None,
        }
    }
}

/// The path of a package or an import, as far as it is known from the text.
pub(super) fn path_of(expr: &Expr) -> Path {
    chain(expr).map_or_else(Vec::new, |chain| {
        let mut path = vec![Part::Name(chain.root)];
        path.extend(chain.parts);
        path
    })
}

/// Package names are given with or without `data` in front.
pub(super) fn package_of(module: &Module) -> Path {
    let mut path = path_of(&module.package.refr);
    if path.first() == Some(&Part::Name("data".to_owned())) {
        path.remove(0);
    }
    path
}

/// A path as a person writes it, `data.infra.decision`.
pub(super) fn shown(path: &[Part]) -> String {
    path.iter().fold("data".to_owned(), |text, part| match part {
        Part::Name(name) => format!("{text}.{name}"),
        Part::Number(number) => format!("{text}[{number}]"),
        Part::Any => format!("{text}[_]"),
    })
}

/// Whether one path leads into or through the other.
pub(super) fn meet(a: &[Part], b: &[Part]) -> bool {
    a.iter().zip(b).all(|(a, b)| *a == Part::Any || *b == Part::Any || a == b)
}

/// Everything directly below an expression that is an expression too, without
/// comprehensions' insides.
pub(super) fn children(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().map(AsRef::as_ref).collect(),
        Expr::Object { fields, .. } => {
            fields.iter().flat_map(|(_, key, value)| [key.as_ref(), value.as_ref()]).collect()
        }
        Expr::Call { fcn, params, .. } => std::iter::once(fcn).chain(params).map(AsRef::as_ref).collect(),
        Expr::UnaryExpr { expr, .. } => vec![expr.as_ref()],
        Expr::RefDot { refr, .. } => vec![refr.as_ref()],
        Expr::RefBrack { refr, index, .. } => vec![refr.as_ref(), index.as_ref()],
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => vec![lhs.as_ref(), rhs.as_ref()],
        Expr::Membership { key, value, collection, .. } => {
            key.iter().chain([value, collection]).map(AsRef::as_ref).collect()
        }
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. }
        | Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. } => Vec::new(),
    }
}

/// The variables that a pattern gives a value: `[a, {"k": b}]`.
pub(super) fn pattern_vars<'a>(pattern: &'a Expr, into: &mut Vec<(String, &'a Span)>) {
    match pattern {
        Expr::Var { span, value, .. } => into.push((text(value), span)),
        Expr::Array { items, .. } => items.iter().for_each(|item| pattern_vars(item, into)),
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, _, value)| pattern_vars(value, into)),
        _ => {}
    }
}

/// The text of a literal or of a name.
pub(super) fn text(value: &regorus::Value) -> String {
    value.as_string().map(ToString::to_string).unwrap_or_default()
}

/// Something that keeps OPA from loading the file.
pub(super) fn refused(span: &Span, what: String) -> Finding {
    Finding { at: at(span), what, minds: Minds::Opa }
}

/// The same where there is a line and no span.
pub(super) fn refused_at(file: &str, line: usize, what: String) -> Finding {
    Finding { at: format!("{file}:{line}"), what, minds: Minds::Opa }
}

/// Something that OPA only minds when it is asked to be strict.
pub(super) fn untidy(span: &Span, what: String) -> Finding {
    Finding { at: at(span), what, minds: Minds::StrictOpa }
}

/// Something that the embedded engine lacks or reads otherwise.
pub(super) fn otherwise(span: &Span, what: String) -> Finding {
    Finding { at: at(span), what, minds: Minds::Embedded }
}

/// File and line.
fn at(span: &Span) -> String {
    format!("{}:{}", span.source.get_path(), span.line)
}
