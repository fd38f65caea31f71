//! Events whose effect on rows cannot be listed in the event: a purge, an erasure.

use domain::{
    identity::person::PersonEvent,
    kernel::{DomainEvent, KeyId},
    organization::organization::OrganizationEvent,
};
use eventstore::{Opened, decode};

/// What an event sweeps over whole tables; ids in the text form of columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Swept {
    /// The organization whose rows go.
    pub(crate) purged: Option<String>,
    /// The keys whose sealed columns are cleared.
    pub(crate) shredded: Vec<String>,
}

/// What an event sweeps, if anything.
pub(crate) fn of(opened: &Opened) -> Option<Swept> {
    let envelope = &opened.envelope;
    match (&*envelope.category, &*envelope.name) {
        (PersonEvent::CATEGORY, "erased") => {
            let PersonEvent::Erased { key_ids } = decode(opened).ok()?.event else { return None };
            Some(Swept { purged: None, shredded: texts(&key_ids) })
        }
        (OrganizationEvent::CATEGORY, "purged") => {
            let event = decode(opened).ok()?.event;
            let OrganizationEvent::Purged { key_ids } = event else { return None };
            Some(Swept { purged: Some(envelope.stream.to_string()), shredded: texts(&key_ids) })
        }
        _ => None,
    }
}

fn texts(keys: &[KeyId]) -> Vec<String> {
    keys.iter().map(ToString::to_string).collect()
}
