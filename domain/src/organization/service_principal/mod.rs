//! The service principal: a non-human actor, and the API keys it shows.
//!
//! Owns the life of its keys; the principal stays the same while keys come and go. Refuses keys
//! that could do more than their issuer, and more than two current keys, so that every key in
//! use is one that somebody can name.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    ApiKeyId, OrganizationId, ServicePrincipalId, WorkspaceId,
    author::{PermissionError, set_of},
};
use crate::{
    events,
    kernel::{Aggregate, DomainError, KeyId, Kind, Personal, TenantId, Timestamp},
};

mod key;

pub use key::{IssueKey, Key, NewKey, RotateKey, USE_RECORDED_EVERY};

/// How many keys are current at a time: one in use, one about to be.
pub const MAX_CURRENT_KEYS: usize = 2;

events! {
    /// Facts of a service principal.
    pub enum ServicePrincipalEvent in "organization.service_principal" quiet [KeyUsed] => {
        /// It exists from now on.
        Created {
            service_principal_id: ServicePrincipalId,
            organization_id: OrganizationId,
            #[serde(default)]
            workspace_id: Option<WorkspaceId>,
            name: String,
        },
        /// It has one more key.
        KeyIssued {
            key_id: ApiKeyId,
            principal_name: String,
            name: String,
            prefix: String,
            secret_hash: Personal<String>,
            scopes: Vec<String>,
            created_by: Uuid,
            #[serde(default)]
            expires_at: Option<Timestamp>,
            organization_id: OrganizationId,
            #[serde(default)]
            workspace_id: Option<WorkspaceId>,
            #[serde(default)]
            rotated_from_key_id: Option<ApiKeyId>,
        },
        /// The new key, issued in the same append, replaces the old, which ends at
        /// `overlap_until`.
        KeyRotated { old_key_id: ApiKeyId, new_key_id: ApiKeyId, overlap_until: Timestamp },
        /// The key opens nothing any more.
        KeyRevoked { key_id: ApiKeyId, reason: String, revoked_by: Uuid, revoked_at: Timestamp },
        /// The key was used, perhaps several times since.
        KeyUsed {
            key_id: ApiKeyId,
            at: Timestamp,
            #[serde(default)]
            ip: Option<Personal<String>>,
        },
        /// It gets no keys any more; `api_key_ids`, which were live, open nothing any more.
        Disabled {
            api_key_ids: Vec<ApiKeyId>,
            reason: String,
            revoked_by: Uuid,
            revoked_at: Timestamp,
        },
    }
}

/// What may be asked of a service principal.
#[derive(Debug, Clone, PartialEq)]
pub enum ServicePrincipalCommand {
    /// Bring it into being.
    Create(Create),
    /// Give it one more key.
    IssueKey(Box<IssueKey>),
    /// Replace a key by one of the same name and scopes.
    RotateKey(Box<RotateKey>),
    /// End a key now.
    RevokeKey {
        /// The key.
        key_id: ApiKeyId,
        /// Why, for the record.
        reason: String,
        /// Who ends it; nil for the platform.
        revoked_by: Uuid,
    },
    /// Note that a key was used.
    RecordKeyUse {
        /// The key.
        key_id: ApiKeyId,
        /// Where from.
        ip: Option<String>,
    },
    /// End it with all its keys.
    Disable {
        /// Why, for the record.
        reason: String,
        /// Who ends it; nil for the platform.
        revoked_by: Uuid,
    },
}

/// The content of [`ServicePrincipalCommand::Create`].
#[derive(Debug, Clone, PartialEq)]
pub struct Create {
    /// Its id, minted by the caller.
    pub service_principal_id: ServicePrincipalId,
    /// Where it acts.
    pub organization_id: OrganizationId,
    /// The only workspace it acts in.
    pub workspace_id: Option<WorkspaceId>,
    /// For people to read.
    pub name: String,
}

/// Why a service principal refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServicePrincipalError {
    /// It does not exist.
    #[error("this service principal does not exist")]
    Missing,
    /// The id is taken, its own or a key's.
    #[error("this id was already used")]
    IdRetired,
    /// It gets no keys any more.
    #[error("this service principal is disabled")]
    Disabled,
    /// It has no such key.
    #[error("this key does not exist")]
    KeyMissing,
    /// There is nothing to replace.
    #[error("this key is revoked, expired or already replaced")]
    KeyEnded,
    /// Enough keys.
    #[error("a service principal has at most {MAX_CURRENT_KEYS} keys; revoke or rotate one")]
    TooManyKeys,
    /// A key that may do nothing is a mistake.
    #[error("a key carries at least one permission")]
    NoScopes,
    /// A key ends in the future.
    #[error("a key must end after now")]
    ExpiresTooEarly,
    /// The issuer cannot give these permissions away.
    #[error(transparent)]
    Permission(#[from] PermissionError),
}

