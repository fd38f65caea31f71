//! Events that take effect on rows no fold reaches: a purge, the end of a key.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    identity::person::PersonEvent,
    kernel::{DomainEvent, KeyId, Position},
    organization::{invitation::InvitationEvent, organization::OrganizationEvent},
};
use eventstore::{Opened, decode};

/// The events that sweep rows of streams other than their own. The end of an invitation sweeps
/// but its own row: where that waits behind a parked event, the end waits with it.
pub(crate) const EVENTS: [(&str, &str); 2] =
    [(PersonEvent::CATEGORY, "erased"), (OrganizationEvent::CATEGORY, "purged")];

/// What events sweep over whole tables; ids in the text form of columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// The organizations whose rows go, and when: rows that come later are not meant.
    pub(crate) purged: BTreeMap<String, Position>,
    /// The keys whose sealed columns are cleared.
    pub(crate) shredded: BTreeSet<String>,
}

impl Swept {
    pub(crate) fn is_empty(&self) -> bool {
        self.purged.is_empty() && self.shredded.is_empty()
    }

    /// Adds what a later event sweeps.
    pub(crate) fn extend(&mut self, later: &Self) {
        self.purged.extend(later.purged.clone());
        self.shredded.extend(later.shredded.iter().cloned());
    }

    pub(crate) fn clear(&mut self) {
        self.purged.clear();
        self.shredded.clear();
    }

    fn shred(keys: &[KeyId]) -> Self {
        let shredded = keys.iter().map(ToString::to_string).collect();
        Self { purged: BTreeMap::new(), shredded }
    }
}

/// What an event sweeps, if anything.
pub(crate) fn of(opened: &Opened) -> Option<Swept> {
    let envelope = &opened.envelope;
    match (&*envelope.category, &*envelope.name) {
        (PersonEvent::CATEGORY, "erased") => {
            let PersonEvent::Erased { key_ids } = decode(opened).ok()?.event else { return None };
            Some(Swept::shred(&key_ids))
        }
        (OrganizationEvent::CATEGORY, "purged") => {
            let event = decode(opened).ok()?.event;
            let OrganizationEvent::Purged { key_ids } = event else { return None };
            let purged = BTreeMap::from([(envelope.stream.to_string(), envelope.position)]);
            Some(Swept { purged, ..Swept::shred(&key_ids) })
        }
        // Its row alone, but also where that waits behind a parked event and is not folded.
        (InvitationEvent::CATEGORY, _) => match decode(opened).ok()?.event {
            InvitationEvent::Accepted { key_ids, .. }
            | InvitationEvent::Declined { key_ids, .. }
            | InvitationEvent::Revoked { key_ids, .. }
            | InvitationEvent::Expired { key_ids, .. } => Some(Swept::shred(&key_ids)),
            InvitationEvent::Invited { .. } | InvitationEvent::Resent { .. } => None,
        },
        _ => None,
    }
}
