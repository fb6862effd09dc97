//! Rules in the form in which OPA looks at their types: names are resolved,
//! and what OPA's compiler writes for the user's `:=`, `some` and `==` stands
//! there instead.

use std::collections::BTreeSet;

use regorus::Value;
use regorus::unstable::Span;

/// A variable of a rule. Two that are called alike and are not the same have
/// two numbers.
pub(super) type Var = u32;

pub(super) type Vars = BTreeSet<Var>;

/// Something that has a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Term {
    Constant(Value),
    Var(Var),
    Ref(Box<Reference>),
    Array(Vec<Term>),
    Object(Vec<(Term, Term)>),
    Set(Vec<Term>),
    Comprehension(Box<Comprehension>),
    /// Only until calls are taken out of terms (`expand`).
    Call(Box<Call>),
}

/// Steps into a document or a variable.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub head: Head,
    pub path: Vec<Term>,
    pub span: Span,
}

impl PartialEq for Reference {
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head && self.path == other.path
    }
}

/// What a reference begins with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Head {
    Data,
    Input,
    Var(Var),
    /// The name of a builtin, as `with` has it.
    Builtin(String),
    /// Only until calls are taken out of terms.
    Inner(Box<Term>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comprehension {
    pub kind: ComprehensionKind,
    /// Of an object the key and the value, else the member.
    pub terms: Vec<Term>,
    pub body: Vec<Expr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ComprehensionKind {
    Array,
    Object,
    Set,
}

#[derive(Debug, Clone)]
pub(super) struct Call {
    pub function: Callee,
    pub args: Vec<Term>,
    pub span: Span,
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function && self.args == other.args
    }
}

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Callee {
    Builtin(String),
    /// A function of the user's, by its path below `data`.
    Rule(Vec<Value>),
}

/// A statement.
#[derive(Debug, Clone)]
pub(super) struct Expr {
    pub kind: Kind,
    pub is_negated: bool,
    /// What is replaced, and by what.
    pub with: Vec<(Term, Term)>,
    pub span: Span,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.is_negated == other.is_negated && self.with == other.with
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Term(Term),
    /// `=`, and what `:=` becomes: then the left side only gets a value.
    Equal {
        left: Term,
        right: Term,
        is_assignment: bool,
    },
    Call {
        function: Callee,
        args: Vec<Term>,
    },
    Every(Box<Every>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Every {
    pub key: Var,
    pub value: Var,
    pub domain: Term,
    pub body: Vec<Expr>,
}

/// A definition, or one branch of it.
#[derive(Debug)]
pub(super) struct Rule {
    /// The path below `data`: constants, and variables where it is computed.
    pub path: Vec<Term>,
    pub head: RuleHead,
    pub body: Vec<Expr>,
    /// The names of the variables, by number; empty for those without one.
    pub names: Vec<String>,
    pub span: Span,
}

#[derive(Debug)]
pub(super) enum RuleHead {
    Value(Term),
    /// A member of a set.
    Member(Term),
    Function {
        args: Vec<Term>,
        value: Term,
    },
}

/// A variable that nobody wrote.
pub(super) fn fresh(names: &mut Vec<String>) -> Var {
    names.push(String::new());
    Var::try_from(names.len() - 1).unwrap_or(Var::MAX)
}

impl Expr {
    pub(super) fn new(kind: Kind, span: &Span) -> Self {
        Self { kind, is_negated: false, with: Vec::new(), span: span.clone() }
    }

    /// `variable = term`.
    pub(super) fn equal(variable: Var, term: Term, span: &Span) -> Self {
        let left = Term::Var(variable);
        Self::new(Kind::Equal { left, right: term, is_assignment: false }, span)
    }
}

impl Term {
    /// The value of a term that is written out in full, sets as OPA writes
    /// them in JSON: as arrays.
    pub(super) fn constant(&self) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Array(items) | Self::Set(items) => {
                let items: Option<Vec<Value>> = items.iter().map(Self::constant).collect();
                Some(Value::from(items?))
            }
            Self::Object(fields) => {
                let fields: Option<std::collections::BTreeMap<Value, Value>> =
                    fields.iter().map(|(key, value)| Some((key.constant()?, value.constant()?))).collect();
                Some(Value::from(fields?))
            }
            Self::Var(_) | Self::Ref(_) | Self::Comprehension(_) | Self::Call(_) => None,
        }
    }

    /// Whether it has to be evaluated: OPA's `requiresEval`.
    pub(super) fn is_evaluated(&self) -> bool {
        match self {
            Self::Ref(_) | Self::Comprehension(_) | Self::Call(_) => true,
            Self::Array(items) | Self::Set(items) => items.iter().any(Self::is_evaluated),
            Self::Object(fields) => {
                fields.iter().any(|(key, value)| key.is_evaluated() || value.is_evaluated())
            }
            Self::Constant(_) | Self::Var(_) => false,
        }
    }

    const fn is_true(&self) -> bool {
        matches!(self, Self::Constant(Value::Bool(true)))
    }
}

/// Adds statements to a body; one that only says `true` they replace: OPA's
/// `appendToBody`.
pub(super) fn append(body: &mut Vec<Expr>, more: Vec<Expr>) {
    if more.is_empty() {
        return;
    }
    if let [Expr { kind: Kind::Term(term), .. }] = body.as_slice()
        && term.is_true()
    {
        body.clear();
    }
    body.extend(more);
}
