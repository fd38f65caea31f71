//! The author of a role, an assignment or a key, and the rule that bounds them.
//!
//! Owns one rule: nobody gives away a permission they lack, nor one that does not exist.

use std::collections::BTreeSet;

use crate::{
    kernel::{DomainError, Kind},
    permissions,
};

/// Who gives permissions away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// The platform itself, which is bound by nothing: seeds and policies.
    System,
    /// Somebody who holds these permissions where they give them away.
    Holding(BTreeSet<String>),
}

/// Why permissions cannot be given away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PermissionError {
    /// No manifest declares it.
    #[error("there is no permission `{0}`")]
    Unknown(String),
    /// The author lacks it.
    #[error("you cannot give the permission `{0}`, because you do not hold it")]
    NotHeld(String),
}

impl DomainError for PermissionError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "permission-unknown",
            Self::NotHeld(_) => "permission-not-held",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Unknown(_) => Kind::Invalid,
            Self::NotHeld(_) => Kind::Forbidden,
        }
    }
}

impl Author {
    /// Whether this author may give these permissions away.
    ///
    /// # Errors
    /// Names the first permission that does not exist or that the author lacks.
    pub fn may_give<'p>(
        &self,
        permissions: impl IntoIterator<Item = &'p String>,
    ) -> Result<(), PermissionError> {
        for permission in permissions {
            if !permissions::is_known(permission) {
                return Err(PermissionError::Unknown(permission.clone()));
            }
            match self {
                Self::System => {}
                Self::Holding(held) if held.contains(permission) => {}
                Self::Holding(_) => return Err(PermissionError::NotHeld(permission.clone())),
            }
        }
        Ok(())
    }
}

/// Sorted, each once: as sets of permissions and scopes stand in events.
pub(super) fn set_of<T: Ord + Clone>(items: &[T]) -> Vec<T> {
    items.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = "organization.role.read";

    #[test]
    fn the_catalogue_binds_even_the_platform() {
        let invented = ["organization.role.invent".to_owned()];
        let unknown = Err(PermissionError::Unknown("organization.role.invent".into()));
        assert_eq!(Author::System.may_give(&invented), unknown);
        assert_eq!(Author::System.may_give(&[READ.to_owned()]), Ok(()));
    }

    #[test]
    fn every_declared_permission_is_known() {
        assert!(
            permissions::ALL.iter().all(|permission| permissions::is_known(permission.as_str()))
        );
    }

    #[test]
    fn others_give_only_what_they_hold() {
        let holder = Author::Holding(BTreeSet::from([READ.to_owned()]));
        assert_eq!(holder.may_give(&[READ.to_owned()]), Ok(()));
        assert_eq!(
            Author::Holding(BTreeSet::new()).may_give(&[READ.to_owned()]),
            Err(PermissionError::NotHeld(READ.into()))
        );
    }
}
