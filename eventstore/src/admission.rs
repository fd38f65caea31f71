//! Which waiting appends may share a batch: those that touch disjoint things.
//!
//! Command ids, claims, written streams, keys made or destroyed are exclusive; streams that are only
//! checked and keys that are only used are shared. An append that overlaps an earlier one waits
//! for the next batch, and what it touches then blocks those behind it, so nothing overtakes.
//! Because a batch holds disjoint appends only, it equals its appends made one after another.
//!
//! An append that follows another may share its batch, and the streams it has from that one, as the
//! next of a row: whoever is in it is written only if all before it are. What it follows must be the
//! last of a row, so that each has one fate to share.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use domain::kernel::TenantId;
use uuid::Uuid;

use crate::{
    ahead::{End, Fate},
    backend::Sealed,
};

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
    let follows = |next: &T| !append(next).line.follows.is_empty();
    let mut rows = queue.iter().any(follows).then(Rows::default);
    let mut bytes = 0_usize;
    while let Some(next) = queue.pop_front() {
        let sealed = append(&next);
        let things = things(sealed);
        let size = size(sealed);
        let fits =
            batch.is_empty() || (batch.len() < most && bytes.saturating_add(size) <= MOST_BYTES);
        let place = rows.as_ref().map_or(Place::First, |rows| rows.place(sealed));
        let clashes = things.iter().any(|(thing, own)| {
            taken.get(thing).is_some_and(|held| (*held, *own) != (Use::Shared, Use::Shared))
                && !rows.as_ref().is_some_and(|rows| rows.hands_on(place, thing))
        });
        for (thing, own) in things {
            let held = taken.entry(thing).or_insert(own);
            if own == Use::Exclusive {
                *held = Use::Exclusive;
            }
        }
        if fits && !clashes && place != Place::Later {
            if let Some(rows) = &mut rows {
                rows.take_in(place, sealed);
            }
            bytes = bytes.saturating_add(size);
            batch.push(next);
        } else {
            if let Some(rows) = &mut rows {
                rows.leave_out(sealed);
            }
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

/// Where in a batch an append may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Anywhere: it follows nothing that is open.
    First,
    /// Behind an append of the batch, by its number.
    After(usize),
    /// In no batch that is admitted now.
    Later,
}

/// The appends of a batch that others can follow.
#[derive(Default)]
struct Rows {
    /// Of each append: its fate, until another follows it.
    last: Vec<Option<Fate>>,
    /// Which append wrote a stream last, and whose the stream is.
    wrote: HashMap<Uuid, (usize, TenantId, &'static str)>,
}

impl Rows {
    fn place(&self, sealed: &Sealed) -> Place {
        let mut open = sealed.line.follows.iter().filter(|fate| fate.end() == End::Open);
        let Some(first) = open.next() else { return Place::First };
        let is_it = |last: &Option<Fate>| last.as_ref().is_some_and(|last| last.same(first));
        match self.last.iter().position(is_it) {
            Some(number) if open.all(|fate| fate.same(first)) && self.owns_all(sealed) => {
                Place::After(number)
            }
            Some(_) | None => Place::Later,
        }
    }

    /// Whether streams that are written in the batch belong to whom an append says. Of those that
    /// begin there the log cannot tell.
    fn owns_all(&self, sealed: &Sealed) -> bool {
        sealed.conditions.iter().all(|condition| {
            let wrote = self.wrote.get(&condition.stream);
            wrote.is_none_or(|(_, tenant, category)| {
                (*tenant, *category) == (condition.tenant, condition.category)
            })
        })
    }

    /// Whether a thing is a stream that an append has from the one it follows.
    fn hands_on(&self, place: Place, thing: &Thing) -> bool {
        let (Place::After(number), Thing::Stream(stream)) = (place, thing) else { return false };
        self.wrote.get(stream).is_some_and(|(wrote, ..)| *wrote == number)
    }

    /// What waits for another batch is not overtaken on its streams by those that follow.
    fn leave_out(&mut self, sealed: &Sealed) {
        for condition in &sealed.conditions {
            self.wrote.remove(&condition.stream);
        }
    }

    fn take_in(&mut self, place: Place, sealed: &Sealed) {
        if let Place::After(number) = place
            && let Some(followed) = self.last.get_mut(number)
        {
            *followed = None;
        }
        // Only where there is a fate can anybody have anything from it.
        if sealed.line.fate.is_some() {
            let written = sealed.conditions.iter().filter(|condition| condition.count > 0);
            let number = self.last.len();
            self.wrote.extend(written.map(|c| (c.stream, (number, c.tenant, c.category))));
        }
        self.last.push(sealed.line.fate.clone());
    }
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
