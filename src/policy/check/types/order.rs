//! The order in which statements are looked at: first those that give a
//! variable its value, then those that need it. OPA's `reorderBodyForSafety`.

use super::lower::{Lowered, Unmodelled};
use super::outputs::{Arity, closure_vars, outputs, outputs_of_body, statement_vars, term_vars};
use super::term::{Expr, Head, Kind, Rule, RuleHead, Term, Vars};

/// How many looks at statements one body is worth.
const LOOKS: usize = 100_000;

/// Puts the statements of a rule in order, those in its comprehensions too.
///
/// Where there is no order something has no value; OPA then refuses the rule
/// before it looks at types.
pub(super) fn order(rule: &mut Rule, arity: Arity<'_>) -> Lowered<()> {
    let mut given = Vars::new();
    if let RuleHead::Function { args, .. } = &rule.head {
        for arg in args {
            term_vars(arg, &mut given);
        }
    }
    let body = std::mem::take(&mut rule.body);
    rule.body = ordered(body, &given, arity)?;
    Ok(())
}

fn ordered(body: Vec<Expr>, globals: &Vars, arity: Arity<'_>) -> Lowered<Vec<Expr>> {
    let body = first_givers(body, globals, arity)?;
    let mut globals = globals.clone();
    let mut ordered = Vec::with_capacity(body.len());
    for mut expr in body {
        let mut vars = Vars::new();
        statement_vars(&expr, &mut vars);
        closures(&mut expr, &mut globals, arity)?;
        globals.extend(vars);
        ordered.push(expr);
    }
    Ok(ordered)
}

fn first_givers(body: Vec<Expr>, globals: &Vars, arity: Arity<'_>) -> Lowered<Vec<Expr>> {
    let mut body_vars = Vars::new();
    for expr in &body {
        statement_vars(expr, &mut body_vars);
    }
    let mut safe: Vars = body_vars.intersection(globals).copied().collect();
    let mut waiting: Vec<(Expr, Vars)> = body
        .into_iter()
        .map(|expr| {
            let mut needed = Vars::new();
            statement_vars(&expr, &mut needed);
            needed.retain(|var| !safe.contains(var));
            (expr, needed)
        })
        .collect();
    let mut ordered: Vec<Expr> = Vec::with_capacity(waiting.len());
    let mut looks = 0;
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut still = Vec::new();
        for (expr, mut needed) in waiting {
            looks += 1;
            let given = outputs(&expr, arity, &safe);
            let mut closed_over = Vars::new();
            closure_vars(&expr, &mut closed_over);
            closed_over.retain(|var| body_vars.contains(var) && !globals.contains(var));
            if !closed_over.is_empty() {
                looks += ordered.len();
                let by_body = outputs_of_body(&ordered, arity, &safe);
                closed_over.retain(|var| !by_body.contains(var));
                if closed_over == given && !given.is_empty() {
                    still.push((expr, needed));
                    continue;
                }
                if !closed_over.is_empty() {
                    needed = closed_over;
                }
            }
            needed.retain(|var| !given.contains(var) && !safe.contains(var));
            if needed.is_empty() {
                ordered.push(expr);
                safe.extend(given);
            } else {
                still.push((expr, needed));
            }
        }
        waiting = still;
        if looks > LOOKS || waiting.len() == before {
            return Err(Unmodelled);
        }
    }
    Ok(ordered)
}

/// The bodies inside a statement.
fn closures(expr: &mut Expr, globals: &mut Vars, arity: Arity<'_>) -> Lowered<()> {
    match &mut expr.kind {
        Kind::Every(every) => {
            globals.extend([every.key, every.value]);
            every.body = ordered(std::mem::take(&mut every.body), globals, arity)?;
        }
        Kind::Term(term) => inside(term, globals, arity)?,
        Kind::Equal { left, right, .. } => {
            inside(left, globals, arity)?;
            inside(right, globals, arity)?;
        }
        Kind::Call { args, .. } => {
            for arg in args {
                inside(arg, globals, arity)?;
            }
        }
    }
    Ok(())
}

fn inside(term: &mut Term, globals: &Vars, arity: Arity<'_>) -> Lowered<()> {
    match term {
        Term::Comprehension(comprehension) => {
            comprehension.body = ordered(std::mem::take(&mut comprehension.body), globals, arity)?;
        }
        Term::Array(items) | Term::Set(items) => {
            for item in items {
                inside(item, globals, arity)?;
            }
        }
        Term::Object(fields) => {
            for (key, value) in fields {
                inside(key, globals, arity)?;
                inside(value, globals, arity)?;
            }
        }
        Term::Ref(reference) => {
            if let Head::Inner(_) = reference.head {
                return Err(Unmodelled);
            }
            for part in &mut reference.path {
                inside(part, globals, arity)?;
            }
        }
        Term::Constant(_) | Term::Var(_) => {}
        Term::Call(_) => return Err(Unmodelled),
    }
    Ok(())
}
