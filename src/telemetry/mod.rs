//! What the service says about itself: the strict exposition parser, the
//! window between two scrapes, the P99. Pure but for `scrape`.
//!
//! The rules are spec section 6: deltas per series of one process, then sums;
//! a restart starts every series of that process from zero; no requests is
//! *no data*, never 0 %; whatever does not parse is an error of the whole
//! scrape, never fewer samples.

mod model;

pub use model::{Bucket, Measured, Names, P99, ScrapeFault, Snapshot, WindowFault};
