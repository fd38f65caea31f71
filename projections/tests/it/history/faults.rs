//! Events that cannot be folded, though no aggregate would decide them: they must park, and
//! whatever touches the same rows behind them.

use domain::{
    identity::{
        CredentialId, TokenId,
        session::SessionEvent,
        user::{TokenPurpose, UserEvent},
    },
    kernel::{Aggregate, DomainEvent, TenantId},
    organization::{
        OrganizationId,
        invitation::{Invitation, InvitationEvent},
        membership::{Membership, MembershipEvent},
        organization::{Organization, OrganizationEvent},
    },
};
use eventstore::NewEvent;
use uuid::Uuid;

use super::{Action, History, Holds, States};
use crate::support::created;

pub(super) const ACTIONS: &[(usize, Action)] = &[
    (1, nobody),
    (1, missing_credential),
    (1, missing_token),
    (1, from_the_future),
    (3, revenant),
];

/// Events of streams that have no beginning; one of them begins after all, too late.
fn nobody(history: &mut History) -> Option<()> {
    let id = history.dice.id();
    let refreshed =
        SessionEvent::Refreshed { generation: 2, refresh_hash: id.to_string(), at: history.now };
    match history.dice.below(3) {
        0 => history.inject(id, TenantId::PLATFORM, &[refreshed, SessionEvent::Expired {}]),
        1 => history.inject(id, TenantId::PLATFORM, &[UserEvent::Unlocked {}]),
        _ => {
            let organization = OrganizationId::from_uuid(id);
            let renamed = OrganizationEvent::Renamed { name: "nobody".into() };
            let created = created(organization, &format!("late-{}", id.simple()));
            history.inject(id, organization.tenant(), &[renamed, created]);
        }
    }
    Some(())
}

/// Parks with rows of two tables; everything behind it in the stream waits.
fn missing_credential(history: &mut History) -> Option<()> {
    let (user, _) = history.user()?;
    let credential_id = CredentialId::from_uuid(history.dice.id());
    let unlinked = UserEvent::IdentityUnlinked { credential_id };
    history.inject(user.uuid(), TenantId::PLATFORM, &[unlinked]);
    Some(())
}

/// Of one append the first event is folded and the second is not.
fn missing_token(history: &mut History) -> Option<()> {
    let (user, _) = history.user()?;
    let token_id = TokenId::from_uuid(history.dice.id());
    let purpose = TokenPurpose::PasswordReset;
    let failed = UserEvent::LoginFailed { reason: "password".into(), count: 7, ip: None };
    let invalidated = UserEvent::TokenInvalidated { token_id, purpose };
    history.inject(user.uuid(), TenantId::PLATFORM, &[failed, invalidated]);
    Some(())
}

/// Written by a newer binary: nobody knows which rows it touches, so its stream waits.
fn from_the_future(history: &mut History) -> Option<()> {
    match history.dice.below(3) {
        0 => newer::<Organization>(history, &OrganizationEvent::Unfrozen {}),
        1 => newer::<Membership>(history, &MembershipEvent::Left {}),
        // What ends it later waits with it, and clears its row all the same.
        _ => {
            let (resolved_at, key_ids) = (history.now, Vec::new());
            newer::<Invitation>(history, &InvitationEvent::Declined { resolved_at, key_ids })
        }
    }
}

fn newer<A: Aggregate + Clone>(history: &mut History, event: &A::Event) -> Option<()>
where
    States: Holds<A>,
{
    let (id, state) = history.any::<A>()?;
    let newer = NewEvent { schema_version: 99, ..NewEvent::of(event, None) };
    history.damage::<A::Event>(id, state.tenant(), vec![newer]);
    Some(())
}

/// A member of an organization that is no more.
fn revenant(history: &mut History) -> Option<()> {
    let (id, tenant) = history.dice.pick(&history.states.purged)?;
    let titled = MembershipEvent::TitleSet { title: history.maybe_word() };
    history.inject(id, tenant, &[titled]);
    Some(())
}

impl History {
    fn inject<E: DomainEvent>(&mut self, id: Uuid, tenant: TenantId, events: &[E]) {
        let events = events.iter().map(|event| NewEvent::of(event, None)).collect();
        self.damage::<E>(id, tenant, events);
    }

    fn damage<E: DomainEvent>(&mut self, id: Uuid, tenant: TenantId, events: Vec<NewEvent>) {
        self.record::<E>(tenant, id, events);
        self.states.damaged.insert(id);
    }
}
