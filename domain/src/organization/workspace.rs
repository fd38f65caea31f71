//! The workspace: a part of an organization that work and capabilities are assigned to.
//!
//! Owns its name and whether it is archived. Refuses to archive the default workspace, so that
//! every organization always has one; its slug is guarded by a claim of the use case.

use super::{OrganizationId, WorkspaceId};
use crate::{
    events,
    kernel::{Aggregate, DomainError, KeyId, Kind, TenantId, Timestamp},
    text_enum,
};

text_enum! {
    /// Whether a workspace is in use.
    pub enum WorkspaceStatus {
        /// In use.
        Active = "active",
        /// Closed, but kept.
        Archived = "archived",
    }
}

events! {
    /// Facts of a workspace.
    pub enum WorkspaceEvent in "organization.workspace" {
        /// It exists from now on, in use.
        Created {
            workspace_id: WorkspaceId,
            organization_id: OrganizationId,
            slug: String,
            name: String,
            #[serde(default)]
            description: Option<String>,
            is_default: bool,
        },
        /// Its name and description as they stand after.
        Renamed {
            name: String,
            #[serde(default)]
            description: Option<String>,
        },
        /// It is closed.
        Archived {},
        /// It is in use again.
        Restored {},
    }
}

/// What may be asked of a workspace.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkspaceCommand {
    /// Bring it into being.
    Create(Create),
    /// Give it another name or description.
    Rename {
        /// The new name.
        name: String,
        /// The new description; none removes it.
        description: Option<String>,
    },
    /// Close it.
    Archive,
    /// Open it again.
    Restore,
}

/// The content of [`WorkspaceCommand::Create`].
#[derive(Debug, Clone, PartialEq)]
pub struct Create {
    /// Its id, minted by the caller.
    pub workspace_id: WorkspaceId,
    /// Where it belongs.
    pub organization_id: OrganizationId,
    /// Unique in the organization; claimed with the append.
    pub slug: String,
    /// For people to read.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it is the organization's one default workspace.
    pub is_default: bool,
}

/// Why a workspace refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkspaceError {
    /// It does not exist.
    #[error("this workspace does not exist")]
    Missing,
    /// The id is taken.
    #[error("this workspace id was already used")]
    IdRetired,
    /// Every organization keeps its default workspace.
    #[error("the default workspace cannot be archived")]
    IsDefault,
    /// Nothing changes in an archive.
    #[error("not possible while the workspace is archived")]
    Archived,
}

impl DomainError for WorkspaceError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "not-found",
            Self::IdRetired => "id-retired",
            Self::IsDefault => "workspace-is-default",
            Self::Archived => "workspace-archived",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::IdRetired | Self::IsDefault | Self::Archived => Kind::Conflict,
        }
    }
}

/// The state of a workspace.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Workspace {
    /// Before the first event.
    #[default]
    Missing,
    /// It exists.
    Present(Present),
}

/// What an existing workspace remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// Where it belongs.
    pub organization_id: OrganizationId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it is in use.
    pub status: WorkspaceStatus,
    /// Whether it is the organization's default.
    pub is_default: bool,
}

impl Workspace {
    /// The workspace, archived or not.
    ///
    /// # Errors
    /// [`WorkspaceError::Missing`].
    pub fn present(&self) -> Result<&Present, WorkspaceError> {
        match self {
            Self::Present(present) => Ok(present),
            Self::Missing => Err(WorkspaceError::Missing),
        }
    }

    /// The workspace, if things inside it may change.
    ///
    /// # Errors
    /// [`WorkspaceError::Missing`] or [`WorkspaceError::Archived`].
    pub fn open(&self) -> Result<&Present, WorkspaceError> {
        let present = self.present()?;
        match present.status {
            WorkspaceStatus::Active => Ok(present),
            WorkspaceStatus::Archived => Err(WorkspaceError::Archived),
        }
    }
}

impl Aggregate for Workspace {
    type Id = WorkspaceId;
    type Command = WorkspaceCommand;
    type Event = WorkspaceEvent;
    type Error = WorkspaceError;

