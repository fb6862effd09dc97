//! What the proxy serves, read through its public port: the one proof that a
//! configuration is in force.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::clock::SharedClock;
use crate::domain::Routes;

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(2);
/// Time between two questions.
const PAUSE: Duration = Duration::from_millis(40);
/// A generation's name is short; what is longer is not ours.
const LONGEST: u64 = 200;

/// The client for markers. Every question goes over a new connection: an old
/// one would be answered by an old worker.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(ANSWER)
        .pool_max_idle_per_host(0)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// The generation served at an address; the error is for people.
pub async fn served(http: &reqwest::Client, address: SocketAddr) -> Result<String, String> {
    let url = format!("http://{address}{}", Routes::MARKER_PATH);
    let answer = http.get(&url).send().await.map_err(|error| {
        if error.is_connect() {
            "nothing (nobody listens)".to_owned()
        } else if error.is_timeout() {
            format!("nothing (no answer within {ANSWER:?})")
        } else {
            format!("nothing ({error})")
        }
    })?;
    if !answer.status().is_success() {
        return Err(format!("no marker (status {})", answer.status().as_u16()));
    }
    if answer.content_length().is_none_or(|length| length > LONGEST) {
        return Err("no marker (an answer of another kind)".to_owned());
    }
    let text = answer.text().await.map_err(|error| format!("nothing ({error})"))?;
    Ok(text.trim().to_owned())
}

/// Whether anything of ours is served within the limit, be it at the second
/// try: a proxy that is busy for a moment is not to be taken for a dead one.
pub async fn answers(
    http: &reqwest::Client,
    clock: &SharedClock,
    address: SocketAddr,
    limit: Duration,
) -> bool {
    let started = clock.instant();
    while served(http, address).await.is_err() {
        if clock.instant().saturating_duration_since(started) >= limit {
            return false;
        }
        tokio::time::sleep(PAUSE).await;
    }
    true
}

/// Waits until a generation is served `in_a_row` times, one after the other;
/// the error says what is served instead.
///
/// After a reload nginx lets old and new workers take connections side by side
/// for 100 ms, so that a single right answer proves nothing: see [`SETTLED`].
pub async fn await_generation(
    http: &reqwest::Client,
    clock: &SharedClock,
    address: SocketAddr,
    wanted: &str,
    in_a_row: u32,
    limit: Duration,
) -> Result<(), (String, Duration)> {
    let started = clock.instant();
    let passed = |now: Instant| now.saturating_duration_since(started);
    let mut right = 0;
    loop {
        let found = served(http, address).await;
        right = if found.as_deref() == Ok(wanted) { right + 1 } else { 0 };
        if right >= in_a_row {
            return Ok(());
        }
        if passed(clock.instant()) >= limit {
            let (Ok(found) | Err(found)) = found;
            return Err((found, passed(clock.instant())));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Right answers in a row after a reload: 7 pauses of 40 ms are well beyond
/// the 100 ms in which old workers still take connections.
pub const SETTLED: u32 = 8;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::clock::SystemClock;

    /// Serves the answers one after the other and then the last for ever.
    async fn proxy(answers: &'static [&'static str]) -> (SocketAddr, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let answer = move || {
            let at = counter.fetch_add(1, Ordering::SeqCst);
            std::future::ready(answers[at.min(answers.len() - 1)])
        };
        let app = axum::Router::new().route(Routes::MARKER_PATH, axum::routing::get(answer));
        (serve(app).await, asked)
    }

    async fn serve(app: axum::Router) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    }

    #[tokio::test]
    async fn one_right_answer_among_old_ones_is_not_enough() {
        let (address, asked) = proxy(&["new", "old", "new", "new", "new"]).await;
        let http = client().unwrap();
        let limit = Duration::from_secs(10);
        await_generation(&http, &SystemClock::shared(), address, "new", 3, limit).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 5);
    }

    #[tokio::test]
    async fn a_wait_that_ends_in_vain_tells_what_is_served() {
        let (address, _) = proxy(&["old"]).await;
        let http = client().unwrap();
        let limit = Duration::from_millis(100);
        let (found, waited) =
            await_generation(&http, &SystemClock::shared(), address, "new", 1, limit).await.unwrap_err();
        assert_eq!(found, "old");
        assert!(waited >= limit);
    }

    #[tokio::test]
    async fn what_is_not_a_marker_is_told_as_such() {
        let http = client().unwrap();
        let other = serve(axum::Router::new()).await;
        assert_eq!(served(&http, other).await.unwrap_err(), "no marker (status 404)");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let dead = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(served(&http, dead).await.unwrap_err(), "nothing (nobody listens)");
    }
}
