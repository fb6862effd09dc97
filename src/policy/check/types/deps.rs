//! The order of the rules: each after those that it mentions. OPA's `Graph`
//! with `GetRulesDynamic`.

use std::collections::BTreeMap;

use regorus::Value;

use super::term::{Callee, Comprehension, Expr, Head, Kind, Reference, Rule, RuleHead, Term};

/// The rules by their paths below `data`.
#[derive(Default)]
pub(super) struct Index {
    rules: Vec<usize>,
    children: BTreeMap<Value, Index>,
}

impl Index {
    pub(super) fn add(&mut self, path: &[Value], rule: usize) {
        let mut at = self;
        for key in path {
            at = at.children.entry(key.clone()).or_default();
        }
        at.rules.push(rule);
    }

    /// Every rule that a path may lead to, through or into.
    fn met(&self, path: &[Term], into: &mut Vec<usize>) {
        let mut here = vec![self];
        for part in path {
            let key = part.constant();
            let mut next = Vec::new();
            for index in here {
                match &key {
                    Some(key) => next.extend(index.children.get(key)),
                    None => next.extend(index.children.values()),
                }
            }
            into.extend(next.iter().flat_map(|index| &index.rules));
            here = next;
        }
        while let Some(index) = here.pop() {
            into.extend(&index.rules);
            here.extend(index.children.values());
        }
    }
}

/// The rules that a rule mentions.
pub(super) fn mentions(rule: &Rule, index: &Index) -> Vec<usize> {
    let mut met = Vec::new();
    let mut walk = Walk { index, met: &mut met };
    for part in &rule.path {
        walk.term(part);
    }
    match &rule.head {
        RuleHead::Value(term) | RuleHead::Member(term) => walk.term(term),
        RuleHead::Function { args, value } => args.iter().chain([value]).for_each(|term| walk.term(term)),
    }
    for expr in &rule.body {
        walk.expr(expr);
    }
    met.sort_unstable();
    met.dedup();
    met
}

struct Walk<'a> {
    index: &'a Index,
    met: &'a mut Vec<usize>,
}

impl Walk<'_> {
    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            Kind::Term(term) => self.term(term),
            Kind::Equal { left, right, .. } => {
                self.term(left);
                self.term(right);
            }
            Kind::Call { function, args } => {
                self.callee(function);
                for arg in args {
                    self.term(arg);
                }
            }
            Kind::Every(every) => {
                self.term(&every.domain);
                for expr in &every.body {
                    self.expr(expr);
                }
            }
        }
        for (target, value) in &expr.with {
            self.term(target);
            self.term(value);
        }
    }

    fn callee(&mut self, function: &Callee) {
        if let Callee::Rule(path) = function {
            let path: Vec<Term> = path.iter().cloned().map(Term::Constant).collect();
            self.index.met(&path, self.met);
        }
    }

    fn term(&mut self, term: &Term) {
        match term {
            Term::Constant(_) | Term::Var(_) => {}
            Term::Array(items) | Term::Set(items) => {
                for item in items {
                    self.term(item);
                }
            }
            Term::Object(fields) => {
                for (key, value) in fields {
                    self.term(key);
                    self.term(value);
                }
            }
            Term::Ref(reference) => self.reference(reference),
            Term::Comprehension(comprehension) => {
                let Comprehension { terms, body, .. } = comprehension.as_ref();
                for term in terms {
                    self.term(term);
                }
                for expr in body {
                    self.expr(expr);
                }
            }
            Term::Call(call) => {
                self.callee(&call.function);
                for arg in &call.args {
                    self.term(arg);
                }
            }
        }
    }

    fn reference(&mut self, reference: &Reference) {
        match &reference.head {
            Head::Data => self.index.met(&reference.path, self.met),
            Head::Inner(inner) => self.term(inner),
            Head::Input | Head::Var(_) | Head::Builtin(_) => {}
        }
        for part in &reference.path {
            self.term(part);
        }
    }
}

/// The rules in an order in which each comes after those that it mentions;
/// `None` where they run in a circle.
pub(super) fn sorted(mentions: &[Vec<usize>]) -> Option<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; mentions.len()];
    let mut order = Vec::with_capacity(mentions.len());
    for start in 0..mentions.len() {
        let mut way = vec![(start, 0)];
        while let Some((rule, next)) = way.pop() {
            if next == 0 {
                match marks[rule] {
                    Mark::Done => continue,
                    Mark::Open => return None,
                    Mark::New => marks[rule] = Mark::Open,
                }
            }
            if let Some(other) = mentions[rule].get(next) {
                way.push((rule, next + 1));
                way.push((*other, 0));
            } else {
                marks[rule] = Mark::Done;
                order.push(rule);
            }
        }
    }
    Some(order)
}
