//! Finds what a part of an answer comes from by changing one thing at a time
//! and asking again. Bounded by a number of evaluations, not by time, so that
//! the same question gives the same explanation.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::Fault;
use super::super::answer::is_same;
use super::super::bundle::{Module, PolicyBundle};
use super::super::rego::Interpreter;
use super::leaves::{Path, Step, extremes, leaves, neighbours, replaced, shown};
use super::literals::literals;
use super::{LimitAt, Place, place};

/// Evaluations for one explanation: a dozen comparisons with a handful of
/// tries each. Beyond, places are not known.
const MOST_EVALUATIONS: usize = 600;

/// A text that no policy contains: tells a changed string from all others.
const MARK: &str = "~traced~";

/// A policy with facts and its answer to them.
pub(super) struct Tracer<'a> {
    bundle: &'a PolicyBundle,
    package: String,
    input: &'a Value,
    limit: Duration,
    interpreter: Interpreter,
    result: Value,
    evaluations: usize,
}

/// A list of an answer, and the field that names its entries.
#[derive(Clone, Copy)]
struct List {
    name: &'static str,
    key: &'static str,
}

const CHECKS: List = List { name: "checks", key: "fact" };
const VIOLATIONS: List = List { name: "violations", key: "code" };

impl<'a> Tracer<'a> {
    /// Asks once, with everything as it is.
    ///
    /// # Errors
    /// When the embedded engine cannot evaluate the policies.
    pub(super) fn new(
        bundle: &'a PolicyBundle,
        package: &str,
        input: &'a Value,
        limit: Duration,
    ) -> Result<Self, Fault> {
        let interpreter = Interpreter::of_policies(bundle, limit)?;
        let result = answer(interpreter.clone(), package, input, limit)?;
        Ok(Self { bundle, package: package.to_owned(), input, limit, interpreter, result, evaluations: 0 })
    }

    /// The answer with everything as it is; null when there is none.
    pub(super) const fn result(&self) -> &Value {
        &self.result
    }

    pub(super) fn rule_of_verdict(&mut self) -> Option<Place> {
        let verdict = self.result.get("verdict")?.as_str()?.to_owned();
        self.place_of(&verdict, |result| result.get("verdict"))
    }

    pub(super) fn rule_of_check(&mut self, index: usize) -> Option<Place> {
        self.rule_of(CHECKS, index)
    }

    pub(super) fn rule_of_violation(&mut self, index: usize) -> Option<Place> {
        self.rule_of(VIOLATIONS, index)
    }

    pub(super) fn fact_of_check(&mut self, index: usize) -> Option<String> {
        self.fact_of(CHECKS, index)
    }

    pub(super) fn fact_of_violation(&mut self, index: usize) -> Option<String> {
        self.fact_of(VIOLATIONS, index)
    }

    pub(super) fn limit_of_check(&mut self, index: usize) -> Option<LimitAt> {
        self.limit_of(CHECKS, index)
    }

    pub(super) fn limit_of_violation(&mut self, index: usize) -> Option<LimitAt> {
        self.limit_of(VIOLATIONS, index)
    }

    /// The source whose change shows in the message of a violation.
    pub(super) fn source_of_violation(&mut self, index: usize) -> Option<String> {
        let entry = Entry::of(&self.result, VIOLATIONS, index)?;
        self.source_behind(|result| entry.find(result)?.get("message").cloned())
    }

    /// The source whose change shows in the reasons that are about the fact of
    /// a comparison (they begin with its name), or would be if it were not kept.
    pub(super) fn source_of_check(&mut self, index: usize) -> Option<String> {
        let entry = Entry::of(&self.result, CHECKS, index)?;
        let begin = format!("{} ", entry.name);
        let told = self.source_behind(|result| {
            let reasons = result.get("reasons")?.as_array()?.iter();
            let about = |reason: &&Value| reason.as_str().is_some_and(|text| text.starts_with(&begin));
            Some(reasons.filter(about).cloned().collect())
        });
        told.or_else(|| self.source_if_not_kept(&entry, index))
    }

