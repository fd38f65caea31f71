//! A whole body in memory, within its limit and within what the process spends on bodies.
//!
//! A bound on what is spent alone would be a gift to whoever begins that many bodies and stalls:
//! all others would be refused until those are timed out. When it is spent, whichever body has been
//! arriving longest goes for the one that comes. What has arrived never does, and nobody goes where
//! that would not make room enough.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::body::Bytes;
use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::problem::{BODY_TOO_LARGE, OVERLOADED, Problem, SLOW_REQUEST};

/// What the process spends on bodies.
#[derive(Debug)]
pub(super) struct Bodies {
    /// A permit for each KiB.
    room: Arc<Semaphore>,
    arriving: Mutex<Arrivals>,
}

/// The bodies that are arriving, the oldest first.
#[derive(Debug, Default)]
struct Arrivals {
    next: u64,
    held: BTreeMap<u64, Held>,
}

/// What a body holds while it arrives. Taken from it, its reader hears.
#[derive(Debug)]
struct Held {
    room: Option<OwnedSemaphorePermit>,
    _reader: oneshot::Sender<()>,
}

impl Bodies {
    pub(super) fn new(kib: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(kib)), arriving: Mutex::default() }
    }

    /// Reads a body. The permit gives its memory back when dropped.
    pub(super) async fn read<B: Body<Data = Bytes> + Unpin>(
        &self,
        body: B,
        limit_bytes: usize,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem> {
        let announced = body.size_hint().lower();
        if usize::try_from(announced).map_or(true, |announced| announced > limit_bytes) {
            return Err(Problem::new(&BODY_TOO_LARGE));
        }
        if body.is_end_stream() {
            return Ok((Bytes::new(), None));
        }
        let (arriving, sent_away) = self.begin();
        tokio::select! {
            biased;
            _ = sent_away => Err(overloaded()),
            read = arriving.read(body, limit_bytes) => read,
        }
    }

    /// A body begins to arrive; the receiver hears if it has to go.
    fn begin(&self) -> (Arriving<'_>, oneshot::Receiver<()>) {
        let (reader, sent_away) = oneshot::channel();
        let mut arriving = self.lock();
        let number = arriving.next;
        arriving.next = number.wrapping_add(1);
        arriving.held.insert(number, Held { room: None, _reader: reader });
        (Arriving { bodies: self, number, kib: 0 }, sent_away)
    }

    fn lock(&self) -> MutexGuard<'_, Arrivals> {
        self.arriving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that is arriving. What it holds is given back when this is dropped.
struct Arriving<'b> {
    bodies: &'b Bodies,
    number: u64,
    kib: usize,
}

impl Arriving<'_> {
    async fn read<B: Body<Data = Bytes> + Unpin>(
        mut self,
        mut body: B,
        limit_bytes: usize,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem> {
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::malformed("the body ended early"))?;
            let Ok(data) = frame.into_data() else { continue };
            let bytes = whole.len().saturating_add(data.len());
            if bytes > limit_bytes {
                return Err(Problem::new(&BODY_TOO_LARGE));
            }
            self.grow(bytes)?;
            whole.extend_from_slice(&data);
        }
        let held = self.bodies.lock().held.remove(&self.number).ok_or_else(overloaded)?;
        Ok((whole.freeze(), held.room))
    }

    /// Takes room for the body to be so long: what is free, or else what those hold that have been
    /// arriving longer, if that is enough.
    fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let kib = bytes.div_ceil(1_024);
        let more = kib.saturating_sub(self.kib);
        if more == 0 {
            return Ok(());
        }
        let mut arriving = self.bodies.lock();
        arriving.make_room(&self.bodies.room, more, self.number);
        let held = arriving.held.get_mut(&self.number).ok_or_else(overloaded)?;
        let many = u32::try_from(more).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.bodies.room).try_acquire_many_owned(many);
        let more = more.map_err(|_| overloaded())?;
        match &mut held.room {
            Some(room) => room.merge(more),
            none => *none = Some(more),
        }
        self.kib = kib;
        Ok(())
    }
}

