//! The types of values and how they combine: OPA's `v1/types/types.go`.
//!
//! What OPA writes as no type at all (`nil`: nothing is known yet) is `None`
//! here. A type that would grow beyond what is worth looking at becomes `any`,
//! which never refuses anything.

use std::sync::Arc;

use regorus::Value;

/// A type that is known, or `None` where nothing is known yet.
pub(super) type Known = Option<Type>;

/// How deep a type may lie before it is `any`.
const DEEPEST: usize = 48;

/// How many parts a type may have before it is `any`: rules that build on each
/// other could double theirs with every step.
pub(super) const LARGEST: usize = 2048;

/// The type of a value. The order is OPA's `typeOrder`; a union is sorted by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Type {
    Null,
    Bool,
    Number,
    Text,
    Array(Arc<Array>),
    Object(Arc<Object>),
    Set(Arc<Set>),
    /// One of these; of none: anything.
    Any(Arc<Union>),
    Function(Arc<Function>),
}

/// How large a composite type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Size {
    depth: usize,
    parts: usize,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Array {
    /// The members that are known one by one.
    pub fixed: Vec<Known>,
    /// What the others are.
    pub rest: Known,
    size: Size,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Object {
    /// The fields that are known one by one, by their key.
    pub fixed: Vec<(Value, Known)>,
    /// What the other keys and values are.
    pub rest: Option<(Known, Known)>,
    size: Size,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Set {
    pub of: Known,
    size: Size,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Union {
    pub of: Vec<Type>,
    size: Size,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Function {
    pub args: Vec<Known>,
    pub result: Known,
}

fn size_of<'a>(parts: impl Iterator<Item = &'a Known>) -> Size {
    let mut size = Size { depth: 0, parts: 1 };
    for part in parts {
        let inner = part.as_ref().map_or(Size { depth: 0, parts: 1 }, Type::size);
        size.depth = size.depth.max(inner.depth);
        size.parts = size.parts.saturating_add(inner.parts);
    }
    size.depth += 1;
    size
}

const fn is_too_large(size: Size) -> bool {
    size.depth > DEEPEST || size.parts > LARGEST
}

impl Type {
    fn size(&self) -> Size {
        match self {
            Self::Null | Self::Bool | Self::Number | Self::Text | Self::Function(_) => {
                Size { depth: 0, parts: 1 }
            }
            Self::Array(array) => array.size,
            Self::Object(object) => object.size,
            Self::Set(set) => set.size,
            Self::Any(union) => union.size,
        }
    }

    /// Anything.
    pub(super) fn any() -> Self {
        Self::Any(Arc::new(Union { of: Vec::new(), size: Size { depth: 0, parts: 1 } }))
    }

    pub(super) fn array(fixed: Vec<Known>, rest: Known) -> Self {
        let size = size_of(fixed.iter().chain([&rest]));
        if is_too_large(size) {
            return Self::any();
        }
        Self::Array(Arc::new(Array { fixed, rest, size }))
    }

    /// An object; of two fields with one key the later counts.
    pub(super) fn object(mut fixed: Vec<(Value, Known)>, rest: Option<(Known, Known)>) -> Self {
        fixed.sort_by(|a, b| a.0.cmp(&b.0));
        fixed.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                std::mem::swap(&mut later.1, &mut earlier.1);
            }
            is_same
        });
        let size = size_of(
            fixed.iter().map(|(_, value)| value).chain(rest.iter().flat_map(|(key, value)| [key, value])),
        );
        if is_too_large(size) {
            return Self::any();
        }
        Self::Object(Arc::new(Object { fixed, rest, size }))
    }

    pub(super) fn set(of: Known) -> Self {
        let size = size_of(std::iter::once(&of));
        if is_too_large(size) {
            return Self::any();
        }
        Self::Set(Arc::new(Set { of, size }))
    }

    pub(super) fn function(args: Vec<Known>, result: Known) -> Self {
        Self::Function(Arc::new(Function { args, result }))
    }

    /// One of several; the list may be in any order.
    pub(super) fn union(mut of: Vec<Self>) -> Self {
        of.sort();
        of.dedup();
        let size = of.iter().fold(Size { depth: 0, parts: 1 }, |size, part| Size {
            depth: size.depth.max(part.size().depth),
            parts: size.parts.saturating_add(part.size().parts),
        });
        if is_too_large(size) {
            return Self::any();
        }
        Self::Any(Arc::new(Union { of, size }))
    }

    /// Whether this is `any` of nothing in particular.
    pub(super) fn is_anything(&self) -> bool {
        matches!(self, Self::Any(union) if union.of.is_empty())
    }
}