    fn decide(
        &self,
        command: &WorkspaceCommand,
        _now: Timestamp,
    ) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        match (self, command) {
            (Self::Missing, WorkspaceCommand::Create(create)) => Ok(vec![create.created()]),
            (Self::Present(_), WorkspaceCommand::Create(_)) => Err(WorkspaceError::IdRetired),
            (Self::Present(present), command) => present.decide(command),
            (Self::Missing, _) => Err(WorkspaceError::Missing),
        }
    }

    fn evolve(self, event: &WorkspaceEvent) -> Self {
        match (self, event) {
            (_, WorkspaceEvent::Created { organization_id, name, description, is_default, .. }) => {
                Self::Present(Present {
                    organization_id: *organization_id,
                    name: name.clone(),
                    description: description.clone(),
                    status: WorkspaceStatus::Active,
                    is_default: *is_default,
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

impl Create {
    fn created(&self) -> WorkspaceEvent {
        WorkspaceEvent::Created {
            workspace_id: self.workspace_id,
            organization_id: self.organization_id,
            slug: self.slug.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            is_default: self.is_default,
        }
    }
}

impl Present {
    fn decide(&self, command: &WorkspaceCommand) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        use WorkspaceCommand as C;
        use WorkspaceEvent as E;
        use WorkspaceStatus as S;
        let event = match (self.status, command) {
            (_, C::Create(_)) => return Err(WorkspaceError::IdRetired),
            (_, C::Archive) if self.is_default => return Err(WorkspaceError::IsDefault),
            (S::Active, C::Archive) => E::Archived {},
            (S::Archived, C::Restore) => E::Restored {},
            (S::Archived, C::Rename { .. }) => return Err(WorkspaceError::Archived),
            (S::Active, C::Rename { name, description })
                if (name, description) != (&self.name, &self.description) =>
            {
                E::Renamed { name: name.clone(), description: description.clone() }
            }
            (S::Active, C::Rename { .. } | C::Restore) | (S::Archived, C::Archive) => {
                return Ok(Vec::new());
            }
        };
        Ok(vec![event])
    }

    fn evolve(self, event: &WorkspaceEvent) -> Self {
        match event {
            WorkspaceEvent::Created { .. } => self,
            WorkspaceEvent::Renamed { name, description } => {
                Self { name: name.clone(), description: description.clone(), ..self }
            }
            WorkspaceEvent::Archived {} => Self { status: WorkspaceStatus::Archived, ..self },
            WorkspaceEvent::Restored {} => Self { status: WorkspaceStatus::Active, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::kernel::testing::given;

    fn create(is_default: bool) -> Create {
        Create {
            workspace_id: WorkspaceId::from_uuid(Uuid::from_u128(2)),
            organization_id: OrganizationId::from_uuid(Uuid::from_u128(1)),
            slug: "main".into(),
            name: "Main".into(),
            description: None,
            is_default,
        }
    }

    fn created() -> WorkspaceEvent {
        create(false).created()
    }

    fn rename(name: &str) -> WorkspaceCommand {
        WorkspaceCommand::Rename { name: name.into(), description: Some("all of it".into()) }
    }

    fn renamed(name: &str) -> WorkspaceEvent {
        WorkspaceEvent::Renamed { name: name.into(), description: Some("all of it".into()) }
    }

    #[test]
    fn it_belongs_to_the_organization_and_its_id_is_used_once() {
        let state =
            given::<Workspace>([]).when(WorkspaceCommand::Create(create(false))).then_state();
        let organization = create(false).organization_id;
        assert_eq!(state.tenant(), organization.tenant());
        assert_eq!(state.subject(), Some(organization.key()));
        given::<Workspace>([created()])
            .when(WorkspaceCommand::Create(create(false)))
            .then_err(WorkspaceError::IdRetired);
    }

    #[test]
    fn nothing_can_be_asked_before_it_exists() {
        for command in [rename("Other"), WorkspaceCommand::Archive, WorkspaceCommand::Restore] {
            given::<Workspace>([]).when(command).then_err(WorkspaceError::Missing);
        }
    }

    #[test]
    fn renaming_twice_the_same_is_one_fact() {
        given::<Workspace>([created()]).when(rename("Other")).then([renamed("Other")]);
        given::<Workspace>([created(), renamed("Other")]).when(rename("Other")).then([]);
    }

    #[test]
    fn archiving_and_restoring_are_repeatable_without_events() {
        let archived = WorkspaceEvent::Archived {};
        given::<Workspace>([created()]).when(WorkspaceCommand::Archive).then([archived.clone()]);
        given::<Workspace>([created(), archived.clone()]).when(WorkspaceCommand::Archive).then([]);
        given::<Workspace>([created(), archived])
            .when(WorkspaceCommand::Restore)
            .then([WorkspaceEvent::Restored {}]);
        given::<Workspace>([created()]).when(WorkspaceCommand::Restore).then([]);
    }

    #[test]
    fn the_default_workspace_stays() {
        given::<Workspace>([create(true).created()])
            .when(WorkspaceCommand::Archive)
            .then_err(WorkspaceError::IsDefault);
    }

    #[test]
    fn nothing_changes_in_an_archive() {
        let state = given::<Workspace>([created()]).when(WorkspaceCommand::Archive).then_state();
        assert_eq!(state.open(), Err(WorkspaceError::Archived));
        given::<Workspace>([created(), WorkspaceEvent::Archived {}])
            .when(rename("Other"))
            .then_err(WorkspaceError::Archived);
    }
}
