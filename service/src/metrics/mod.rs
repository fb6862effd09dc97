//! What the service counts. A registry of its own, because it needs five
//! families and the label values are known beforehand: the number of series
//! has an upper bound whatever clients send.

mod exposition;
mod histogram;
mod labels;

pub use exposition::{CONTENT_TYPE, Exposition, Kind};
pub use labels::{Endpoint, method_label};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use histogram::Histogram;

use crate::clock;

/// The status under which a request is counted whose client went away before
/// it was answered, as nginx names it. It is nobody's server error, but its
/// duration counts: a client that gives up has waited.
const CLIENT_CLOSED: u16 = 499;

/// Method and path of a series.
type Route = (&'static str, &'static str);

#[derive(Debug, Default)]
struct Table {
    requests: BTreeMap<(Route, u16), u64>,
    durations: BTreeMap<Route, Histogram>,
}

/// The counters of one process, from its start on.
#[derive(Debug)]
pub struct Metrics {
    table: Mutex<Table>,
    in_flight: AtomicUsize,
}

impl Default for Metrics {
    /// The series of `GET /` exist from the start: a reader who compares two
    /// scrapes then sees zeros, not a counter that is not there.
    fn default() -> Self {
        let mut table = Table::default();
        let route = ("GET", Endpoint::Root.label());
        table.requests.extend([((route, 200), 0), ((route, 500), 0)]);
        table.durations.insert(route, Histogram::default());
        Self { table: Mutex::new(table), in_flight: AtomicUsize::new(0) }
    }
}

impl Metrics {
    /// Notes that a request has come. It is counted when the answer is known.
    #[must_use]
    pub fn begin(self: &Arc<Self>, method: &'static str, endpoint: Endpoint) -> Pending {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        Pending {
            metrics: Arc::clone(self),
            route: (method, endpoint.label()),
            begun: clock::instant(),
            status: CLIENT_CLOSED,
        }
    }

    /// Requests that have come and are not yet answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    fn count(&self, route: Route, status: u16, took: Duration) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        *table.requests.entry((route, status)).or_default() += 1;
        table.durations.entry(route).or_default().observe(took);
    }

    /// Writes the families of requests and durations.
    pub fn write(&self, text: &mut Exposition) {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        text.family("http_requests_total", Kind::Counter, "Requests answered, by method, path and status.");
        for (((method, path), status), count) in &table.requests {
            let status = status.to_string();
            let labels = [("method", *method), ("path", *path), ("status_code", status.as_str())];
            text.sample("http_requests_total", &labels, *count);
        }
        let name = "http_request_duration_seconds";
        text.family(name, Kind::Histogram, "Time from the request to its answer, in seconds.");
        for ((method, path), histogram) in &table.durations {
            histogram.write(text, name, &[("method", *method), ("path", *path)]);
        }
    }
}

/// A request that is being answered. Dropped without [`Pending::answered`]
/// it is counted as one whose client went away.
#[derive(Debug)]
pub struct Pending {
    metrics: Arc<Metrics>,
    route: Route,
    begun: Instant,
    status: u16,
}

impl Pending {
    /// Counts the request with the status of its answer.
    pub fn answered(mut self, status: u16) {
        self.status = status;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let took = clock::instant().saturating_duration_since(self.begun);
        self.metrics.count(self.route, self.status, took);
        self.metrics.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(metrics: &Metrics) -> String {
        let mut text = Exposition::default();
        metrics.write(&mut text);
        text.finish()
    }

    #[test]
    fn a_fresh_process_shows_its_counters_as_zeros() {
        let text = text(&Metrics::default());
        assert!(text.contains("http_requests_total{method=\"GET\",path=\"/\",status_code=\"200\"} 0\n"));
        assert!(text.contains("http_request_duration_seconds_count{method=\"GET\",path=\"/\"} 0\n"));
    }

    #[test]
    fn an_answered_request_is_counted_once_under_its_status() {
        let metrics = Arc::new(Metrics::default());
        let pending = metrics.begin("GET", Endpoint::Root);
        assert_eq!(metrics.in_flight(), 1);
        pending.answered(500);
        assert_eq!(metrics.in_flight(), 0);
        let text = text(&metrics);
        assert!(text.contains("status_code=\"500\"} 1\n"), "{text}");
        assert!(
            text.contains("http_request_duration_seconds_count{method=\"GET\",path=\"/\"} 1\n"),
            "{text}"
        );
    }

    #[test]
    fn a_request_whose_client_went_away_is_counted_as_such() {
        let metrics = Arc::new(Metrics::default());
        drop(metrics.begin("GET", Endpoint::Root));
        assert_eq!(metrics.in_flight(), 0);
        assert!(text(&metrics).contains("path=\"/\",status_code=\"499\"} 1\n"));
    }
}
