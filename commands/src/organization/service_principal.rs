//! Use cases of a service principal and its API keys.
//!
//! Secrets are made and hashed at the edge and shown once; here only their hashes arrive, and
//! a repeated command answers with ids alone.

use domain::{
    kernel::{ActorKind, Timestamp},
    organization::{
        ApiKeyId, OrganizationId, ServicePrincipalId, WorkspaceId,
        service_principal::{self, NewKey, ServicePrincipal, ServicePrincipalCommand},
        workspace::Workspace,
    },
    permissions,
};
use eventstore::Claim;
use serde::{Deserialize, Serialize};

use super::{claims, guard};
use crate::{Caller, Denied, Refusal, Unit, UseCase};

/// Creates a service principal.
#[derive(Debug, Clone)]
pub struct Create {
    /// Where it acts.
    pub organization_id: OrganizationId,
    /// The only workspace it acts in.
    pub workspace_id: Option<WorkspaceId>,
    /// For people to read.
    pub name: String,
}

/// The service principal that was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// Its id.
    pub service_principal_id: ServicePrincipalId,
}

impl UseCase for Create {
    type Answer = Created;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_SERVICE_PRINCIPAL_CREATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Created, Refusal> {
        let &Self { organization_id, workspace_id, .. } = self;
        guard::open(unit, organization_id).await?;
        if let Some(id) = workspace_id {
            let workspace = unit.look_in::<Workspace>(organization_id, id).await?;
            unit.state(workspace).open()?;
        }
        let service_principal_id = ServicePrincipalId::from_uuid(unit.ctx().mint());
        let name = self.name.clone();
        let create =
            service_principal::Create { service_principal_id, organization_id, workspace_id, name };
        let service = unit.begin::<ServicePrincipal>(service_principal_id);
        unit.decide(service, &ServicePrincipalCommand::Create(create))?;
        Ok(Created { service_principal_id })
    }
}

/// Ends a service principal with all its keys.
#[derive(Debug, Clone)]
pub struct Disable {
    /// Where it acts.
    pub organization_id: OrganizationId,
    /// Which.
    pub service_principal_id: ServicePrincipalId,
    /// Why, for the record.
    pub reason: String,
}

impl UseCase for Disable {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        let permission = permissions::ORGANIZATION_SERVICE_PRINCIPAL_DISABLE;
        caller.require_in(self.organization_id, permission)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let (reason, revoked_by) = (self.reason.clone(), unit.ctx().caller.actor.id);
        let command = ServicePrincipalCommand::Disable { reason, revoked_by };
        change(unit, self.organization_id, self.service_principal_id, &command).await
    }
}

/// The secret of a new key, as the edge made it.
#[derive(Clone)]
pub struct NewSecret {
    /// Its public part.
    pub prefix: String,
    /// Argon2id of its secret part.
    pub secret_hash: String,
    /// When the key ends by itself.
    pub expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewSecret({})", self.prefix)
    }
}

impl NewSecret {
    /// The key, bound by what the caller may do, and the claim on its prefix.
    fn key(
        &self,
        unit: &Unit<'_>,
        organization: OrganizationId,
        owner: ServicePrincipalId,
    ) -> (NewKey, Claim) {
        let ctx = unit.ctx();
        let key = NewKey {
            key_id: ApiKeyId::from_uuid(ctx.mint()),
            prefix: self.prefix.clone(),
            secret_hash: self.secret_hash.clone(),
            expires_at: self.expires_at,
            created_by: ctx.caller.actor.id,
            author: guard::author(&ctx.caller, Some(organization)),
        };
        (key, Claim::take(claims::SECRET_PREFIX, self.prefix.clone(), owner))
    }
}

/// Gives a service principal one more key.
#[derive(Debug, Clone)]
pub struct IssueKey {
    /// Where it acts.
    pub organization_id: OrganizationId,
    /// Whose key.
    pub service_principal_id: ServicePrincipalId,
    /// What people call it.
    pub name: String,
    /// The permissions it carries.
    pub scopes: Vec<String>,
    /// Its secret.
    pub secret: NewSecret,
}

