//! The record of everything that happened: `history.jsonl`, one JSON object a
//! line, each with the hash of the line before, and the report made from it.
//!
//! Invariants: a line is on disk (synced) before `append` returns; two
//! processes never interleave (file lock around read-tail, append, sync); a
//! torn last line of a crash is set aside, never counted as written; the file
//! rotates by size and the chain goes on over the parts.

mod record;

pub use record::{Actor, Entry, Record};