impl Arrivals {
    /// Sends away as many as hold room for so many KiB, the oldest first, of those that came before
    /// one. If all of them hold too little, nobody.
    fn make_room(&mut self, room: &Semaphore, kib: usize, before: u64) {
        let mut missing = kib.saturating_sub(room.available_permits());
        let mut going = Vec::new();
        for (number, held) in self.held.range(..before) {
            if missing == 0 {
                break;
            }
            let holds = held.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            if holds > 0 {
                going.push(*number);
                missing = missing.saturating_sub(holds);
            }
        }
        if missing == 0 {
            for number in going {
                self.held.remove(&number);
            }
        }
    }
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        self.bodies.lock().held.remove(&self.number);
    }
}

fn overloaded() -> Problem {
    Problem::new(&OVERLOADED).retry_after(1)
}

/// The answer to a body that does not arrive.
pub(super) fn too_slow() -> Problem {
    Problem::new(&SLOW_REQUEST)
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, iter};

    use futures_util::{FutureExt, StreamExt, future, stream};
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    const LIMIT: usize = 1 << 20;

    fn pieces(sizes: impl Iterator<Item = usize>) -> impl Body<Data = Bytes> + Unpin {
        let piece = |size| Ok::<_, Infallible>(Frame::data(vec![b'x'; size].into()));
        StreamBody::new(stream::iter(sizes.map(piece)))
    }

    /// So many bytes, and then nothing more.
    fn stalled(size: usize) -> impl Body<Data = Bytes> + Unpin {
        let first = Frame::data(Bytes::from(vec![b'x'; size]));
        let first = stream::once(future::ready(Ok::<_, Infallible>(first)));
        StreamBody::new(first.chain(stream::pending()))
    }

    fn whole(size: usize) -> Full<Bytes> {
        Full::from(vec![b'x'; size])
    }

    #[tokio::test]
    async fn a_body_takes_what_it_needs_in_however_many_pieces_it_comes() {
        let bodies = Bodies::new(2);
        let (bytes, held) = bodies.read(pieces(iter::repeat_n(1, 1_500)), LIMIT).await.unwrap();
        assert_eq!((bytes.len(), bodies.room.available_permits()), (1_500, 0));
        drop(held);
        assert_eq!(bodies.room.available_permits(), 2);
        let (bytes, held) = bodies.read(pieces([0; 3].into_iter()), LIMIT).await.unwrap();
        assert!(bytes.is_empty() && held.is_none());
    }

    #[tokio::test]
    async fn who_has_been_sending_longest_goes_when_there_is_no_room() {
        let bodies = Bodies::new(3);
        let mut stalled = [0, 1, 2_048].map(|size| Box::pin(bodies.read(stalled(size), LIMIT)));
        for reading in &mut stalled {
            assert!(reading.now_or_never().is_none());
        }
        let [nothing, first, second] = &mut stalled;
        let (_, arrived) = bodies.read(whole(1_024), LIMIT).await.unwrap();
        assert_eq!(first.now_or_never().unwrap().unwrap_err().code(), "overloaded");
        assert!(second.now_or_never().is_none());
        // What has arrived stays, and so this one is too much even if the second went.
        assert_eq!(bodies.read(whole(3_072), LIMIT).await.unwrap_err().code(), "overloaded");
        assert!(second.as_mut().now_or_never().is_none());
        let (_, also) = bodies.read(whole(2_048), LIMIT).await.unwrap();
        assert_eq!(second.now_or_never().unwrap().unwrap_err().code(), "overloaded");
        // Nobody goes who has nothing to give.
        assert!(nothing.as_mut().now_or_never().is_none());
        drop((arrived, also, stalled));
        assert_eq!(bodies.room.available_permits(), 3);
        assert!(bodies.lock().held.is_empty());
    }

    #[tokio::test]
    async fn who_is_waited_for_no_longer_gives_its_room_back() {
        let bodies = Bodies::new(1);
        let mut reading = Box::pin(bodies.read(stalled(9), LIMIT));
        assert!(reading.as_mut().now_or_never().is_none());
        assert_eq!(bodies.room.available_permits(), 0);
        drop(reading);
        assert_eq!(bodies.room.available_permits(), 1);
        assert_eq!(bodies.read(pieces([9].into_iter()), 8).await.unwrap_err().status(), 413);
        assert!(bodies.lock().held.is_empty());
    }
}
