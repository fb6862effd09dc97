//! Watches an answer's body on its way: one that ends in an error, or in a
//! silence, has broken off, and its slot's own metrics do not show it. Where the
//! client goes away the body is dropped, which says nothing about the slot.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::access_log::Entry;
use super::upload::Upload;

/// The same answer, watched until its last byte. Longer than `limit` nothing is
/// waited for, as by nginx' `proxy_read_timeout`; `upload` is what the client
/// still sends, if it sends anything.
pub fn watched(
    response: Response,
    entry: &Arc<Entry>,
    limit: Duration,
    upload: Option<Arc<Upload>>,
) -> Response {
    response.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        let silence = Silence { limit, upload, timer: None };
        Body::new(Download { body, silence, entry: Some(Arc::clone(entry)) })
    })
}

struct Download {
    body: Body,
    silence: Silence,
    /// Until the end is known: then the entry is not kept open any longer.
    entry: Option<Arc<Entry>>,
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_pending() {
            ready!(self.silence.poll_too_long(context));
            // What it may still say nobody waits for: its connection is closed.
            self.body = Body::empty();
            let reason = io::Error::new(io::ErrorKind::TimedOut, "the answer does not go on");
            polled = Poll::Ready(Some(Err(axum::Error::new(reason))));
        }
        self.silence.ends();
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(_))) if !self.body.is_end_stream() => {}
            Poll::Ready(Some(Err(_))) => {
                if let Some(entry) = self.entry.take() {
                    entry.breaks_off();
                }
            }
            Poll::Ready(_) => self.entry = None,
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How long the service has been waited for. It begins when something is wanted
/// of it and it has nothing, so a client that takes its time does not count.
struct Silence {
    limit: Duration,
    upload: Option<Arc<Upload>>,
    /// While it lasts; most answers are there at once and need no timer.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    fn poll_too_long(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        loop {
            ready!(timer.as_mut().poll(context));
            // A service that answers while it is sent to may be waiting for the client.
            let moved = self.upload.as_ref().map_or(limit, |upload| upload.idle());
            let left = limit.saturating_sub(moved);
            if left.is_zero() {
                return Poll::Ready(());
            }
            timer.set(sleep(left));
        }
    }

    fn ends(&mut self) {
        self.timer = None;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::future::{poll_fn, ready};

    use axum::body::to_bytes;
    use axum::extract::Request;
    use axum::http::StatusCode;
    use chrono::DateTime;
    use futures_util::{Stream, StreamExt as _, stream};

    use super::super::access_log::AccessLog;
    use super::super::log_file::LogFile;
    use super::*;
    use crate::clock::{SharedClock, SystemClock};
    use crate::domain::Slot;
    use crate::runtime::failures;

    const LIMIT: Duration = Duration::from_millis(200);
    /// Never reached.
    const LONG: Duration = Duration::from_mins(1);

    /// An answer with this body as its client gets it, and its log.
    struct Answer {
        body: Body,
        log: AccessLog,
        folder: tempfile::TempDir,
    }

    impl Answer {
        fn new(body: Body, limit: Duration) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let open = |name| LogFile::open(&folder.path().join(name)).unwrap();
            let clock = SystemClock::shared();
            let log = AccessLog::write_to(open("all"), open("failed"), SharedClock::clone(&clock)).unwrap();
            let entry = log.enter(&Request::new(Body::empty()), &clock);
            entry.is_for(Slot::Green);
            entry.answered(StatusCode::OK);
            let body = watched(Response::new(body), &entry, limit, None).into_body();
            Self { body, log, folder }
        }

        /// What there is until its end, and how many broke off by the log.
        async fn end(self) -> (Result<Bytes, axum::Error>, u64) {
            let read = to_bytes(self.body, usize::MAX).await;
            self.log.close().await;
            let failures = fs::read_to_string(self.folder.path().join("failed")).unwrap();
            let told = failures::count(&failures, true, Slot::Green, DateTime::UNIX_EPOCH).unwrap();
            (read, told.broken)
        }
    }

    type Piece = io::Result<&'static str>;

    fn half() -> impl Stream<Item = Piece> + Send + 'static {
        stream::once(ready(Ok("half")))
    }

    /// Comes some time after it is asked for, and sooner than the limit.
    fn later() -> impl Stream<Item = Piece> + Send + 'static {
        stream::once(async {
            sleep(LIMIT / 4).await;
            Ok("later")
        })
    }

    #[tokio::test]
    async fn a_silence_longer_than_the_limit_breaks_the_answer_off() {
        let silent = Body::from_stream(half().chain(stream::pending()));
        let (read, broken) = Answer::new(silent, LIMIT).end().await;
        assert!(read.unwrap_err().to_string().contains("does not go on"));
        assert_eq!(broken, 1);
    }

    #[tokio::test]
    async fn an_answer_that_keeps_sending_may_take_longer_than_the_limit() {
        let pings = stream::iter(0..6).then(|_| async {
            sleep(LIMIT / 4).await;
            Ok::<_, io::Error>("ping")
        });
        let (read, broken) = Answer::new(Body::from_stream(pings), LIMIT).end().await;
        assert_eq!((read.unwrap().len(), broken), (24, 0));
    }

    #[tokio::test]
    async fn a_client_that_takes_its_time_is_no_silence() {
        let mut answer = Answer::new(Body::from_stream(half().chain(later())), LIMIT);
        let piece = poll_fn(|context| Pin::new(&mut answer.body).poll_frame(context)).await;
        assert!(piece.unwrap().is_ok());
        // It reads nothing for longer than a service may be silent.
        sleep(LIMIT * 2).await;
        let (read, broken) = answer.end().await;
        assert_eq!((read.unwrap(), broken), (Bytes::from("later"), 0));
    }

    #[tokio::test]
    async fn an_error_breaks_the_answer_off_at_once() {
        let error = stream::once(ready(Err(io::Error::other("reset"))));
        let (read, broken) = Answer::new(Body::from_stream(half().chain(error)), LONG).end().await;
        assert!(read.is_err());
        assert_eq!(broken, 1);
    }
}
