//! Waiting for something to come about, the one way to wait in a test.
#![allow(clippy::panic, reason = "a test tells what went wrong by ending")]

use std::time::Duration;

/// Longest wait for anything that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again and again until there is something to return.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let search = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let Ok(found) = tokio::time::timeout(PATIENCE, search).await else {
        panic!("within {PATIENCE:?} it did not come about that {what}")
    };
    found
}
