//! Making an append ready to be written: checked, numbered, its personal values sealed.
//!
//! Owns the rules of the log that no caller may break. Refuses to ask the log anything: what
//! depends on others is judged where it is written.

use std::{collections::HashSet, hash::Hash};

use domain::kernel::{KeyId, Version, micros};
use uuid::Uuid;

use crate::{
    ahead::Line,
    append::{Append, AppendError, Expected, Meta, NewEvent},
    backend::{Condition, NewKey, Sealed, SealedEvent, SealedMeta, Unavailable},
    keyring::Keys,
    seal,
};

/// Largest payload of one event, in bytes.
const MOST_PAYLOAD: usize = 1 << 20;
/// Most events in one append.
const MOST_EVENTS: usize = 1_000;
/// Largest payloads of one append together: readers take whole appends.
const MOST_BYTES: usize = 16 << 20;

/// Refuses what breaks a rule of the log, before anything is written.
pub(crate) fn check(append: &Append) -> Result<(), AppendError> {
    if !each_once(append.streams.iter().map(|stream| stream.stream.id)) {
        return Err(AppendError::Malformed("a stream may occur only once in an append"));
    }
    if !each_once(append.claims.iter().map(|claim| (claim.scope, &claim.key))) {
        return Err(AppendError::Malformed("a claim may occur only once in an append"));
    }
    let events = || append.streams.iter().flat_map(|stream| &stream.events);
    if events().count() > MOST_EVENTS {
        return Err(AppendError::Malformed("an append holds at most 1000 events"));
    }
    if events().any(|event| event.payload.len() > MOST_PAYLOAD) {
        return Err(AppendError::Malformed("an event holds at most 1 MiB"));
    }
    if events().map(|event| event.payload.len()).sum::<usize>() > MOST_BYTES {
        return Err(AppendError::Malformed("the events of an append hold at most 16 MiB"));
    }
    if events().any(|event| event.name.is_empty()) {
        return Err(AppendError::Malformed("an event must be declared with the macro `events!`"));
    }
    // The log is for ever: what is written in clear could never be erased.
    if events().any(|event| event.key.is_none() && seal::is_open(&event.payload)) {
        return Err(AppendError::Malformed("personal data needs the key of its subject"));
    }
    Ok(())
}

/// Whether nothing occurs twice; mostly there is one thing.
fn each_once<T: Eq + Hash>(things: impl ExactSizeIterator<Item = T>) -> bool {
    let mut seen = HashSet::new();
    things.len() < 2 || things.into_iter().all(|thing| seen.insert(thing))
}

/// The keys the events of an append are sealed under, each once.
pub(crate) fn keys_used(append: &Append) -> Vec<KeyId> {
    let events = append.streams.iter().flat_map(|stream| &stream.events);
    let personal = events.filter(|event| seal::is_personal(&event.payload));
    personal.filter_map(|event| event.key).collect::<HashSet<_>>().into_iter().collect()
}

/// Whether a key is that of a stream which begins with this append: then nobody can have it yet,
/// short of a mistake that the log will find.
pub(crate) fn begins(append: &Append, key: KeyId) -> bool {
    append.streams.iter().any(|stream| {
        stream.stream.id == key.uuid()
            && stream.expected == Expected::Exact(Version(0))
            && !stream.events.is_empty()
    })
}

/// Numbers the events and seals what is personal in them.
pub(crate) fn seal(
    append: Append,
    line: Line,
    keys: &Keys,
    makes: Vec<NewKey>,
) -> Result<Sealed, AppendError> {
    let uses = keys_used(&append);
    let meta = seal_meta(&append.meta, keys);
    let mut claims = append.claims;
    for claim in &mut claims {
        claim.until = claim.until.map(micros);
    }
    let mut sealed = Sealed {
        command: append.command,
        reply: append.reply.map(|reply| reply.to_string()),
        conditions: Vec::with_capacity(append.streams.len()),
        claims,
        uses,
        makes,
        shred: append.shred,
        events: Vec::new(),
        meta,
        line,
    };
    for stream in append.streams {
        let count = i32::try_from(stream.events.len()).unwrap_or(i32::MAX);
        for (event, rank) in stream.events.into_iter().zip(1..) {
            let condition = sealed.conditions.len();
            sealed.events.push(seal_event(event, (condition, rank), keys)?);
        }
        sealed.conditions.push(Condition {
            tenant: stream.tenant,
            category: stream.stream.category,
            stream: stream.stream.id,
            expected: stream.expected,
            count,
        });
    }
    Ok(sealed)
}

fn seal_event(
    event: NewEvent,
    (condition, rank): (usize, i32),
    keys: &Keys,
) -> Result<SealedEvent, AppendError> {
    let id = event_id();
    let key = event.key.filter(|_| seal::is_personal(&event.payload));
    let payload = match key {
        None => event.payload,
        Some(key) => match keys.get(&key) {
            Some(Some(subject)) => {
                seal::seal_payload(&event.payload, id, subject).map_err(Unavailable::refused)?
            }
            // Destroyed for ever, so the log will refuse this; but a repeated command, or one
            // that comes too late, is to hear that first.
            Some(None) => seal::open_payload(&event.payload, id, None),
            None => return Err(Unavailable::stopped().into()),
        },
    };
    Ok(SealedEvent {
        id,
        condition,
        rank,
        name: event.name,
        schema_version: event.schema_version,
        payload: payload.into(),
        key,
    })
}

fn seal_meta(meta: &Meta, keys: &Keys) -> SealedMeta {
    let subject = meta.request_key.and_then(|key| keys.get(&key).cloned().flatten());
    let request = meta.request.as_ref().and_then(|request| {
        let clear = serde_json::to_string(request).ok()?;
        // Without a key the personal parts are dropped; the request id stays.
        match &subject {
            Some(key) => seal::seal_payload(&clear, meta.correlation_id, key).ok(),
            None => Some(seal::open_payload(&clear, meta.correlation_id, None)),
        }
    });
    SealedMeta {
        actor: meta.actor,
        correlation_id: meta.correlation_id,
        causation_id: meta.causation_id,
        request: request.map(Into::into),
        request_key: subject.and(meta.request_key),
        occurred_at: micros(meta.occurred_at),
    }
}

#[expect(clippy::disallowed_methods, reason = "the log numbers its own events")]
fn event_id() -> Uuid {
    Uuid::now_v7()
}
