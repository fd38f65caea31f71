//! Use cases of an invitation.
//!
//! Owns that a user comes in, gets what was promised, and answers the invitation in one append.
//! Tokens are made and hashed at the edge; so are addresses.

use domain::{
    identity::{
        UserId,
        user::{self, User},
    },
    kernel::Timestamp,
    organization::{
        InvitationId, MembershipId, OrganizationId, RoleId, Scope, WorkspaceId,
        invitation::{self, Invitation, InvitationCommand, Proof},
        membership::{self, MembershipError, MembershipSource, MembershipStatus},
    },
    permissions,
};
use eventstore::Claim;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    claims, guard, membership as members,
    role_assignment::{self, Arrival},
};
use crate::{Caller, Denied, Handle, Refusal, Unit, UseCase, unit::holder};

/// Invites somebody by e-mail.
#[derive(Clone)]
pub struct Invite {
    /// Its id, minted by the edge: the token is made for it.
    pub invitation_id: InvitationId,
    /// Where to.
    pub organization_id: OrganizationId,
    /// The workspace its roles are for; none means the whole organization.
    pub workspace_id: Option<WorkspaceId>,
    /// The address, in lower case.
    pub email: String,
    /// Keyed digest of the address.
    pub email_digest: String,
    /// What the invited may do once in.
    pub role_ids: Vec<RoleId>,
    /// SHA-256 of the link's token.
    pub token_hash: String,
    /// A word to the invited.
    pub message: Option<String>,
    /// When the offer ends.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Invite {
    /// Without the address: requests may be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Invite to {}", self.organization_id)
    }
}

/// The invitation that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// Its id.
    pub invitation_id: InvitationId,
}

impl UseCase for Invite {
    type Answer = Invited;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.user()?;
        caller.require_in(self.organization_id, permissions::ORGANIZATION_INVITATION_CREATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Invited, Refusal> {
        let organization_id = self.organization_id;
        guard::open(unit, organization_id).await?;
        let scope = role_assignment::scope(unit, organization_id, self.workspace_id).await?;
        let author = guard::author(&unit.ctx().caller, Some(organization_id));
        role_assignment::promise(unit, &self.role_ids, scope, &author).await?;

        let invitation_id = self.invitation_id;
        let prior = self.lapsed(unit).await?;
        let key = claims::within(organization_id, &self.email_digest);
        let taken = Claim::take(claims::INVITATION_PENDING, key, invitation_id);
        unit.claim(Claim { prior, ..taken });
        let invite = invitation::Invite {
            invitation_id,
            organization_id,
            workspace_id: self.workspace_id,
            email: self.email.clone(),
            email_digest: self.email_digest.clone(),
            role_ids: self.role_ids.clone(),
            token_hash: self.token_hash.clone(),
            invited_by: unit.ctx().caller.user()?,
            message: self.message.clone(),
            expires_at: self.expires_at,
        };
        let invitation = unit.begin::<Invitation>(invitation_id);
        unit.decide(invitation, &InvitationCommand::Invite(Box::new(invite)))?;
        Ok(Invited { invitation_id })
    }
}

impl Invite {
    /// An earlier invitation of the same address whose time is over, only nobody has noted it:
    /// it ends with this append, and its place is free.
    async fn lapsed(&self, unit: &mut Unit<'_>) -> Result<Option<Uuid>, Refusal> {
        let key = claims::within(self.organization_id, &self.email_digest);
        let Some(id) = holder(unit.ctx(), claims::INVITATION_PENDING, &key).await? else {
            return Ok(None);
        };
        let earlier = unit.load::<Invitation>(InvitationId::from_uuid(id)).await?;
        if unit.state(earlier).present()?.expires_at > unit.ctx().now {
            return Ok(None);
        }
        end(unit, earlier, &InvitationCommand::Expire)?;
        // Where it had ended since it was found to hold the place, it holds it no more.
        Ok(unit.changed(earlier).then_some(id))
    }
}

/// Sends an invitation again, with a new link.
#[derive(Debug, Clone)]
pub struct Resend {
    /// Where.
    pub organization_id: OrganizationId,
    /// Which.
    pub invitation_id: InvitationId,
    /// SHA-256 of the new link's token.
    pub token_hash: String,
    /// Which sending the link is made for; refused if somebody else's was that.
    pub count: i16,
    /// When the offer now ends.
    pub expires_at: Timestamp,
}

impl UseCase for Resend {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_INVITATION_CREATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        guard::open(unit, self.organization_id).await?;
        let id = self.invitation_id;
        let invitation = unit.load_in::<Invitation>(self.organization_id, id).await?;
        let Self { token_hash, count, expires_at, .. } = self.clone();
        unit.decide(invitation, &InvitationCommand::Resend { token_hash, count, expires_at })
    }
}

/// Takes an invitation back.
#[derive(Debug, Clone, Copy)]
pub struct Revoke {
    /// Where.
    pub organization_id: OrganizationId,
    /// Which.
    pub invitation_id: InvitationId,
}

impl UseCase for Revoke {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_INVITATION_REVOKE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        guard::open_to_end(unit, self.organization_id).await?;
        let id = self.invitation_id;
        let invitation = unit.load_in::<Invitation>(self.organization_id, id).await?;
        resolve(unit, invitation, &InvitationCommand::Revoke)
    }
}

