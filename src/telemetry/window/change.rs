//! What each series did in the window: the one list from which the figures
//! are summed and from which `metrics` tells how they came about.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::telemetry::exposition::Sample;
use crate::telemetry::model::Names;

use super::scrape::Scrape;
use super::series::Series;

/// What one series of a process did in the window.
pub(super) struct Change<'e> {
    /// A sample of the series: of the later scrape, unless it is gone there.
    pub(super) sample: &'e Sample<'e>,
    /// The earlier value. Without one the series is new.
    pub(super) before: Option<f64>,
    /// The later value. Without one the series is gone.
    pub(super) after: Option<f64>,
    /// Whether the process restarted, so that the earlier value belongs to
    /// another life.
    pub(super) is_from_zero: bool,
    /// Whether its path is no traffic, so that it does not count.
    pub(super) is_excluded: bool,
}

impl Change<'_> {
    /// What the series gained: from its earlier value, or from zero when it
    /// is new or its process restarted. A series that is gone with an earlier
    /// life gained nothing.
    pub(super) fn gained(&self) -> f64 {
        match (self.before, self.after) {
            (_, None) => 0.0,
            (Some(before), Some(after)) if !self.is_from_zero => after - before,
            (_, Some(after)) => after,
        }
    }

    /// What it adds to the figures.
    pub(super) fn counted(&self) -> f64 {
        if self.is_excluded { 0.0 } else { self.gained() }
    }

    /// Whether the series went away although its process lives on. A client
    /// keeps its series, so the later scrape is not whole, however well it
    /// parses (cut off at the end of a line, without a length to tell), or it
    /// is of another process.
    pub(super) fn is_lost(&self) -> bool {
        self.after.is_none() && !self.is_from_zero
    }
}

/// The changes of all series of a name, in the order of the later scrape,
/// those that are gone behind. Samples whose `le` is the same number are one
/// series.
pub(super) fn changes<'e>(
    earlier: Option<&'e Scrape<'_>>,
    later: &'e Scrape<'_>,
    is_from_zero: bool,
    name: &str,
    names: &Names,
) -> Vec<Change<'e>> {
    let mut found: Vec<Change<'e>> = Vec::new();
    let mut places: HashMap<Series<'e>, usize> = HashMap::new();
    let mut change_of = |sample: &'e Sample<'e>, add: fn(&mut Change<'e>, f64)| {
        let place = match places.entry(Series::of(sample)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                let is_excluded = sample.label(&names.path_label).is_some_and(|path| names.excludes(path));
                found.push(Change { sample, before: None, after: None, is_from_zero, is_excluded });
                *free.insert(found.len() - 1)
            }
        };
        add(&mut found[place], sample.value);
    };
    for sample in later.exposition.named(name) {
        change_of(sample, |change, value| *change.after.get_or_insert(0.0) += value);
    }
    for sample in earlier.into_iter().flat_map(|earlier| earlier.exposition.named(name)) {
        change_of(sample, |change, value| *change.before.get_or_insert(0.0) += value);
    }
    found
}
