//! A log in memory, for tests of what stands on it. It applies appends one after another, which
//! makes it the measure for every batch of the real one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::Utc;
use domain::kernel::{Envelope, KeyId, Position, TenantId, Timestamp, Version, micros};
use futures_util::FutureExt;
use uuid::Uuid;

use crate::{
    ahead::{End, Fate, Line},
    append::Expected,
    backend::{Answer, Backend, CommandRecord, Filter, Sealed, Unavailable, Verdict},
    event::{Fact, Stored},
    scan::{Hole, Span},
    writer,
};

/// A log in memory.
#[derive(Debug, Default)]
pub struct Memory {
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    events: Vec<Stored>,
    streams: HashMap<Uuid, (TenantId, &'static str, Version)>,
    commands: HashMap<(TenantId, Uuid), CommandRecord>,
    claims: HashMap<(String, String), (Uuid, Option<Timestamp>)>,
    keys: HashMap<KeyId, Option<Vec<u8>>>,
}

impl Memory {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fact(event: &Stored) -> Fact {
    let Envelope { event_id, stream, version, category, name, schema_version, key_id, .. } =
        &*event.envelope;
    Fact {
        event_id: *event_id,
        stream: *stream,
        version: *version,
        category: category.clone(),
        name: name.clone(),
        schema_version: *schema_version,
        key_id: *key_id,
        payload: event.payload.clone(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the log says when it took an event in")]
fn now() -> Timestamp {
    micros(Utc::now())
}

impl Log {
    fn head(&self) -> Position {
        Position(i64::try_from(self.events.len()).unwrap_or(i64::MAX))
    }

    fn of(&self, stream: Uuid, after: Version) -> impl Iterator<Item = &Stored> {
        let of_it =
            move |envelope: &Envelope| envelope.stream == stream && envelope.version > after;
        self.events.iter().filter(move |event| of_it(&event.envelope))
    }

    fn version(&self, stream: Uuid) -> Version {
        self.streams.get(&stream).map_or(Version(0), |(_, _, version)| *version)
    }

    fn holder(&self, scope: &str, key: &str, at: Timestamp) -> Option<Uuid> {
        let (owner, until) = self.claims.get(&(scope.to_owned(), key.to_owned()))?;
        until.is_none_or(|until| until > at).then_some(*owner)
    }

    /// Writes an append, unless it follows one that was not written.
    fn append(&mut self, append: &Sealed, follows_void: bool) -> Verdict {
        let last = self.events.last().map(|event| event.envelope.recorded_at);
        let at = last.map_or_else(now, |last| last.max(now()));
        if let Some(refusal) = self.judge(append, follows_void, at) {
            return refusal;
        }
        let head = self.head();
        let count: i64 = append.conditions.iter().map(|c| i64::from(c.count)).sum();
        let first = Position(head.0.saturating_add(1));
        let last = Position(head.0.saturating_add(count));
        let versions: Vec<Version> = append
            .conditions
            .iter()
            .map(|c| Version(self.version(c.stream).0.saturating_add(c.count)))
            .collect();
        self.events.extend(writer::stored(append, (first, last), at, &versions));
        for (condition, version) in append.conditions.iter().zip(&versions) {
            if condition.count > 0 {
                self.streams
                    .insert(condition.stream, (condition.tenant, condition.category, *version));
            }
        }
        for claim in &append.claims {
            let place = (claim.scope.to_owned(), claim.key.clone());
            match claim.owner {
                Some(owner) => self.claims.insert(place, (owner, claim.until)),
                None => self.claims.remove(&place),
            };
        }
        for key in &append.makes {
            self.keys.insert(key.id, Some(key.wrapped.clone()));
        }
        for key in &append.shred {
            self.keys.insert(*key, None);
        }
        let written = append.conditions.iter().zip(&versions).filter(|(c, _)| c.count > 0);
        let record = CommandRecord {
            digest: append.command.digest,
            position: last,
            versions: written.map(|(c, v)| (c.stream, *v)).collect(),
            reply: append.reply.as_deref().and_then(|json| serde_json::from_str(json).ok()),
        };
        self.commands.insert((append.command.tenant, append.command.id), record);
        Verdict::Committed { first, last, recorded_at: at, versions }
    }

    /// In this order: command, what it follows, versions, claims, keys.
    fn judge(&self, append: &Sealed, follows_void: bool, at: Timestamp) -> Option<Verdict> {
        if let Some(record) = self.commands.get(&(append.command.tenant, append.command.id)) {
            return Some(if record.digest == append.command.digest {
                Verdict::Duplicate(record.clone())
            } else {
                Verdict::Reused
            });
        }
        if follows_void {
            return Some(Verdict::Conflict(Vec::new()));
        }
        let stale: Vec<_> = append
            .conditions
            .iter()
            .filter(|c| {
                let version = self.version(c.stream);
                let expected = match c.expected {
                    Expected::Exact(expected) => expected == version,
                    Expected::Any => true,
                };
                let owner = self.streams.get(&c.stream);
                let same = owner.is_none_or(|(t, cat, _)| (*t, *cat) == (c.tenant, c.category));
                !(expected && same)
            })
            .map(|c| (c.stream, self.version(c.stream)))
            .collect();
        if !stale.is_empty() {
            return Some(Verdict::Conflict(stale));
        }
        let taken = append.claims.iter().find(|claim| {
            let holder = self.holder(claim.scope, &claim.key, at);
            holder != claim.prior && holder != claim.owner
        });
        if let Some(claim) = taken {
            return Some(Verdict::ClaimTaken(claim.scope.to_owned()));
        }
        let erased = append.uses.iter().any(|key| matches!(self.keys.get(key), Some(None)));
        if erased {
            return Some(Verdict::SubjectErased);
        }
        let made = append.makes.iter().any(|key| self.keys.contains_key(&key.id));
        made.then_some(Verdict::KeyMade)
    }
}

impl Backend for Memory {
    fn append<'a>(&'a self, batch: &'a [Arc<Sealed>]) -> Answer<'a, Vec<Verdict>> {
        let mut log = self.log();
        let mut refused: Vec<&Fate> = Vec::new();
        let mut verdicts = Vec::with_capacity(batch.len());
        for append in batch {
            let Line { fate, follows } = &append.line;
            let void =
                |fate: &Fate| fate.end() == End::Void || refused.iter().any(|void| fate.same(void));
            let verdict = log.append(append, follows.iter().any(void));
            if !matches!(verdict, Verdict::Committed { .. }) {
                refused.extend(fate);
            }
            verdicts.push(verdict);
        }
        async { Ok(verdicts) }.boxed()
    }

    fn load<'a>(&'a self, wanted: &'a [(Uuid, Version)]) -> Answer<'a, Vec<Fact>> {
        let log = self.log();
        let facts = wanted.iter().flat_map(|(stream, after)| log.of(*stream, *after).map(fact));
        let facts = facts.collect();
        async { Ok(facts) }.boxed()
    }

    fn stream(&self, stream: Uuid, after: Version) -> Answer<'_, Vec<Stored>> {
        let events = self.log().of(stream, after).cloned().collect();
        async { Ok(events) }.boxed()
    }

    fn read<'a>(&'a self, after: Position, limit: i64) -> Answer<'a, Vec<Stored>> {
        let filter = Filter { after: Some(after), limit, ..Filter::default() };
        let events = find(&self.log(), &filter);
        async { Ok(events) }.boxed()
    }