impl Array {
    /// The type of the member at a place: OPA's `Array.Select`.
    pub(super) fn at(&self, place: usize) -> Known {
        self.fixed.get(place).cloned().unwrap_or_else(|| self.rest.clone())
    }
}

impl Object {
    /// The type of a field: OPA's `Object.Select`.
    pub(super) fn field(&self, key: &Value) -> Known {
        if let Ok(at) = self.fixed.binary_search_by(|(known, _)| known.cmp(key)) {
            return self.fixed[at].1.clone();
        }
        let (keys, value) = self.rest.as_ref()?;
        contains(keys.as_ref(), &of_value(key)).then(|| value.clone()).flatten()
    }

    pub(super) fn rest_value(&self) -> Known {
        self.rest.as_ref().and_then(|(_, value)| value.clone())
    }
}

/// Whether the first type has the second in it: OPA's `Contains`.
fn contains(whole: Option<&Type>, part: &Type) -> bool {
    match whole {
        Some(Type::Any(union)) => union.of.is_empty() || union.of.binary_search(part).is_ok(),
        Some(other) => other == part,
        None => false,
    }
}

/// Either of two types: OPA's `Or`.
pub(super) fn or(a: Known, b: Known) -> Known {
    let (Some(a), Some(b)) = (&a, &b) else { return a.or(b) };
    Some(match (a, b) {
        (Type::Function(a), Type::Function(b)) => return either_function(a, b),
        (Type::Function(_), _) | (_, Type::Function(_)) => return None,
        (Type::Any(union), other) | (other, Type::Any(union)) => {
            if union.of.is_empty() || other.is_anything() {
                return Some(Type::any());
            }
            let mut of = union.of.clone();
            match other {
                Type::Any(others) => of.extend(others.of.iter().cloned()),
                single => of.push(single.clone()),
            }
            Type::union(of)
        }
        (a, b) if a == b => a.clone(),
        (a, b) => Type::union(vec![a.clone(), b.clone()]),
    })
}

/// OPA's `Function.Union`.
fn either_function(a: &Function, b: &Function) -> Known {
    if a.args.len() != b.args.len() {
        return None;
    }
    let args = a.args.iter().zip(&b.args).map(|(a, b)| or(a.clone(), b.clone())).collect();
    Some(Type::function(args, or(a.result.clone(), b.result.clone())))
}

/// The type of one constant: OPA's `TypeOf`.
pub(super) fn of_value(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Number(_) => Type::Number,
        Value::String(_) => Type::Text,
        Value::Array(items) => Type::array(items.iter().map(|item| Some(of_value(item))).collect(), None),
        Value::Object(fields) => Type::object(
            fields.iter().map(|(key, value)| (key.clone(), Some(of_value(value)))).collect(),
            None,
        ),
        // No other value is written in a policy.
        _ => Type::any(),
    }
}

/// What stands at a constant key: OPA's `Select`.
pub(super) fn select(of: &Type, key: &Value) -> Known {
    match of {
        Type::Array(array) => {
            let place = key.as_i64().ok().and_then(|place| usize::try_from(place).ok())?;
            array.at(place)
        }
        Type::Object(object) => object.field(key),
        Type::Set(set) => {
            let key = of_value(key);
            match &set.of {
                Some(of) if *of == key => Some(of.clone()),
                Some(of @ Type::Any(_)) if contains(Some(of), &key) => Some(key),
                _ => None,
            }
        }
        Type::Any(union) if union.of.is_empty() => Some(Type::any()),
        Type::Any(union) => union.of.iter().fold(None, |known, part| or(select(part, key), known)),
        Type::Null | Type::Bool | Type::Number | Type::Text | Type::Function(_) => None,
    }
}

