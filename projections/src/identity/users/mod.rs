//! Owns `identity.users`: every login, whatever its status.

use std::net::IpAddr;

use domain::{
    identity::{
        PersonId, UserId,
        user::{TokenPurpose, UserEvent, UserStatus},
    },
    kernel::{DomainEvent, KeyId, Recorded, Timestamp},
};

use super::address;
use crate::{
    At, Fault, Fold, Key, NoTenant, Page, PageRequest, QueryError, Reader, Std, Sweep, Touch,
    query::Query, required, row,
};

row! {
    /// A login.
    pub struct UserRow in identity.users scope(NoTenant)
    key(id: UserId) unique(email_digest, status) {
        /// Its id.
        id: UserId,
        /// The human behind it.
        person_id: PersonId,
        /// The address, in lower case.
        email: Option<String>,
        /// Keyed digest of the address, which outlives it.
        email_digest: Option<String>,
        /// Since when the address is known to be the user's.
        email_verified_at: Option<Timestamp>,
        /// The address the user wants instead, not yet shown to be theirs.
        pending_email: Option<String>,
        /// The name to sign in with instead of the address.
        username: Option<String>,
        /// Where the user stands; a lock may be over without anybody having noted it.
        status: UserStatus,
        /// Whether a password alone is not enough.
        mfa_enrolled: bool,
        /// How often in a row somebody failed to sign in.
        failed_login_count: i32,
        /// When the lock ends by itself.
        locked_until: Option<Timestamp>,
        /// When the user last signed in.
        last_login_at: Option<Timestamp>,
        /// From where.
        last_login_ip: Option<IpAddr>,
        /// Why the user is out of use.
        disabled_reason: Option<String>,
        /// What seals the personal columns.
        key_id: Option<KeyId>,
    }
}

/// The fold of `identity.users`.
#[derive(Debug)]
pub struct Users;

impl Fold for Users {
    type Row = UserRow;
    type Event = UserEvent;
    type Part<'e> = &'e UserEvent;
    const VERSION: u16 = 1;
    const HOME: Option<&'static str> = Some(UserEvent::CATEGORY);
    const SWEEPS: &'static [Sweep] =
        &[Sweep::Shredded(&["email", "pending_email", "username", "last_login_ip"])];

    /// Every event, even one that is about a credential alone: the row carries the `ETag`.
    fn touches(event: &Recorded<UserEvent>) -> Vec<Touch<Key<Self>, &UserEvent>> {
        use UserEvent as E;
        let id = UserId::from_uuid(event.envelope.stream);
        let fact = &event.event;
        match fact {
            E::Registered { .. } => vec![Touch::New(id, fact)],
            E::EmailVerificationRequested { .. }
            | E::EmailVerified { .. }
            | E::EmailChangeRequested { .. }
            | E::EmailChanged { .. }
            | E::PasswordSet { .. }
            | E::PasswordRehashed { .. }
            | E::PasswordResetRequested { .. }
            | E::PasswordReset { .. }
            | E::TokenAttempted { .. }
            | E::TokenInvalidated { .. }
            | E::IdentityLinked { .. }
            | E::IdentityUnlinked { .. }
            | E::TotpEnrolled { .. }
            | E::CredentialRevoked { .. }
            | E::LoginSucceeded { .. }
            | E::LoginFailed { .. }
            | E::RegistrationAttempted { .. }
            | E::Locked { .. }
            | E::Unlocked {}
            | E::Disabled { .. }
            | E::Enabled { .. }
            | E::Deleted { .. }
            | E::PersonChanged { .. } => vec![Touch::Row(id, fact)],
        }
    }

