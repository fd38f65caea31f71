//! Histories as the platform writes them, for the measures of the read model: organizations with
//! their people, touching every table.
//!
//! Owns the mix. Refuses events that no use case would lead to in that order: afterwards nothing
//! may be parked.

mod organization;
mod people;

use anyhow::Result;
use chrono::Duration;
use domain::kernel::{
    Actor, ActorKind, DomainEvent, KeyId, Position, RequestInfo, StreamId, TenantId, Timestamp,
};
use eventstore::{Append, CommandKey, Expected, Meta, NewEvent, Store, StreamAppend};
use uuid::Uuid;

use crate::{load::drive, payload::mint, store::Proof};

/// People of each organization.
const PEOPLE: usize = 3;
/// Tasks that write histories.
const TASKS: usize = 64;

/// What happens around one organization, an append a command.
struct Story {
    number: usize,
    now: Timestamp,
    appends: Vec<Append>,
}

impl Story {
    fn of(number: usize) -> Self {
        let mut story = Self { number, now: chrono::Utc::now(), appends: Vec::new() };
        let people: [_; PEOPLE] = std::array::from_fn(|n| people::join(&mut story, n));
        organization::live(&mut story, &people);
        people.iter().for_each(|person| people::work(&mut story, person));
        story
    }

    /// A text that no other story has.
    fn unique(&self, what: &str) -> String {
        format!("{what}-{}", self.number)
    }

    fn in_days(&self, days: i64) -> Timestamp {
        self.now + Duration::days(days)
    }

    /// One command's append.
    fn happens<const N: usize>(&mut self, streams: [StreamAppend; N]) {
        let actor = Actor {
            kind: ActorKind::User,
            id: mint(),
            credential_id: Some(mint()),
            on_behalf_of: None,
        };
        self.appends.push(Append {
            command: CommandKey { tenant: TenantId::PLATFORM, id: mint(), digest: [7; 32] },
            reply: None,
            streams: streams.into(),
            claims: Vec::new(),
            shred: Vec::new(),
            meta: Meta {
                actor,
                correlation_id: mint(),
                causation_id: None,
                request: Some(RequestInfo { id: mint().to_string(), ip: None, user_agent: None }),
                request_key: None,
                occurred_at: self.now,
            },
        });
    }

    /// The last command's append destroys a key.
    fn destroys(&mut self, key: KeyId) {
        if let Some(append) = self.appends.last_mut() {
            append.shred.push(key);
        }
    }

    fn events(&self) -> usize {
        let streams = self.appends.iter().flat_map(|append| &append.streams);
        streams.map(|stream| stream.events.len()).sum()
    }
}

/// One stream's part of a command.
fn stream<E: DomainEvent>(
    id: impl Into<Uuid>,
    tenant: TenantId,
    key: KeyId,
    events: &[E],
) -> StreamAppend {
    StreamAppend {
        tenant,
        stream: StreamId::of(E::CATEGORY, id),
        expected: Expected::Any,
        events: events.iter().map(|event| NewEvent::of(event, Some(key))).collect(),
    }
}

/// What a log was filled with.
#[derive(Debug, Clone, Copy)]
pub struct Filled {
    /// Organizations in it.
    pub organizations: usize,
    /// Events in it.
    pub events: u64,
    /// Appends they came in.
    pub appends: u64,
}

/// Fills a log with at least so many events more.
pub async fn fill(store: &Store, events: u64, before: Option<Filled>) -> Result<Filled> {
    let sample = Story::of(0);
    let (each, appends) = (u64::try_from(sample.events())?, u64::try_from(sample.appends.len())?);
    let first = before.map_or(0, |filled| filled.organizations);
    let organizations = usize::try_from(events.div_ceil(each))?;
    let head = store.head().await?;
    let writer = store.clone();
    let write = move |n: usize| {
        let store = writer.clone();
        async move {
            for append in Story::of(first + n).appends {
                store.append(append).await?;
            }
            Ok(0)
        }
    };
    drive(TASKS, organizations, write).await?;
    let written = each * u64::try_from(organizations)?;
    let expected = Position(head.0 + i64::try_from(written)?);
    anyhow::ensure!(store.head().await? == expected, "the log does not end at {expected}");
    let all = u64::try_from(first + organizations)?;
    Ok(Filled { organizations: first + organizations, events: all * each, appends: all * appends })
}

impl Filled {
    /// What the tables must hold once they have come to the end of the log.
    pub fn proofs(&self) -> Result<Vec<Proof>> {
        let organizations = u64::try_from(self.organizations)?;
        let people = organizations * u64::try_from(PEOPLE)?;
        let rows = |from: &str, wanted| (format!("SELECT count(*) FROM {from}"), wanted);
        Ok(vec![
            rows("eventstore.events", self.events),
            rows("eventstore.parked", 0),
            rows("identity.persons", people),
            rows("identity.users WHERE status = 'active'", people),
            rows("identity.credentials", 2 * people),
            rows("identity.sessions", 2 * people),
            rows("identity.verification_tokens", 2 * people),
            rows("organization.organizations", organizations),
            rows("organization.workspaces", 2 * organizations),
            rows("organization.memberships", people),
            rows("organization.invitations", people),
            rows("organization.invitations WHERE status = 'accepted'", people - organizations),
            rows("organization.roles", organizations),
            rows("organization.role_assignments", people),
            rows("organization.api_keys", organizations),
            rows("organization.identity_providers", organizations),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_stories_are_of_one_length() {
        assert_eq!(Story::of(1).events(), Story::of(2).events());
        assert_eq!(Story::of(1).appends.len(), Story::of(2).appends.len());
    }
}
