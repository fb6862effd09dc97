//! What the person wrote: `manifest.yaml`, loaded with positions and
//! suggestions, completed with defaults, edited in place without touching any
//! other byte. Pure but for [`Document::load`] and [`Document::save`].

mod model;

pub use model::{
    Canary, CustomGate, EngineKind, GatePoint, Health, Manifest, MetricNames, Network, Nginx, OperatorAccess,
    PolicySection, Pull, Resources, Service, Split, Status,
};
