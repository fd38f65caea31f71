//! A whole body in memory, within its limit and within what the process spends on bodies.

use std::sync::Arc;

use axum::body::Bytes;
use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{BODY_TOO_LARGE, OVERLOADED, Problem, SLOW_REQUEST};

/// Reads a body. The permit gives its memory back when dropped.
pub(super) async fn read(
    mut body: Incoming,
    limit_bytes: usize,
    budget: &Arc<Semaphore>,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem> {
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| announced > limit_bytes) {
        return Err(Problem::new(&BODY_TOO_LARGE));
    }
    let mut whole = BytesMut::new();
    let mut held: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::malformed("the body ended early"))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len().saturating_add(data.len()) > limit_bytes {
            return Err(Problem::new(&BODY_TOO_LARGE));
        }
        let kib = u32::try_from(data.len().div_ceil(1_024)).unwrap_or(u32::MAX);
        let more = Arc::clone(budget).try_acquire_many_owned(kib);
        let more = more.map_err(|_| Problem::new(&OVERLOADED).retry_after(1))?;
        match &mut held {
            Some(held) => held.merge(more),
            None => held = Some(more),
        }
        whole.extend_from_slice(&data);
    }
    Ok((whole.freeze(), held))
}

/// The answer to a body that does not arrive.
pub(super) fn too_slow() -> Problem {
    Problem::new(&SLOW_REQUEST)
}
