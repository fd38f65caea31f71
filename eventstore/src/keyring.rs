//! Subject keys: made once for each subject, wrapped by the master key, destroyed for ever.
//!
//! Owns the cache of unwrapped keys: bounded in count and age, so that a key destroyed by
//! another process is forgotten here within [`FRESH`].

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use domain::kernel::KeyId;
use lru::LruCache;
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;

use crate::{
    backend::{Backend, NewKey, Unavailable},
    failpoint::failpoint,
    seal::{SealFailed, SubjectKey},
};

/// How long an unwrapped key is used without asking the log again.
const FRESH: Duration = Duration::from_secs(60);
/// How many unwrapped keys are held.
const HELD: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");
/// Length of a master key's mark before what it wrapped.
const MARK: usize = 4;

/// The key that wraps subject keys, with older ones that still unwrap.
pub struct MasterKey {
    keys: Vec<([u8; MARK], SubjectKey)>,
}

impl MasterKey {
    /// Takes the current key, and older ones that may have wrapped what is stored.
    #[must_use]
    pub fn new(current: &[u8; 32], older: &[[u8; 32]]) -> Self {
        let keys = std::iter::once(current)
            .chain(older)
            .filter_map(|bytes| Some((mark(bytes), SubjectKey::new(bytes)?)))
            .collect();
        Self { keys }
    }

    /// Whether it, or an older one, wrapped a stored key.
    #[must_use]
    pub fn opens(&self, id: KeyId, wrapped: &[u8]) -> bool {
        self.unwrap(id, wrapped).is_some()
    }

    fn wrap(&self, id: KeyId, key: &[u8; 32]) -> Result<Vec<u8>, SealFailed> {
        let (mark, master) = self.keys.first().ok_or(SealFailed)?;
        let sealed = master.seal(id.uuid().as_bytes(), key)?;
        Ok([&mark[..], &sealed].concat())
    }

    fn unwrap(&self, id: KeyId, wrapped: &[u8]) -> Option<SubjectKey> {
        let (mark, sealed) = wrapped.split_first_chunk::<MARK>()?;
        let (_, master) = self.keys.iter().find(|(own, _)| own == mark)?;
        let clear = Zeroizing::new(master.open(id.uuid().as_bytes(), sealed)?);
        SubjectKey::new(clear.as_slice().try_into().ok()?)
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(<redacted>)")
    }
}

fn mark(key: &[u8; 32]) -> [u8; MARK] {
    let mut mark = [0; MARK];
    for (to, from) in mark.iter_mut().zip(digest(&SHA256, key).as_ref()) {
        *to = *from;
    }
    mark
}

type Held = (Instant, Option<Arc<SubjectKey>>);

/// Unwrapped keys by subject; `None` once destroyed.
pub(crate) type Keys = HashMap<KeyId, Option<Arc<SubjectKey>>>;

pub(crate) struct Keyring {
    master: MasterKey,
    held: Mutex<LruCache<KeyId, Held>>,
}

/// Why a subject's key cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFailure {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error(transparent)]
    Seal(#[from] SealFailed),
    /// Losing the master key loses the personal data; going on would hide that.
    #[error("the master key does not open the key of {0}; restore the key directory")]
    WrongMaster(KeyId),
}

impl Keyring {
    pub(crate) fn new(master: MasterKey) -> Self {
        Self { master, held: Mutex::new(LruCache::new(HELD)) }
    }

    /// The keys of subjects, creating those that never existed. Those of which `begins` says that
    /// their subject begins with the append in hand are not asked for: they are made here, to be
    /// written with it, and kept when it was.
    pub(crate) async fn create(
        &self,
        backend: &dyn Backend,
        wanted: &[KeyId],
        begins: impl Fn(KeyId) -> bool,
    ) -> Result<(Keys, Vec<NewKey>), KeyFailure> {
        let (mut keys, mut missing) = self.held(wanted);
        let (mut makes, mut offered) = (Vec::new(), Vec::new());
        // A key that was seen once exists for ever: only strangers are offered one.
        for id in self.strangers(&missing) {
            let mut fresh = Zeroizing::new([0_u8; 32]);
            SystemRandom::new().fill(fresh.as_mut()).map_err(|_| SealFailed)?;
            let wrapped = self.master.wrap(id, &fresh)?;
            if begins(id) {
                keys.insert(id, Some(Arc::new(SubjectKey::new(&fresh).ok_or(SealFailed)?)));
                missing.retain(|missing| *missing != id);
                makes.push(NewKey { id, wrapped });
            } else {
                offered.push((id, wrapped));
            }
        }
        if !missing.is_empty() {
            self.fetch(backend, &missing, &offered, &mut keys).await?;
        }
        Ok((keys, makes))
    }

    /// Keeps keys that were written with an append, which was begun at some instant.
    pub(crate) fn keep(&self, written: Keys, since: Instant) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, key) in written {
            held.put(id, (since, key));
        }
    }

    /// The keys of subjects, as far as they exist.
    pub(crate) async fn find(
        &self,
        backend: &dyn Backend,
        wanted: &[KeyId],
    ) -> Result<Keys, KeyFailure> {
        let (mut keys, missing) = self.held(wanted);
        if !missing.is_empty() {
            self.fetch(backend, &missing, &[], &mut keys).await?;
        }
        Ok(keys)
    }

    /// Drops keys that were destroyed.
    pub(crate) fn forget(&self, destroyed: &[KeyId]) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for id in destroyed {
            held.pop(id);
        }
    }

    fn strangers(&self, ids: &[KeyId]) -> Vec<KeyId> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().filter(|id| !held.contains(*id)).copied().collect()
    }

    fn held(&self, wanted: &[KeyId]) -> (Keys, Vec<KeyId>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = Keys::with_capacity(wanted.len());
        let mut missing = Vec::new();
        for id in wanted {
            match held.get(id) {
                Some((since, key)) if since.elapsed() < FRESH => {
                    keys.insert(*id, key.clone());
                }
                Some(_) | None if missing.contains(id) => {}
                Some(_) | None => missing.push(*id),
            }
        }
        (keys, missing)
    }

    async fn fetch(
        &self,
        backend: &dyn Backend,
        missing: &[KeyId],
        offered: &[(KeyId, Vec<u8>)],
        keys: &mut Keys,
    ) -> Result<(), KeyFailure> {
        // The age counts from before the question, so that an answer is never older than thought.
        let asked = Instant::now();
        failpoint("keys.create");
        for (id, wrapped) in backend.keys(missing, offered).await? {
            failpoint("keys.created");
            let key = match wrapped {
                None => None,
                Some(wrapped) => Some(Arc::new(
                    self.master.unwrap(id, &wrapped).ok_or(KeyFailure::WrongMaster(id))?,
                )),
            };
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.put(id, (asked, key.clone()));
            keys.insert(id, key);
        }
        Ok(())
    }
}
