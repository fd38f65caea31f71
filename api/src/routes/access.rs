//! Who may use a route: the rows of the authorisation table.

use std::fmt;

use domain::kernel::Permission;

/// Who may use a route. Where two are named, either suffices. A permission counts in the
/// organization of the path, else on the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, signed in or not.
    Public,
    /// A signed-in user, about themself.
    Own,
    /// An active member of the organization of the path.
    Member,
    /// Whoever holds the permission.
    Permission(Permission),
    /// Whoever holds the permission, and a signed-in user about themself.
    PermissionOrOwn(Permission),
    /// Whoever holds the permission, and any active member of the organization of the path.
    PermissionOrMember(Permission),
}

impl Access {
    /// The permission that opens the route, if one does.
    #[must_use]
    pub fn permission(self) -> Option<Permission> {
        match self {
            Self::Permission(name)
            | Self::PermissionOrOwn(name)
            | Self::PermissionOrMember(name) => Some(name),
            Self::Public | Self::Own | Self::Member => None,
        }
    }

    /// Whether a signed-in user may use it about themself.
    #[must_use]
    pub fn allows_own(self) -> bool {
        matches!(self, Self::Own | Self::PermissionOrOwn(_))
    }

    /// Whether any active member of the organization of the path may use it.
    #[must_use]
    pub fn allows_member(self) -> bool {
        matches!(self, Self::Member | Self::PermissionOrMember(_))
    }

    /// Whether it needs no proof of identity.
    #[must_use]
    pub fn is_public(self) -> bool {
        matches!(self, Self::Public)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("anybody"),
            Self::Own => f.write_str("a signed-in user about themself"),
            Self::Member => f.write_str("active members of the organization"),
            Self::Permission(name) => write!(f, "holders of `{name}`"),
            Self::PermissionOrOwn(name) => {
                write!(f, "holders of `{name}`, and a signed-in user about themself")
            }
            Self::PermissionOrMember(name) => {
                write!(f, "holders of `{name}`, and active members of the organization")
            }
        }
    }
}

/// The methods routes use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Reads.
    Get,
    /// Creates, or commands.
    Post,
    /// Replaces.
    Put,
    /// Changes in part.
    Patch,
    /// Ends.
    Delete,
}

impl Verb {
    /// As it stands in a request line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One row of the authorisation table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The method.
    pub verb: Verb,
    /// The path below the API prefix.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
}
