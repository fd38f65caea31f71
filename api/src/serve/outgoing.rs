//! The body of an answer, in pieces that the client has to take.
//!
//! On HTTP/1.1 a client that takes nothing fills the socket, which shows. On HTTP/2 it closes the
//! window of one stream, and everything else on the connection goes on: it can ask for much, take
//! none of it, and look busy by pings. What shows is that the next piece is not fetched.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use hyper::body::{Body as _, Frame, SizeHint};

use super::{
    activity::{Activity, Taking},
    seats::Seats,
};
use crate::edge::Size;

/// Bytes of a piece: what the least rate takes no longer for than a client is waited for.
const PIECE: usize = 2_048;
/// What compressing an answer takes beside its body. Only then is a length not known.
const COMPRESSOR_BYTES: usize = 320 << 10;

/// A body on its way.
pub(super) struct Outgoing {
    body: Body,
    /// What of the last frame is not fetched yet.
    rest: Bytes,
    taking: Taking,
}

impl Outgoing {
    /// Sends an answer on its way.
    pub(super) fn answer(
        response: Response,
        activity: &Activity,
        seats: &Seats,
    ) -> http::Response<Self> {
        let taking = activity.taking(memory(&response));
        seats.keep_answers_within_bounds();
        response.map(|body| Self { body, rest: Bytes::new(), taking })
    }
}

/// Bytes of memory that an answer takes until its client has taken it.
fn memory(response: &Response) -> usize {
    let body = response.body().size_hint();
    let size = response.extensions().get().map_or(body.lower(), |Size(size)| *size);
    let compressor = if body.exact().is_none() { COMPRESSOR_BYTES } else { 0 };
    usize::try_from(size).unwrap_or(usize::MAX).saturating_add(compressor)
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let polled = Pin::new(&mut self.body).poll_frame(cx);
            if polled.is_pending() {
                self.taking.waits_for_us();
            }
            match ready!(polled).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(frame))) => return Poll::Ready(Some(Ok(frame))),
                Some(Err(fault)) => return Poll::Ready(Some(Err(fault))),
                None => return Poll::Ready(None),
            }
        }
        let bytes = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(bytes);
        self.taking.took(bytes);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, later) =
            (u64::try_from(self.rest.len()).unwrap_or(u64::MAX), self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(later.lower().saturating_add(rest));
        if let Some(upper) = later.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use futures_util::stream;

    use super::*;

    #[test]
    fn compressing_takes_memory_whatever_is_compressed() {
        assert_eq!(memory(&"abc".into_response()), 3);
        let frames = stream::empty::<Result<Bytes, axum::Error>>();
        let mut zipped = Body::from_stream(frames).into_response();
        zipped.extensions_mut().insert(Size(3));
        assert_eq!(memory(&zipped), COMPRESSOR_BYTES + 3);
    }
}
