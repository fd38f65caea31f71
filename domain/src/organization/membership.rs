//! The membership: the belonging of one user to one organization.
//!
//! Owns whether the user is in, suspended or out, over all their comings and goings: leaving and
//! joining again continue the same stream. Refuses to part an owner from the organization; who
//! is an owner is the organization's knowledge, so the command says it.

use super::{IdentityProviderId, MembershipId, OrganizationId};
use crate::{
    events,
    identity::{PersonId, UserId},
    kernel::{Aggregate, DomainError, KeyId, Kind, TenantId, Timestamp},
    text_enum,
};

text_enum! {
    /// Where a member stands.
    pub enum MembershipStatus {
        /// In.
        Active = "active",
        /// In, but without access.
        Suspended = "suspended",
        /// Out; may be added again.
        Removed = "removed",
    }
}

text_enum! {
    /// How a member came in.
    pub enum MembershipSource {
        /// Created the organization.
        Founder = "founder",
        /// Accepted an invitation.
        Invitation = "invitation",
        /// Signed on through the organization's own provider.
        SsoJit = "sso_jit",
        /// Added by somebody who runs the platform.
        Operator = "operator",
    }
}

events! {
    /// Facts of a membership.
    pub enum MembershipEvent in "organization.membership" {
        /// The user is in from now on, for the first time or again.
        Added {
            membership_id: MembershipId,
            organization_id: OrganizationId,
            user_id: UserId,
            person_id: PersonId,
            source: MembershipSource,
            #[serde(default)]
            identity_provider_id: Option<IdentityProviderId>,
            #[serde(default)]
            title: Option<String>,
            joined_at: Timestamp,
        },
        /// The user has no access for now.
        Suspended { reason: String },
        /// The user has access again.
        Reinstated {},
        /// Somebody put the user out.
        Removed { reason: String },
        /// The user went.
        Left {},
        /// What the member is called in the organization, after.
        TitleSet {
            #[serde(default)]
            title: Option<String>,
        },
        /// The user stands for another person since two persons became one.
        PersonChanged { person_id: PersonId },
    }
}

/// What may be asked of a membership.
#[derive(Debug, Clone, PartialEq)]
pub enum MembershipCommand {
    /// Let the user in.
    Add(Add),
    /// Take the access away for now.
    Suspend {
        /// Why, for the record.
        reason: String,
        /// Whether the user owns the organization.
        is_owner: bool,
    },
    /// Give the access back.
    Reinstate,
    /// Put the user out.
    Remove {
        /// Why, for the record.
        reason: String,
        /// Whether the user owns the organization.
        is_owner: bool,
    },
    /// Go, on the user's own wish.
    Leave {
        /// Whether the user owns the organization.
        is_owner: bool,
    },
    /// Call the member something; none removes the title.
    SetTitle {
        /// Such as `Treasurer`.
        title: Option<String>,
    },
    /// Follow the merge of two persons.
    ChangePerson {
        /// The person who remains.
        person_id: PersonId,
    },
}

/// The content of [`MembershipCommand::Add`].
#[derive(Debug, Clone, PartialEq)]
pub struct Add {
    /// Where the user comes in.
    pub organization_id: OrganizationId,
    /// Who comes in.
    pub user_id: UserId,
    /// The human behind the user.
    pub person_id: PersonId,
    /// How they come in.
    pub source: MembershipSource,
    /// The provider that vouches for them, if they come by sign-on.
    pub identity_provider_id: Option<IdentityProviderId>,
    /// What they are called there.
    pub title: Option<String>,
}

/// Why a membership refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// The user was never in.
    #[error("this user is not a member of the organization")]
    Missing,
    /// The user is in, perhaps suspended.
    #[error("this user is already a member of the organization")]
    AlreadyMember,
    /// Not from this status.
    #[error("not possible while the membership is {0}")]
    WrongStatus(MembershipStatus),
    /// Ownership comes first.
    #[error("an owner must stop being an owner first")]
    Owner,
}

impl DomainError for MembershipError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "not-found",
            Self::AlreadyMember => "membership-already-member",
            Self::WrongStatus(_) => "membership-wrong-status",
            Self::Owner => "membership-owner",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::AlreadyMember | Self::WrongStatus(_) | Self::Owner => Kind::Conflict,
        }
    }
}

/// The state of a membership.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Membership {
    /// Before the first event.
    #[default]
    Missing,
    /// The user is in, or was.
    Present(Present),
}

/// What an existing membership remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The user.
    pub user_id: UserId,
    /// The human behind the user.
    pub person_id: PersonId,
    /// Where the member stands.
    pub status: MembershipStatus,
    /// What the member is called.
    pub title: Option<String>,
}

