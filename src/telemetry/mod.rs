//! What the service says about itself: the strict exposition parser, the
//! window between two scrapes, the P99. Pure but for `scrape` and `archive`.
//!
//! The rules are spec section 6: deltas per series of one process, then sums;
//! a restart starts every series of that process from zero; no requests is
//! *no data*, never 0 %; whatever does not parse is an error of the whole
//! scrape, never fewer samples.

mod archive;
mod choose;
pub mod exposition;
mod fault;
mod model;
pub mod quantile;
mod report;
mod scrape;
mod window;

pub use archive::Archive;
pub use choose::choose;
pub use fault::MeasureFault;
pub use model::{Bucket, EXCLUDED_PATHS, Measured, Names, P99, ScrapeFault, Side, Snapshot, WindowFault};
pub use report::{Checked, Figures, check, compare};
pub use scrape::Scraper;
pub use window::{
    Explained, InstanceDetail, Life, Misfit, SeriesDetail, Why, durations_mix_paths, edges, explain,
    lacks_series, measure,
};
