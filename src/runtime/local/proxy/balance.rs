//! Shares of traffic, kept exactly: of every hundred requests each slot gets
//! its percentage, spread as evenly as it goes, and the same each time.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::domain::{Share, Slot};

/// Requests after which the order repeats.
const ROUND: usize = 100;

/// Who gets the next request.
#[derive(Debug)]
pub struct Balance {
    order: Vec<Slot>,
    next: AtomicUsize,
}

impl Balance {
    /// Plans a round by error diffusion: each slot earns its percentage at
    /// each step, the one that is owed most serves and pays a hundred.
    pub fn new(shares: &[Share]) -> Self {
        let mut owed: Vec<(Slot, i32)> = shares.iter().map(|share| (share.slot, 0)).collect();
        let order = (0..if shares.is_empty() { 0 } else { ROUND })
            .filter_map(|_| {
                for ((_, owed), share) in owed.iter_mut().zip(shares) {
                    *owed += i32::from(share.percent);
                }
                let most = owed.iter_mut().rev().max_by_key(|(_, owed)| *owed)?;
                most.1 -= 100;
                Some(most.0)
            })
            .collect();
        Self { order, next: AtomicUsize::new(0) }
    }

    /// The slot for the next request; `None` while there are no routes.
    pub fn pick(&self) -> Option<Slot> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.order.get(turn % self.order.len().max(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn balance(green: u8) -> Balance {
        let shares = [(Slot::Blue, 100 - green), (Slot::Green, green)];
        let shares: Vec<Share> = shares
            .into_iter()
            .filter(|(_, percent)| *percent > 0)
            .map(|(slot, percent)| Share { slot, percent })
            .collect();
        Balance::new(&shares)
    }

    #[rstest]
    fn every_hundred_requests_keep_the_shares_exactly(#[values(0, 1, 10, 25, 33, 50, 99, 100)] green: u8) {
        let balance = balance(green);
        for _ in 0..3 {
            let to_green = (0..100).filter(|_| balance.pick() == Some(Slot::Green)).count();
            assert_eq!(to_green, usize::from(green));
        }
    }

    #[test]
    fn a_small_share_is_spread_not_bunched() {
        let balance = balance(10);
        let turns: Vec<usize> = (0..100).filter(|_| balance.pick() == Some(Slot::Green)).collect();
        assert!(turns.windows(2).all(|pair| pair[1] - pair[0] == 10), "{turns:?}");
    }

    #[test]
    fn without_routes_nobody_is_picked() {
        assert_eq!(Balance::new(&[]).pick(), None);
    }
}
