//! What the person wrote: `manifest.yaml`, loaded with positions and
//! suggestions, completed with defaults, edited in place without touching any
//! other byte. Pure but for [`Document::load`] and [`Document::save`].
//!
//! The way of a text: `tree` (YAML with places) → `decode` into the sections
//! of `raw` (keys, kinds of `value`, `rules`) → `complete` (required keys,
//! defaults) → [`Manifest`]. Each stage notes what is wrong and goes on, so
//! that a person sees every [`Problem`] of a file at once.

mod complete;
mod decode;
mod document;
mod edit;
mod error;
mod field;
mod model;
mod place;
mod problem;
mod raw;
mod rules;
mod save;
mod scalar;
mod schema;
mod suggest;
mod tree;
mod value;

#[cfg(test)]
mod tests;

pub use document::Document;
pub use edit::Edit;
pub use error::ManifestError;
pub use model::{
    Canary, CustomGate, EngineKind, GatePoint, Health, Manifest, MetricNames, Network, Nginx, OperatorAccess,
    PolicySection, Pull, Resources, Service, Split, Status,
};
pub use problem::Problem;
pub use schema::schema;
