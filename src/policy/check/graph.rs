//! Recursion: a rule whose value depends on itself, by whatever way.

use std::collections::VecDeque;

use super::Finding;
use super::mentions::Read;
use super::rules::Rules;
use super::tree::{meet, refused, shown};

/// Every rule from which a way of mentions leads back to it, with that way.
pub(super) fn recursion(read: &Read, rules: &Rules, found: &mut Vec<Finding>) {
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); rules.all().len()];
    for mention in &read.mentions {
        // A mention of a package depends on every rule in it, one of a field
        // on the rule that has it.
        let met = rules.all().iter().enumerate().filter(|(_, rule)| meet(&rule.path, &mention.path));
        if let Some(next) = next.get_mut(mention.by) {
            next.extend(met.map(|(number, _)| number));
        }
    }
    for (number, rule) in rules.all().iter().enumerate() {
        if let Some(way) = way_back(number, &next) {
            let steps: Vec<String> = way.iter().map(|step| shown(&rules.all()[*step].path)).collect();
            found.push(refused(
                &rule.span,
                format!("{} is recursive: {}", shown(&rule.path), steps.join(" → ")),
            ));
        }
    }
}

/// The shortest way from a rule to itself.
fn way_back(start: usize, next: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut came_from: Vec<Option<usize>> = vec![None; next.len()];
    let mut waiting = VecDeque::from([start]);
    while let Some(at) = waiting.pop_front() {
        for &step in &next[at] {
            if step == start {
                let mut way = vec![start, at];
                let mut back = at;
                while let Some(before) = came_from[back].filter(|_| back != start) {
                    way.push(before);
                    back = before;
                }
                if way.last() != Some(&start) {
                    way.push(start);
                }
                if way.len() > 2 && way[way.len() - 1] == way[way.len() - 2] {
                    way.pop();
                }
                way.reverse();
                return Some(way);
            }
            if came_from[step].is_none() {
                came_from[step] = Some(at);
                waiting.push_back(step);
            }
        }
    }
    None
}
