//! Making a term and a type agree, by which variables get theirs: OPA's
//! `unify1` and `unify2`.

use super::infer::{Checker, Env};
use super::lattice::{Array, Known, Object, Type, is_open, or, select, unifies};
use super::term::Term;

impl Checker<'_> {
    /// Two terms that are said to be equal: `unify2`.
    pub(super) fn both(&mut self, env: &mut Env<'_>, left: (&Term, Known), right: (&Term, Known)) -> bool {
        let ((a, of_a), (b, of_b)) = (left, right);
        match (is_open(of_a.as_ref()), is_open(of_b.as_ref())) {
            (true, false) => return self.one(env, a, of_b.as_ref(), false),
            (false, true) => return self.one(env, b, of_a.as_ref(), false),
            (false, false) => return unifies(of_a.as_ref(), of_b.as_ref()),
            (true, true) => {}
        }
        match (a, b) {
            (Term::Array(items), Term::Array(others)) => {
                items.len() == others.len()
                    && items.iter().zip(others).all(|(item, other)| self.parts(env, item, other))
            }
            (Term::Object(fields), Term::Object(others)) => {
                fields.len() == others.len()
                    && fields.iter().all(|(key, value)| {
                        let other = others.iter().find(|(other, _)| other == key);
                        other.is_some_and(|(_, other)| self.parts(env, value, other))
                    })
            }
            (Term::Var(_) | Term::Array(_) | Term::Object(_), Term::Var(_)) => self.follows(env, a, b),
            (Term::Var(_), Term::Array(_) | Term::Object(_)) => self.follows(env, b, a),
            (Term::Var(_), _) if of_a.is_none() && of_b.is_some() => self.one(env, a, of_b.as_ref(), false),
            (_, Term::Var(_)) if of_b.is_none() && of_a.is_some() => self.one(env, b, of_a.as_ref(), false),
            _ => false,
        }
    }

    fn parts(&mut self, env: &mut Env<'_>, a: &Term, b: &Term) -> bool {
        let (of_a, of_b) = (self.of(env, a), self.of(env, b));
        self.both(env, (a, of_a), (b, of_b))
    }

    /// The first may be anything; the second is what the first is.
    fn follows(&mut self, env: &mut Env<'_>, a: &Term, b: &Term) -> bool {
        self.one(env, a, Some(&Type::any()), false) && {
            let of = self.of(env, a);
            self.one(env, b, of.as_ref(), false)
        }
    }

    /// A term that is said to be of a type: `unify1`. As one of several that
    /// a variable may be, `is_union`.
    pub(super) fn one(&mut self, env: &mut Env<'_>, term: &Term, of: Option<&Type>, is_union: bool) -> bool {
        self.step();
        match (term, of) {
            (Term::Array(_) | Term::Object(_) | Term::Set(_), Some(Type::Any(union))) => {
                if union.of.is_empty() {
                    self.anything(env, term);
                    return true;
                }
                let mut fits = false;
                for part in &union.of {
                    fits |= self.one(env, term, Some(part), true);
                }
                fits
            }
            (Term::Array(items), Some(Type::Array(array))) => self.array(env, items, array, is_union),
            (Term::Object(fields), Some(Type::Object(object))) => self.fields(env, fields, object, is_union),
            (Term::Set(items), Some(Type::Set(set))) => {
                items.iter().all(|item| self.one(env, item, set.of.as_ref(), is_union))
            }
            (Term::Array(_) | Term::Object(_) | Term::Set(_) | Term::Call(_), _) => false,
            (Term::Ref(_) | Term::Comprehension(_) | Term::Constant(_), of) => {
                let known = self.of(env, term);
                unifies(known.as_ref(), of)
            }
            (Term::Var(var), of) => {
                let known = env.get(*var).cloned();
                match known {
                    Some(known) if !is_union => unifies(Some(&known), of),
                    known => {
                        env.put(*var, or(known, of.cloned()));
                        true
                    }
                }
            }
        }
    }

    fn anything(&mut self, env: &mut Env<'_>, term: &Term) {
        let any = Type::any();
        match term {
            Term::Array(items) | Term::Set(items) => {
                for item in items {
                    self.one(env, item, Some(&any), true);
                }
            }
            Term::Object(fields) => {
                for (key, value) in fields {
                    self.one(env, key, Some(&any), true);
                    self.one(env, value, Some(&any), true);
                }
            }
            _ => {}
        }
    }

    /// `unify1Array`.
    fn array(&mut self, env: &mut Env<'_>, items: &[Term], array: &Array, is_union: bool) -> bool {
        (items.len() == array.fixed.len() || array.rest.is_some())
            && items
                .iter()
                .enumerate()
                .all(|(place, item)| self.one(env, item, array.at(place).as_ref(), is_union))
    }

    /// `unify1Object`.
    fn fields(
        &mut self,
        env: &mut Env<'_>,
        fields: &[(Term, Term)],
        object: &Object,
        is_union: bool,
    ) -> bool {
        if fields.len() != object.fixed.len() && object.rest_value().is_none() {
            return false;
        }
        fields.iter().all(|(key, value)| {
            if let Some(key) = key.constant() {
                match object.field(&key) {
                    None => false,
                    of => self.one(env, value, of.as_ref(), is_union),
                }
            } else {
                self.one(env, value, Some(&Type::any()), is_union);
                true
            }
        })
    }

    /// What stands at a constant key of a type, as OPA's `selectConstant`.
    pub(super) fn at_constant(of: &Type, key: &Term) -> Known {
        key.constant().and_then(|key| select(of, &key))
    }
}
