//! The bucket edges of an app's histogram, and what they cannot tell about a
//! limit of the P99. It warns and decides nothing: that is the policy's.

use std::fmt;

use crate::telemetry::exposition::{Format, parse};
use crate::telemetry::model::{Names, Snapshot};

use super::series::{bucket_name, upper_bound};
use super::tally::to_ms;

/// Why the edges of a histogram fit a limit badly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Misfit {
    /// All finite edges are below the limit: a P99 above the highest is only
    /// known to be above it, which is never a pass.
    AllBelow {
        /// In milliseconds.
        limit_ms: f64,
        /// The highest finite edge, in milliseconds.
        highest_ms: f64,
    },
    /// No edge is at the limit: whether the P99 is below it is interpolated,
    /// where an edge would tell exactly.
    NoneAt {
        /// In milliseconds.
        limit_ms: f64,
        /// The edge below it, 0 without one, in milliseconds.
        below_ms: f64,
        /// The edge above it, in milliseconds.
        above_ms: f64,
    },
}

impl Misfit {
    /// How edges (finite, in milliseconds, in any order) fit a limit badly;
    /// `None` when one is at the limit, or when there is no histogram.
    #[must_use]
    pub fn of(edges_ms: &[f64], limit_ms: f64) -> Option<Self> {
        let highest_ms = edges_ms.iter().copied().max_by(f64::total_cmp)?;
        if highest_ms < limit_ms {
            return Some(Self::AllBelow { limit_ms, highest_ms });
        }
        let below = edges_ms.iter().copied().filter(|edge| *edge <= limit_ms).max_by(f64::total_cmp);
        let above = edges_ms.iter().copied().filter(|edge| *edge >= limit_ms).min_by(f64::total_cmp);
        match (below, above) {
            (Some(below), Some(above)) if below.total_cmp(&above).is_eq() => None,
            (below, Some(above_ms)) => {
                Some(Self::NoneAt { limit_ms, below_ms: below.unwrap_or(0.0).max(0.0), above_ms })
            }
            (_, None) => None,
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllBelow { limit_ms, highest_ms } => write!(
                f,
                "the highest bucket edge is {highest_ms} ms, below the limit p99_latency_ms {limit_ms}: \
                 a slower P99 can only be inconclusive; add an edge at {} s",
                limit_ms / 1000.0
            ),
            Self::NoneAt { limit_ms, below_ms, above_ms } => write!(
                f,
                "no bucket edge is at the limit p99_latency_ms {limit_ms}: between {below_ms} and {above_ms} ms \
                 the P99 is interpolated; add an edge at {} s",
                limit_ms / 1000.0
            ),
        }
    }
}

/// The finite edges of the histogram of durations in a scrape, in
/// milliseconds, sorted; none without a histogram or where the scrape does not
/// parse.
#[must_use]
pub fn edges(snapshot: &Snapshot, names: &Names) -> Vec<f64> {
    let format = if snapshot.is_openmetrics { Format::OpenMetrics } else { Format::Text };
    let Ok(exposition) = parse(&snapshot.body, format) else { return Vec::new() };
    let buckets = bucket_name(&names.duration);
    let bounds = exposition.named(&buckets).filter_map(upper_bound);
    let mut edges: Vec<f64> = bounds.filter(|bound| bound.is_finite()).map(to_ms).collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup_by(|a, b| a.total_cmp(b).is_eq());
    edges
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::at_the_limit(&[250.0, 500.0, 1000.0], None)]
    #[case::at_the_limit_and_the_highest(&[500.0], None)]
    #[case::in_any_order(&[1000.0, 500.0], None)]
    #[case::none_at_it(&[250.0, 1000.0], Some(Misfit::NoneAt { limit_ms: 500.0, below_ms: 250.0, above_ms: 1000.0 }))]
    #[case::all_above(&[1000.0, 2000.0], Some(Misfit::NoneAt { limit_ms: 500.0, below_ms: 0.0, above_ms: 1000.0 }))]
    #[case::all_below(&[100.0, 250.0], Some(Misfit::AllBelow { limit_ms: 500.0, highest_ms: 250.0 }))]
    #[case::no_histogram(&[], None)]
    fn edges_fit_a_limit_when_one_is_at_it(#[case] edges: &[f64], #[case] expected: Option<Misfit>) {
        assert_eq!(Misfit::of(edges, 500.0), expected);
    }

    #[test]
    fn a_misfit_says_which_edge_is_wanted() {
        let told = Misfit::of(&[250.0, 1000.0], 300.0).unwrap().to_string();
        assert!(told.contains("between 250 and 1000 ms") && told.ends_with("add an edge at 0.3 s"), "{told}");
        let told = Misfit::of(&[250.0], 300.0).unwrap().to_string();
        assert!(
            told.contains("the highest bucket edge is 250 ms, below the limit p99_latency_ms 300"),
            "{told}"
        );
    }

    #[test]
    fn edges_are_read_from_a_scrape_in_whatever_spelling() {
        let snapshot = Snapshot {
            instance: "a".into(),
            taken_at: DateTime::UNIX_EPOCH,
            is_openmetrics: false,
            body: "d_bucket{le=\"5e-1\"} 1\nd_bucket{le=\"+Inf\"} 1\nd_bucket{x=\"1\",le=\"0.50\"} 1\n\
                   d_bucket{le=\".57\"} 1\nother_bucket{le=\"9\"} 1\n"
                .into(),
        };
        let names = Names { duration: "d".into(), ..Names::default() };
        assert_eq!(edges(&snapshot, &names), [500.0, 570.0]);
    }
}
