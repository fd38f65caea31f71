//! Events whose effect on rows cannot be listed in the event: a purge, an erasure.

use domain::{
    identity::person::PersonEvent,
    kernel::{DomainEvent, KeyId},
    organization::organization::OrganizationEvent,
};
use eventstore::{Opened, decode};
use uuid::Uuid;

/// What an event sweeps over whole tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Swept {
    /// The organization whose rows go.
    pub(crate) purged: Option<Uuid>,
    /// The keys whose sealed columns are cleared.
    pub(crate) shredded: Vec<KeyId>,
}

/// What an event sweeps, if anything.
pub(crate) fn of(opened: &Opened) -> Option<Swept> {
    let envelope = &opened.envelope;
    match (&*envelope.category, &*envelope.name) {
        (PersonEvent::CATEGORY, "erased") => match decode::<PersonEvent>(opened).ok()?.event {
            PersonEvent::Erased { key_ids } => Some(Swept { purged: None, shredded: key_ids }),
            _ => None,
        },
        (OrganizationEvent::CATEGORY, "purged") => {
            match decode::<OrganizationEvent>(opened).ok()?.event {
                OrganizationEvent::Purged { key_ids } => {
                    Some(Swept { purged: Some(envelope.stream), shredded: key_ids })
                }
                _ => None,
            }
        }
        _ => None,
    }
}
