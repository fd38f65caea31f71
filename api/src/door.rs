//! The door before the handlers: how many requests are worked on at once.
//!
//! What is asked beyond what fits would only wait further in, for a connection to the database,
//! until its client has given up: everybody would be slow, and much would be done for nobody. So
//! it waits here, and not for long. A line that is empty now and then is a burst, and worth
//! waiting for; before one that has stood for [`BURST`] only whoever gets in within [`STANDING`]
//! is let in, and all others are told at once. This is controlled delay (Nichols and Jacobson,
//! 2012) in the form that suits servers (Maurer, Fail at Scale, 2015).
//!
//! Refuses to keep a place for a request that waits for something else than the processor and the
//! database, see [`aside`]: few of those would shut the door on all others.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

/// How long a request waits in a burst, and for how long a line is one.
const BURST: Duration = Duration::from_millis(100);
/// How long a request waits in a line that has stood longer than that.
const STANDING: Duration = Duration::from_millis(5);

tokio::task_local! {
    static PLACE: Place;
}

/// The places inside, and the line before them. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Door(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: Arc<Semaphore>,
    most: usize,
    /// When somebody last found no line.
    no_line: Mutex<Instant>,
}

impl Door {
    /// A door to so many places.
    pub(crate) fn new(most: usize) -> Self {
        let places = Arc::new(Semaphore::new(most));
        Self(Arc::new(Inner { places, most, no_line: Mutex::new(Instant::now()) }))
    }

    /// How many places are taken.
    pub(crate) fn taken(&self) -> usize {
        self.0.most.saturating_sub(self.0.places.available_permits())
    }

    /// A place; `None` if more is asked than fits.
    pub(crate) async fn enter(&self) -> Option<Place> {
        let permit = match Arc::clone(&self.0.places).try_acquire_owned() {
            Ok(permit) => {
                *lock(&self.0.no_line) = Instant::now();
                Some(permit)
            }
            Err(_) => self.wait(self.patience()).await,
        };
        permit
            .map(|permit| Place { door: self.clone(), permit: Arc::new(Mutex::new(Some(permit))) })
    }

    fn patience(&self) -> Duration {
        if lock(&self.0.no_line).elapsed() > BURST { STANDING } else { BURST }
    }

    async fn wait(&self, at_most: Duration) -> Option<OwnedSemaphorePermit> {
        timeout(at_most, Arc::clone(&self.0.places).acquire_owned()).await.ok()?.ok()
    }
}

/// A place inside, for as long as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    door: Door,
    permit: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl Place {
    /// Does a request's work in this place, which is given back at the end.
    pub(crate) async fn hold<F: Future>(self, work: F) -> F::Output {
        PLACE.scope(self, work).await
    }
}

/// Gives the place back early: nothing remains but to wait and to answer.
pub(crate) fn leave() {
    let place = PLACE.try_with(|place| lock(&place.permit).take());
    drop(place);
}

/// Waits for what needs neither the processor nor the database, with the place given back
/// meanwhile. Who comes back waits for another no longer than a burst, and then goes on without:
/// others may be waiting for what it holds.
pub(crate) async fn aside<F: Future>(wait: F) -> F::Output {
    let mut wait = pin!(wait);
    if let Some(output) = wait.as_mut().now_or_never() {
        return output;
    }
    leave();
    let output = wait.await;
    if let Ok(place) = PLACE.try_with(Place::clone) {
        let permit = place.door.wait(BURST).await;
        *lock(&place.permit) = permit;
    }
    output
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_burst_is_waited_for_and_a_standing_line_is_not() {
        let door = Door::new(1);
        let place = door.enter().await.unwrap();
        assert_eq!(door.patience(), BURST);
        let begun = Instant::now();
        assert!(door.enter().await.is_none());
        assert!(begun.elapsed() >= BURST);
        // The line has stood for a burst now.
        assert_eq!(door.patience(), STANDING);
        let (next, ()) = tokio::join!(biased; door.enter(), async { drop(place) });
        let next = next.unwrap();
        assert_eq!(door.patience(), STANDING);
        drop(next);
        assert!(door.enter().await.is_some());
        assert_eq!(door.patience(), BURST);
    }

    #[tokio::test]
    async fn who_waits_for_something_else_keeps_nobody_out() {
        let door = Door::new(1);
        let (began, begun) = oneshot::channel::<()>();
        let (done, waited_for) = oneshot::channel::<()>();
        let (place, inside) = (door.enter().await.unwrap(), door.clone());
        let work = tokio::spawn(place.hold(async move {
            // What takes no time gives nobody room.
            aside(async {}).await;
            let kept = inside.taken();
            began.send(()).unwrap();
            aside(waited_for).await.unwrap();
            kept
        }));
        begun.await.unwrap();
        let other = door.enter().await.unwrap();
        done.send(()).unwrap();
        // The other stays, and the first goes on all the same.
        assert_eq!(work.await.unwrap(), 1);
        assert_eq!(door.taken(), 1);
        drop(other);
        assert_eq!(door.taken(), 0);
    }

    #[tokio::test]
    async fn who_comes_back_has_a_place_again() {
        let door = Door::new(1);
        let inside = door.clone();
        let place = door.enter().await.unwrap();
        let work = place.hold(async move {
            aside(tokio::task::yield_now()).await;
            let back = inside.taken();
            leave();
            (back, inside.taken())
        });
        assert_eq!(work.await, (1, 0));
        assert_eq!(aside(async { 7 }).await, 7);
    }
}
