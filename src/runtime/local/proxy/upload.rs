//! Watches a request's body on its way, so that the wait for the service
//! counts from the last byte that moved and not from the start of an upload.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use futures_util::StreamExt as _;

use super::access_log::Sending;
use crate::clock::SharedClock;

/// The progress of one request's body.
pub struct Upload {
    clock: SharedClock,
    started: Instant,
    /// Milliseconds from the start to the last movement.
    moved_ms: AtomicU64,
    broke: AtomicBool,
}

impl Upload {
    pub fn new(clock: SharedClock) -> Arc<Self> {
        let started = clock.instant();
        Arc::new(Self { clock, started, moved_ms: AtomicU64::new(0), broke: AtomicBool::new(false) })
    }

    /// The same body, watched; `sending` is let go of with it.
    pub fn watch(self: &Arc<Self>, body: Body, sending: Sending) -> Body {
        let upload = Arc::clone(self);
        Body::from_stream(body.into_data_stream().inspect(move |piece| {
            let _ = &sending;
            let elapsed = upload.clock.instant().duration_since(upload.started);
            upload.moved_ms.store(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
            if piece.is_err() {
                upload.broke.store(true, Ordering::Relaxed);
            }
        }))
    }

    /// Whether the client did not send its body to the end.
    pub fn broke(&self) -> bool {
        self.broke.load(Ordering::Relaxed)
    }

    /// How long nothing has moved.
    pub fn idle(&self) -> Duration {
        let moved = Duration::from_millis(self.moved_ms.load(Ordering::Relaxed));
        self.clock.instant().duration_since(self.started).saturating_sub(moved)
    }

    /// Waits for `answer` as long as no more than `limit` passes without
    /// movement; `None` when it did not come.
    pub async fn wait<T>(&self, answer: impl Future<Output = T>, limit: Duration) -> Option<T> {
        tokio::pin!(answer);
        loop {
            let left = limit.saturating_sub(self.idle());
            if left.is_zero() {
                return None;
            }
            tokio::select! {
                biased;
                answer = &mut answer => return Some(answer),
                () = tokio::time::sleep(left) => {}
            }
        }
    }
}