    /// Brings a comparison to fail, by its fact or by its limit, and looks where
    /// the violation that comes of it says that the fact was read.
    fn source_if_not_kept(&mut self, entry: &Entry, index: usize) -> Option<String> {
        let path = self.fact_path(CHECKS, index)?;
        let observed = entry.find(&self.result)?.get("observed")?.clone();
        let own = self.interpreter.clone();
        for extreme in extremes(&observed) {
            let failing = replaced(self.input, &path, extreme.clone());
            let source = self.source_of_failing(&own, &failing, entry, &extreme);
            if source.is_some() {
                return source;
            }
        }
        // A fact may be kept by more than its figure, as a P99 by its buckets.
        let limit = entry.find(&self.result)?.get("limit")?.clone();
        let (bundle, input) = (self.bundle, self.input);
        for (path, value) in leaves(bundle.data()) {
            if !is_same(value, &limit) {
                continue;
            }
            for extreme in [json!(0.000_1), json!(1_000_000_000)] {
                let data = replaced(bundle.data(), &path, extreme);
                self.count()?;
                let Ok(moved) = Interpreter::of_modules(bundle.modules().iter(), &data, self.limit) else {
                    continue;
                };
                let source = self.source_of_failing(&moved, input, entry, &observed);
                if source.is_some() {
                    return source;
                }
            }
        }
        None
    }

    /// The source that is named for this fact, if the comparison fails so.
    fn source_of_failing(
        &mut self,
        by: &Interpreter,
        input: &Value,
        entry: &Entry,
        observed: &Value,
    ) -> Option<String> {
        let result = self.ask(by, input)?;
        if entry.find(&result)?["ok"] != Value::Bool(false) {
            return None;
        }
        self.source_in(by, input, &result, |result| {
            let violations = result.get("violations")?.as_array()?.iter();
            let of_it = violations.filter(|violation| is_same(&violation["observed"], observed));
            Some(of_it.map(|violation| violation["message"].clone()).collect())
        })
    }

    fn source_behind(&mut self, seen: impl Fn(&Value) -> Option<Value>) -> Option<String> {
        let (input, own, result) = (self.input, self.interpreter.clone(), self.result.clone());
        self.source_in(&own, input, &result, seen)
    }

    /// The source among these facts whose change shows in a part of the answer.
    fn source_in(
        &mut self,
        by: &Interpreter,
        input: &Value,
        result: &Value,
        seen: impl Fn(&Value) -> Option<Value>,
    ) -> Option<String> {
        let before = seen(result)?;
        for (path, value) in leaves(input) {
            let (Some(text), Some(Step::Key(first))) = (value.as_str(), path.first()) else { continue };
            if !matches!(first.as_str(), "source" | "sources") {
                continue;
            }
            let changed = replaced(input, &path, Value::String(format!("{text}~")));
            if self.ask(by, &changed).as_ref().and_then(&seen).is_some_and(|now| now != before) {
                return Some(text.to_owned());
            }
        }
        None
    }

    fn rule_of(&mut self, list: List, index: usize) -> Option<Place> {
        let entry = Entry::of(&self.result, list, index)?;
        self.place_of(&entry.name.clone(), |result| entry.marked(result))
    }

    fn fact_of(&mut self, list: List, index: usize) -> Option<String> {
        self.fact_path(list, index).map(|path| shown(&path))
    }

    fn fact_path(&mut self, list: List, index: usize) -> Option<Path> {
        let entry = Entry::of(&self.result, list, index)?;
        let observed = entry.find(&self.result)?.get("observed")?.clone();
        // A fact that is not known is null, or not there at all: only its name
        // tells which one it is.
        let named = |path: &Path| !observed.is_null() || shown(path) == entry.name;
        self.input_behind(&observed, named, |result| entry.find(result)?.get("observed"))
    }

    fn limit_of(&mut self, list: List, index: usize) -> Option<LimitAt> {
        let entry = Entry::of(&self.result, list, index)?;
        let limit = entry.find(&self.result)?.get("limit")?.clone();
        if limit.is_null() {
            return None;
        }
        let seen = |result: &'_ Value| entry.find(result)?.get("limit").cloned();
        if let Some(key) = self.data_behind(&limit, seen) {
            return Some(LimitAt::Data { key });
        }
        let fact = self.input_behind(&limit, |_| true, |result| entry.find(result)?.get("limit"));
        if let Some(path) = fact {
            return Some(LimitAt::Facts { key: shown(&path) });
        }
        (self.evaluations < MOST_EVALUATIONS).then_some(LimitAt::Rule)
    }

    /// The value of `data.json` that stands behind a part of the answer.
    fn data_behind(&mut self, sought: &Value, seen: impl Fn(&Value) -> Option<Value>) -> Option<String> {
        let bundle = self.bundle;
        for (path, value) in leaves(bundle.data()) {
            if !is_same(value, sought) {
                continue;
            }
            for other in neighbours(value) {
                let data = replaced(bundle.data(), &path, other.clone());
                let result = self.with_policies(bundle.modules(), &data);
                if result.and_then(|result| seen(&result)).is_some_and(|now| is_same(&now, &other)) {
                    return Some(shown(&path));
                }
            }
        }
        None
    }

