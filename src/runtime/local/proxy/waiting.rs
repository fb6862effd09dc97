//! Requests that are not over: no log tells of them before they end, and one that
//! hangs may take as long as the proxy waits. Kept once of those whose answers have
//! not begun, and once of all whose last byte has not gone.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::domain::Slot;
use crate::runtime::Waits;
use crate::runtime::unanswered::in_three_digits;

/// All of them, by the number that they got.
#[derive(Debug, Default)]
pub struct Waiting {
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    requests: BTreeMap<u64, (Slot, Instant)>,
}

/// A request waits as long as this is kept.
#[derive(Debug)]
pub struct Ticket {
    number: u64,
    open: Arc<Mutex<Open>>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).requests.remove(&self.number);
    }
}

impl Waiting {
    /// One more waits for a slot, since a moment.
    pub fn enter(&self, slot: Slot, since: Instant) -> Ticket {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let number = open.next;
        open.next += 1;
        open.requests.insert(number, (slot, since));
        Ticket { number, open: Arc::clone(&self.open) }
    }

    /// Those that wait now, and how long.
    pub fn now(&self, now: Instant) -> InSlots {
        let mut told = InSlots::default();
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for (slot, since) in open.requests.values() {
            let waited = in_three_digits(now.saturating_duration_since(*since));
            *told.0.entry(*slot).or_default().entry(waited).or_default() += 1;
        }
        told
    }
}

/// How long requests wait, of each slot. As text `blue 12*1 507*3; green 3*1`:
/// milliseconds, and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InSlots(pub BTreeMap<Slot, Waits>);

impl InSlots {
    /// The header that carries those whose answers have not begun.
    pub const WAITING: &str = "x-swiftdeploy-waiting";

    /// The header that carries all that are not over.
    pub const UNDER_WAY: &str = "x-swiftdeploy-under-way";
}

impl fmt::Display for InSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (slot, waits)) in self.0.iter().enumerate() {
            write!(f, "{}{slot}", if number == 0 { "" } else { "; " })?;
            waits.iter().try_for_each(|(waited, count)| write!(f, " {waited}*{count}"))?;
        }
        Ok(())
    }
}

impl FromStr for InSlots {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let slots = text.split("; ").filter(|part| !part.is_empty()).map(|part| {
            let mut words = part.split(' ');
            let name = words.next().ok_or(())?;
            let slot = Slot::from_label(name).ok_or(())?;
            let waits = words.map(|word| {
                let (waited, count) = word.split_once('*').ok_or(())?;
                Ok((waited.parse().map_err(|_| ())?, count.parse().map_err(|_| ())?))
            });
            Ok((slot, waits.collect::<Result<_, ()>>()?))
        });
        slots.collect::<Result<_, ()>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    #[test]
    fn a_request_waits_as_long_as_its_ticket_is_kept() {
        let (waiting, begin) = (Waiting::default(), SystemClock.instant());
        let at = |millis| begin + Duration::from_millis(millis);
        let green = [0, 3, 900].map(|millis| waiting.enter(Slot::Green, at(millis)));
        let _blue = waiting.enter(Slot::Blue, at(995));
        let told = waiting.now(at(1007));
        assert_eq!(told.0[&Slot::Green], Waits::from([(107, 1), (1000, 2)]));
        assert_eq!(told.0[&Slot::Blue], Waits::from([(12, 1)]));
        drop(green);
        assert_eq!(waiting.now(at(2000)).0.keys().collect::<Vec<_>>(), [&Slot::Blue]);
    }

    #[test]
    fn what_is_told_is_read_as_it_is_written() {
        let told = InSlots([(Slot::Blue, [(12, 1), (507, 3)].into()), (Slot::Green, [(3, 1)].into())].into());
        assert_eq!(told.to_string(), "blue 12*1 507*3; green 3*1");
        assert_eq!(told.to_string().parse(), Ok(told));
        assert_eq!("".parse(), Ok(InSlots::default()));
        for wrong in ["red 1*1", "blue 1", "blue *", "blue 1*x", "blue -1*1", "1*1"] {
            assert!(wrong.parse::<InSlots>().is_err(), "{wrong}");
        }
    }
}
