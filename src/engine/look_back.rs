//! What the app asks about decisions: where one comes from, and which recorded
//! ones would be another one now. Both only read.

use std::time::Duration;

use super::bus::Engine;
use super::replay::{ChangedDecision, ReplayBy, ReplayEvent, ReplayOptions, ReplayReport, replay};
use crate::policy::Decision;
use crate::policy::explain::{Explanation, explain, unexplained};

/// The longest time of a question that is asked again. Far more than a gate
/// has in earnest (`policy.timeout`): a busy machine must not look like another
/// policy.
pub const REPLAY_TIMEOUT: Duration = Duration::from_secs(5);

/// Changes that a screen lists; the report counts all.
const SHOWN: usize = 500;

/// What a replay found, as much as a screen holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The totals.
    pub report: ReplayReport,
    /// The first changes.
    pub changes: Vec<ChangedDecision>,
    /// The first line that is no record.
    pub unreadable: Option<String>,
}

impl Engine {
    /// Finds where a decision comes from.
    pub async fn explain(&self, decision: Decision) -> Explanation {
        let policies = self.core.project.policies();
        let known = decision.clone();
        let found = tokio::task::spawn_blocking(move || explain(&policies, &known)).await;
        // The interpreter broke down: the decision stands, its places are not known.
        found.unwrap_or_else(|_| unexplained(&decision))
    }

    /// Asks the recorded decisions again, of the policies on disk, in this
    /// process.
    ///
    /// # Errors
    /// For people: why nothing can be concluded.
    pub async fn replay(&self) -> Result<Replayed, String> {
        let options = ReplayOptions {
            root: self.core.project.root().to_owned(),
            policies: self.core.project.policies(),
            data: None,
            by: ReplayBy::Embedded,
            timeout: REPLAY_TIMEOUT,
        };
        let clock = self.core.clock.clone();
        let replayed = tokio::task::spawn_blocking(move || {
            let (mut changes, mut unreadable) = (Vec::new(), None);
            let report = replay(&options, &clock, &mut |event| {
                match event {
                    ReplayEvent::Changed(other) if changes.len() < SHOWN => changes.push(*other),
                    ReplayEvent::Changed(_) => {}
                    ReplayEvent::Unreadable(reason) => {
                        unreadable.get_or_insert(reason);
                    }
                }
                Ok(())
            })?;
            Ok(Replayed { report, changes, unreadable })
        });
        replayed
            .await
            .map_err(|stopped| stopped.to_string())?
            .map_err(|error: super::replay::ReplayError| format!("{error}; {}", error.next_step()))
    }
}
