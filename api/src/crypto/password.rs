//! Passwords: argon2id in a bounded pool.
//!
//! Owns hashing and checking. Refuses to let sign-ins take the machine: at most one hash a core
//! less one runs and gives way to everything else, a bounded number waits, and the rest is told to
//! come back.

use std::{fmt, sync::Arc};

use argon2::{Algorithm, Argon2, Params, Version, password_hash::phc::PasswordHash};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use zeroize::Zeroizing;

use super::{
    argon::{self, Memory, Shelf},
    random,
};
use crate::{
    config::Auth,
    door,
    problem::{OVERLOADED, Problem},
};

/// Fewest characters of a new password (NIST SP 800-63B).
pub const MIN_CHARS: usize = 8;
/// Most characters of a password.
pub const MAX_CHARS: usize = 1_024;
/// How many may wait for each hash that runs.
const WAITING_PER_WORKER: usize = 64;

/// How much nicer a hash is to whoever else wants the core (nice(2)): tens of milliseconds are nothing to
/// who signs in, and much to a command that waits for them. Of a core that others want all of, it
/// still gets a fourth.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// A password as typed: unmodified, never shown, wiped when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl Password {
    /// A new password: 8 to 1024 characters, any characters.
    ///
    /// # Errors
    /// `invalid-field` at `pointer` for another length.
    pub fn new(text: String, pointer: &str) -> Result<Self, Problem> {
        let text = Zeroizing::new(text);
        if (MIN_CHARS..=MAX_CHARS).contains(&text.chars().count()) {
            return Ok(Self(text));
        }
        let rule = format!("a password has {MIN_CHARS} to {MAX_CHARS} characters");
        Err(Problem::invalid_field(pointer, rule))
    }

    /// A password of our own making.
    #[must_use]
    pub fn generated(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// A password to be checked: whatever was typed, but not without bound.
    ///
    /// # Errors
    /// `invalid-field` at `pointer` beyond 1024 characters.
    pub fn typed(text: String, pointer: &str) -> Result<Self, Problem> {
        let text = Zeroizing::new(text);
        if text.chars().count() <= MAX_CHARS {
            return Ok(Self(text));
        }
        Err(Problem::invalid_field(
            pointer,
            format!("a password has at most {MAX_CHARS} characters"),
        ))
    }

    /// A secret that is hashed like a password, such as that of an API key.
    pub(super) fn secret(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

/// Why a hash was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Too many are waiting.
    #[error("too many passwords are being hashed")]
    Overloaded,
    /// The library failed, or a stored hash is damaged.
    #[error("a password could not be hashed")]
    Failed,
}

impl From<HashError> for Problem {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Overloaded => Self::new(&OVERLOADED).retry_after(1),
            HashError::Failed => Self::internal(error),
        }
    }
}

/// How busy the pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Hashes being made.
    pub running: usize,
    /// Hashes waiting for a worker.
    pub waiting: usize,
    /// Most that may wait.
    pub most_waiting: usize,
}

/// What came of checking a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is not the password.
    Wrong,
    /// It is.
    Right,
    /// It is, and its hash was made with other costs than today's: hash it anew.
    RightButOutdated,
}

/// The pool that hashes. Cheap to clone.
#[derive(Clone)]
pub struct PasswordHashing(Arc<Inner>);

struct Inner {
    argon2: Argon2<'static>,
    most_workers: usize,
    workers: Arc<Semaphore>,
    /// A place for each hash that waits or runs.
    places: Arc<Semaphore>,
    shelf: Shelf,
    /// The hash of a password nobody has: checking against it takes the time of a real check.
    dummy: String,
}

impl fmt::Debug for PasswordHashing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHashing")
    }
}

