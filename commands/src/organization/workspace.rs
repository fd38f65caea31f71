//! Use cases of a workspace.

use domain::{
    kernel::Version,
    organization::{
        OrganizationId, WorkspaceId,
        workspace::{self, Workspace, WorkspaceCommand},
    },
    permissions,
};
use eventstore::Claim;
use serde::{Deserialize, Serialize};

use super::{claims, guard};
use crate::{Caller, Denied, Refusal, Unit, UseCase};

/// Creates a workspace.
#[derive(Debug, Clone)]
pub struct Create {
    /// Where.
    pub organization_id: OrganizationId,
    /// Unique in the organization.
    pub slug: String,
    /// For people to read.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
}

/// The workspace that was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// Its id.
    pub workspace_id: WorkspaceId,
}

impl UseCase for Create {
    type Answer = Created;

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_WORKSPACE_CREATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<Created, Refusal> {
        guard::open(unit, self.organization_id).await?;
        let workspace_id = WorkspaceId::from_uuid(unit.ctx().mint());
        let create = workspace::Create {
            workspace_id,
            organization_id: self.organization_id,
            slug: self.slug.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            is_default: false,
        };
        begin(unit, create)?;
        Ok(Created { workspace_id })
    }
}

/// Begins a workspace, and takes what is unique about it.
pub(super) fn begin(unit: &mut Unit<'_>, create: workspace::Create) -> Result<(), Refusal> {
    let workspace_id = create.workspace_id;
    let slug = claims::within(create.organization_id, &create.slug);
    unit.claim(Claim::take(claims::WORKSPACE_SLUG, slug, workspace_id));
    if create.is_default {
        let organization = create.organization_id.to_string();
        unit.claim(Claim::take(claims::WORKSPACE_DEFAULT, organization, workspace_id));
    }
    let workspace = unit.begin::<Workspace>(workspace_id);
    unit.decide(workspace, &WorkspaceCommand::Create(create))
}

/// Gives a workspace another name and description.
#[derive(Debug, Clone)]
pub struct Rename {
    /// Where.
    pub organization_id: OrganizationId,
    /// Which.
    pub workspace_id: WorkspaceId,
    /// The version the client has seen.
    pub seen: Option<Version>,
    /// The new name.
    pub name: String,
    /// The new description; none removes it.
    pub description: Option<String>,
}

impl UseCase for Rename {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_WORKSPACE_UPDATE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        guard::open(unit, self.organization_id).await?;
        let workspace = unit.load_in::<Workspace>(self.organization_id, self.workspace_id).await?;
        unit.expect(workspace, self.seen)?;
        let (name, description) = (self.name.clone(), self.description.clone());
        unit.decide(workspace, &WorkspaceCommand::Rename { name, description })
    }
}

/// Closes a workspace.
#[derive(Debug, Clone, Copy)]
pub struct Archive {
    /// Where.
    pub organization_id: OrganizationId,
    /// Which.
    pub workspace_id: WorkspaceId,
}

impl UseCase for Archive {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_WORKSPACE_ARCHIVE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        guard::open(unit, self.organization_id).await?;
        let workspace = unit.load_in::<Workspace>(self.organization_id, self.workspace_id).await?;
        unit.decide(workspace, &WorkspaceCommand::Archive)
    }
}

/// Opens a workspace again.
#[derive(Debug, Clone, Copy)]
pub struct Restore {
    /// Where.
    pub organization_id: OrganizationId,
    /// Which.
    pub workspace_id: WorkspaceId,
}

impl UseCase for Restore {
    type Answer = ();

    fn authorise(&self, caller: &Caller) -> Result<(), Denied> {
        caller.require_in(self.organization_id, permissions::ORGANIZATION_WORKSPACE_ARCHIVE)
    }

    async fn run(&self, unit: &mut Unit<'_>) -> Result<(), Refusal> {
        guard::open(unit, self.organization_id).await?;
        let workspace = unit.load_in::<Workspace>(self.organization_id, self.workspace_id).await?;
        unit.decide(workspace, &WorkspaceCommand::Restore)
    }
}