    fn span<'a>(&'a self, after: Position, limit: i64, types: &'a [String]) -> Answer<'a, Span> {
        let span = span(&self.log(), after, limit, types);
        async { span }.boxed()
    }

    fn search<'a>(&'a self, filter: &'a Filter) -> Answer<'a, Vec<Stored>> {
        let events = find(&self.log(), filter);
        async { Ok(events) }.boxed()
    }

    fn log_id(&self) -> Answer<'_, String> {
        // Nobody else can open it.
        async { Ok("memory".to_owned()) }.boxed()
    }

    fn head(&self) -> Answer<'_, Position> {
        let head = self.log().head();
        async move { Ok(head) }.boxed()
    }

    fn claim_owner<'a>(&'a self, scope: &'a str, key: &'a str) -> Answer<'a, Option<Uuid>> {
        let owner = self.log().holder(scope, key, now());
        async move { Ok(owner) }.boxed()
    }

    fn claim_owners<'a>(
        &'a self,
        scope: &'a str,
        prefix: &'a str,
        limit: i64,
    ) -> Answer<'a, Vec<(String, Uuid)>> {
        let (log, at) = (self.log(), now());
        let alike = log.claims.keys().filter(|(of, key)| of == scope && key.starts_with(prefix));
        let held = alike.filter_map(|(_, key)| Some((key.clone(), log.holder(scope, key, at)?)));
        let mut held: Vec<_> = held.collect();
        held.sort();
        held.truncate(usize::try_from(limit).unwrap_or_default());
        async { Ok(held) }.boxed()
    }

    fn command(&self, tenant: TenantId, id: Uuid) -> Answer<'_, Option<CommandRecord>> {
        let record = self.log().commands.get(&(tenant, id)).cloned();
        async { Ok(record) }.boxed()
    }

    fn keys<'a>(
        &'a self,
        wanted: &'a [KeyId],
        offered: &'a [(KeyId, Vec<u8>)],
    ) -> Answer<'a, Vec<(KeyId, Option<Vec<u8>>)>> {
        let mut log = self.log();
        for (id, wrapped) in offered {
            log.keys.entry(*id).or_insert_with(|| Some(wrapped.clone()));
        }
        let found = wanted.iter().filter_map(|id| Some((*id, log.keys.get(id)?.clone())));
        let found = found.collect();
        async { Ok::<_, Unavailable>(found) }.boxed()
    }
}