impl PasswordHashing {
    /// A pool with the configured costs, for as many cores as there are less one.
    ///
    /// # Errors
    /// Costs that argon2id refuses.
    pub fn new(auth: &Auth) -> Result<Self, HashError> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self::with_workers(auth, cores.saturating_sub(1).max(1))
    }

    fn with_workers(auth: &Auth, workers: usize) -> Result<Self, HashError> {
        let params = Params::new(
            auth.password_memory_kib,
            auth.password_iterations,
            auth.password_parallelism,
            None,
        );
        let params = params.map_err(|_| HashError::Failed)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = Zeroizing::new(random::<32>());
        let dummy = argon::hash(&argon2, nobody.as_ref(), &mut Memory::default())?;
        Ok(Self(Arc::new(Inner {
            argon2,
            workers: Arc::new(Semaphore::new(workers)),
            places: Arc::new(Semaphore::new(workers.saturating_mul(WAITING_PER_WORKER))),
            most_workers: workers,
            shelf: Shelf::default(),
            dummy,
        })))
    }

    /// How busy the pool is.
    #[must_use]
    pub fn load(&self) -> Load {
        self.0.load()
    }

    /// Hashes a password, as a PHC string.
    ///
    /// # Errors
    /// [`HashError`].
    pub async fn hash(&self, password: Password) -> Result<String, HashError> {
        self.run(move |inner, memory| argon::hash(&inner.argon2, password.0.as_bytes(), memory))
            .await
    }

    /// Checks a password against a stored hash. Without one, which is how an unknown user
    /// arrives here, it takes as long and is wrong.
    ///
    /// # Errors
    /// [`HashError`]; also for a stored hash that is none.
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<String>,
    ) -> Result<Verdict, HashError> {
        self.run(move |inner, memory| {
            let known = stored.is_some();
            let stored = stored.as_ref().unwrap_or(&inner.dummy);
            let parsed = PasswordHash::new(stored).map_err(|_| HashError::Failed)?;
            let right = argon::verify(password.0.as_bytes(), &parsed, memory);
            Ok(match (known && right, outdated(&inner.argon2, &parsed)) {
                (false, _) => Verdict::Wrong,
                (true, false) => Verdict::Right,
                (true, true) => Verdict::RightButOutdated,
            })
        })
        .await
    }

    /// Runs a job on a thread of its own: what one gave way with, no other job must inherit. The
    /// permits travel with the job, so that a caller who goes away does not let another one in
    /// while the core is still busy.
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Inner, &mut Memory) -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let inner = Arc::clone(&self.0);
        let place = Arc::clone(&inner.places).try_acquire_owned();
        let place = place.map_err(|_| HashError::Overloaded)?;
        let mut turn = Turn { place: Some(place), worker: None, inner };
        // Hashes have a line of their own, with its own end.
        door::aside(async move {
            let worker = Arc::clone(&turn.inner.workers).acquire_owned().await;
            turn.worker = Some(worker.map_err(|_| HashError::Failed)?);
            let (answer, result) = oneshot::channel();
            let thread = std::thread::Builder::new().name("password".to_owned());
            let started = thread.spawn(move || {
                give_way();
                let inner = &turn.inner;
                let mut memory = inner.shelf.take();
                let result = job(inner, &mut memory);
                let waits = inner.load().waiting > 0;
                turn.place = None;
                // Whoever asked may have gone.
                drop(answer.send(result));
                turn.inner.shelf.put_back(memory, waits);
            });
            started.map_err(|_| HashError::Failed)?;
            result.await.unwrap_or(Err(HashError::Failed))
        })
        .await
    }
}

/// A place in the line, and then at work. Whoever gives theirs back last, having hashed or gone away
/// before, sees to it that nothing is kept for those who went away.
struct Turn {
    place: Option<OwnedSemaphorePermit>,
    worker: Option<OwnedSemaphorePermit>,
    inner: Arc<Inner>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.place = None;
        self.worker = None;
        let Load { running, waiting, .. } = self.inner.load();
        if running == 0 && waiting == 0 {
            self.inner.shelf.clear();
        }
    }
}

impl Inner {
    fn load(&self) -> Load {
        let Self { most_workers: most, workers, places, .. } = self;
        let running = most.saturating_sub(workers.available_permits());
        let all = most.saturating_mul(WAITING_PER_WORKER);
        let taken = all.saturating_sub(places.available_permits());
        let waiting = taken.saturating_sub(running);
        Load { running, waiting, most_waiting: all.saturating_sub(*most) }
    }
}

/// Lets others go first from now on, on this thread alone.
fn give_way() {
    // On Linux "the calling process" is the calling thread; elsewhere it would be all of us. Where
    // it is refused, a hash runs as everything does.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICE);
}

fn outdated(argon2: &Argon2<'_>, stored: &PasswordHash) -> bool {
    let today = argon2.params();
    stored.algorithm.as_str() != "argon2id"
        || Params::try_from(stored).map_or(true, |then| {
            (then.m_cost(), then.t_cost(), then.p_cost())
                != (today.m_cost(), today.t_cost(), today.p_cost())
        })
}

