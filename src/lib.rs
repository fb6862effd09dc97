//! SwiftDeploy: one `manifest.yaml`, one terminal app, the same actions as
//! commands; blue/green deployments that a policy engine gates, a window of
//! live metrics judges and a hash-chained history records.
//!
//! The folders are the architecture, see `ARCHITECTURE.md`: `cli` and `tui`
//! know `engine`; `engine` knows `manifest`, `render`, `runtime`, `policy`,
//! `telemetry` and `history`; those six share only the words in `domain` and
//! the time in `clock`. `tests/tidy.rs` enforces it.

pub mod clock;
pub mod domain;
pub mod engine;
pub mod history;
pub mod manifest;
pub mod policy;
pub mod render;
pub mod runtime;
pub mod telemetry;

pub mod cli;
pub mod tui;
