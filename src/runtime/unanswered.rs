//! What the proxy saw of a slot, and the slot's own metrics may not show.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::Duration;

/// How many requests waited for so long, by milliseconds of three digits: what
/// is behind them is cut off, so that nobody waited less than is said.
pub type Waits = BTreeMap<u64, u64>;

/// What the proxy saw of a slot in a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unanswered {
    /// Requests without an answer: refused, cut off or timed out.
    pub failed: u64,
    /// Those among them that had waited as long as the proxy waits.
    pub timed_out: u64,
    /// Answers of the slot that say that it failed: 500 to 599. The slot may
    /// have counted them too.
    pub errors: u64,
    /// Answers that broke off after their head, while the client was still there.
    pub broken: u64,
    /// Requests that their clients gave up before an answer began.
    pub abandoned: Waits,
    /// Requests that still wait for their answer to begin; `None` where the proxy
    /// cannot tell.
    pub waiting: Option<Waits>,
}

impl AddAssign for Unanswered {
    fn add_assign(&mut self, more: Self) {
        self.failed += more.failed;
        self.timed_out += more.timed_out;
        self.errors += more.errors;
        self.broken += more.broken;
        for (waited, count) in more.abandoned {
            *self.abandoned.entry(waited).or_default() += count;
        }
        for (waited, count) in more.waiting.into_iter().flatten() {
            *self.waiting.get_or_insert_default().entry(waited).or_default() += count;
        }
    }
}

/// How long a client waited, in milliseconds. Three digits are kept, which is
/// exact below a second: thousands of clients must not become thousands of facts.
pub fn in_three_digits(waited: Duration) -> u64 {
    let millis = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
    let step = 10_u64.pow(millis.checked_ilog10().unwrap_or(0).saturating_sub(2));
    millis / step * step
}
