//! Where a role counts, and for whom.
//!
//! Owns the three kinds of scope and what each is made of. Refuses half a scope, such as a
//! workspace without its organization.

use uuid::Uuid;

use super::{OrganizationId, WorkspaceId};
use crate::{kernel::TenantId, text_enum};

text_enum! {
    /// How far a role assignment reaches.
    pub enum ScopeKind {
        /// Everywhere.
        Platform = "platform",
        /// One organization with all its workspaces.
        Organization = "organization",
        /// One workspace.
        Workspace = "workspace",
    }
}

text_enum! {
    /// What kind of actor holds a role.
    pub enum PrincipalKind {
        /// A human's login.
        User = "user",
        /// A service principal.
        Service = "service",
    }
}

/// Who holds a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// What kind of actor it is.
    pub kind: PrincipalKind,
    /// The user or service principal.
    pub id: Uuid,
}

/// Where a role counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere.
    Platform,
    /// In one organization with all its workspaces.
    Organization(OrganizationId),
    /// In one workspace.
    Workspace(OrganizationId, WorkspaceId),
}

impl Scope {
    /// The scope made of these parts, if exactly the parts of its kind are there.
    #[must_use]
    pub const fn of(
        kind: ScopeKind,
        organization: Option<OrganizationId>,
        workspace: Option<WorkspaceId>,
    ) -> Option<Self> {
        match (kind, organization, workspace) {
            (ScopeKind::Platform, None, None) => Some(Self::Platform),
            (ScopeKind::Organization, Some(organization), None) => {
                Some(Self::Organization(organization))
            }
            (ScopeKind::Workspace, Some(organization), Some(workspace)) => {
                Some(Self::Workspace(organization, workspace))
            }
            (ScopeKind::Platform | ScopeKind::Organization | ScopeKind::Workspace, _, _) => None,
        }
    }

    /// How far it reaches.
    #[must_use]
    pub const fn kind(self) -> ScopeKind {
        match self {
            Self::Platform => ScopeKind::Platform,
            Self::Organization(_) => ScopeKind::Organization,
            Self::Workspace(..) => ScopeKind::Workspace,
        }
    }

    /// The organization it lies in.
    #[must_use]
    pub const fn organization(self) -> Option<OrganizationId> {
        match self {
            Self::Platform => None,
            Self::Organization(organization) | Self::Workspace(organization, _) => {
                Some(organization)
            }
        }
    }

    /// The workspace it is.
    #[must_use]
    pub const fn workspace(self) -> Option<WorkspaceId> {
        match self {
            Self::Platform | Self::Organization(_) => None,
            Self::Workspace(_, workspace) => Some(workspace),
        }
    }

    /// Whose streams lie in it.
    #[must_use]
    pub fn tenant(self) -> TenantId {
        self.organization().map_or(TenantId::PLATFORM, OrganizationId::tenant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::TextEnum;

    #[test]
    fn a_scope_has_exactly_the_parts_of_its_kind() {
        let organization = OrganizationId::from_uuid(Uuid::from_u128(1));
        let workspace = WorkspaceId::from_uuid(Uuid::from_u128(2));
        let scopes = [
            Scope::Platform,
            Scope::Organization(organization),
            Scope::Workspace(organization, workspace),
        ];
        for kind in ScopeKind::ALL.iter().copied() {
            for o in [None, Some(organization)] {
                for w in [None, Some(workspace)] {
                    let expected = scopes.into_iter().find(|scope| {
                        (scope.kind(), scope.organization(), scope.workspace()) == (kind, o, w)
                    });
                    assert_eq!(Scope::of(kind, o, w), expected);
                }
            }
        }
    }
}