    /// The fact that stands behind a part of the answer.
    fn input_behind(
        &mut self,
        sought: &Value,
        may: impl Fn(&Path) -> bool,
        seen: impl Fn(&Value) -> Option<&Value>,
    ) -> Option<Path> {
        let input = self.input;
        for (path, value) in leaves(input) {
            if !is_same(value, sought) || !may(&path) {
                continue;
            }
            for other in neighbours(value) {
                let changed = replaced(input, &path, other.clone());
                let result = self.with_input(&changed);
                if result.as_ref().and_then(&seen).is_some_and(|now| is_same(now, &other)) {
                    return Some(path);
                }
            }
        }
        None
    }

    /// The string of the policies that stands behind a text of the answer: all
    /// that read so are marked at once; where that changes too much, one after
    /// the other.
    fn place_of(&mut self, text: &str, seen: impl Fn(&Value) -> Option<&Value>) -> Option<Place> {
        let bundle = self.bundle;
        let mut written: Vec<(usize, usize, usize)> = Vec::new();
        for (file, module) in bundle.modules().iter().enumerate() {
            let same = literals(&module.source).into_iter().filter(|literal| literal.text == text);
            written.extend(same.map(|literal| (file, literal.start, literal.end())));
        }
        let all: Vec<usize> = (0..written.len()).collect();
        let together = (written.len() > 1).then_some(all.clone());
        for tried in together.into_iter().chain(all.into_iter().map(|one| vec![one])) {
            let mut modules = bundle.modules().to_vec();
            // From behind, so that what stands before keeps its place.
            for which in tried.into_iter().rev() {
                let (file, start, end) = written[which];
                modules[file].source.replace_range(start..end, &marked(text, which));
            }
            let Some(result) = self.with_policies(&modules, bundle.data()) else { continue };
            let Some(found) = seen(&result).and_then(Value::as_str).and_then(mark_in) else { continue };
            let (file, start, _) = *written.get(found)?;
            let module = &bundle.modules()[file];
            let literal = literals(&module.source).into_iter().find(|literal| literal.start == start)?;
            return Some(place(&module.shown, &literal));
        }
        None
    }

    fn with_policies(&mut self, modules: &[Module], data: &Value) -> Option<Value> {
        self.count()?;
        let interpreter = Interpreter::of_modules(modules.iter(), data, self.limit).ok()?;
        answer(interpreter, &self.package, self.input, self.limit).ok()
    }

    fn with_input(&mut self, input: &Value) -> Option<Value> {
        let own = self.interpreter.clone();
        self.ask(&own, input)
    }

    fn ask(&mut self, by: &Interpreter, input: &Value) -> Option<Value> {
        self.count()?;
        answer(by.clone(), &self.package, input, self.limit).ok()
    }

    fn count(&mut self) -> Option<()> {
        self.evaluations += 1;
        (self.evaluations <= MOST_EVALUATIONS).then_some(())
    }
}

fn answer(
    mut interpreter: Interpreter,
    package: &str,
    input: &Value,
    limit: Duration,
) -> Result<Value, Fault> {
    interpreter.set_input(input)?;
    Ok(interpreter.value_of(&format!("data.{package}.decision"), limit)?.unwrap_or_default())
}

fn marked(text: &str, which: usize) -> String {
    format!("{text}{MARK}{which}")
}

fn mark_in(text: &str) -> Option<usize> {
    text.rsplit_once(MARK)?.1.parse().ok()
}

/// An entry of a list, recognised by its name: the others may come and go
/// while something is changed. Of several with one name, which it is.
struct Entry {
    list: List,
    name: String,
    nth: usize,
}

impl Entry {
    fn of(result: &Value, list: List, index: usize) -> Option<Self> {
        let entries = result.get(list.name)?.as_array()?;
        let name = entries.get(index)?.get(list.key)?.as_str()?.to_owned();
        let nth = entries[..index].iter().filter(|entry| entry[list.key] == name.as_str()).count();
        Some(Self { list, name, nth })
    }

    fn find<'v>(&self, result: &'v Value) -> Option<&'v Value> {
        let entries = result.get(self.list.name)?.as_array()?;
        entries.iter().filter(|entry| entry[self.list.key] == self.name.as_str()).nth(self.nth)
    }

    /// The entry's name while it carries a mark.
    fn marked<'v>(&self, result: &'v Value) -> Option<&'v Value> {
        let begin = format!("{}{MARK}", self.name);
        let is_it =
            |value: &&Value| value.as_str().is_some_and(|text| text == self.name || text.starts_with(&begin));
        let entries = result.get(self.list.name)?.as_array()?;
        let named = entries.iter().map(|entry| &entry[self.list.key]).filter(is_it).nth(self.nth)?;
        named.as_str().is_some_and(|text| text.starts_with(&begin)).then_some(named)
    }
}
