//! Kinds of values, as far as the text alone shows them: a literal that a
//! builtin cannot take, a comparison of two kinds, a field of a number.
//!
//! OPA infers types through variables, functions and data; here only literals
//! are judged, and what is nothing but one: a variable with `x := 5`, a rule
//! whose every definition is a constant. So whatever is refused here OPA
//! refuses too, and not the other way round.

use regorus::unstable::{ArithOp, BinOp, Expr, Rule, RuleHead};

use super::Finding;
use super::rules::{Kind, Rules};
use super::scope::{Call, CallName, Read, Reader};
use super::tree::{Path, chain, meet, refused, shown, text};

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
    Set,
}

impl Sort {
    const fn words(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
            Self::Set => "a set",
        }
    }

    /// Whether nothing can lie inside such a value.
    const fn is_scalar(self) -> bool {
        matches!(self, Self::Null | Self::Bool | Self::Number | Self::Text)
    }
}

/// What an argument may be.
type Taken = &'static [Sort];

const TEXT: Taken = &[Sort::Text];
const NUMBER: Taken = &[Sort::Number];
const ARRAY: Taken = &[Sort::Array];
const OBJECT: Taken = &[Sort::Object];
const SET: Taken = &[Sort::Set];
const LIST: Taken = &[Sort::Array, Sort::Set];
const INNER: Taken = &[Sort::Array, Sort::Object, Sort::Set];
const SIZED: Taken = &[Sort::Text, Sort::Array, Sort::Object, Sort::Set];
const TEXTS: Taken = &[Sort::Text, Sort::Array, Sort::Set];
const SCALAR: Taken = &[Sort::Null, Sort::Bool, Sort::Number, Sort::Text];
const DIFFERENCE: Taken = &[Sort::Number, Sort::Set];
/// Nanoseconds, or these with a zone.
const TIME: Taken = &[Sort::Number, Sort::Array];
const ANY: Taken = &[Sort::Null, Sort::Bool, Sort::Number, Sort::Text, Sort::Array, Sort::Object, Sort::Set];

/// What the builtins that policies use take, from `opa capabilities`; a test
/// holds every entry to a real OPA.
const BUILTINS: &[(&str, &[Taken])] = &[
    ("abs", &[NUMBER]),
    ("array.concat", &[ARRAY, ARRAY]),
    ("array.reverse", &[ARRAY]),
    ("array.slice", &[ARRAY, NUMBER, NUMBER]),
    ("ceil", &[NUMBER]),
    ("concat", &[TEXT, LIST]),
    ("contains", &[TEXT, TEXT]),
    ("count", &[SIZED]),
    ("endswith", &[TEXT, TEXT]),
    ("floor", &[NUMBER]),
    ("format_int", &[NUMBER, NUMBER]),
    ("indexof", &[TEXT, TEXT]),
    ("intersection", &[SET]),
    ("json.patch", &[ANY, ARRAY]),
    ("lower", &[TEXT]),
    ("max", &[LIST]),
    ("min", &[LIST]),
    ("numbers.range", &[NUMBER, NUMBER]),
    ("object.filter", &[OBJECT, INNER]),
    ("object.get", &[OBJECT, ANY, ANY]),
    ("object.keys", &[OBJECT]),
    ("object.remove", &[OBJECT, INNER]),
    ("object.union", &[OBJECT, OBJECT]),
    ("object.union_n", &[ARRAY]),
    ("product", &[LIST]),
    ("regex.match", &[TEXT, TEXT]),
    ("regex.replace", &[TEXT, TEXT, TEXT]),
    ("regex.split", &[TEXT, TEXT]),
    ("replace", &[TEXT, TEXT, TEXT]),
    ("round", &[NUMBER]),
    ("sort", &[LIST]),
    ("split", &[TEXT, TEXT]),
    ("sprintf", &[TEXT, ARRAY]),
    ("startswith", &[TEXT, TEXT]),
    ("strings.any_prefix_match", &[TEXTS, TEXTS]),
    ("strings.any_suffix_match", &[TEXTS, TEXTS]),
    ("strings.reverse", &[TEXT]),
    ("substring", &[TEXT, NUMBER, NUMBER]),
    ("sum", &[LIST]),
    ("time.add_date", &[NUMBER, NUMBER, NUMBER, NUMBER]),
    ("time.clock", &[TIME]),
    ("time.date", &[TIME]),
    ("time.diff", &[TIME, TIME]),
    ("time.format", &[TIME]),
    ("time.parse_duration_ns", &[TEXT]),
    ("time.parse_ns", &[TEXT, TEXT]),
    ("time.parse_rfc3339_ns", &[TEXT]),
    ("time.weekday", &[TIME]),
    ("to_number", &[SCALAR]),
    ("trim", &[TEXT, TEXT]),
    ("trim_left", &[TEXT, TEXT]),
    ("trim_prefix", &[TEXT, TEXT]),
    ("trim_right", &[TEXT, TEXT]),
    ("trim_space", &[TEXT]),
    ("trim_suffix", &[TEXT, TEXT]),
    ("union", &[SET]),
    ("upper", &[TEXT]),
];

/// Looks at the literals that builtins get, and at fields of constants.
pub(super) fn check(read: &Read, rules: &Rules, found: &mut Vec<Finding>) {
    found.extend(read.calls.iter().filter_map(wrong_argument));
    for mention in &read.mentions {
        let of_a_scalar = (1..mention.path.len()).find_map(|length| {
            constant(rules, &mention.path[..length]).map(|sort| (&mention.path[..length], sort))
        });
        if let Some((path, sort)) = of_a_scalar {
            found.push(refused(
                &mention.span,
                format!("{} is {}, which has no fields", shown(path), sort.words()),
            ));
        }
    }
}

