//! Which waiting appends may share a batch: those that touch disjoint things.
//!
//! Command ids, claims, written streams, keys made or destroyed are exclusive; streams that are only
//! checked and keys that are only used are shared. An append that overlaps an earlier one waits
//! for the next batch, and what it touches then blocks those behind it, so nothing overtakes.
//! Because a batch holds disjoint appends only, it equals its appends made one after another.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use uuid::Uuid;

use crate::backend::Sealed;

/// Most appends in one batch.
pub(crate) const MOST: usize = 256;
/// Most bytes in one batch.
const MOST_BYTES: usize = 1 << 20;
/// What an event's row takes beside its payload and request, about.
const ROW_BYTES: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Shared,
    Exclusive,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Thing {
    Command(Uuid, Uuid),
    Stream(Uuid),
    Key(Uuid),
    Claim(&'static str, String),
}

/// Moves the next batch out of the queue, in order: so many appends at most, and never more than
/// [`MOST`].
pub(crate) fn admit<T>(
    queue: &mut VecDeque<T>,
    most: usize,
    append: impl Fn(&T) -> &Arc<Sealed>,
) -> Vec<T> {
    let most = most.clamp(1, MOST);
    let mut taken: HashMap<Thing, Use> = HashMap::new();
    let mut batch = Vec::new();
    let mut later = Vec::new();
    let mut bytes = 0_usize;
    while let Some(next) = queue.pop_front() {
        let sealed = append(&next);
        let things = things(sealed);
        let size = size(sealed);
        let fits =
            batch.is_empty() || (batch.len() < most && bytes.saturating_add(size) <= MOST_BYTES);
        let clashes = things.iter().any(|(thing, own)| {
            taken.get(thing).is_some_and(|held| (*held, *own) != (Use::Shared, Use::Shared))
        });
        for (thing, own) in things {
            let held = taken.entry(thing).or_insert(own);
            if own == Use::Exclusive {
                *held = Use::Exclusive;
            }
        }
        if fits && !clashes {
            bytes = bytes.saturating_add(size);
            batch.push(next);
        } else {
            later.push(next);
        }
        if batch.len() >= most {
            break;
        }
    }
    for overlapping in later.into_iter().rev() {
        queue.push_front(overlapping);
    }
    batch
}

fn size(sealed: &Sealed) -> usize {
    let beside = sealed.meta.request.as_ref().map_or(ROW_BYTES, |json| json.len() + ROW_BYTES);
    sealed.events.iter().map(|event| event.payload.len() + beside).sum()
}

fn things(sealed: &Sealed) -> Vec<(Thing, Use)> {
    let mut things =
        vec![(Thing::Command(sealed.command.tenant.uuid(), sealed.command.id), Use::Exclusive)];
    for condition in &sealed.conditions {
        let own = if condition.count > 0 { Use::Exclusive } else { Use::Shared };
        things.push((Thing::Stream(condition.stream), own));
    }
    for claim in &sealed.claims {
        things.push((Thing::Claim(claim.scope, claim.key.clone()), Use::Exclusive));
    }
    let made = sealed.makes.iter().map(|key| key.id);
    let own: HashSet<_> = sealed.shred.iter().copied().chain(made).collect();
    for key in &own {
        things.push((Thing::Key(key.uuid()), Use::Exclusive));
    }
    for key in sealed.uses.iter().filter(|key| !own.contains(key)) {
        things.push((Thing::Key(key.uuid()), Use::Shared));
    }
    things
}
