//! UserExit: access ends everywhere when it ends somewhere.
//!
//! A disabled user is suspended in every organization, a deleted one removed, and invitations to
//! the address of a deleted one end, so that nobody keeps the address; a member who goes loses the
//! roles held there; memberships follow a user to another person. Remembers, for that, who is where
//! with which roles, and what waits for an answer from whom: streams cannot be listed, and tables
//! are not read here. Forgets the invitations of a purged organization, which end without a word.

use domain::{
    identity::{PersonId, UserId, user::UserEvent},
    kernel::DomainEvent,
    organization::{
        InvitationId, MembershipId, OrganizationId, PrincipalKind, RoleAssignmentId,
        invitation::InvitationEvent, membership::MembershipEvent, organization::OrganizationEvent,
        role_assignment::RoleAssignmentEvent,
    },
};
use eventstore::{Opened, decode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Fault, Memory, Policy, Step};
use crate::organization::{
    invitation,
    membership::{ChangePerson, Remove, Suspend},
    organization::RemoveOwner,
    role_assignment::Withdraw,
};

const DISABLED: &str = "the user was disabled";
const DELETED: &str = "the user was deleted";
const GONE: &str = "the membership ended";

/// Ends access everywhere when it ends somewhere.
#[derive(Debug, Clone, Copy)]
pub struct UserExit;

/// What a user has, a part of what is known under the user's id. Somebody may be in very many
/// organizations, so there is never a list of them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Has {
    /// A membership, under the organization's id.
    Membership,
    /// A live role on the platform, under the assignment's id.
    Role,
}

/// What is known of a membership, under its id; its live roles are parts of it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Stay {
    organization_id: OrganizationId,
    user_id: UserId,
}

/// An invitation that waits for an answer, a part of what is known under its address.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Offer {
    organization_id: OrganizationId,
}

/// The address of an invitation that waits for an answer, under the invitation's id.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct SentTo {
    address: Uuid,
}

/// Where a live role is noted, under the assignment's id.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Holder {
    User(UserId),
    Member(OrganizationId, UserId),
}

impl Holder {
    /// What the role is a part of.
    fn key(self) -> Uuid {
        match self {
            Self::User(user) => user.uuid(),
            Self::Member(organization, user) => MembershipId::of(organization, user).uuid(),
        }
    }
}

impl Policy for UserExit {
    const NAME: &'static str = "policy.user_exit";

    fn wants(&self, category: &str) -> bool {
        [
            UserEvent::CATEGORY,
            OrganizationEvent::CATEGORY,
            InvitationEvent::CATEGORY,
            MembershipEvent::CATEGORY,
            RoleAssignmentEvent::CATEGORY,
        ]
        .contains(&category)
    }

    async fn react(&self, event: &Opened, memory: &mut Memory<'_>) -> Result<Vec<Step>, Fault> {
        let stream = event.envelope.stream;
        match &*event.envelope.category {
            UserEvent::CATEGORY => {
                let user = UserId::from_uuid(stream);
                of_user(user, decode::<UserEvent>(event)?.event, memory).await
            }
            OrganizationEvent::CATEGORY => {
                if let OrganizationEvent::Purged { key_ids } = decode(event)?.event {
                    for key in key_ids {
                        answered(InvitationId::from_uuid(key.uuid()), memory).await?;
                    }
                }
                Ok(Vec::new())
            }
            InvitationEvent::CATEGORY => {
                let invitation = InvitationId::from_uuid(stream);
                of_invitation(invitation, decode::<InvitationEvent>(event)?.event, memory).await?;
                Ok(Vec::new())
            }
            MembershipEvent::CATEGORY => {
                let membership = MembershipId::from_uuid(stream);
                of_membership(membership, decode::<MembershipEvent>(event)?.event, memory).await
            }
            _ => {
                let assignment = RoleAssignmentId::from_uuid(stream);
                of_role(assignment, decode::<RoleAssignmentEvent>(event)?.event, memory).await?;
                Ok(Vec::new())
            }
        }
    }
}

