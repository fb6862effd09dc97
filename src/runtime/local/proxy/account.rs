//! How far the log of unanswered requests has come: whoever counts by it asks
//! the proxy, since a disk that is full cannot be asked.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the proxy says beside its generation, to this machine alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Lines that there were to write, since the proxy was started.
    pub taken: u64,
    /// So many of the first of them stand in the log, or are told there to be
    /// missing.
    pub settled: u64,
}

impl Account {
    /// The header that carries it.
    pub const HEADER: &str = "x-swiftdeploy-unanswered";
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.settled, self.taken)
    }
}

impl FromStr for Account {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (settled, taken) = text.split_once('/').ok_or(())?;
        let number = |text: &str| text.parse().map_err(|_| ());
        Ok(Self { taken: number(taken)?, settled: number(settled)? })
    }
}

/// The same while it goes on.
#[derive(Debug, Default)]
pub struct Progress {
    taken: AtomicU64,
    settled: AtomicU64,
}

impl Progress {
    /// There is one line more to write.
    pub fn take(&self) {
        self.taken.fetch_add(1, Ordering::SeqCst);
    }

    /// So many are dealt with by now.
    pub fn settle(&self, lines: u64) {
        self.settled.store(lines, Ordering::SeqCst);
    }

    /// At this moment.
    pub fn account(&self) -> Account {
        let settled = self.settled.load(Ordering::SeqCst);
        Account { taken: self.taken.load(Ordering::SeqCst), settled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_as_it_is_written() {
        let account = Account { taken: 12, settled: 7 };
        assert_eq!(account.to_string(), "7/12");
        assert_eq!("7/12".parse(), Ok(account));
        assert!(["", "7", "/", "7/", "-1/2", "a/b"].iter().all(|text| text.parse::<Account>().is_err()));
    }
}
