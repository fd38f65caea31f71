//! Creating an organization: with a default workspace, and its founder as first member and owner.

use domain::{
    organization::{
        Author, MembershipId, OrganizationId, RoleAssignmentId, WorkspaceId,
        membership::{self, Membership, MembershipSource},
        organization::{self, Organization, OrganizationCommand, OrganizationKind},
        workspace,
    },
    permissions,
};
use eventstore::Claim;
use serde::{Deserialize, Serialize};

use crate::{
    Caller, Denied, Refusal, Unit, UseCase,
    organization::{
        claims, guard, membership as members, role_assignment, workspace as workspaces,
    },
};

/// The slug of every organization's first workspace.
const DEFAULT_WORKSPACE: &str = "default";

/// Creates an organization.
#[derive(Debug, Clone)]
pub struct Create {
    /// What it is to be; the id is minted by the caller.
    pub organization: organization::Create,
}

/// What was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// The organization.
    pub organization_id: OrganizationId,
    /// Its default workspace.
    pub workspace_id: WorkspaceId,
    /// The founder's membership.
    pub membership_id: MembershipId,
    /// The founder's role.
    pub role_assignment_id: RoleAssignmentId,
}

impl UseCase for Create {
    type Answer = Created;

    /// Everybody creates organizations of their own; demos, trials and parts of others are for
    /// those who run the platform.
    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        let operate = permissions::ORGANIZATION_ORGANIZATION_OPERATE;
        let create = &self.organization;
        let is_plain = create.kind == OrganizationKind::Customer
            && create.trial_ends_at.is_none()
            && create.parent_organization_id.is_none();
        if !is_plain {
            caller.require(operate)?;
        }
        caller.require_self_or(create.owner_user_id, operate)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Created, Refusal> {
        let create = &self.organization;
        let (organization_id, founder) = (create.organization_id, create.owner_user_id);
        let person_id = guard::person(unit, founder).await?;
        if let Some(parent) = create.parent_organization_id {
            guard::open(unit, parent).await?;
        }
        unit.claim(Claim::take(claims::ORGANIZATION_SLUG, create.slug.clone(), organization_id));
        let organization = unit.load::<Organization>(organization_id).await?;
        unit.decide(organization, &OrganizationCommand::Create(create.clone()))?;

        let workspace_id = WorkspaceId::from_uuid(unit.ctx().mint());
        workspaces::begin(
            unit,
            workspace::Create {
                workspace_id,
                organization_id,
                slug: DEFAULT_WORKSPACE.to_owned(),
                name: create.name.clone(),
                description: None,
                is_default: true,
            },
        )?;

        let membership_id = MembershipId::of(organization_id, founder);
        let membership = unit.begin::<Membership>(membership_id);
        let add = membership::Add {
            organization_id,
            user_id: founder,
            person_id,
            source: MembershipSource::Founder,
            identity_provider_id: None,
            title: None,
        };
        members::admit(unit, membership, add)?;
        // Nobody gives the founder anything: what they may do there is theirs from the start.
        let role_assignment_id =
            role_assignment::give_ownership(unit, organization_id, founder, Author::System).await?;
        Ok(Created { organization_id, workspace_id, membership_id, role_assignment_id })
    }
}
