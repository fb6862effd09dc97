//! Watches an answer's body on its way: one that ends in an error has broken
//! off, and its slot's own metrics do not show it. Where the client goes away
//! the body is dropped, which says nothing about the slot.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::access_log::Entry;

/// The same answer, watched until its last byte.
pub fn watched(response: Response, entry: &Arc<Entry>) -> Response {
    response.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Download { body, entry: Some(Arc::clone(entry)) })
    })
}

struct Download {
    body: Body,
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
        let polled = Pin::new(&mut self.body).poll_frame(context);
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
