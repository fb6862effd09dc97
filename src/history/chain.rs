//! How lines hang together: each holds the hash of the bytes of the line
//! before.

use chrono::{DateTime, SubsecRound, Utc};
use sha2::{Digest, Sha256};

use super::files::MAX_LINE;
use super::record::{Actor, Entry, Record};

/// The last record of a history: what the next one chains to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Its number; 0 before the first.
    pub(super) seq: u64,
    /// The hash of its line; 64 zeros before the first.
    pub(super) hash: String,
}

impl Link {
    /// Before the first record.
    pub(super) fn start() -> Self {
        Self { seq: 0, hash: "0".repeat(64) }
    }

    /// The link that a line makes, if it is a record.
    pub(super) fn of(line: &[u8]) -> Result<Self, String> {
        Ok(Self { seq: parse(line)?.seq, hash: hash(line) })
    }

    /// The line (without line feed) that says an entry after this link, and
    /// its own link.
    pub(super) fn next(
        &self,
        at: DateTime<Utc>,
        actor: &Actor,
        entry: &Entry,
    ) -> Result<(Vec<u8>, Self), usize> {
        let record = Record {
            timestamp: at.trunc_subsecs(3),
            seq: self.seq + 1,
            actor: actor.clone(),
            entry: entry.clone(),
            prev: self.hash.clone(),
        };
        // Plain data with text keys: serde_json has no reason to fail, and an
        // empty line would be refused below.
        let bytes = serde_json::to_vec(&record).unwrap_or_default();
        if bytes.is_empty() || bytes.len() > MAX_LINE {
            return Err(bytes.len());
        }
        let link = Self { seq: record.seq, hash: hash(&bytes) };
        Ok((bytes, link))
    }
}

/// SHA-256 over a line without its line feed, in hex.
pub(super) fn hash(line: &[u8]) -> String {
    use std::fmt::Write;

    Sha256::digest(line).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The record that a line says, or why it says none.
pub(super) fn parse(line: &[u8]) -> Result<Record, String> {
    if line.len() > MAX_LINE {
        return Err(format!("longer than {MAX_LINE} bytes"));
    }
    serde_json::from_slice(line).map_err(|error| error.to_string())
}