impl Membership {
    /// The membership, whatever its status.
    ///
    /// # Errors
    /// [`MembershipError::Missing`].
    pub fn present(&self) -> Result<&Present, MembershipError> {
        match self {
            Self::Present(present) => Ok(present),
            Self::Missing => Err(MembershipError::Missing),
        }
    }

    /// Whether the user has access.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.present().is_ok_and(|present| present.status == MembershipStatus::Active)
    }
}

impl Aggregate for Membership {
    type Id = MembershipId;
    type Command = MembershipCommand;
    type Event = MembershipEvent;
    type Error = MembershipError;

    fn decide(
        &self,
        command: &MembershipCommand,
        now: Timestamp,
    ) -> Result<Vec<MembershipEvent>, MembershipError> {
        match (self, command) {
            (Self::Missing, MembershipCommand::Add(add)) => Ok(vec![add.added(now)]),
            (Self::Missing, _) => Err(MembershipError::Missing),
            (Self::Present(present), command) => present.decide(command, now),
        }
    }

    fn evolve(self, event: &MembershipEvent) -> Self {
        match (self, event) {
            (_, MembershipEvent::Added { organization_id, user_id, person_id, title, .. }) => {
                Self::Present(Present {
                    organization_id: *organization_id,
                    user_id: *user_id,
                    person_id: *person_id,
                    status: MembershipStatus::Active,
                    title: title.clone(),
                })
            }
            (Self::Present(present), event) => Self::Present(present.evolve(event)),
            (Self::Missing, _) => Self::Missing,
        }
    }

    fn tenant(&self) -> TenantId {
        match self {
            Self::Missing => TenantId::PLATFORM,
            Self::Present(present) => present.organization_id.tenant(),
        }
    }

    fn subject(&self) -> Option<KeyId> {
        self.present().ok().map(|present| present.organization_id.key())
    }
}

impl Add {
    fn added(&self, now: Timestamp) -> MembershipEvent {
        MembershipEvent::Added {
            membership_id: MembershipId::of(self.organization_id, self.user_id),
            organization_id: self.organization_id,
            user_id: self.user_id,
            person_id: self.person_id,
            source: self.source,
            identity_provider_id: self.identity_provider_id,
            title: self.title.clone(),
            joined_at: now,
        }
    }
}

impl Present {
    fn decide(
        &self,
        command: &MembershipCommand,
        now: Timestamp,
    ) -> Result<Vec<MembershipEvent>, MembershipError> {
        use MembershipCommand as C;
        use MembershipEvent as E;
        use MembershipStatus as S;
        let event = match (self.status, command) {
            (S::Removed, C::Add(add)) => add.added(now),
            (S::Active | S::Suspended, C::Add(_)) => return Err(MembershipError::AlreadyMember),

            (S::Active, C::Suspend { is_owner: true, .. })
            | (
                S::Active | S::Suspended,
                C::Remove { is_owner: true, .. } | C::Leave { is_owner: true },
            ) => return Err(MembershipError::Owner),

            (S::Active, C::Suspend { reason, .. }) => E::Suspended { reason: reason.clone() },
            (S::Suspended, C::Reinstate) => E::Reinstated {},
            (S::Active | S::Suspended, C::Remove { reason, .. }) => {
                E::Removed { reason: reason.clone() }
            }
            (S::Active | S::Suspended, C::Leave { .. }) => E::Left {},
            (S::Active | S::Suspended, C::SetTitle { title }) if *title != self.title => {
                E::TitleSet { title: title.clone() }
            }
            // A merge reaches past members too: their rows name a person.
            (_, &C::ChangePerson { person_id }) if person_id != self.person_id => {
                E::PersonChanged { person_id }
            }

            (S::Removed, C::Suspend { .. } | C::Reinstate | C::SetTitle { .. }) => {
                return Err(MembershipError::WrongStatus(S::Removed));
            }
            (S::Suspended, C::Suspend { .. })
            | (S::Active, C::Reinstate)
            | (S::Removed, C::Remove { .. } | C::Leave { .. })
            | (S::Active | S::Suspended, C::SetTitle { .. })
            | (_, C::ChangePerson { .. }) => return Ok(Vec::new()),
        };
        Ok(vec![event])
    }

