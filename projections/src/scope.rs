//! In whose name a query asks: what it may see, said where it cannot be forgotten.
//!
//! Owns the scopes and their spelling in the setting that the policies of the read tables go by.
//! Refuses a default: each row type names the scope its queries need.

use domain::organization::OrganizationId;
use migrations::Role;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// Whose rows a query may see. There is no default: whoever asks has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantScope {
    /// Those of one organization, and the roles of the platform.
    Organization(OrganizationId),
    /// Those about one user or service principal, in whatever organization: its memberships with
    /// their organizations, its role assignments, and the roles of the platform.
    Principal(Uuid),
    /// Both, for the question what a principal may do in an organization.
    PrincipalIn(Uuid, OrganizationId),
    /// Open invitations to an address that was shown to be the asker's, with their organizations.
    Address(String),
    /// All: for operators who hold the permission on the whole platform, and for what strangers
    /// look up by a name that is public.
    Platform,
}

impl TenantScope {
    /// Narrows a query to the scope's rows.
    pub(crate) fn narrow(&self, query: &mut QueryBuilder<Postgres>, column: &'static str) {
        match self {
            Self::Organization(organization) | Self::PrincipalIn(_, organization) => {
                query.push(" AND ").push(column).push(" = ").push_bind(organization.uuid());
            }
            Self::Principal(_) | Self::Address(_) | Self::Platform => {}
        }
    }
}

/// The scope of queries of rows that belong to no organization: people are of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoTenant;

/// What lets a query see rows.
pub trait Scope {
    /// The role that asks.
    fn role(&self) -> Role {
        Role::App
    }

    /// What the policies of the tables go by, if the role is subject to any.
    fn setting(&self) -> Option<String>;
}

impl Scope for TenantScope {
    fn role(&self) -> Role {
        match self {
            Self::Platform => Role::Operator,
            Self::Organization(_)
            | Self::Principal(_)
            | Self::PrincipalIn(..)
            | Self::Address(_) => Role::App,
        }
    }

    fn setting(&self) -> Option<String> {
        match self {
            Self::Organization(organization) => Some(format!("organization:{organization}")),
            Self::Principal(principal) => Some(format!("principal:{principal}")),
            Self::PrincipalIn(principal, organization) => {
                Some(format!("organization:{organization} principal:{principal}"))
            }
            Self::Address(address) => Some(format!("address:{address}")),
            Self::Platform => None,
        }
    }
}

impl Scope for NoTenant {
    fn setting(&self) -> Option<String> {
        None
    }
}