fn span(log: &Log, after: Position, limit: i64, types: &[String]) -> Result<Span, Unavailable> {
    let limited = Position(after.0.saturating_add(limit));
    let last = log.events.iter().rev().find(|event| event.envelope.position <= limited);
    let until = last.map_or(Position(0), |event| event.envelope.append_last);
    let between = |event: &&Stored| {
        let position = event.envelope.position;
        position > after && position <= until
    };
    let found = log.events.iter().filter(between).count();
    Hole::unless_whole(after, until, i64::try_from(found).unwrap_or(i64::MAX))?;
    let wanted = |event: &&Stored| {
        let full = event.envelope.event_type();
        types.iter().any(|prefix| full.starts_with(prefix))
    };
    Ok(Span { events: log.events.iter().filter(between).filter(wanted).cloned().collect(), until })
}

fn find(log: &Log, filter: &Filter) -> Vec<Stored> {
    let matches = |event: &&Stored| {
        let e = &event.envelope;
        let beyond = |after| match filter.descending {
            false => e.position > after,
            true => e.position < after,
        };
        filter.after.is_none_or(beyond)
            && filter.until.is_none_or(|until| e.position <= until)
            && filter.tenant.is_none_or(|tenant| e.tenant == tenant)
            && filter.stream.is_none_or(|stream| e.stream == stream)
            && filter.event_type.as_ref().is_none_or(|t| of_type(&e.event_type(), t))
            && filter.actor.is_none_or(|actor| e.actor.id == actor)
            && filter.correlation.is_none_or(|id| e.correlation_id == id)
            && filter.from.is_none_or(|from| e.recorded_at >= from)
            && filter.to.is_none_or(|to| e.recorded_at < to)
    };
    let limit = usize::try_from(filter.limit).unwrap_or_default();
    let events = log.events.iter();
    if filter.descending {
        events.rev().filter(matches).take(limit).cloned().collect()
    } else {
        events.filter(matches).take(limit).cloned().collect()
    }
}

/// Whether a type is the wanted one, or begins with a wanted prefix that ends in a dot.
fn of_type(found: &str, wanted: &str) -> bool {
    found == wanted || (wanted.ends_with('.') && found.starts_with(wanted))
}
