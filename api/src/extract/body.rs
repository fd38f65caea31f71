//! The bytes of a body, within the limit.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
};
use http::StatusCode;

use crate::problem::{BODY_TOO_LARGE, Problem};

/// Reads the whole body.
pub(crate) async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(&BODY_TOO_LARGE)
        } else {
            Problem::malformed("the body ended early")
        }
    })
}
