//! Whether the durations of an app can be told apart by path. It warns and
//! decides nothing: that is the policy's.

use crate::telemetry::exposition::{Format, parse};
use crate::telemetry::model::{Names, Snapshot};

use super::series::bucket_name;

/// Whether the histogram of durations has series without the label of the path:
/// then it holds health checks and scrapes beside the traffic, and which of its
/// durations are theirs nobody can tell. `false` without a histogram or where the
/// scrape does not parse.
#[must_use]
pub fn durations_mix_paths(snapshot: &Snapshot, names: &Names) -> bool {
    let format = if snapshot.is_openmetrics { Format::OpenMetrics } else { Format::Text };
    let Ok(exposition) = parse(&snapshot.body, format) else { return false };
    let buckets = bucket_name(&names.duration);
    exposition.named(&buckets).any(|sample| sample.label(&names.path_label).is_none())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::by_path("d_bucket{path=\"/\",le=\"+Inf\"} 1\n", false)]
    #[case::without("d_bucket{le=\"+Inf\"} 1\n", true)]
    #[case::by_something_else("d_bucket{method=\"GET\",le=\"+Inf\"} 1\n", true)]
    #[case::one_of_two("d_bucket{path=\"/\",le=\"+Inf\"} 1\nd_bucket{le=\"+Inf\"} 1\n", true)]
    #[case::of_another_histogram("other_bucket{le=\"+Inf\"} 1\n", false)]
    #[case::none("r{path=\"/\"} 1\n", false)]
    #[case::not_metrics("<html>\n", false)]
    fn durations_without_a_path_may_be_of_health_checks(#[case] body: &str, #[case] expected: bool) {
        let snapshot = Snapshot {
            instance: "a".into(),
            taken_at: DateTime::UNIX_EPOCH,
            is_openmetrics: false,
            body: body.into(),
        };
        let names = Names { duration: "d".into(), ..Names::default() };
        assert_eq!(durations_mix_paths(&snapshot, &names), expected);
    }
}