/// Comes in. Whoever is in already just gets the roles.
#[derive(Debug, Clone)]
pub struct Accept {
    /// Which.
    pub invitation_id: InvitationId,
    /// SHA-256 of the token of the link that was followed, if one was.
    pub token_hash: Option<String>,
}

/// Where the user came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The user's membership.
    pub membership_id: MembershipId,
}

impl UseCase for Accept {
    type Answer = Accepted;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.user().map(drop)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Accepted, Refusal> {
        let user_id = unit.ctx().caller.user()?;
        let user = invited(unit, user_id).await?;
        let invitation = unit.load::<Invitation>(self.invitation_id).await?;
        let proof = proof(&user, self.token_hash.as_ref());
        resolve(unit, invitation, &InvitationCommand::Accept { user_id, proof })?;
        let invitation = unit.state(invitation).present()?.clone();
        let organization_id = invitation.organization_id;
        guard::open(unit, organization_id).await?;

        let was_in = self.come_in(unit, organization_id, &user).await?;
        let scope = match invitation.workspace_id {
            None => Scope::Organization(organization_id),
            Some(workspace) => Scope::Workspace(organization_id, workspace),
        };
        let promised_by = invitation.invited_by.uuid();
        let roles = &invitation.role_ids;
        let arrival = Arrival { user_id, scope, roles, promised_by, was_in };
        role_assignment::keep(unit, arrival).await?;
        let membership_id = MembershipId::of(organization_id, user_id);
        Ok(Accepted { organization_id, membership_id })
    }
}

impl Accept {
    /// Lets the user in, and says whether they were.
    async fn come_in(
        &self,
        unit: &mut Unit<'_>,
        organization_id: OrganizationId,
        user: &user::Present,
    ) -> Result<bool, Refusal> {
        let membership = members::load(unit, organization_id, user.id).await?;
        match unit.state(membership).present().map(|present| present.status) {
            Ok(MembershipStatus::Active) => return Ok(true),
            Ok(status @ MembershipStatus::Suspended) => {
                return Err(MembershipError::WrongStatus(status).into());
            }
            Ok(MembershipStatus::Removed) | Err(_) => {}
        }
        let add = membership::Add {
            organization_id,
            user_id: user.id,
            person_id: user.person_id,
            source: MembershipSource::Invitation,
            identity_provider_id: None,
            title: None,
        };
        members::admit(unit, membership, add)?;
        Ok(false)
    }
}

/// Says no.
#[derive(Debug, Clone)]
pub struct Decline {
    /// Which.
    pub invitation_id: InvitationId,
    /// SHA-256 of the token of the link that was followed, if one was.
    pub token_hash: Option<String>,
}

impl UseCase for Decline {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.user().map(drop)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let user_id = unit.ctx().caller.user()?;
        let user = invited(unit, user_id).await?;
        let invitation = unit.load::<Invitation>(self.invitation_id).await?;
        let proof = proof(&user, self.token_hash.as_ref());
        resolve(unit, invitation, &InvitationCommand::Decline { proof })?;
        let organization = unit.state(invitation).present()?.organization_id;
        guard::open(unit, organization).await.map(drop)
    }
}

/// Notes that nobody answered in time.
#[derive(Debug, Clone, Copy)]
pub struct Expire {
    /// Which.
    pub invitation_id: InvitationId,
}

impl UseCase for Expire {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        guard::system(caller)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let invitation = unit.load::<Invitation>(self.invitation_id).await?;
        let organization = unit.state(invitation).present()?.organization_id;
        guard::open_to_end(unit, organization).await?;
        resolve(unit, invitation, &InvitationCommand::Expire)
    }
}

/// Decides an answer; the address can be invited again then.
fn resolve(
    unit: &mut Unit<'_>,
    invitation: Handle<Invitation>,
    command: &InvitationCommand,
) -> Result<(), Refusal> {
    end(unit, invitation, command)?;
    if unit.changed(invitation) {
        let present = unit.state(invitation).present()?;
        let key = claims::within(present.organization_id, &present.email_digest);
        unit.claim(Claim::release(claims::INVITATION_PENDING, key, present.id));
    }
    Ok(())
}

/// Decides that an offer is over. Nobody needs the address any more: its key goes too.
fn end(
    unit: &mut Unit<'_>,
    invitation: Handle<Invitation>,
    command: &InvitationCommand,
) -> Result<(), Refusal> {
    unit.decide(invitation, command)?;
    if unit.changed(invitation) {
        let key = unit.state(invitation).present()?.id.key();
        unit.shred([key]);
    }
    Ok(())
}

/// The user who answers.
async fn invited(unit: &mut Unit<'_>, id: UserId) -> Result<user::Present, Refusal> {
    let user = unit.look::<User>(id).await?;
    Ok(guard::in_use(unit.state(user))?.clone())
}

/// An address that was never verified proves nothing.
fn proof(user: &user::Present, token_hash: Option<&String>) -> Proof {
    let digest = user.email_verified.then(|| user.email_digest.clone());
    Proof { email_digests: digest.into_iter().collect(), token_hash: token_hash.cloned() }
}