/// The key that was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// Its id.
    pub api_key_id: ApiKeyId,
}

impl UseCase for IssueKey {
    type Answer = Issued;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_API_KEY_ISSUE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Issued, Refusal> {
        let owner = self.service_principal_id;
        let (key, claim) = self.secret.key(unit, self.organization_id, owner);
        let api_key_id = key.key_id;
        unit.claim(claim);
        let (name, scopes) = (self.name.clone(), self.scopes.clone());
        let issue = service_principal::IssueKey { key, name, scopes };
        let command = ServicePrincipalCommand::IssueKey(Box::new(issue));
        change(unit, self.organization_id, self.service_principal_id, &command).await?;
        Ok(Issued { api_key_id })
    }
}

/// Replaces a key by one of the same name and scopes.
#[derive(Debug, Clone)]
pub struct RotateKey {
    /// Where it opens.
    pub organization_id: OrganizationId,
    /// Whose key.
    pub service_principal_id: ServicePrincipalId,
    /// The key that goes.
    pub api_key_id: ApiKeyId,
    /// Until when it still opens.
    pub overlap_until: Timestamp,
    /// The secret of the key that comes.
    pub secret: NewSecret,
}

impl UseCase for RotateKey {
    type Answer = Issued;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_API_KEY_ISSUE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Issued, Refusal> {
        let owner = self.service_principal_id;
        let (key, claim) = self.secret.key(unit, self.organization_id, owner);
        let api_key_id = key.key_id;
        unit.claim(claim);
        let (old_key_id, overlap_until) = (self.api_key_id, self.overlap_until);
        let rotate = service_principal::RotateKey { key, old_key_id, overlap_until };
        let command = ServicePrincipalCommand::RotateKey(Box::new(rotate));
        change(unit, self.organization_id, self.service_principal_id, &command).await?;
        Ok(Issued { api_key_id })
    }
}

/// Ends a key now. Its prefix stays taken: nobody else's key may ever look like it.
#[derive(Debug, Clone)]
pub struct RevokeKey {
    /// Where it opens.
    pub organization_id: OrganizationId,
    /// Whose key.
    pub service_principal_id: ServicePrincipalId,
    /// Which.
    pub api_key_id: ApiKeyId,
    /// Why, for the record.
    pub reason: String,
}

impl UseCase for RevokeKey {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_API_KEY_REVOKE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let (key_id, reason) = (self.api_key_id, self.reason.clone());
        let revoked_by = unit.ctx().caller.actor.id;
        let command = ServicePrincipalCommand::RevokeKey { key_id, reason, revoked_by };
        change(unit, self.organization_id, self.service_principal_id, &command).await
    }
}

/// Notes that a key was used; for the edge, in the name of the service principal or the platform.
#[derive(Debug, Clone)]
pub struct RecordKeyUse {
    /// Whose key.
    pub service_principal_id: ServicePrincipalId,
    /// Which.
    pub api_key_id: ApiKeyId,
    /// Where from.
    pub ip: Option<String>,
}

impl UseCase for RecordKeyUse {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        let actor = caller.actor;
        let is_itself =
            actor.kind == ActorKind::Service && actor.id == self.service_principal_id.uuid();
        if is_itself { Ok(()) } else { guard::system(caller) }
    }

    /// A frozen organization can be read with its keys, so their use is noted there too.
    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        let service = unit.load::<ServicePrincipal>(self.service_principal_id).await?;
        let (key_id, ip) = (self.api_key_id, self.ip.clone());
        unit.decide(service, &ServicePrincipalCommand::RecordKeyUse { key_id, ip })
    }
}

async fn change(
    unit: &mut Unit<'_>,
    organization: OrganizationId,
    id: ServicePrincipalId,
    command: &ServicePrincipalCommand,
) -> Result<(), Refusal> {
    guard::open(unit, organization).await?;
    let service = unit.load_in::<ServicePrincipal>(organization, id).await?;
    unit.decide(service, command)
}
