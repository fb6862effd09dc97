//! Taking calls, comprehensions' terms and heads apart, so that every call is
//! a statement of its own: OPA's `rewriteExprTerms`, `rewriteRuleHeadRefs`,
//! `rewriteComprehensionTerms`, `rewriteRefsInHead` and `rewriteWithValues`.

use regorus::unstable::Span;

use super::term::{Call, Comprehension, Expr, Head, Kind, Rule, RuleHead, Term, append, fresh};

/// Whether `with` takes a value for a target as it stands, because both are
/// functions or may be.
pub(super) type IsUncalled<'a> = &'a dyn Fn(&Term, &Term) -> bool;

/// Takes a rule apart.
pub(super) fn expand(rule: &mut Rule, is_uncalled: IsUncalled<'_>) {
    let span = rule.span.clone();
    let mut names = std::mem::take(&mut rule.names);
    let mut expander = Expander { names: &mut names, is_uncalled };
    for part in &mut rule.path {
        if !matches!(part, Term::Var(_) | Term::Constant(_)) {
            expander.name_it(part, &span, &mut rule.body);
        }
    }
    let heads: Vec<&mut Term> = match &mut rule.head {
        RuleHead::Value(term) | RuleHead::Member(term) => vec![term],
        RuleHead::Function { args, value } => args.iter_mut().chain([value]).collect(),
    };
    let mut evaluated = Vec::new();
    for head in heads {
        let mut support = Vec::new();
        expander.term(head, &span, &mut support);
        append(&mut rule.body, support);
        if head.is_evaluated() {
            expander.name_it(head, &span, &mut evaluated);
        }
    }
    rule.body = expander.body(std::mem::take(&mut rule.body));
    append(&mut rule.body, evaluated);
    rule.names = names;
}

struct Expander<'a> {
    names: &'a mut Vec<String>,
    is_uncalled: IsUncalled<'a>,
}

impl Expander<'_> {
    /// Puts a variable in the place of a term and says in the body what it is.
    fn name_it(&mut self, term: &mut Term, span: &Span, body: &mut Vec<Expr>) {
        let variable = fresh(self.names);
        let named = std::mem::replace(term, Term::Var(variable));
        append(body, vec![Expr::equal(variable, named, span)]);
    }

    fn body(&mut self, body: Vec<Expr>) -> Vec<Expr> {
        let mut expanded = Vec::with_capacity(body.len());
        for expr in body {
            self.expr(expr, &mut expanded);
        }
        expanded
    }

    /// OPA's `expandExpr`.
    fn expr(&mut self, mut expr: Expr, into: &mut Vec<Expr>) {
        let span = expr.span.clone();
        for (target, value) in &mut expr.with {
            self.term(value, &span, into);
            if value.is_evaluated() && !(self.is_uncalled)(target, value) {
                self.name_it(value, &span, into);
            }
        }
        let from = into.len();
        match &mut expr.kind {
            Kind::Term(term) => self.term(term, &span, into),
            Kind::Equal { left, right, .. } => {
                self.term(left, &span, into);
                self.term(right, &span, into);
            }
            Kind::Call { args, .. } => {
                for arg in args.iter_mut() {
                    self.term(arg, &span, into);
                }
            }
            Kind::Every(every) => {
                let variable = fresh(self.names);
                let domain = std::mem::replace(&mut every.domain, Term::Var(variable));
                self.expr(Expr::equal(variable, domain, &span), into);
                every.body = self.body(std::mem::take(&mut every.body));
            }
        }
        for support in &mut into[from..] {
            support.with.clone_from(&expr.with);
        }
        into.push(expr);
    }

    /// OPA's `expandExprTerm`: what is computed goes before, its result stays.
    fn term(&mut self, term: &mut Term, span: &Span, into: &mut Vec<Expr>) {
        match term {
            Term::Constant(_) | Term::Var(_) => {}
            Term::Array(items) | Term::Set(items) => {
                for item in items.iter_mut() {
                    self.term(item, span, into);
                }
            }
            Term::Object(fields) => {
                for (key, value) in fields {
                    self.term(key, span, into);
                    self.term(value, span, into);
                }
            }
            Term::Ref(reference) => {
                let mut subject = Vec::new();
                if let Head::Inner(inner) = &mut reference.head {
                    self.term(inner, span, into);
                    let variable = match inner.as_ref() {
                        Term::Var(variable) => *variable,
                        _ => fresh(self.names),
                    };
                    if let Head::Inner(inner) = std::mem::replace(&mut reference.head, Head::Var(variable))
                        && *inner != Term::Var(variable)
                    {
                        subject.push(Expr::equal(variable, *inner, span));
                    }
                }
                for part in &mut reference.path {
                    self.term(part, span, into);
                }
                into.extend(subject);
            }
            Term::Comprehension(comprehension) => self.comprehension(comprehension, span),
            Term::Call(call) => {
                for arg in &mut call.args {
                    self.term(arg, span, into);
                }
                let variable = fresh(self.names);
                let Term::Call(call) = std::mem::replace(term, Term::Var(variable)) else { return };
                let Call { function, mut args, span } = *call;
                args.push(Term::Var(variable));
                into.push(Expr::new(Kind::Call { function, args }, &span));
            }
        }
    }

    fn comprehension(&mut self, comprehension: &mut Comprehension, span: &Span) {
        let mut evaluated = Vec::new();
        for term in &mut comprehension.terms {
            let mut support = Vec::new();
            self.term(term, span, &mut support);
            append(&mut comprehension.body, support);
            if term.is_evaluated() {
                self.name_it(term, span, &mut evaluated);
            }
        }
        comprehension.body = self.body(std::mem::take(&mut comprehension.body));
        append(&mut comprehension.body, evaluated);
    }
}