async fn of_user(
    user_id: UserId,
    event: UserEvent,
    memory: &Memory<'_>,
) -> Result<Vec<Step>, Fault> {
    let mut steps = Vec::new();
    let exit: Exit = match event {
        UserEvent::Disabled { .. } => Exit::Disabled,
        UserEvent::Deleted { email_digest, .. } => {
            if let Some(digest) = email_digest {
                steps.extend(take_back(address(&digest), memory).await?);
            }
            Exit::Deleted
        }
        UserEvent::PersonChanged { person_id } => Exit::Merged(person_id),
        UserEvent::Registered { .. }
        | UserEvent::RegistrationAttempted { .. }
        | UserEvent::EmailVerificationRequested { .. }
        | UserEvent::EmailVerified { .. }
        | UserEvent::EmailChangeRequested { .. }
        | UserEvent::EmailChanged { .. }
        | UserEvent::PasswordSet { .. }
        | UserEvent::PasswordRehashed { .. }
        | UserEvent::PasswordResetRequested { .. }
        | UserEvent::PasswordReset { .. }
        | UserEvent::TokenAttempted { .. }
        | UserEvent::TokenInvalidated { .. }
        | UserEvent::IdentityLinked { .. }
        | UserEvent::IdentityUnlinked { .. }
        | UserEvent::TotpEnrolled { .. }
        | UserEvent::CredentialRevoked { .. }
        | UserEvent::LoginSucceeded { .. }
        | UserEvent::LoginFailed { .. }
        | UserEvent::Locked { .. }
        | UserEvent::Unlocked {}
        | UserEvent::Enabled { .. } => return Ok(Vec::new()),
    };
    for (part, has) in memory.recall_parts::<Has>(user_id.uuid()).await? {
        match has {
            Has::Membership => steps.extend(exit.from(OrganizationId::from_uuid(part), user_id)),
            Has::Role if matches!(exit, Exit::Deleted) => {
                steps.push(withdraw(RoleAssignmentId::from_uuid(part), DELETED));
            }
            Has::Role => {}
        }
    }
    Ok(steps)
}

/// What waits for an answer from an address that nobody has any more.
async fn take_back(address: Uuid, memory: &Memory<'_>) -> Result<Vec<Step>, Fault> {
    let offers = memory.recall_parts::<Offer>(address).await?;
    let step = |(id, Offer { organization_id })| {
        let invitation_id = InvitationId::from_uuid(id);
        let revoke = invitation::Revoke { organization_id, invitation_id };
        Step::new(format!("take_back/{invitation_id}"), revoke)
    };
    Ok(offers.into_iter().map(step).collect())
}

async fn of_invitation(
    invitation: InvitationId,
    event: InvitationEvent,
    memory: &mut Memory<'_>,
) -> Result<(), Fault> {
    use InvitationEvent as E;
    match event {
        E::Invited { organization_id, email_digest, .. } => {
            let address = address(&email_digest);
            memory.remember(invitation.uuid(), &SentTo { address })?;
            memory.remember_part(address, invitation.uuid(), &Offer { organization_id })
        }
        E::Resent { .. } => Ok(()),
        E::Accepted { .. } | E::Declined { .. } | E::Revoked { .. } | E::Expired { .. } => {
            answered(invitation, memory).await
        }
    }
}

/// Forgets an invitation that waits for nobody any more, if it was one.
async fn answered(invitation: InvitationId, memory: &mut Memory<'_>) -> Result<(), Fault> {
    if let Some(SentTo { address }) = memory.recall(invitation.uuid()).await? {
        memory.forget(invitation.uuid());
        memory.forget_part(address, invitation.uuid());
    }
    Ok(())
}

/// Under what an address is remembered, which the policy knows by its keyed digest alone.
fn address(email_digest: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, email_digest.as_bytes())
}

