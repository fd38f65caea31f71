//! The standings kept, found by who has them and by all that can change them.
//!
//! What an event touches is looked up: everybody's requests wait for this, and one who changes
//! something in a loop must not make them wait for a search of all that is kept.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::kernel::Timestamp;
use lru::LruCache;
use uuid::Uuid;

use super::{Key, Proof, Standing};

/// For how long a standing is kept at most. What changes it is heard of; this only bounds what nobody
/// thought of.
const LONGEST: Duration = Duration::from_mins(5);
/// For how long one is kept that may withhold what a parked event has to do with.
const UNSURE: Duration = Duration::from_secs(30);
/// Standings kept.
const KEPT: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// What an event may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touched {
    /// Every standing.
    All,
    /// Those of a user, session or service principal, or in an organization. Ids of different kinds
    /// never collide.
    Those(Uuid),
}

impl Touched {
    /// Whether the standing of a key is among them.
    pub(super) fn has(self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::Those(id) => concerned(key).any(|concerned| concerned == id),
        }
    }
}

/// Whom a standing has to do with.
fn concerned((proof, organization): &Key) -> impl Iterator<Item = Uuid> {
    let proof = match *proof {
        Proof::Session(user, session) => [Some(user.uuid()), Some(session.uuid())],
        Proof::Key(principal, _) => [Some(principal.uuid()), None],
    };
    proof.into_iter().flatten().chain(organization.map(|organization| organization.uuid()))
}

/// The standings kept; the least recently used is forgotten.
#[derive(Debug)]
pub(super) struct Standings {
    kept: LruCache<Key, Kept>,
    /// The keys of those whom each id concerns, each under the number of its standing.
    concerned: BTreeMap<(Uuid, u64), Key>,
    next: u64,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    since: Instant,
    standing: Arc<Standing>,
}

impl Kept {
    fn counts(&self, now: Timestamp) -> bool {
        let longest = if self.standing.sure { LONGEST } else { UNSURE };
        self.since.elapsed() < longest && self.standing.ends_at.is_none_or(|end| now < end)
    }
}

impl Standings {
    pub(super) fn new() -> Self {
        Self { kept: LruCache::new(KEPT), concerned: BTreeMap::new(), next: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// A standing, if it is not too old and nothing of it has ended by itself.
    pub(super) fn get(&mut self, key: &Key, now: Timestamp) -> Option<Arc<Standing>> {
        let kept = self.kept.get(key).filter(|kept| kept.counts(now));
        kept.map(|kept| kept.standing.clone())
    }

    /// Keeps a standing in the place of an earlier one.
    pub(super) fn put(&mut self, key: Key, standing: Arc<Standing>) {
        let number = self.next;
        self.next = number.wrapping_add(1);
        let kept = Kept { number, since: Instant::now(), standing };
        if let Some((gone, kept)) = self.kept.push(key, kept) {
            self.unlist(&gone, kept.number);
        }
        for id in concerned(&key) {
            self.concerned.insert((id, number), key);
        }
    }

    /// Drops what is touched; how many.
    pub(super) fn drop_touched(&mut self, touched: Touched) -> u64 {
        let before = self.kept.len();
        match touched {
            Touched::All => {
                self.kept.clear();
                self.concerned.clear();
            }
            Touched::Those(id) => {
                let those = self.concerned.range((id, 0)..=(id, u64::MAX));
                let those: Vec<Key> = those.map(|(_, key)| *key).collect();
                for key in those {
                    if let Some(kept) = self.kept.pop(&key) {
                        self.unlist(&key, kept.number);
                    }
                }
            }
        }
        u64::try_from(before.saturating_sub(self.kept.len())).unwrap_or(u64::MAX)
    }

    fn unlist(&mut self, key: &Key, number: u64) {
        for id in concerned(key) {
            self.concerned.remove(&(id, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        identity::{SessionId, UserId},
        organization::{ApiKeyId, OrganizationId, ServicePrincipalId},
    };

    use super::*;

    const ONE: OrganizationId = OrganizationId::from_uuid(Uuid::from_u128(1));
    const OTHER: OrganizationId = OrganizationId::from_uuid(Uuid::from_u128(2));

    fn session(number: u128) -> Proof {
        let user = UserId::from_uuid(Uuid::from_u128(100 + number));
        Proof::Session(user, SessionId::from_uuid(Uuid::from_u128(200 + number)))
    }

    fn api_key(number: u128) -> Proof {
        let principal = ServicePrincipalId::from_uuid(Uuid::from_u128(300 + number));
        Proof::Key(principal, ApiKeyId::from_uuid(Uuid::from_u128(400 + number)))
    }

    fn standing() -> Standing {
        Standing {
            person: None,
            grants: Arc::default(),
            workspaces: BTreeMap::new(),
            until: None,
            ends_at: None,
            sure: true,
        }
    }

    fn nothing() -> Arc<Standing> {
        Arc::new(standing())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(seconds, 0).unwrap()
    }

    /// Two sessions and two keys, in two organizations and outside of any.
    fn all() -> (Standings, Vec<Key>) {
        let mut standings = Standings::new();
        let proofs = [session(1), session(2), api_key(1), api_key(2)];
        let places = [None, Some(ONE), Some(OTHER)];
        let keys: Vec<Key> =
            proofs.into_iter().flat_map(|proof| places.map(|place| (proof, place))).collect();
        keys.iter().for_each(|key| standings.put(*key, nothing()));
        (standings, keys)
    }

    #[test]
    fn what_is_touched_is_dropped_and_nothing_else() {
        let whom = [1, 2, 101, 202, 301, 999].map(|id| Touched::Those(Uuid::from_u128(id)));
        for (touched, dropped) in whom.into_iter().chain([Touched::All]).zip([4, 4, 3, 3, 3, 0, 12])
        {
            let (mut standings, keys) = all();
            assert_eq!(standings.drop_touched(touched), dropped, "{touched:?}");
            for key in keys {
                let gone = standings.get(&key, at(0)).is_none();
                assert_eq!(gone, touched.has(&key), "{touched:?} {key:?}");
            }
        }
    }

    #[test]
    fn a_standing_counts_until_a_role_ends_or_it_is_too_old() {
        let mut standings = Standings::new();
        let key = (session(1), None);
        standings.put(key, Arc::new(Standing { ends_at: Some(at(9)), ..standing() }));
        assert!(standings.get(&key, at(8)).is_some() && standings.get(&key, at(9)).is_none());
        for (sure, longest) in [(true, LONGEST), (false, UNSURE)] {
            for (age, counts) in [(longest, false), (longest - Duration::from_secs(20), true)] {
                standings.put(key, Arc::new(Standing { sure, ..standing() }));
                standings.kept.get_mut(&key).unwrap().since -= age;
                assert_eq!(standings.get(&key, at(0)).is_some(), counts, "{sure} {age:?}");
            }
        }
    }

    #[test]
    fn what_is_gone_is_listed_no_more() {
        let (mut standings, keys) = all();
        let listed = standings.concerned.len();
        standings.put(keys[0], nothing());
        assert_eq!((standings.len(), standings.concerned.len()), (12, listed));
        standings.kept.resize(NonZeroUsize::MIN);
        standings.concerned.clear();
        standings.put(keys[1], nothing());
        standings.put(keys[2], nothing());
        let left: Vec<_> = standings.concerned.values().copied().collect();
        assert_eq!(left, vec![keys[2]; concerned(&keys[2]).count()]);
        standings.drop_touched(Touched::Those(OTHER.uuid()));
        assert_eq!((standings.len(), standings.concerned.len()), (0, 0));
    }
}
