//! Asks again after a failure: one health check that failed says nothing yet,
//! so many in a row do, as with Docker. Docker asks all the time and has the
//! earlier answers; here they are asked for in one look, which has to be quick.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::select_ok;

/// Pause before the next one is asked.
const PAUSE: Duration = Duration::from_millis(250);

/// All pauses together are never longer.
const PAUSES: Duration = Duration::from_secs(1);

/// Asks, and up to `retries - 1` times more until it is fine. The next one is
/// asked without waiting for the end of the last, and each is given its whole time:
/// with those that hang it takes no longer than two of them and the pauses.
pub async fn insist<A>(retries: u32, ask: impl Fn() -> A) -> Result<(), String>
where
    A: Future<Output = Result<(), String>> + Send,
{
    let first = ask().await;
    let more = retries.saturating_sub(1);
    if first.is_ok() || more == 0 {
        return first;
    }
    let pause = PAUSE.min(PAUSES / more);
    let asked = (1..=more).map(|nth| {
        let answer = ask();
        async move {
            tokio::time::sleep(pause * nth).await;
            answer.await
        }
        .boxed()
    });
    select_ok(asked).await.map(|((), _)| ())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use rstest::rstest;
    use tokio::sync::Barrier;

    use super::*;

    #[rstest]
    #[case::at_once(3, 0, true, 1)]
    #[case::at_last(3, 2, true, 3)]
    #[case::never(3, 3, false, 3)]
    #[case::of_one(1, 1, false, 1)]
    #[case::of_many(100, 100, false, 100)]
    #[tokio::test]
    async fn so_many_failures_in_a_row_count(
        #[case] retries: u32,
        #[case] failures: u32,
        #[case] expected: bool,
        #[case] times: u32,
    ) {
        let asked = AtomicU32::new(0);
        let answer = insist(retries, async || {
            let nth = asked.fetch_add(1, Ordering::Relaxed);
            if nth < failures { Err("503".to_owned()) } else { Ok(()) }
        });
        assert_eq!(answer.await.is_ok(), expected);
        assert_eq!(asked.into_inner(), times);
    }

    /// Or a service that hangs would be waited for once more for each.
    #[tokio::test]
    async fn those_after_the_first_are_waited_for_together() {
        let (asked, together) = (AtomicU32::new(0), Barrier::new(4));
        let answer = insist(5, async || {
            if asked.fetch_add(1, Ordering::Relaxed) > 0 {
                together.wait().await;
            }
            Err("it hangs".to_owned())
        });
        let answer = tokio::time::timeout(Duration::from_secs(30), answer).await;
        assert_eq!(answer.unwrap(), Err("it hangs".to_owned()));
    }
}