/// What happened to a user that concerns their memberships.
enum Exit {
    Disabled,
    Deleted,
    Merged(PersonId),
}

impl Exit {
    fn from(&self, organization_id: OrganizationId, user_id: UserId) -> Vec<Step> {
        match *self {
            Self::Disabled => {
                let reason = DISABLED.to_owned();
                let suspend = Suspend { organization_id, user_id, reason };
                vec![Step::new(format!("suspend/{organization_id}"), suspend)]
            }
            // The last owner stays one, on paper, until somebody names another.
            Self::Deleted => {
                let reason = DELETED.to_owned();
                let disown = RemoveOwner { organization_id, user_id };
                let remove = Remove { organization_id, user_id, reason };
                vec![
                    Step::new(format!("disown/{organization_id}"), disown),
                    Step::new(format!("remove/{organization_id}"), remove),
                ]
            }
            Self::Merged(person_id) => {
                let follow = ChangePerson { organization_id, user_id, person_id };
                vec![Step::new(format!("follow/{organization_id}"), follow)]
            }
        }
    }
}

async fn of_membership(
    membership: MembershipId,
    event: MembershipEvent,
    memory: &mut Memory<'_>,
) -> Result<Vec<Step>, Fault> {
    match event {
        MembershipEvent::Added { organization_id, user_id, .. } => {
            memory.remember(membership.uuid(), &Stay { organization_id, user_id })?;
            memory.remember_part(user_id.uuid(), organization_id.uuid(), &Has::Membership)?;
            Ok(Vec::new())
        }
        MembershipEvent::Removed { .. } | MembershipEvent::Left {} => {
            let Some(stay) = memory.recall::<Stay>(membership.uuid()).await? else {
                return Ok(Vec::new());
            };
            let roles = memory.recall_parts::<Has>(membership.uuid()).await?;
            memory.forget(membership.uuid());
            memory.forget_part(stay.user_id.uuid(), stay.organization_id.uuid());
            let mut steps = Vec::new();
            for id in roles.into_keys() {
                memory.forget_part(membership.uuid(), id);
                steps.push(withdraw(RoleAssignmentId::from_uuid(id), GONE));
            }
            Ok(steps)
        }
        MembershipEvent::Suspended { .. }
        | MembershipEvent::Reinstated {}
        | MembershipEvent::TitleSet { .. }
        | MembershipEvent::PersonChanged { .. } => Ok(Vec::new()),
    }
}

async fn of_role(
    assignment: RoleAssignmentId,
    event: RoleAssignmentEvent,
    memory: &mut Memory<'_>,
) -> Result<(), Fault> {
    use RoleAssignmentEvent as E;
    match event {
        E::Assigned {
            principal_kind: PrincipalKind::User, principal_id, organization_id, ..
        } => {
            let user = UserId::from_uuid(principal_id);
            let holder = organization_id.map_or(Holder::User(user), |id| Holder::Member(id, user));
            // Without a stay the member is gone already, and the roles with them.
            if matches!(holder, Holder::Member(..))
                && memory.recall::<Stay>(holder.key()).await?.is_none()
            {
                return Ok(());
            }
            memory.remember(assignment.uuid(), &holder)?;
            memory.remember_part(holder.key(), assignment.uuid(), &Has::Role)
        }
        E::Assigned { principal_kind: PrincipalKind::Service, .. } => Ok(()),
        E::Revoked { .. } | E::Expired { .. } => {
            let Some(holder) = memory.recall::<Holder>(assignment.uuid()).await? else {
                return Ok(());
            };
            memory.forget(assignment.uuid());
            memory.forget_part(holder.key(), assignment.uuid());
            Ok(())
        }
    }
}

fn withdraw(role_assignment_id: RoleAssignmentId, reason: &str) -> Step {
    let reason = reason.to_owned();
    Step::new(format!("withdraw/{role_assignment_id}"), Withdraw { role_assignment_id, reason })
}