    fn evolve(self, event: &MembershipEvent) -> Self {
        use MembershipEvent as E;
        use MembershipStatus as S;
        match event {
            E::Added { .. } => self,
            E::Suspended { .. } => Self { status: S::Suspended, ..self },
            E::Reinstated {} => Self { status: S::Active, ..self },
            E::Removed { .. } | E::Left {} => Self { status: S::Removed, ..self },
            E::TitleSet { title } => Self { title: title.clone(), ..self },
            E::PersonChanged { person_id } => Self { person_id: *person_id, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::kernel::testing::{at, given};

    fn person(n: u128) -> PersonId {
        PersonId::from_uuid(Uuid::from_u128(n))
    }

    fn add() -> Add {
        Add {
            organization_id: OrganizationId::from_uuid(Uuid::from_u128(1)),
            user_id: UserId::from_uuid(Uuid::from_u128(7)),
            person_id: person(70),
            source: MembershipSource::Invitation,
            identity_provider_id: None,
            title: None,
        }
    }

    fn added() -> MembershipEvent {
        add().added(at(0))
    }

    fn suspended() -> MembershipEvent {
        MembershipEvent::Suspended { reason: "unpaid dues".into() }
    }

    fn suspend(is_owner: bool) -> MembershipCommand {
        MembershipCommand::Suspend { reason: "unpaid dues".into(), is_owner }
    }

    fn removed() -> MembershipEvent {
        MembershipEvent::Removed { reason: "moved away".into() }
    }

    fn remove(is_owner: bool) -> MembershipCommand {
        MembershipCommand::Remove { reason: "moved away".into(), is_owner }
    }

    #[test]
    fn a_member_is_in_from_the_start() {
        let state = given::<Membership>([]).when(MembershipCommand::Add(add())).then_state();
        assert!(state.is_active());
        assert_eq!(state.tenant(), add().organization_id.tenant());
        assert_eq!(state.subject(), Some(add().organization_id.key()));
    }

    #[test]
    fn nothing_can_be_asked_of_a_stranger() {
        let title = MembershipCommand::SetTitle { title: None };
        for command in [suspend(false), MembershipCommand::Reinstate, remove(false), title] {
            given::<Membership>([]).when(command).then_err(MembershipError::Missing);
        }
    }

    #[test]
    fn a_member_is_added_once_and_again_after_leaving() {
        for history in [vec![added()], vec![added(), suspended()]] {
            given::<Membership>(history)
                .when(MembershipCommand::Add(add()))
                .then_err(MembershipError::AlreadyMember);
        }
        for end in [removed(), MembershipEvent::Left {}] {
            given::<Membership>([added(), end])
                .at(at(9))
                .when(MembershipCommand::Add(add()))
                .then([add().added(at(9))]);
        }
    }

    #[test]
    fn suspension_takes_access_and_can_be_lifted() {
        given::<Membership>([added()]).when(suspend(false)).then([suspended()]);
        given::<Membership>([added(), suspended()]).when(suspend(false)).then([]);
        let state = given::<Membership>([added()]).when(suspend(false)).then_state();
        assert!(!state.is_active());
        given::<Membership>([added(), suspended()])
            .when(MembershipCommand::Reinstate)
            .then([MembershipEvent::Reinstated {}]);
        given::<Membership>([added()]).when(MembershipCommand::Reinstate).then([]);
    }

    #[test]
    fn members_go_from_any_status_and_only_once() {
        for history in [vec![added()], vec![added(), suspended()]] {
            given::<Membership>(history.clone()).when(remove(false)).then([removed()]);
            given::<Membership>(history)
                .when(MembershipCommand::Leave { is_owner: false })
                .then([MembershipEvent::Left {}]);
        }
        given::<Membership>([added(), removed()]).when(remove(false)).then([]);
        given::<Membership>([added(), removed()])
            .when(MembershipCommand::Leave { is_owner: false })
            .then([]);
    }

    #[test]
    fn an_owner_must_stop_being_one_first() {
        for command in [suspend(true), remove(true), MembershipCommand::Leave { is_owner: true }] {
            given::<Membership>([added()]).when(command).then_err(MembershipError::Owner);
        }
        given::<Membership>([added(), suspended()])
            .when(remove(true))
            .then_err(MembershipError::Owner);
    }

    #[test]
    fn a_past_member_cannot_be_suspended_reinstated_or_titled() {
        let title = MembershipCommand::SetTitle { title: Some("Chair".into()) };
        for command in [suspend(false), MembershipCommand::Reinstate, title] {
            given::<Membership>([added(), removed()])
                .when(command)
                .then_err(MembershipError::WrongStatus(MembershipStatus::Removed));
        }
    }

    #[test]
    fn a_title_is_set_once() {
        let chair = Some("Chair".to_owned());
        let set = || MembershipCommand::SetTitle { title: chair.clone() };
        let fact = MembershipEvent::TitleSet { title: chair.clone() };
        given::<Membership>([added()]).when(set()).then([fact.clone()]);
        given::<Membership>([added(), fact]).when(set()).then([]);
    }

    #[test]
    fn a_merge_of_persons_reaches_past_members() {
        let change = |n| MembershipCommand::ChangePerson { person_id: person(n) };
        given::<Membership>([added(), removed()])
            .when(change(71))
            .then([MembershipEvent::PersonChanged { person_id: person(71) }]);
        given::<Membership>([added()]).when(change(70)).then([]);
    }
}
