//! `not` over something that may be missing: the one construct that both
//! engines take and read in opposite ways.

use regorus::unstable::Expr;

use super::scope::Reader;
use super::tree::{Chain, chain, children, otherwise};

impl Reader<'_> {
    /// OPA reads `not f(input.x)` as undefined where `input.x` is missing, the
    /// interpreter as true: the rule holds in one and not in the other.
    pub(super) fn missing_under_not(&mut self, negated: &Expr) {
        if chain(negated).is_some() {
            return;
        }
        let mut below = vec![negated];
        while let Some(expr) = below.pop() {
            let doubtful = match (expr, chain(expr)) {
                (Expr::Call { fcn, .. }, _) if !std::ptr::eq(expr, negated) => {
                    chain(fcn).filter(|chain| self.meaning(&chain.root).is_some())
                }
                (_, Some(chain)) => Some(chain).filter(|chain| self.may_be_missing(chain)),
                _ => None,
            };
            if let Some(doubtful) = doubtful {
                let source = expr.span().text().to_owned();
                self.found.push(otherwise(
                    doubtful.span,
                    format!(
                        "`not` over {source}: where that is missing, OPA takes the line for undefined and the \
                         embedded engine for true; give it a value in a line before, as by \
                         object.get(input, \"name\", null)"
                    ),
                ));
            }
            match expr {
                Expr::Call { params, .. } => below.extend(params.iter().map(AsRef::as_ref)),
                other if chain(other).is_none() => below.extend(children(other)),
                _ => {}
            }
        }
    }

    fn may_be_missing(&self, chain: &Chain<'_>) -> bool {
        let is_local = self.frames.iter().any(|frame| frame.declared.contains(&chain.root));
        let imported = self.imports.get(&chain.root).is_some();
        !is_local
            && (imported || ((chain.root == "input" || chain.root == "data") && !chain.parts.is_empty()))
    }
}
