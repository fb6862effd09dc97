//! The wait of a slot that gets no new requests, before what is in it is asked to
//! stop: for the drain, for what the proxy still brings, and for what is under way.
//!
//! Most services finish what they have when they are asked to stop, but many end at
//! once, and some keep requests open until then (long polls). For the first any time
//! is right, the second must be asked as late as their requests need, and the third
//! early enough that their answers still come in time. Nobody can tell them apart
//! before. So each request is awaited for half of the time that the proxy gives it:
//! one that takes no longer is answered by every service, and one that ends only when
//! its service does has the other half for that. What has been under way for longer,
//! as a tunnel or a stream that is open all the time, is not awaited, so that it holds
//! up a deployment for that half at most.

use std::time::{Duration, Instant};

use super::context::{Context, Step};
use super::shift::LOOK;
use super::stage::Stage;
use crate::domain::Slot;
use crate::runtime::Waits;

/// How a slot is left without a loss.
pub(super) struct Leaving {
    /// The routes lead elsewhere since then, or longer.
    since: Instant,
    /// What requests under way get in any case.
    drain: Duration,
    /// How long the proxy may have brought requests nevertheless.
    lingering: Duration,
    /// Whether a cancel ends the wait.
    heeds_cancel: bool,
}

/// How the wait for a slot ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Quiet {
    /// A cancel ended it.
    pub(super) is_cut_short: bool,
    /// The proxy brought requests for longer than the drain.
    pub(super) lingers: bool,
    /// Requests were awaited for longer than the drain.
    pub(super) awaits: bool,
    /// So many requests were under way at the end, as far as the proxy can tell.
    pub(super) left: u64,
}

impl Leaving {
    /// Without a drain.
    pub(super) const fn from(since: Instant) -> Self {
        Self { since, drain: Duration::ZERO, lingering: Duration::ZERO, heeds_cancel: true }
    }

    /// With a drain.
    pub(super) const fn draining(self, drain: Duration) -> Self {
        Self { drain, ..self }
    }

    /// Whatever is cancelled.
    pub(super) const fn in_any_case(self) -> Self {
        Self { heeds_cancel: false, ..self }
    }

    pub(super) fn so_far(&self, context: &Context) -> Duration {
        context.core.clock.instant().saturating_duration_since(self.since)
    }

    /// Waits for the drain and for requests under way, which a cancel cuts short,
    /// and until the proxy certainly brings nothing more, which it does not.
    pub(super) async fn quiet(&mut self, context: &Context, stage: &Stage, slot: Slot, step: &Step) -> Quiet {
        let patience = patience(stage.longest_request);
        let mut quiet = Quiet::default();
        loop {
            let waited = self.so_far(context);
            if waited >= self.drain {
                self.lingering = stage.session.runtime.lingering().await;
            }
            let needed = self.drain.max(self.lingering);
            let pause = if waited < needed {
                quiet.lingers = waited >= self.drain;
                let fraction = waited.as_secs_f64() / needed.as_secs_f64().max(0.001);
                step.progress(format!("{} of {} s", waited.as_secs(), needed.as_secs()), Some(fraction));
                LOOK.min(needed.saturating_sub(waited))
            } else {
                let under_way = UnderWay::of(stage, slot, patience).await;
                quiet.left = under_way.all;
                // A proxy that does not answer may have some that are awaited, but none
                // that came after the routes led away.
                if quiet.is_cut_short || waited >= patience || under_way.awaited == Some(0) {
                    return quiet;
                }
                quiet.awaits = true;
                let fraction = waited.as_secs_f64() / patience.as_secs_f64().max(0.001);
                step.progress(under_way.told(waited, patience), Some(fraction));
                LOOK
            };
            if quiet.is_cut_short || !self.heeds_cancel {
                tokio::time::sleep(pause).await;
            } else if context.wait(pause).await.is_err() {
                quiet.is_cut_short = true;
                self.drain = Duration::ZERO;
            }
        }
    }

    /// What the service gets after it was asked to stop: together with the wait
    /// at least the longest time that the proxy gives a request, counted from the
    /// last that it may have brought.
    pub(super) fn grace(&self, context: &Context, stage: &Stage) -> Duration {
        let longest = stage.longest_request + self.lingering;
        stage.services.stop_grace.max(longest.saturating_sub(self.so_far(context)))
    }
}

/// How long a request is awaited, from its beginning: see above.
fn patience(longest_request: Duration) -> Duration {
    longest_request / 2
}

/// What a slot has that gets nothing new.
struct UnderWay {
    all: u64,
    /// Those that may still be awaited; `None` where the proxy does not answer.
    awaited: Option<u64>,
}

impl UnderWay {
    async fn of(stage: &Stage, slot: Slot, patience: Duration) -> Self {
        match stage.session.runtime.under_way(slot).await {
            Ok(waits) => Self::among(&waits.unwrap_or_default(), patience),
            Err(_) => Self { all: 0, awaited: None },
        }
    }

    fn among(waits: &Waits, patience: Duration) -> Self {
        let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        Self {
            all: waits.values().sum(),
            awaited: Some(waits.range(..patience).map(|(_, count)| count).sum()),
        }
    }

    fn told(&self, waited: Duration, patience: Duration) -> String {
        let what = match self.awaited {
            None => "the proxy does not tell what is under way".into(),
            Some(1) => "1 request is awaited".into(),
            Some(awaited) => format!("{awaited} requests are awaited"),
        };
        format!("{} s: {what}, at most {} s", waited.as_secs(), patience.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_awaited_for_half_of_the_time_that_the_proxy_gives_it() {
        let patience = patience(Duration::from_secs(30));
        let waits = Waits::from([(0, 1), (14_900, 2), (15_000, 4), (3_600_000, 8)]);
        let under_way = UnderWay::among(&waits, patience);
        assert_eq!((under_way.all, under_way.awaited), (15, Some(3)));
        let told = under_way.told(Duration::from_secs(11), patience);
        assert_eq!(told, "11 s: 3 requests are awaited, at most 15 s");
    }
}
