//! One API key of a service principal: how it is asked for, and what is remembered of it.
//!
//! Owns when a key opens anything. Refuses to know its secret: only a hash of it comes here.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::{
    kernel::{Personal, Timestamp},
    organization::{ApiKeyId, Author},
};

/// How long one recorded use of a key speaks for the uses after it.
pub const USE_RECORDED_EVERY: TimeDelta = TimeDelta::hours(1);

/// What is new about every new key.
#[derive(Debug, Clone, PartialEq)]
pub struct NewKey {
    /// Its id, minted by the caller.
    pub key_id: ApiKeyId,
    /// Its public part, unique over the platform; claimed with the append.
    pub prefix: String,
    /// Argon2id of its secret part.
    pub secret_hash: String,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Who asks for it; nil for the platform.
    pub created_by: Uuid,
    /// Whose own permissions bound it.
    pub author: Author,
}

/// The content of [`ServicePrincipalCommand::IssueKey`].
#[derive(Debug, Clone, PartialEq)]
pub struct IssueKey {
    /// The key.
    pub key: NewKey,
    /// What people call it.
    pub name: String,
    /// The permissions it carries.
    pub scopes: Vec<String>,
}

/// The content of [`ServicePrincipalCommand::RotateKey`].
#[derive(Debug, Clone, PartialEq)]
pub struct RotateKey {
    /// The key that comes.
    pub key: NewKey,
    /// The key that goes.
    pub old_key_id: ApiKeyId,
    /// Until when the old key still opens, unless it ends before.
    pub overlap_until: Timestamp,
}

/// What a service principal remembers of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// What people call it.
    pub name: String,
    /// The public part of the key, by which it is looked up.
    pub prefix: String,
    /// Argon2id of the secret part.
    pub secret_hash: Personal<String>,
    /// The permissions it carries.
    pub scopes: Vec<String>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    pub(super) is_revoked: bool,
    pub(super) is_rotated: bool,
    pub(super) last_used_at: Option<Timestamp>,
}

impl Key {
    /// Whether it opens anything: neither revoked nor expired.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.is_revoked && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it is live other than for the overlap after its rotation.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.is_live(now) && !self.is_rotated
    }

    /// Whether a use now is worth a fact.
    pub(super) fn is_use_due(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|last| now.signed_duration_since(last) >= USE_RECORDED_EVERY)
    }
}
