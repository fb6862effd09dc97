//! The whole history's decisions asked again, in their order: one thread
//! reads, as many as there are processors parse, hash and ask, the calling one
//! compares the chain and tells. Every queue is bounded, so that memory does
//! not grow with the history. Nothing is recorded and nothing is changed.
//!
//! What cannot be read is told and counted, never passed over: a conclusion
//! from half a record is none.

mod ask;
mod pipeline;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::clock::SharedClock;
use crate::history::{Entry, HistoryError, ReadLine, Record, VerifyReport, read_checked};
use crate::policy::replay::{Change, Finding};
use crate::policy::{EngineId, Fault, PolicyBundle};

use ask::Askers;

/// Who is asked again.
#[derive(Debug, Clone)]
pub enum ReplayBy {
    /// The embedded engine, in this process.
    Embedded,
    /// A running OPA, which must have loaded the same policies.
    Opa {
        /// Its address.
        at: SocketAddr,
        /// Where asking it happens; not the thread that replays.
        on: tokio::runtime::Handle,
    },
}

/// What to ask again, and of whom.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// The project's folder, with the history.
    pub root: PathBuf,
    /// The policies to ask.
    pub policies: PathBuf,
    /// Limits from another file than the folder's `data.json`.
    pub data: Option<PathBuf>,
    /// Who is asked.
    pub by: ReplayBy,
    /// The longest time of a question; one that takes longer ends the replay,
    /// since it says something about the machine and nothing about the policies.
    pub timeout: Duration,
}

/// A recorded decision whose answer would be another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedDecision {
    /// The record.
    pub seq: u64,
    /// When it was recorded.
    pub timestamp: DateTime<Utc>,
    /// The operation that asked.
    pub operation_id: String,
    /// The package.
    pub gate: String,
    /// The revision of the policies that decided then.
    pub revision: String,
    /// Then, now, and what differs.
    #[serde(flatten)]
    pub change: Change,
}

/// Something to tell while the history is replayed.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplayEvent {
    /// An answer would be another one.
    Changed(Box<ChangedDecision>),
    /// A line that is no record.
    Unreadable(String),
}

/// What a replay gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReplayReport {
    /// Decisions found in the history.
    pub decisions: u64,
    /// Whose answer would be the same.
    pub same: u64,
    /// Whose answer would have the same verdict for the same cause, in other
    /// words.
    pub reworded: u64,
    /// Whose answer would be another one.
    pub changed: u64,
    /// Of these, how many by `THEN -> NOW`.
    pub transitions: BTreeMap<String, u64>,
    /// Of these, those whose facts do not hold what the policies ask for now.
    pub for_want_of_facts: u64,
    /// Those without an answer then, by what was told; not compared.
    pub no_answer_then: BTreeMap<String, u64>,
    /// Lines that are no records.
    pub unreadable: u64,
    /// The first and the last decision.
    pub span: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// What the check of the chain found.
    pub chain: VerifyReport,
    /// Who was asked.
    pub engine: EngineId,
    /// The revision of the policies that were asked.
    pub revision: String,
    /// How long it took.
    #[serde(rename = "elapsed_ms", serialize_with = "millis")]
    pub elapsed: Duration,
}

fn millis<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

impl ReplayReport {
    /// Whether every line was read and the chain holds.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unreadable == 0 && self.chain.is_intact()
    }

    /// How many had no answer then.
    #[must_use]
    pub fn without_answer_then(&self) -> u64 {
        self.no_answer_then.values().sum()
    }
}

/// Why a replay stopped. What was told until then holds; what comes after it
/// is not known.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The policies cannot be used, or the engine does not answer.
    #[error("{fault}{}", .seq.map(|seq| format!(" (asked about record {seq})")).unwrap_or_default())]
    Engine {
        /// What it is.
        fault: Fault,
        /// The record that was asked about.
        seq: Option<u64>,
    },
    /// The interpreter broke down.
    #[error("the policy engine broke down on the policies in {}", policies.display())]
    BrokeDown {
        /// The folder.
        policies: PathBuf,
    },
    /// What was found cannot be told.
    #[error("output could not be written: {0}")]
    Output(io::Error),
}

impl ReplayError {
    /// What a person can do about it.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            Self::History(error) => error.next_step(),
            Self::Engine { fault: Fault::Stale { .. }, .. } => {
                "the OPA that is asked must have loaded the same policies: name their folder by --policies, or leave out --engine opa".into()
            }
            Self::Engine { fault: Fault::TimedOut { .. }, .. } => {
                "look at the load of the machine and at loops in the gate's rules, then repeat".into()
            }
            Self::Engine { fault, .. } => fault.next_step().into(),
            Self::BrokeDown { .. } => "run `swiftdeploy policy test`".into(),
            Self::Output(_) => "check where the output goes".into(),
        }
    }
}

