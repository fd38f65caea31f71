//! UserExit: access ends everywhere when it ends somewhere.
//!
//! A disabled user is suspended in every organization, a deleted one removed; a member who goes
//! loses the roles held there; memberships follow a user to another person. Remembers, for that,
//! who is where with which roles: streams cannot be listed, and tables are not read here.

use std::collections::BTreeSet;

use domain::{
    identity::{PersonId, UserId, user::UserEvent},
    kernel::DomainEvent,
    organization::{
        MembershipId, OrganizationId, PrincipalKind, RoleAssignmentId, membership::MembershipEvent,
        role_assignment::RoleAssignmentEvent,
    },
};
use eventstore::{Opened, decode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Fault, Memory, Policy, Step};
use crate::organization::{
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

/// What is known of a user, under the user's id.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Account {
    /// Where they are a member.
    organizations: BTreeSet<OrganizationId>,
    /// Their live roles on the platform.
    assignments: BTreeSet<RoleAssignmentId>,
}

/// What is known of a membership, under its id.
#[derive(Debug, Serialize, Deserialize)]
struct Stay {
    organization_id: OrganizationId,
    user_id: UserId,
    /// The live roles held through it.
    assignments: BTreeSet<RoleAssignmentId>,
}

/// Where a live role is noted, under the assignment's id.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Holder {
    User(UserId),
    Member(OrganizationId, UserId),
}

impl Policy for UserExit {
    const NAME: &'static str = "policy.user_exit";

    fn wants(&self, category: &str) -> bool {
        [UserEvent::CATEGORY, MembershipEvent::CATEGORY, RoleAssignmentEvent::CATEGORY]
            .contains(&category)
    }

    async fn react(&self, event: &Opened, memory: &mut Memory<'_>) -> Result<Vec<Step>, Fault> {
        let stream = event.envelope.stream;
        match &*event.envelope.category {
            UserEvent::CATEGORY => {
                let user = UserId::from_uuid(stream);
                of_user(user, decode::<UserEvent>(event)?.event, memory).await
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
    let exit: Exit = match event {
        UserEvent::Disabled { .. } => Exit::Disabled,
        UserEvent::Deleted { .. } => Exit::Deleted,
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
    let account: Account = memory.recall(user_id.uuid()).await?.unwrap_or_default();
    let mut steps: Vec<_> =
        account.organizations.iter().flat_map(|id| exit.from(*id, user_id)).collect();
    if matches!(exit, Exit::Deleted) {
        steps.extend(account.assignments.into_iter().map(|id| withdraw(id, DELETED)));
    }
    Ok(steps)
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
            note_stay(organization_id, user_id, memory).await?;
            Ok(Vec::new())
        }
        MembershipEvent::Removed { .. } | MembershipEvent::Left {} => {
            let Some(stay) = memory.recall::<Stay>(membership.uuid()).await? else {
                return Ok(Vec::new());
            };
            memory.forget(membership.uuid());
            let user = stay.user_id.uuid();
            let mut account: Account = memory.recall(user).await?.unwrap_or_default();
            account.organizations.remove(&stay.organization_id);
            note_account(user, &account, memory)?;
            Ok(stay.assignments.into_iter().map(|id| withdraw(id, GONE)).collect())
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
            memory.remember(assignment.uuid(), &holder)?;
            change_held(holder, memory, |held| held.insert(assignment)).await
        }
        E::Assigned { principal_kind: PrincipalKind::Service, .. } => Ok(()),
        E::Revoked { .. } | E::Expired { .. } => {
            let Some(holder) = memory.recall::<Holder>(assignment.uuid()).await? else {
                return Ok(());
            };
            memory.forget(assignment.uuid());
            change_held(holder, memory, |held| held.remove(&assignment)).await
        }
    }
}

/// Changes which roles a holder is known to have.
async fn change_held(
    holder: Holder,
    memory: &mut Memory<'_>,
    change: impl FnOnce(&mut BTreeSet<RoleAssignmentId>) -> bool,
) -> Result<(), Fault> {
    match holder {
        Holder::User(user) => {
            let mut account: Account = memory.recall(user.uuid()).await?.unwrap_or_default();
            change(&mut account.assignments);
            note_account(user.uuid(), &account, memory)
        }
        Holder::Member(organization, user) => {
            let key = MembershipId::of(organization, user).uuid();
            // Without a stay the member is gone already, and the roles with them.
            let Some(mut stay) = memory.recall::<Stay>(key).await? else { return Ok(()) };
            change(&mut stay.assignments);
            memory.remember(key, &stay)
        }
    }
}

async fn note_stay(
    organization_id: OrganizationId,
    user_id: UserId,
    memory: &mut Memory<'_>,
) -> Result<(), Fault> {
    let stay = Stay { organization_id, user_id, assignments: BTreeSet::new() };
    memory.remember(MembershipId::of(organization_id, user_id).uuid(), &stay)?;
    let mut account: Account = memory.recall(user_id.uuid()).await?.unwrap_or_default();
    account.organizations.insert(organization_id);
    memory.remember(user_id.uuid(), &account)
}

fn note_account(key: Uuid, account: &Account, memory: &mut Memory<'_>) -> Result<(), Fault> {
    if *account == Account::default() {
        memory.forget(key);
        return Ok(());
    }
    memory.remember(key, account)
}

fn withdraw(role_assignment_id: RoleAssignmentId, reason: &str) -> Step {
    let reason = reason.to_owned();
    Step::new(format!("withdraw/{role_assignment_id}"), Withdraw { role_assignment_id, reason })
}
