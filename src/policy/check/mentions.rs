//! What a rule mentions and calls: a name in it is a variable, or leads to a
//! document, a rule or a function.

use regorus::unstable::{Expr, Span};

use super::scope::{Place, Reader, WILDCARD};
use super::tree::{Part, Path, chain, otherwise, refused, text};

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

impl Reader<'_> {
    pub(super) fn reference(&mut self, root: &str, parts: Path, span: &Span, is_bare: bool, place: Place) {
        *self.uses.entry(root.to_owned()).or_default() += 1;
        if root == WILDCARD {
            if is_bare && place != Place::Statement {
                self.unbound(root, span);
            }
            return;
        }
        if let Some(frame) = self.frames.iter().rev().find(|frame| frame.declared.contains(root)) {
            // A query inside may give a value to what is declared outside.
            let has_value =
                !frame.floating.contains(root) || self.frames.iter().any(|frame| frame.bound.contains(root));
            if !has_value && place != Place::Statement {
                self.unbound(root, span);
            }
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

    pub(super) fn call(
        &mut self,
        fcn: &Expr,
        params: &[regorus::unstable::ExprRef],
        span: &Span,
        place: Place,
        is_statement: bool,
    ) {
        if is_in_next_line(fcn) {
            self.found.push(otherwise(
                span,
                format!(
                    "the embedded engine reads {} and the bracket in the next line as one call; begin that \
                     line otherwise",
                    fcn.span().text()
                ),
            ));
        } else if let Some(chain) = chain(fcn) {
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
                    Part::Number(number) => format!("{name}[{number}]"),
                    Part::Any => format!("{name}[_]"),
                }))
            };
            self.read.calls.push(Call {
                name,
                arguments: params.len(),
                is_statement,
                texts: params.iter().map(|param| literal(param)).collect(),
                zeros: params.iter().map(|param| is_zero(param)).collect(),
                span: span.clone(),
            });
        }
        let inner = match place {
            Place::Replacement => Place::Term,
            // OPA computes it in a line before.
            Place::Negated if !is_statement => Place::Statement,
            place => place,
        };
        for param in params {
            self.expr(param, inner);
        }
    }

    /// `with` replaces a document or a function that exists.
    pub(super) fn replaced(&mut self, target: &Expr) {
        let Some(chain) = chain(target) else { return };
        *self.uses.entry(chain.root.clone()).or_default() += 1;
        let is_known = chain.root == "input"
            || self.imports.contains_key(&chain.root)
            || self.meaning(&chain.root).is_some()
            || super::calls::is_builtin_root(&chain.root);
        if !is_known {
            // OPA may have such a function.
            self.found.push(otherwise(
                chain.span,
                format!("`with` replaces input, data or a function, not {}", chain.root),
            ));
        }
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

/// Whether the bracket of a call stands in a line after its name: to OPA that
/// is another statement.
fn is_in_next_line(function: &Expr) -> bool {
    let span = function.span();
    let behind = usize::try_from(span.end).ok().and_then(|end| span.source.get_contents().get(end..));
    behind.and_then(|behind| behind.split_once('(')).is_some_and(|(between, _)| between.contains('\n'))
}
