//! Who asks, and what they may do.
//!
//! Owns the one question "may this caller do that there?". Refuses to find out what a caller
//! may do: the edge resolves that, from roles or key scopes, before a use case runs.

use std::{collections::BTreeSet, sync::Arc};

use domain::{
    identity::{PersonId, UserId},
    kernel::{Actor, ActorKind, KeyId, Permission},
    organization::OrganizationId,
};

/// What a caller may do: everywhere, and in the one organization the request names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Permissions that hold on the whole platform.
    pub platform: BTreeSet<String>,
    /// The organization the request names, if the caller belongs to it.
    pub organization: Option<OrganizationId>,
    /// Permissions inside that organization.
    pub inside: BTreeSet<String>,
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// As recorded with every event.
    pub actor: Actor,
    /// The person behind a user, whose key seals what is kept of the request.
    pub person: Option<PersonId>,
    /// What they may do.
    pub grants: Arc<Grants>,
}

/// Why a caller may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nobody is signed in.
    #[error("sign in first")]
    Unauthenticated,
    /// The caller has nothing to do with the organization: for them it does not exist.
    #[error("this does not exist")]
    Missing,
    /// The caller is known there, but lacks a permission.
    #[error("this needs {0}")]
    Forbidden(String),
}

impl Caller {
    /// The platform itself: policies, timers, seeds. It may do everything.
    #[must_use]
    pub fn system() -> Self {
        Self { actor: Actor::SYSTEM, person: None, grants: Arc::default() }
    }

    /// Somebody not signed in.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { actor: Actor::ANONYMOUS, person: None, grants: Arc::default() }
    }

    /// Whether the platform itself asks.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.actor.kind == ActorKind::System
    }

    /// The signed-in user.
    ///
    /// # Errors
    /// For strangers and service principals.
    pub fn user(&self) -> Result<UserId, Denied> {
        match self.actor.kind {
            ActorKind::User => Ok(UserId::from_uuid(self.actor.id)),
            ActorKind::Anonymous => Err(Denied::Unauthenticated),
            ActorKind::Service | ActorKind::System => {
                Err(Denied::Forbidden("a signed-in user: an API key will not do".into()))
            }
        }
    }

    /// The key that seals the request's address and client.
    #[must_use]
    pub fn key(&self) -> Option<KeyId> {
        self.person.map(PersonId::key)
    }

    /// Demands a permission on the whole platform.
    ///
    /// # Errors
    /// Without it.
    pub fn require(&self, permission: Permission) -> Result<(), Denied> {
        self.signed_in()?;
        if self.is_system() || self.grants.platform.contains(permission.as_str()) {
            Ok(())
        } else {
            Err(Denied::Forbidden(format!("the permission {permission}")))
        }
    }

    /// Demands a permission inside an organization; one on the whole platform will do.
    ///
    /// # Errors
    /// [`Denied::Missing`] for strangers to the organization, [`Denied::Forbidden`] for its own.
    pub fn require_in(
        &self,
        organization: OrganizationId,
        permission: Permission,
    ) -> Result<(), Denied> {
        self.signed_in()?;
        if self.is_system() || self.grants.platform.contains(permission.as_str()) {
            return Ok(());
        }
        self.member_of(organization)?;
        if self.grants.inside.contains(permission.as_str()) {
            Ok(())
        } else {
            Err(Denied::Forbidden(format!("the permission {permission}")))
        }
    }

    /// Demands that the caller belongs to an organization.
    ///
    /// # Errors
    /// [`Denied::Missing`] for everybody else.
    pub fn member_of(&self, organization: OrganizationId) -> Result<(), Denied> {
        self.signed_in()?;
        if self.is_system() || self.grants.organization == Some(organization) {
            Ok(())
        } else {
            Err(Denied::Missing)
        }
    }

    /// Demands that the caller is this user, or holds a permission over all users.
    ///
    /// # Errors
    /// [`Denied::Missing`] otherwise: other people's accounts do not show.
    pub fn require_self_or(&self, user: UserId, permission: Permission) -> Result<(), Denied> {
        if self.user() == Ok(user) {
            return Ok(());
        }
        self.require(permission).map_err(|denied| match denied {
            Denied::Forbidden(_) | Denied::Missing => Denied::Missing,
            Denied::Unauthenticated => Denied::Unauthenticated,
        })
    }

    /// Demands that the caller is this user: what nobody can do in somebody else's name.
    ///
    /// # Errors
    /// [`Denied::Missing`] for everybody else: other people's accounts do not show.
    pub fn require_self(&self, user: UserId) -> Result<(), Denied> {
        if self.user()? == user { Ok(()) } else { Err(Denied::Missing) }
    }

    /// Demands that the caller is a user of this person, or holds a permission over all persons.
    ///
    /// # Errors
    /// [`Denied::Missing`] otherwise.
    pub fn require_person_or(
        &self,
        person: PersonId,
        permission: Permission,
    ) -> Result<(), Denied> {
        if self.person == Some(person) {
            return Ok(());
        }
        self.require(permission).map_err(|denied| match denied {
            Denied::Forbidden(_) | Denied::Missing => Denied::Missing,
            Denied::Unauthenticated => Denied::Unauthenticated,
        })
    }

    /// Demands that the platform itself asks: policies, timers, seeds.
    ///
    /// # Errors
    /// [`Denied::Missing`] for everybody else: to them there is no such thing.
    pub fn require_system(&self) -> Result<(), Denied> {
        if self.is_system() { Ok(()) } else { Err(Denied::Missing) }
    }

    /// Every permission the caller holds here: what they can at most pass on.
    #[must_use]
    pub fn permissions(&self) -> BTreeSet<String> {
        self.grants.platform.union(&self.grants.inside).cloned().collect()
    }

    fn signed_in(&self) -> Result<(), Denied> {
        match self.actor.kind {
            ActorKind::Anonymous => Err(Denied::Unauthenticated),
            ActorKind::User | ActorKind::Service | ActorKind::System => Ok(()),
        }
    }
}
