//! Plausible histories of both modules, made by asking real aggregates at random.
//!
//! Owns what is asked and how often. Events are what the aggregates decide, so histories are
//! valid by themselves; a few faults are strewn in that no aggregate would decide.

mod authority;
mod dice;
mod faults;
mod identity;
mod organization;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    identity::{TokenId, person::Person, session::Session, user::User},
    kernel::{Aggregate, DomainEvent, KeyId, StreamId, TenantId, Timestamp, testing::at},
    organization::{
        identity_provider::IdentityProvider, invitation::Invitation, membership::Membership,
        organization::Organization, role::Role, role_assignment::RoleAssignment,
        service_principal::ServicePrincipal, workspace::Workspace,
    },
};
use eventstore::{Append, AppendError, CommandKey, Expected, Meta, NewEvent, Store, StreamAppend};
use uuid::Uuid;

pub(crate) use dice::Dice;

use crate::support::{meta, mint};

/// The aggregates of one kind.
pub(crate) type Streams<A> = BTreeMap<Uuid, A>;

/// Where the aggregates of a kind are.
pub(crate) trait Holds<A> {
    fn streams(&self) -> &Streams<A>;
    fn streams_mut(&mut self) -> &mut Streams<A>;
}

macro_rules! states {
    ($($field:ident: $aggregate:ty),+ $(,)?) => {
        /// Every aggregate as it stands.
        #[derive(Debug, Clone, Default)]
        pub(crate) struct States {
            $(pub(crate) $field: Streams<$aggregate>,)+
            /// Streams with events that cannot be folded: their rows stay behind.
            pub(crate) damaged: BTreeSet<Uuid>,
            /// Memberships of organizations that were purged.
            purged: Vec<(Uuid, TenantId)>,
        }

        $(impl Holds<$aggregate> for States {
            fn streams(&self) -> &Streams<$aggregate> {
                &self.$field
            }

            fn streams_mut(&mut self) -> &mut Streams<$aggregate> {
                &mut self.$field
            }
        })+
    };
}

states! {
    persons: Person,
    users: User,
    sessions: Session,
    organizations: Organization,
    workspaces: Workspace,
    memberships: Membership,
    invitations: Invitation,
    roles: Role,
    role_assignments: RoleAssignment,
    service_principals: ServicePrincipal,
    identity_providers: IdentityProvider,
}

/// Something that may happen; none if there is nobody to whom it could.
type Action = fn(&mut History) -> Option<()>;

/// A history in the making.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) dice: Dice,
    pub(crate) states: States,
    now: Timestamp,
    draft: Draft,
    /// All tokens ever made; a user says of each whether it still counts.
    tokens: Vec<TokenId>,
}

/// An append in the making.
#[derive(Debug, Default)]
struct Draft {
    streams: Vec<StreamAppend>,
    shred: Vec<KeyId>,
    refused: bool,
}

impl History {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            states: States::default(),
            now: at(0),
            draft: Draft::default(),
            tokens: Vec::new(),
        }
    }

    pub(crate) fn tokens(&self) -> &[TokenId] {
        &self.tokens
    }

    /// Lets something happen; much of what is tried is refused.
    pub(crate) async fn step(&mut self, store: &Store) {
        for _ in 0..20 {
            if self.attempt(store).await {
                return;
            }
        }
    }

    async fn attempt(&mut self, store: &Store) -> bool {
        self.now += self.dice.seconds(3_600);
        let before = self.states.clone();
        let possible = self.action()(self).is_some();
        let mut draft = std::mem::take(&mut self.draft);
        draft.streams.retain(|stream| !stream.events.is_empty());
        if !possible || draft.refused || draft.streams.is_empty() {
            self.states = before;
            return false;
        }
        let append = Append {
            command: CommandKey { tenant: TenantId::PLATFORM, id: mint(), digest: [0; 32] },
            reply: None,
            streams: draft.streams,
            claims: Vec::new(),
            shred: draft.shred,
            meta: Meta { occurred_at: self.now, ..meta() },
        };
        match store.append(append).await {
            Ok(_) => true,
            // Nobody writes about whom everybody must forget.
            Err(AppendError::SubjectErased) => {
                self.states = before;
                false
            }
            Err(fault) => panic!("{fault}"),
        }
    }

    fn action(&mut self) -> Action {
        let lists = [identity::ACTIONS, organization::ACTIONS, authority::ACTIONS, faults::ACTIONS];
        let total = lists.iter().copied().flatten().map(|(weight, _)| weight).sum();
        let mut left = self.dice.below(total);
        let mut all = lists.into_iter().flatten();
        all.find(|(weight, _)| {
            let found = left < *weight;
            left = left.saturating_sub(*weight);
            found
        })
        .unwrap()
        .1
    }

    /// Asks an aggregate something, as a part of what happens in this step.
    fn ask<A: Aggregate>(&mut self, id: A::Id, command: &A::Command)
    where
        States: Holds<A>,
    {
        let id: Uuid = id.into();
        let before = self.states.streams().get(&id).cloned().unwrap_or_default();
        let Ok(events) = before.decide(command, self.now) else {
            self.draft.refused = true;
            return;
        };
        let after = events.iter().fold(before.clone(), A::evolve);
        let key = after.subject().or(before.subject());
        let recorded = events.iter().map(|event| NewEvent::of(event, key)).collect();
        self.record::<A::Event>(after.tenant(), id, recorded);
        // What cannot be folded changes no row: whoever is damaged stays as they are.
        if !self.states.damaged.contains(&id) {
            self.states.streams_mut().insert(id, after);
        }
    }

    fn record<E: DomainEvent>(&mut self, tenant: TenantId, id: Uuid, events: Vec<NewEvent>) {
        let stream = StreamId::of(E::CATEGORY, id);
        match self.draft.streams.iter_mut().find(|known| known.stream == stream) {
            Some(known) => known.events.extend(events),
            None => self.draft.streams.push(StreamAppend {
                tenant,
                stream,
                expected: Expected::Any,
                events,
            }),
        }
    }

    /// One aggregate of a kind.
    fn any<A: Clone>(&mut self) -> Option<(Uuid, A)>
    where
        States: Holds<A>,
    {
        let ids: Vec<Uuid> = self.states.streams().keys().copied().collect();
        let id = self.dice.pick(&ids)?;
        Some((id, self.states.streams().get(&id)?.clone()))
    }

    /// One of some words.
    fn word(&mut self) -> String {
        let words = ["one", "two", "t\tr\\ee", "\"four\"", "{five,}", "sechs — ß\n"];
        self.dice.pick(&words).unwrap().to_owned()
    }

    fn maybe_word(&mut self) -> Option<String> {
        self.dice.one_in(2).then(|| self.word())
    }

    fn later(&mut self) -> Timestamp {
        self.now + self.dice.seconds(40 * 3_600)
    }
}