    fn fold(
        row: Option<UserRow>,
        event: &UserEvent,
        at: &At<'_>,
    ) -> Result<Option<UserRow>, Fault> {
        use UserEvent as E;
        use UserStatus as S;
        let now = at.envelope.occurred_at;
        if let E::Registered { .. } = event {
            return Ok(registered(event, at.envelope.key_id));
        }
        let row = required(row)?;
        let key_id = at.envelope.key_id.or(row.key_id);
        Ok(Some(match event {
            E::Registered { .. }
            | E::EmailVerificationRequested { .. }
            | E::PasswordSet { .. }
            | E::PasswordRehashed { .. }
            | E::PasswordResetRequested { .. }
            | E::PasswordReset { .. }
            | E::TokenAttempted { .. }
            | E::IdentityLinked { .. }
            | E::IdentityUnlinked { .. }
            | E::RegistrationAttempted { .. } => row,
            E::EmailVerified { .. } => {
                UserRow { email_verified_at: Some(now), status: S::Active, ..row }
            }
            E::EmailChangeRequested { sent_to, .. } => {
                UserRow { pending_email: sent_to.open().cloned(), key_id, ..row }
            }
            E::EmailChanged { email, email_digest, .. } => UserRow {
                email: email.open().cloned(),
                email_digest: Some(email_digest.clone()),
                email_verified_at: Some(now),
                pending_email: None,
                key_id,
                ..row
            },
            E::TokenInvalidated { purpose, .. } => match purpose {
                TokenPurpose::EmailChange => UserRow { pending_email: None, ..row },
                TokenPurpose::EmailVerification
                | TokenPurpose::PasswordReset
                | TokenPurpose::MagicLink => row,
            },
            E::TotpEnrolled { .. } => UserRow { mfa_enrolled: true, ..row },
            E::CredentialRevoked { mfa_enrolled, .. } => {
                UserRow { mfa_enrolled: *mfa_enrolled, ..row }
            }
            E::LoginSucceeded { ip, .. } => UserRow {
                failed_login_count: 0,
                last_login_at: Some(now),
                last_login_ip: address(ip.as_ref()),
                key_id,
                ..row
            },
            E::LoginFailed { count, .. } => UserRow { failed_login_count: *count, ..row },
            E::Locked { until } => UserRow { status: S::Locked, locked_until: *until, ..row },
            E::Unlocked {} => UserRow { status: S::Active, locked_until: None, ..row },
            E::Disabled { reason } => UserRow {
                status: S::Disabled,
                locked_until: None,
                disabled_reason: Some(reason.clone()),
                ..row
            },
            E::Enabled { status } => UserRow { status: *status, disabled_reason: None, ..row },
            E::Deleted { .. } => UserRow {
                status: S::Deleted,
                pending_email: None,
                mfa_enrolled: false,
                locked_until: None,
                ..row
            },
            E::PersonChanged { person_id } => UserRow { person_id: *person_id, ..row },
        }))
    }
}

fn registered(event: &UserEvent, key_id: Option<KeyId>) -> Option<UserRow> {
    let UserEvent::Registered { user_id, person_id, email, email_digest, username, via: _ } = event
    else {
        return None;
    };
    Some(UserRow {
        id: *user_id,
        person_id: *person_id,
        email: email.open().cloned(),
        email_digest: Some(email_digest.clone()),
        email_verified_at: None,
        pending_email: None,
        username: username.as_ref().and_then(|name| name.open().cloned()),
        status: UserStatus::Pending,
        mfa_enrolled: false,
        failed_login_count: 0,
        locked_until: None,
        last_login_at: None,
        last_login_ip: None,
        disabled_reason: None,
        key_id,
        std: Std::default(),
    })
}

/// Which users a list holds; every given filter must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this status.
    pub status: Option<UserStatus>,
    /// With such an address.
    pub email: Option<Email>,
}

/// How an address is asked for, in upper or lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Email {
    /// This one.
    Is(String),
    /// Whatever begins like this.
    StartsWith(String),
}

/// A place in the list: newest first.
pub type Place = (Timestamp, UserId);

/// Query 2: users, newest first. For operators: it sees all of them.
///
/// # Errors
/// If the database cannot be asked.
pub async fn list(
    reader: &Reader,
    filter: &Filter,
    page: &PageRequest<Place>,
) -> Result<Page<UserRow, Place>, QueryError> {
    let mut query = Query::of::<UserRow>(&NoTenant);
    if let Some(status) = filter.status {
        query.push(" AND t.status = ").push_bind(status.to_string());
        query.push("::identity.user_status");
    }
    match &filter.email {
        Some(Email::Is(email)) => {
            query.push(" AND t.email = ").push_bind(email.to_lowercase());
        }
        Some(Email::StartsWith(start)) => {
            query.push(" AND t.email ^@ ").push_bind(start.to_lowercase());
        }
        None => {}
    }
    if let Some((created, id)) = page.after {
        query.push(" AND (t.created_at, t.id) < (").push_bind(created);
        query.push(", ").push_bind(id.uuid()).push(")");
    }
    query.push(" ORDER BY t.created_at DESC, t.id DESC");
    reader.page(query, page, |row: &UserRow| (row.std.created_at, row.id)).await
}

/// Queries 1 and 3: one user; the credentials stand in a table of their own.
///
/// # Errors
/// If the database cannot be asked.
pub async fn by_id(reader: &Reader, id: UserId) -> Result<Option<UserRow>, QueryError> {
    let mut query = Query::of::<UserRow>(&NoTenant);
    query.push(" AND t.id = ").push_bind(id.uuid());
    reader.one(query).await
}

/// Query 9: the logins of a person whose addresses are known to be theirs, by id.
///
/// # Errors
/// If the database cannot be asked.
pub async fn verified_of_person(
    reader: &Reader,
    person: PersonId,
    page: &PageRequest<UserId>,
) -> Result<Page<UserRow, UserId>, QueryError> {
    let mut query = Query::of::<UserRow>(&NoTenant);
    query.push(" AND t.person_id = ").push_bind(person.uuid());
    query.push(" AND t.email IS NOT NULL AND t.email_verified_at IS NOT NULL");
    query.push(" AND t.status <> 'deleted'");
    if let Some(id) = page.after {
        query.push(" AND t.id > ").push_bind(id.uuid());
    }
    query.push(" ORDER BY t.id");
    reader.page(query, page, |row: &UserRow| row.id).await
}

#[cfg(test)]
mod tests;
