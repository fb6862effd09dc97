//! What is known of the documents below `data`: OPA's `typeTreeNode` and its
//! `TypeEnv`, of `v1/ast/env.go`.

use std::collections::BTreeMap;

use regorus::Value;

use super::lattice::{Known, LARGEST, Type, keys, or, select, values};
use super::term::Term;

/// How deep a rule may lie below `data`; what lies deeper is `any`.
const DEEPEST: usize = 64;

/// A document, with the documents in it that are known by name.
#[derive(Default)]
pub(super) struct Node {
    pub value: Known,
    pub children: BTreeMap<Value, Node>,
}

impl Node {
    /// Adds what a rule gives: OPA's `Insert`.
    pub(super) fn insert(&mut self, path: &[Value], of: &Type) {
        let is_deep = path.len() > DEEPEST;
        let path = path.get(..DEEPEST).unwrap_or(path);
        let of = if is_deep { Type::any() } else { of.clone() };
        let mut at = self;
        for (place, key) in path.iter().enumerate() {
            let rest = &path[place + 1..];
            at = at.children.entry(key.clone()).or_default();
            if let (Some(Type::Object(_)), false) = (&at.value, rest.is_empty()) {
                at.value = at.value.take().map(|object| inserted(object, rest, &of));
            }
        }
        at.value = merged(at.value.take(), Some(of.clone()));
        if matches!(of, Type::Object(_)) {
            let mut leaves = Vec::new();
            at.leaves(&mut Vec::new(), &mut leaves);
            for (path, leaf) in leaves {
                at.value = at.value.take().map(|object| inserted(object, &path, &leaf));
            }
        }
    }

    /// Lets a document be there, of which nothing is known.
    pub(super) fn touch(&mut self, path: &[Value]) {
        let mut at = self;
        for key in path.iter().take(DEEPEST) {
            at = at.children.entry(key.clone()).or_default();
        }
    }

    fn leaves(&self, path: &mut Vec<Value>, into: &mut Vec<(Vec<Value>, Type)>) {
        for (key, child) in &self.children {
            path.push(key.clone());
            match &child.value {
                Some(of) => into.push((path.clone(), of.clone())),
                None => child.leaves(path, into),
            }
            path.pop();
        }
    }

    /// Whether nothing is known yet.
    pub(super) fn is_empty(&self) -> bool {
        self.value.is_none() && self.children.is_empty()
    }

    /// The type of the document with all that is in it: `getRefRecExtent`.
    pub(super) fn extent(&self) -> Type {
        if let Some(value) = &self.value {
            return value.clone();
        }
        if self.children.len() > LARGEST {
            return Type::any();
        }
        let fixed = self
            .children
            .iter()
            .filter(|(key, _)| matches!(key, Value::String(_) | Value::Number(_) | Value::Bool(_)))
            .map(|(key, child)| (key.clone(), Some(child.extent())))
            .collect();
        // Data of files may lie beside the rules; of it nothing is known.
        Type::object(fixed, Some((Some(Type::Text), Some(Type::any()))))
    }

    /// The type of what a path below `data` leads to: `getRefRec`.
    pub(super) fn at(&self, path: &[Term]) -> Known {
        if self.is_empty() {
            return Some(Type::any());
        }
        let mut node = self;
        for (place, part) in path.iter().enumerate() {
            let child = part.constant().and_then(|key| node.children.get(&key));
            match (&node.value, child) {
                (_, Some(child)) => node = child,
                (Some(value), None) => return go(Some(value.clone()), &path[place..]),
                (None, None) if part.constant().is_none() => return go(Some(node.extent()), &path[place..]),
                (None, None) => return Some(Type::any()),
            }
        }
        Some(node.extent())
    }
}

/// The type of what a path leads to inside a value: OPA's `selectRef`.
pub(super) fn go(of: Known, path: &[Term]) -> Known {
    path.iter().try_fold(of?, |of, part| match part {
        Term::Constant(key) => select(&of, key),
        _ => values(&of),
    })
}

/// OPA's `insertIntoObject`.
fn inserted(object: Type, path: &[Value], of: &Type) -> Type {
    let Type::Object(known) = &object else { return object };
    let Some((key, rest)) = path.split_first() else { return object };
    let inner = match rest {
        [] => of.clone(),
        rest => inserted(Type::object(Vec::new(), None), rest, of),
    };
    let key = super::lattice::of_value(key);
    let (keys, values) = known.rest.clone().unwrap_or_default();
    Type::object(known.fixed.clone(), Some((or(keys, Some(key)), or(values, Some(inner)))))
}

/// What a rule gives that is defined twice: OPA's `mergeTypes`.
fn merged(a: Known, b: Known) -> Known {
    let (Some(left), Some(right)) = (&a, &b) else { return a.or(b) };
    match (left, right) {
        (Type::Object(x), Type::Object(y)) if x.fixed.is_empty() && y.fixed.is_empty() => {
            let (x, y) = (x.rest.clone().unwrap_or_default(), y.rest.clone().unwrap_or_default());
            Some(Type::object(Vec::new(), Some((or(x.0, y.0), merged(x.1, y.1)))))
        }
        (Type::Object(object), Type::Any(union)) | (Type::Any(union), Type::Object(object))
            if object.fixed.is_empty() =>
        {
            let is_plain = |part: &Type| matches!(part, Type::Object(other) if other.fixed.is_empty());
            let Some(place) = union.of.iter().position(is_plain) else { return or(a.clone(), b.clone()) };
            let mut of = union.of.clone();
            let (x, y) = (keys_and_values(&of[place]), keys_and_values(left_object(left, right)));
            of[place] = Type::object(Vec::new(), Some((or(x.0, y.0), or(x.1, y.1))));
            Some(Type::union(of))
        }
        (Type::Set(x), Type::Set(y)) => Some(Type::set(or(x.of.clone(), y.of.clone()))),
        _ => or(a, b),
    }
}

fn left_object<'a>(left: &'a Type, right: &'a Type) -> &'a Type {
    if matches!(left, Type::Object(_)) { left } else { right }
}

fn keys_and_values(of: &Type) -> (Known, Known) {
    (keys(of), values(of))
}