impl DomainError for ServicePrincipalError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing | Self::KeyMissing => "not-found",
            Self::IdRetired => "id-retired",
            Self::Disabled => "service-principal-disabled",
            Self::KeyEnded => "api-key-ended",
            Self::TooManyKeys => "api-key-too-many",
            Self::NoScopes => "api-key-no-scopes",
            Self::ExpiresTooEarly => "api-key-expiry",
            Self::Permission(error) => error.code(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing | Self::KeyMissing => Kind::Missing,
            Self::IdRetired | Self::Disabled | Self::KeyEnded | Self::TooManyKeys => Kind::Conflict,
            Self::NoScopes | Self::ExpiresTooEarly => Kind::Invalid,
            Self::Permission(error) => error.kind(),
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::NoScopes | Self::Permission(_) => Some("/scopes"),
            Self::ExpiresTooEarly => Some("/expires_at"),
            Self::Missing
            | Self::KeyMissing
            | Self::IdRetired
            | Self::Disabled
            | Self::KeyEnded
            | Self::TooManyKeys => None,
        }
    }
}

/// The state of a service principal.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum ServicePrincipal {
    /// Before the first event.
    #[default]
    Missing,
    /// It exists.
    Present(Present),
}

/// What an existing service principal remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// Its id.
    pub id: ServicePrincipalId,
    /// Where it acts.
    pub organization_id: OrganizationId,
    /// The only workspace it acts in.
    pub workspace_id: Option<WorkspaceId>,
    /// Its name.
    pub name: String,
    /// Whether it gets no keys any more.
    pub is_disabled: bool,
    keys: BTreeMap<ApiKeyId, Key>,
}

impl ServicePrincipal {
    /// The service principal, disabled or not.
    ///
    /// # Errors
    /// [`ServicePrincipalError::Missing`].
    pub fn present(&self) -> Result<&Present, ServicePrincipalError> {
        match self {
            Self::Present(present) => Ok(present),
            Self::Missing => Err(ServicePrincipalError::Missing),
        }
    }

    /// One of its keys, live or not.
    #[must_use]
    pub fn key(&self, key_id: ApiKeyId) -> Option<&Key> {
        self.present().ok()?.keys.get(&key_id)
    }

    /// All its keys, live or not.
    pub fn keys(&self) -> impl Iterator<Item = (ApiKeyId, &Key)> {
        self.present()
            .ok()
            .into_iter()
            .flat_map(|present| &present.keys)
            .map(|(id, key)| (*id, key))
    }
}

impl Aggregate for ServicePrincipal {
    type Id = ServicePrincipalId;
    type Command = ServicePrincipalCommand;
    type Event = ServicePrincipalEvent;
    type Error = ServicePrincipalError;

    fn decide(
        &self,
        command: &ServicePrincipalCommand,
        now: Timestamp,
    ) -> Result<Vec<ServicePrincipalEvent>, ServicePrincipalError> {
        match (self, command) {
            (Self::Missing, ServicePrincipalCommand::Create(create)) => Ok(vec![create.created()]),
            (Self::Missing, _) => Err(ServicePrincipalError::Missing),
            (Self::Present(present), command) => present.decide(command, now),
        }
    }

    fn evolve(self, event: &ServicePrincipalEvent) -> Self {
        match (self, event) {
            (
                _,
                ServicePrincipalEvent::Created {
                    service_principal_id,
                    organization_id,
                    workspace_id,
                    name,
                },
            ) => Self::Present(Present {
                id: *service_principal_id,
                organization_id: *organization_id,
                workspace_id: *workspace_id,
                name: name.clone(),
                is_disabled: false,
                keys: BTreeMap::new(),
            }),
            (Self::Present(present), event) => Self::Present(present.evolve(event)),
            (Self::Missing, _) => Self::Missing,
        }
    }

    fn tenant(&self) -> TenantId {
        self.present().map_or(TenantId::PLATFORM, |present| present.organization_id.tenant())
    }

    fn subject(&self) -> Option<KeyId> {
        self.present().ok().map(|present| present.organization_id.key())
    }
}

impl Create {
    fn created(&self) -> ServicePrincipalEvent {
        ServicePrincipalEvent::Created {
            service_principal_id: self.service_principal_id,
            organization_id: self.organization_id,
            workspace_id: self.workspace_id,
            name: self.name.clone(),
        }
    }
}