/// What the keys are that lead into a value: OPA's `Keys`.
pub(super) fn keys(of: &Type) -> Known {
    match of {
        Type::Array(_) => Some(Type::Number),
        Type::Object(object) => {
            let fixed = object.fixed.iter().fold(None, |known, (key, _)| or(known, Some(of_value(key))));
            match &object.rest {
                Some((key, _)) => or(fixed, key.clone()),
                None => fixed,
            }
        }
        Type::Set(set) => set.of.clone(),
        Type::Any(union) if union.of.is_empty() => Some(Type::any()),
        Type::Any(union) => union.of.iter().fold(None, |known, part| or(keys(part), known)),
        Type::Null | Type::Bool | Type::Number | Type::Text | Type::Function(_) => None,
    }
}

/// What lies in a value: OPA's `Values`.
pub(super) fn values(of: &Type) -> Known {
    match of {
        Type::Array(array) => {
            let fixed = array.fixed.iter().fold(None, |known, item| or(known, item.clone()));
            or(fixed, array.rest.clone())
        }
        Type::Object(object) => {
            let fixed = object.fixed.iter().fold(None, |known, (_, value)| or(known, value.clone()));
            or(fixed, object.rest_value())
        }
        Type::Set(set) => set.of.clone(),
        Type::Any(union) if union.of.is_empty() => Some(Type::any()),
        Type::Any(union) => union.of.iter().fold(None, |known, part| or(values(part), known)),
        Type::Null | Type::Bool | Type::Number | Type::Text | Type::Function(_) => None,
    }
}

/// Whether something in a type is not known yet: OPA's `Nil`.
pub(super) fn is_open(known: Option<&Type>) -> bool {
    match known {
        None => true,
        Some(Type::Function(function)) => {
            function.args.iter().any(|arg| is_open(arg.as_ref())) || is_open(function.result.as_ref())
        }
        Some(Type::Array(array)) => {
            array.fixed.iter().any(|item| is_open(item.as_ref()))
                || array.rest.as_ref().is_some_and(|rest| is_open(Some(rest)))
        }
        Some(Type::Object(object)) => {
            object.fixed.iter().any(|(_, value)| is_open(value.as_ref()))
                || object
                    .rest
                    .as_ref()
                    .is_some_and(|(key, value)| is_open(key.as_ref()) || is_open(value.as_ref()))
        }
        Some(Type::Set(set)) => is_open(set.of.as_ref()),
        Some(Type::Null | Type::Bool | Type::Number | Type::Text | Type::Any(_)) => false,
    }
}

/// Whether a value can be of both types: OPA's `unifies`.
pub(super) fn unifies(a: Option<&Type>, b: Option<&Type>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    match (a, b) {
        (Type::Any(_), _) | (_, Type::Any(_)) => is_one_of(a, b) || is_one_of(b, a),
        (Type::Array(a), Type::Array(b)) => {
            let longest = a.fixed.len().max(b.fixed.len());
            (0..longest).all(|place| unifies(a.at(place).as_ref(), b.at(place).as_ref()))
                && (a.rest.is_none() || b.rest.is_none() || unifies(a.rest.as_ref(), b.rest.as_ref()))
        }
        (Type::Object(a), Type::Object(b)) => {
            let (rest_a, rest_b) = (a.rest_value(), b.rest_value());
            fields_unify(a, b)
                && fields_unify(b, a)
                && (rest_a.is_none() || rest_b.is_none() || unifies(rest_a.as_ref(), rest_b.as_ref()))
        }
        (Type::Set(a), Type::Set(b)) => unifies(a.of.as_ref(), b.of.as_ref()),
        (Type::Function(a), Type::Function(b)) => {
            a.args.len() == b.args.len()
                && a.args.iter().zip(&b.args).all(|(a, b)| unifies(a.as_ref(), b.as_ref()))
        }
        (Type::Null, Type::Null)
        | (Type::Bool, Type::Bool)
        | (Type::Number, Type::Number)
        | (Type::Text, Type::Text) => true,
        _ => false,
    }
}

/// OPA's `unifiesAny`.
fn is_one_of(union: &Type, other: &Type) -> bool {
    let (Type::Any(union), false) = (union, matches!(other, Type::Function(_))) else { return false };
    union.of.is_empty() || union.of.iter().any(|part| unifies(Some(part), Some(other)))
}

/// OPA's `unifiesObjectsStatic`.
fn fields_unify(a: &Object, b: &Object) -> bool {
    a.fixed.iter().all(|(key, value)| match b.field(key) {
        None => a.rest_value().is_some() || b.rest_value().is_some(),
        known => unifies(value.as_ref(), known.as_ref()),
    })
}
