//! The record of everything that happened: `history.jsonl`, one JSON object a
//! line, each with the hash of the line before, and the report made from it.
//!
//! Invariants: a line is on disk (synced) before `append` returns; two
//! processes never interleave (file lock around read-tail, append, sync); a
//! torn last line of a crash is set aside, never counted as written; the file
//! rotates by size and the chain goes on over the parts; a part is removed
//! only after the history tells its numbers and last hash.
//!
//! What the chain proves and what it does not stands in [`verify`].

mod chain;
mod error;
mod escape;
mod files;
mod head;
mod lines;
mod read;
mod reading;
mod record;
pub mod report;
mod rotate;
mod store;
mod tail;
mod verify;

#[cfg(test)]
mod tests;

pub use error::HistoryError;
pub use read::{Records, read_all};
pub use reading::{ChainCheck, RawLine, RawLines, ReadLine, read_checked};
pub use record::{Actor, Entry, MEASURING, Record};
pub use store::{History, Limits};
pub use verify::{Fault, FaultKind, Loss, Unproven, VerifyReport, verify};