#[cfg(test)]
pub(super) mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::config::Config;

    /// Costs that make tests quick.
    pub(in crate::crypto) fn cheap() -> Auth {
        Auth { password_memory_kib: 64, ..Config::default().auth }
    }

    fn typed(text: &str) -> Password {
        Password::typed(text.to_owned(), "/password").unwrap()
    }

    #[test]
    fn the_length_of_a_new_password_is_bounded() {
        let check = |length: usize| Password::new("é".repeat(length), "/password").is_ok();
        assert_eq!([check(7), check(8), check(1_024), check(1_025)], [false, true, true, false]);
        let problem = Password::typed("x".repeat(1_025), "/password").unwrap_err();
        assert_eq!(problem.code(), "invalid-field");
    }

    #[tokio::test]
    async fn the_right_password_is_right_and_another_wrong() {
        let pool = PasswordHashing::with_workers(&cheap(), 1).unwrap();
        let stored = pool.hash(typed("correct horse")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        let right = pool.verify(typed("correct horse"), Some(stored.clone())).await;
        assert_eq!(right, Ok(Verdict::Right));
        let wrong = pool.verify(typed("correct horsE"), Some(stored)).await;
        assert_eq!(wrong, Ok(Verdict::Wrong));
        assert_eq!(pool.verify(typed("x"), None).await, Ok(Verdict::Wrong));
        assert_eq!(pool.verify(typed("x"), Some("md5".into())).await, Err(HashError::Failed));
    }

    #[tokio::test]
    async fn a_hash_of_other_costs_is_outdated() {
        let pool = PasswordHashing::with_workers(&cheap(), 1).unwrap();
        let stored = pool.hash(typed("correct horse")).await.unwrap();
        let dearer = Auth { password_iterations: 2, ..cheap() };
        let pool = PasswordHashing::with_workers(&dearer, 1).unwrap();
        let verdict = pool.verify(typed("correct horse"), Some(stored)).await;
        assert_eq!(verdict, Ok(Verdict::RightButOutdated));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_hash_gives_way_and_nobody_else_does() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let (pool, before) = (PasswordHashing::with_workers(&cheap(), 1).unwrap(), nice());
        assert_eq!(pool.run(move |_, _| Ok(nice())).await, Ok(before.saturating_add(NICE).min(19)));
        assert_eq!(nice(), before);
        assert_eq!(tokio::task::spawn_blocking(nice).await.unwrap(), before);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_the_last_hash_nor_for_who_went_away() {
        let pool = PasswordHashing::with_workers(&cheap(), 1).unwrap();
        let ended = || async { drop(pool.0.workers.acquire().await.unwrap()) };
        pool.hash(typed("correct horse")).await.unwrap();
        ended().await;
        assert!(!pool.0.shelf.traces());
        // Somebody waits when a hash ends, and goes away instead of beginning theirs.
        let inner = Arc::clone(&pool.0);
        let place = Arc::clone(&inner.places).try_acquire_owned().ok();
        let worker = Arc::clone(&inner.workers).try_acquire_owned().ok();
        let first = Turn { place, worker, inner: Arc::clone(&inner) };
        let mut second = Box::pin(pool.hash(typed("correct horsE")));
        assert_eq!(second.as_mut().now_or_never(), None);
        let mut memory = inner.shelf.take();
        argon::hash(&inner.argon2, b"correct horse", &mut memory).unwrap();
        inner.shelf.put_back(memory, inner.load().waiting > 0);
        drop(first);
        assert!(inner.shelf.traces(), "it is wanted");
        drop(second);
        assert!(!inner.shelf.traces());
    }

    #[tokio::test]
    async fn a_hash_that_fails_badly_leaves_its_place_to_others() {
        let pool = PasswordHashing::with_workers(&cheap(), 1).unwrap();
        let failed = pool.run::<()>(|_, _| panic!("a fault of the library")).await;
        assert_eq!(failed, Err(HashError::Failed));
        assert!(pool.hash(typed("correct horse")).await.is_ok());
    }

    #[tokio::test]
    async fn a_full_queue_is_told_to_come_back() {
        let pool = PasswordHashing::with_workers(&cheap(), 1).unwrap();
        let all = u32::try_from(WAITING_PER_WORKER).unwrap();
        let taken = Arc::clone(&pool.0.places).try_acquire_many_owned(all).unwrap();
        assert_eq!(pool.load(), Load { running: 0, waiting: 64, most_waiting: 63 });
        assert_eq!(pool.hash(typed("correct horse")).await, Err(HashError::Overloaded));
        drop(taken);
        assert!(pool.hash(typed("correct horse")).await.is_ok());
    }
}
