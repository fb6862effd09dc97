//! A histogram of durations with fixed edges.

use std::time::Duration;

use super::Exposition;

/// Upper edges in seconds: those that Prometheus' clients use. The usual
/// limits of a gate (0.1, 0.25, 0.5, 1) are among them, because the share of
/// requests below a limit is exact only where an edge equals it.
const EDGES: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Counts of durations, by edge.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Per edge, not cumulative; what is above the last edge is only in
    /// `count`.
    within: [u64; EDGES.len()],
    count: u64,
    sum: Duration,
}

impl Histogram {
    /// Counts a duration. An edge includes its own value.
    pub fn observe(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        if let Some(slot) = EDGES.iter().position(|edge| seconds <= *edge) {
            self.within[slot] += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(took);
    }

    /// Writes the samples: cumulative buckets, sum and count.
    pub fn write(&self, text: &mut Exposition, name: &str, labels: &[(&str, &str)]) {
        let bucket = format!("{name}_bucket");
        let mut cumulative = 0;
        for (edge, within) in EDGES.iter().zip(self.within) {
            cumulative += within;
            text.sample(&bucket, &[labels, &[("le", &edge.to_string())]].concat(), cumulative);
        }
        text.sample(&bucket, &[labels, &[("le", "+Inf")]].concat(), self.count);
        text.sample(&format!("{name}_sum"), labels, self.sum.as_secs_f64());
        text.sample(&format!("{name}_count"), labels, self.count);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn text(histogram: &Histogram) -> String {
        let mut text = Exposition::default();
        histogram.write(&mut text, "d", &[("path", "/")]);
        text.finish()
    }

    #[rstest]
    #[case::on_an_edge(500, "0.5", "0.25")]
    #[case::just_above_an_edge(501, "0.75", "0.5")]
    #[case::nothing(0, "0.005", "")]
    #[case::above_the_last_edge(10_001, "+Inf", "10")]
    fn a_duration_is_counted_from_its_edge_on(
        #[case] millis: u64,
        #[case] first: &str,
        #[case] before: &str,
    ) {
        let mut histogram = Histogram::default();
        histogram.observe(Duration::from_millis(millis));
        let text = text(&histogram);
        assert!(text.contains(&format!("d_bucket{{path=\"/\",le=\"{first}\"}} 1\n")), "{text}");
        if !before.is_empty() {
            assert!(text.contains(&format!("d_bucket{{path=\"/\",le=\"{before}\"}} 0\n")), "{text}");
        }
    }

    #[test]
    fn buckets_are_cumulative_and_the_sum_is_in_seconds() {
        let mut histogram = Histogram::default();
        for millis in [1, 300, 3000, 20_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        assert_eq!(
            text(&histogram),
            "d_bucket{path=\"/\",le=\"0.005\"} 1\nd_bucket{path=\"/\",le=\"0.01\"} 1\n\
             d_bucket{path=\"/\",le=\"0.025\"} 1\nd_bucket{path=\"/\",le=\"0.05\"} 1\n\
             d_bucket{path=\"/\",le=\"0.075\"} 1\nd_bucket{path=\"/\",le=\"0.1\"} 1\n\
             d_bucket{path=\"/\",le=\"0.25\"} 1\nd_bucket{path=\"/\",le=\"0.5\"} 2\n\
             d_bucket{path=\"/\",le=\"0.75\"} 2\nd_bucket{path=\"/\",le=\"1\"} 2\n\
             d_bucket{path=\"/\",le=\"2.5\"} 2\nd_bucket{path=\"/\",le=\"5\"} 3\n\
             d_bucket{path=\"/\",le=\"7.5\"} 3\nd_bucket{path=\"/\",le=\"10\"} 3\n\
             d_bucket{path=\"/\",le=\"+Inf\"} 4\nd_sum{path=\"/\"} 23.301\nd_count{path=\"/\"} 4\n"
        );
    }
}
