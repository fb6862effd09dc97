//! Series as a window compares them, and which of them only ever grow.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

use crate::telemetry::exposition::{Exposition, Kind, Sample, read_number};
use crate::telemetry::model::Names;

/// The label with a bucket's upper bound.
const BOUND: &str = "le";

/// The name of a histogram's buckets.
pub(super) fn bucket_name(histogram: &str) -> String {
    format!("{histogram}_bucket")
}

/// A bucket's upper bound; `None` when there is none that makes sense.
pub(super) fn upper_bound(sample: &Sample<'_>) -> Option<f64> {
    let bound = read_number(sample.label(BOUND)?).ok()?;
    // Adding zero makes the two zeros one.
    (!bound.is_nan() && bound > f64::NEG_INFINITY).then_some(bound + 0.0)
}

/// One series. Two samples of different scrapes are of one series when name
/// and labels are the same; a bucket's `le` is compared as a number, since
/// `0.5`, `0.50` and `5e-1` are the same bucket.
#[derive(Clone, Copy)]
pub(super) struct Series<'e> {
    sample: &'e Sample<'e>,
    bound: Option<u64>,
}

impl<'e> Series<'e> {
    pub(super) fn of(sample: &'e Sample<'e>) -> Self {
        let is_bucket = sample.name.ends_with("_bucket");
        let bound = if is_bucket { upper_bound(sample).map(f64::to_bits) } else { None };
        Self { sample, bound }
    }

    fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sample
            .labels
            .iter()
            .filter(|label| self.bound.is_none() || label.name != BOUND)
            .map(|label| (label.name.as_ref(), label.value.as_ref()))
    }
}

impl PartialEq for Series<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.sample.name == other.sample.name && self.bound == other.bound && self.labels().eq(other.labels())
    }
}

impl Eq for Series<'_> {}

impl Hash for Series<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sample.name.hash(state);
        self.bound.hash(state);
        for label in self.labels() {
            label.hash(state);
        }
    }
}

/// Every series of a scrape that only grows while its process lives. Buckets
/// whose bounds are the same number are one series.
pub(super) struct Counters<'e> {
    values: HashMap<Series<'e>, f64>,
}

impl<'e> Counters<'e> {
    pub(super) fn of(exposition: &'e Exposition<'_>, names: &Names) -> Self {
        let with_negative_bounds = families_with_negative_bounds(exposition);
        let mut values = HashMap::with_capacity(exposition.samples().len());
        for sample in exposition.samples() {
            if only_grows(sample, exposition, names, &with_negative_bounds) {
                *values.entry(Series::of(sample)).or_insert(0.0) += sample.value;
            }
        }
        Self { values }
    }

    /// Whether any series is below what it was: its process has restarted.
    pub(super) fn fell_since(&self, earlier: &Self) -> bool {
        self.values.iter().any(|(series, now)| earlier.values.get(series).is_some_and(|before| now < before))
    }
}

/// Counters by their type, and the parts of a histogram or summary that count.
/// What the manifest names counts whatever type it declares. OpenMetrics'
/// `_created` lines are moments, not counts.
fn only_grows(
    sample: &Sample<'_>,
    exposition: &Exposition<'_>,
    names: &Names,
    with_negative_bounds: &HashSet<&str>,
) -> bool {
    let name = sample.name.as_ref();
    if name == names.requests {
        return true;
    }
    if matches!(name.strip_prefix(names.duration.as_str()), Some("_bucket" | "_count" | "_sum")) {
        return true;
    }
    match exposition.belongs_to(name) {
        Some((_, Kind::Counter, suffix)) => matches!(suffix, "" | "_total"),
        Some((_, Kind::Histogram, "_bucket" | "_count")) => true,
        // OpenMetrics: with negative bounds the sum may fall.
        Some((family, Kind::Histogram, "_sum")) => !with_negative_bounds.contains(family),
        Some((_, Kind::Summary, suffix)) => suffix == "_count",
        _ => false,
    }
}

fn families_with_negative_bounds<'e>(exposition: &'e Exposition<'_>) -> HashSet<&'e str> {
    exposition
        .samples()
        .iter()
        .filter(|sample| sample.label(BOUND).is_some_and(|bound| bound.starts_with('-')))
        .filter_map(|sample| sample.name.strip_suffix("_bucket"))
        .collect()
}
