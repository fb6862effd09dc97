//! The rule of obedience.
//! Facts in, obeyed answer out. The tool gathers facts, asks a policy engine
//! and obeys; it never compares a fact with a limit itself. Only a complete
//! answer lets anything through (`spec` of an answer: [`answer`]); whatever
//! else happens denies, each fault with its own message.
//!
//! [`OpaEngine`] asks Open Policy Agent over HTTP, [`EmbeddedEngine`]
//! evaluates the same files in this process; [`PolicyBundle`] is what is on
//! disk, [`testing`] runs the policies' own tests, [`check`] finds what OPA would
//! not load, [`explain`] finds where a decision comes from, [`replay`] asks
//! recorded decisions again.

pub mod answer;
mod bundle;
pub mod check;
mod embedded;
pub mod explain;
mod files;
mod model;
mod opa;
mod rego;
pub mod replay;
mod settle;
mod shipped;
pub mod testing;
mod waiting;

pub use bundle::{EXAMPLES, Module, PolicyBundle, STARTERS};
pub use embedded::EmbeddedEngine;
pub use model::{CheckLine, Decision, EngineId, Fault, Verdict, Violation};
pub use opa::OpaEngine;
pub use waiting::SampleSize;

use async_trait::async_trait;
use serde_json::Value;

/// Somebody who decides.
#[async_trait]
pub trait PolicyEngine: Send + Sync {
    /// Asks one package (`infra`, `canary`, or the user's own) and obeys.
    /// Never fails: what cannot be decided is a denying [`Decision`] that
    /// carries the fault. Takes no longer than the configured timeout.
    async fn ask(&self, package: &str, input: &Value) -> Decision;

    /// Which engine this is, for screen and record.
    fn id(&self) -> EngineId;
}