fn wrong_argument(call: &Call) -> Option<Finding> {
    let CallName::Builtin(name) = &call.name else { return None };
    let (_, takes) = BUILTINS.iter().find(|(known, _)| known == name)?;
    let wrong = |(sort, taken): (&Option<Sort>, &Taken)| sort.filter(|sort| !taken.contains(sort));
    let sort = call.sorts.iter().zip(*takes).find_map(wrong)?;
    Some(refused(&call.span, format!("{name} does not take {}", sort.words())))
}

/// What a rule is whose every definition is a scalar written out. Where one
/// may lie inside, or be computed, nothing is known.
fn constant(rules: &Rules, path: &[super::tree::Part]) -> Option<Sort> {
    let mut met = rules.all().iter().filter(|rule| meet(&rule.path, path)).peekable();
    let first = met.peek()?.scalar?;
    met.all(|rule| rule.path == path && rule.kind == Kind::Value && rule.scalar.is_some()).then_some(first)
}

/// The scalar that a definition gives in every case; `None` when one is
/// computed, or when it gives no value of its own.
pub(super) fn scalar_of(rule: &Rule) -> Option<Sort> {
    let scalar = |value: &Expr| literal(value).filter(|sort| sort.is_scalar());
    match rule {
        Rule::Default { value, .. } => scalar(value),
        Rule::Spec { head: RuleHead::Compr { assign, .. }, bodies, .. } => {
            // Without a value of its own a rule is true.
            let first = assign.as_ref().map_or(Some(Sort::Bool), |assign| scalar(&assign.value))?;
            let mut others = bodies.iter().skip(1).filter_map(|body| body.assign.as_ref());
            others.all(|assign| scalar(&assign.value).is_some()).then_some(first)
        }
        Rule::Spec { .. } => None,
    }
}

/// The kind of an expression that shows it by itself.
pub(super) fn literal(expr: &Expr) -> Option<Sort> {
    Some(match expr {
        Expr::Null { .. } => Sort::Null,
        Expr::Bool { .. } => Sort::Bool,
        Expr::Number { .. } => Sort::Number,
        Expr::UnaryExpr { expr, .. } if matches!(expr.as_ref(), Expr::Number { .. }) => Sort::Number,
        Expr::String { .. } | Expr::RawString { .. } => Sort::Text,
        Expr::Array { .. } | Expr::ArrayCompr { .. } => Sort::Array,
        Expr::Object { .. } | Expr::ObjectCompr { .. } => Sort::Object,
        Expr::Set { .. } | Expr::SetCompr { .. } => Sort::Set,
        _ => return None,
    })
}

impl Reader<'_> {
    /// The kind of a literal, or of a variable that is one.
    pub(super) fn sort(&self, expr: &Expr) -> Option<Sort> {
        let Expr::Var { value, .. } = expr else { return literal(expr) };
        self.variable(&text(value))
    }

    /// The kind of a variable that `:=` gives a scalar.
    fn variable(&self, name: &str) -> Option<Sort> {
        let frame = self.frames.iter().rev().find(|frame| frame.declared.contains(name))?;
        frame.scalars.get(name).copied()
    }

    /// `x.max` where `x` is a number.
    pub(super) fn field_of_a_scalar(&mut self, root: &str, parts: &Path, span: &regorus::unstable::Span) {
        if let Some(sort) = self.variable(root).filter(|_| !parts.is_empty()) {
            self.found.push(refused(span, format!("{root} is {}, which has no fields", sort.words())));
        }
    }

    /// A statement that two values of different kinds be equal. Inside of
    /// other expressions OPA takes that for false.
    pub(super) fn never_equal(&mut self, lhs: &Expr, rhs: &Expr, span: &regorus::unstable::Span) {
        if let (Some(left), Some(right)) = (self.sort(lhs), self.sort(rhs))
            && left != right
        {
            self.found.push(refused(span, format!("{} is never equal to {}", left.words(), right.words())));
        }
    }

    /// Operators over what they cannot compute with.
    pub(super) fn operands(&mut self, expr: &Expr) {
        let (taken, lhs, rhs, span) = match expr {
            Expr::ArithExpr { op: ArithOp::Sub, lhs, rhs, span, .. } => (DIFFERENCE, lhs, rhs, span),
            Expr::ArithExpr { lhs, rhs, span, .. } => (NUMBER, lhs, rhs, span),
            Expr::BinExpr { op: BinOp::Union | BinOp::Intersection, lhs, rhs, span, .. } => {
                (SET, lhs, rhs, span)
            }
            _ => return,
        };
        let wrong =
            [lhs, rhs].into_iter().find_map(|side| self.sort(side).filter(|sort| !taken.contains(sort)));
        if let Some(sort) = wrong {
            let what = format!("{} cannot be computed with: {}", sort.words(), span.text());
            self.found.push(refused(span, what));
        }
    }
}

/// The scalar that a statement `x := 5` gives its variable.
pub(super) fn given(lhs: &Expr, rhs: &Expr) -> Option<(String, Sort)> {
    let name = chain(lhs).filter(|chain| chain.parts.is_empty())?.root;
    literal(rhs).filter(|sort| sort.is_scalar()).map(|sort| (name, sort))
}