/// Replays a project's history. Blocks; `tell` hears of changes and of lines
/// that cannot be read, in the order of the history.
///
/// # Errors
/// When the history or the policies cannot be read, or the engine does not
/// answer at all. A broken chain is no error: the report tells it.
pub fn replay(
    options: &ReplayOptions,
    clock: &SharedClock,
    tell: &mut dyn FnMut(ReplayEvent) -> io::Result<()>,
) -> Result<ReplayReport, ReplayError> {
    let began = clock.instant();
    let data = options.data.clone();
    let bundle = match &data {
        None => PolicyBundle::load(&options.policies),
        Some(data) => PolicyBundle::load_with(&options.policies, data),
    };
    let bundle = Arc::new(bundle.map_err(|fault| ReplayError::Engine { fault, seq: None })?);
    let askers = Askers::new(options, &bundle, clock)?;
    let (lines, mut chain) = read_checked(&options.root)?;
    let mut tally = Tally::default();
    let outcome = pipeline::run(lines, &askers, &mut |judged| {
        chain.follow(&judged.line);
        tally.take(&judged, tell)
    });
    match outcome {
        Ok(true) => {}
        Ok(false) => return Err(ReplayError::BrokeDown { policies: options.policies.clone() }),
        Err(error) => return Err(error),
    }
    let Tally { counts, transitions, no_answer_then, span } = tally;
    Ok(ReplayReport {
        decisions: counts.decisions,
        same: counts.same,
        reworded: counts.reworded,
        changed: counts.changed,
        transitions,
        for_want_of_facts: counts.for_want_of_facts,
        no_answer_then,
        unreadable: counts.unreadable,
        span,
        chain: chain.finish(),
        engine: askers.id(),
        revision: bundle.revision().to_owned(),
        elapsed: clock.instant().saturating_duration_since(began),
    })
}

/// A line that went through the pipeline.
struct Judged {
    line: ReadLine,
    /// For a decision: what asking again gave, or the fault that ends it all.
    finding: Option<Result<Finding, Fault>>,
}

#[derive(Default)]
struct Counts {
    decisions: u64,
    same: u64,
    reworded: u64,
    changed: u64,
    for_want_of_facts: u64,
    unreadable: u64,
}

#[derive(Default)]
struct Tally {
    counts: Counts,
    transitions: BTreeMap<String, u64>,
    no_answer_then: BTreeMap<String, u64>,
    span: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// Kinds of faults that are counted apart; the rest is one.
const MOST_FAULTS: usize = 50;

impl Tally {
    fn take(
        &mut self,
        judged: &Judged,
        tell: &mut dyn FnMut(ReplayEvent) -> io::Result<()>,
    ) -> Result<(), ReplayError> {
        let record = match judged.line.record() {
            None => return Ok(()),
            Some(Ok(record)) => record,
            Some(Err(error)) => {
                self.counts.unreadable += 1;
                return tell(ReplayEvent::Unreadable(error.to_string())).map_err(ReplayError::Output);
            }
        };
        let finding = match &judged.finding {
            None => return Ok(()),
            Some(Ok(finding)) => finding,
            Some(Err(fault)) => {
                return Err(ReplayError::Engine { fault: fault.clone(), seq: Some(record.seq) });
            }
        };
        self.counts.decisions += 1;
        self.span = Some((self.span.map_or(record.timestamp, |(first, _)| first), record.timestamp));
        match finding {
            Finding::Same => self.counts.same += 1,
            Finding::Reworded => self.counts.reworded += 1,
            Finding::NoAnswerThen(reason) => self.no_answer(reason),
            Finding::Changed(change) => {
                self.counts.changed += 1;
                self.counts.for_want_of_facts += u64::from(change.is_for_want_of_facts());
                *self.transitions.entry(change.transition()).or_default() += 1;
                if let Some(changed) = changed(record, change) {
                    tell(ReplayEvent::Changed(Box::new(changed))).map_err(ReplayError::Output)?;
                }
            }
        }
        Ok(())
    }

    fn no_answer(&mut self, reason: &str) {
        let is_new = !self.no_answer_then.contains_key(reason);
        let told = if is_new && self.no_answer_then.len() >= MOST_FAULTS { "other faults" } else { reason };
        *self.no_answer_then.entry(told.to_owned()).or_default() += 1;
    }
}

fn changed(record: &Record, change: &Change) -> Option<ChangedDecision> {
    let Entry::Decision { operation_id, gate, revision, .. } = &record.entry else {
        return None;
    };
    Some(ChangedDecision {
        seq: record.seq,
        timestamp: record.timestamp,
        operation_id: operation_id.clone(),
        gate: gate.clone(),
        revision: revision.clone(),
        change: change.clone(),
    })
}
