//! What a body says.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::Format;
use super::print;

/// A whole body, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Exposition<'a> {
    format: Format,
    families: Vec<Family<'a>>,
    samples: Vec<Sample<'a>>,
    kinds: HashMap<Cow<'a, str>, Vec<Kind>>,
}

/// What metadata lines say about a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family<'a> {
    /// As the metadata lines name it: in OpenMetrics a counter's family has
    /// no `_total`, its sample has.
    pub name: Cow<'a, str>,
    /// From `TYPE`.
    pub kind: Option<Kind>,
    /// From `HELP`, as written: escapes are kept.
    pub help: Option<&'a str>,
    /// From OpenMetrics' `UNIT`.
    pub unit: Option<&'a str>,
}

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the words of the two formats, which define them")]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
    Untyped,
    GaugeHistogram,
    StateSet,
    Info,
    Unknown,
}

impl Kind {
    const WORDS: [(Self, &'static str); 9] = [
        (Self::Counter, "counter"),
        (Self::Gauge, "gauge"),
        (Self::Histogram, "histogram"),
        (Self::Summary, "summary"),
        (Self::Untyped, "untyped"),
        (Self::GaugeHistogram, "gaugehistogram"),
        (Self::StateSet, "stateset"),
        (Self::Info, "info"),
        (Self::Unknown, "unknown"),
    ];

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(_, known)| *known == word).map(|(kind, _)| kind)
    }

    /// The word in a `TYPE` line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::WORDS.into_iter().find(|(kind, _)| *kind == self).map_or("unknown", |(_, word)| word)
    }

    /// What the samples of a family of this type add to its name.
    const fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["_total", "_created"],
            Self::Histogram => &["_bucket", "_count", "_sum", "_created"],
            Self::Summary => &["_count", "_sum", "_created"],
            Self::GaugeHistogram => &["_bucket", "_gcount", "_gsum"],
            Self::Info => &["_info"],
            Self::Gauge | Self::StateSet | Self::Unknown | Self::Untyped => &[],
        }
    }
}

/// A label of a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its value, never empty.
    pub value: Cow<'a, str>,
}

/// One line with a value.
#[derive(Debug, Clone)]
pub struct Sample<'a> {
    /// The metric's name.
    pub name: Cow<'a, str>,
    /// Sorted by name, without empty ones.
    pub labels: Vec<Label<'a>>,
    /// The value; may be NaN or infinite.
    pub value: f64,
    /// When it was measured, where the app says so.
    pub timestamp: Option<Timestamp>,
    /// The line in the body, counted from 1.
    pub line: usize,
}

/// The moment that a sample names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Timestamp {
    /// Milliseconds since 1970, as in text 0.0.4.
    Millis(i64),
    /// Seconds since 1970, as in OpenMetrics.
    Seconds(f64),
}

/// Equal when they say the same; the line does not matter, and NaN is NaN.
impl PartialEq for Sample<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.labels == other.labels
            && self.value.to_bits() == other.value.to_bits()
            && self.timestamp == other.timestamp
    }
}

impl Sample<'_> {
    /// The value of a label, if the series has it.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|label| label.name == name).map(|label| label.value.as_ref())
    }

    /// The series as it is written: name and labels.
    #[must_use]
    pub fn series(&self) -> String {
        print::series(self)
    }
}

impl<'a> Exposition<'a> {
    pub(super) fn new(format: Format, families: Vec<Family<'a>>, samples: Vec<Sample<'a>>) -> Self {
        let mut kinds: HashMap<_, Vec<Kind>> = HashMap::with_capacity(families.len());
        for family in &families {
            kinds.entry(family.name.clone()).or_default().extend(family.kind);
        }
        Self { format, families, samples, kinds }
    }

    /// The format it came in.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Every sample, in the order of the body.
    #[must_use]
    pub fn samples(&self) -> &[Sample<'a>] {
        &self.samples
    }

    /// What metadata lines say, in the order of the body.
    #[must_use]
    pub fn families(&self) -> &[Family<'a>] {
        &self.families
    }

    /// Every sample of one name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Sample<'a>> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }

    /// The value of the one sample of that name, such as `chaos_active`;
    /// `None` when there is none or more than one.
    #[must_use]
    pub fn single(&self, name: &str) -> Option<f64> {
        let mut found = self.named(name);
        found.next().filter(|_| found.next().is_none()).map(|sample| sample.value)
    }

    /// Whether the body speaks of a metric: by a sample, or by its type alone,
    /// as some clients do before the first event.
    #[must_use]
    pub fn mentions(&self, name: &str) -> bool {
        !self.kinds_of(name).is_empty()
            || self.belongs_to(name).is_some_and(|(_, _, suffix)| suffix == "_total")
            || self.named(name).next().is_some()
    }

    /// How many families there are, with and without metadata.
    #[must_use]
    pub fn family_count(&self) -> usize {
        let declared = self.families.iter().map(|family| (family.name.as_ref(), family.kind));
        let sampled = self.samples.iter().map(|sample| {
            self.belongs_to(&sample.name)
                .map_or((sample.name.as_ref(), None), |(family, kind, _)| (family, Some(kind)))
        });
        declared.chain(sampled).collect::<HashSet<_>>().len()
    }

    /// The declared family of a sample's name: its name, its type, and what
    /// the sample adds to the name (`""`, `"_total"`, `"_bucket"`, …).
    #[must_use]
    pub fn belongs_to<'n>(&self, name: &'n str) -> Option<(&'n str, Kind, &'n str)> {
        let own = self.kinds_of(name);
        // Of two families with one name, the one whose samples add nothing.
        if let Some(&kind) = own.iter().find(|kind| kind.suffixes().is_empty()).or(own.first()) {
            return Some((name, kind, ""));
        }
        let (base, suffix) = name.split_at(name.rfind('_')?);
        let &kind = self.kinds_of(base).iter().find(|kind| kind.suffixes().contains(&suffix))?;
        Some((base, kind, suffix))
    }

    /// The types of the families of a name: one, but for OpenMetrics' namesakes.
    fn kinds_of(&self, name: &str) -> &[Kind] {
        self.kinds.get(name).map_or(&[], Vec::as_slice)
    }
}