impl Present {
    fn decide(
        &self,
        command: &ServicePrincipalCommand,
        now: Timestamp,
    ) -> Result<Vec<ServicePrincipalEvent>, ServicePrincipalError> {
        use ServicePrincipalCommand as C;
        use ServicePrincipalEvent as E;
        let event = match command {
            C::Create(_) => return Err(ServicePrincipalError::IdRetired),
            C::IssueKey(_) | C::RotateKey(_) if self.is_disabled => {
                return Err(ServicePrincipalError::Disabled);
            }
            C::IssueKey(issue) => {
                if self.keys.values().filter(|key| key.is_current(now)).count() >= MAX_CURRENT_KEYS
                {
                    return Err(ServicePrincipalError::TooManyKeys);
                }
                self.issued(&issue.key, &issue.name, &issue.scopes, None, now)?
            }
            C::RotateKey(rotate) => return self.rotated(rotate, now),
            C::RevokeKey { key_id, .. } if self.known(*key_id)?.is_revoked => {
                return Ok(Vec::new());
            }
            C::RevokeKey { key_id, reason, revoked_by } => E::KeyRevoked {
                key_id: *key_id,
                reason: reason.clone(),
                revoked_by: *revoked_by,
                revoked_at: now,
            },
            C::RecordKeyUse { key_id, ip } => {
                let key = self.known(*key_id)?;
                if !key.is_live(now) || !key.is_use_due(now) {
                    return Ok(Vec::new());
                }
                E::KeyUsed { key_id: *key_id, at: now, ip: ip.clone().map(Personal::from) }
            }
            C::Disable { .. } if self.is_disabled => return Ok(Vec::new()),
            C::Disable { reason, revoked_by } => {
                let live = self.keys.iter().filter(|(_, key)| key.is_live(now));
                E::Disabled {
                    api_key_ids: live.map(|(id, _)| *id).collect(),
                    reason: reason.clone(),
                    revoked_by: *revoked_by,
                    revoked_at: now,
                }
            }
        };
        Ok(vec![event])
    }

    fn known(&self, key_id: ApiKeyId) -> Result<&Key, ServicePrincipalError> {
        self.keys.get(&key_id).ok_or(ServicePrincipalError::KeyMissing)
    }

    fn issued(
        &self,
        new: &NewKey,
        name: &str,
        scopes: &[String],
        rotated_from_key_id: Option<ApiKeyId>,
        now: Timestamp,
    ) -> Result<ServicePrincipalEvent, ServicePrincipalError> {
        // A prefix of another principal is found out by its claim.
        let is_used = self.keys.values().any(|key| key.prefix == new.prefix);
        if is_used || self.keys.contains_key(&new.key_id) {
            return Err(ServicePrincipalError::IdRetired);
        }
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(ServicePrincipalError::ExpiresTooEarly);
        }
        if scopes.is_empty() {
            return Err(ServicePrincipalError::NoScopes);
        }
        new.author.may_give(scopes)?;
        Ok(ServicePrincipalEvent::KeyIssued {
            key_id: new.key_id,
            principal_name: self.name.clone(),
            name: name.to_owned(),
            prefix: new.prefix.clone(),
            secret_hash: new.secret_hash.clone().into(),
            scopes: set_of(scopes),
            created_by: new.created_by,
            expires_at: new.expires_at,
            organization_id: self.organization_id,
            workspace_id: self.workspace_id,
            rotated_from_key_id,
        })
    }

    fn rotated(
        &self,
        rotate: &RotateKey,
        now: Timestamp,
    ) -> Result<Vec<ServicePrincipalEvent>, ServicePrincipalError> {
        let RotateKey { key, old_key_id, overlap_until } = rotate;
        let old = self.known(*old_key_id)?;
        if !old.is_current(now) {
            return Err(ServicePrincipalError::KeyEnded);
        }
        let issued = self.issued(key, &old.name, &old.scopes, Some(*old_key_id), now)?;
        // A rotation can shorten the life of the old key, never lengthen it.
        let overlap_until = old.expires_at.map_or(*overlap_until, |end| end.min(*overlap_until));
        let rotated = ServicePrincipalEvent::KeyRotated {
            old_key_id: *old_key_id,
            new_key_id: key.key_id,
            overlap_until: overlap_until.max(now),
        };
        Ok(vec![issued, rotated])
    }

    fn evolve(mut self, event: &ServicePrincipalEvent) -> Self {
        use ServicePrincipalEvent as E;
        match event {
            E::Created { .. } => {}
            E::KeyIssued { key_id, name, prefix, secret_hash, scopes, expires_at, .. } => {
                let key = Key {
                    name: name.clone(),
                    prefix: prefix.clone(),
                    secret_hash: secret_hash.clone(),
                    scopes: scopes.clone(),
                    expires_at: *expires_at,
                    is_revoked: false,
                    is_rotated: false,
                    last_used_at: None,
                };
                self.keys.insert(*key_id, key);
            }
            E::KeyRotated { old_key_id, overlap_until, .. } => {
                self.change(*old_key_id, |key| {
                    key.is_rotated = true;
                    key.expires_at = Some(*overlap_until);
                });
            }
            E::KeyRevoked { key_id, .. } => self.change(*key_id, |key| key.is_revoked = true),
            E::KeyUsed { key_id, at, .. } => {
                self.change(*key_id, |key| key.last_used_at = Some(*at));
            }
            E::Disabled { api_key_ids, .. } => {
                self.is_disabled = true;
                for key_id in api_key_ids {
                    self.change(*key_id, |key| key.is_revoked = true);
                }
            }
        }
        self
    }

    fn change(&mut self, key_id: ApiKeyId, change: impl FnOnce(&mut Key)) {
        if let Some(key) = self.keys.get_mut(&key_id) {
            change(key);
        }
    }
}

#[cfg(test)]
mod tests;
