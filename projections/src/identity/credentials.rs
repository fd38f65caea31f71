//! Owns `identity.credentials`: every way in which a user can, or once could, prove who they are.
//!
//! Holds no secret: decisions read the stream, and nobody else needs one.

use domain::{
    identity::{
        CredentialId, UserId,
        user::{CredentialKind, UserEvent},
    },
    kernel::{DomainEvent, KeyId, Personal, Recorded, Timestamp},
};

use crate::{
    At, Fault, Fold, Key, NoTenant, Page, PageRequest, QueryError, Reader, Std, Sweep, Touch,
    query::Query, required, row,
};

row! {
    /// A way to prove who one is.
    pub struct CredentialRow in identity.credentials scope(NoTenant)
    key(id: CredentialId) unique(subject, revoked_at) {
        /// Its id.
        id: CredentialId,
        /// Whose it is.
        user_id: UserId,
        /// What kind it is.
        kind: CredentialKind,
        /// What the user calls it.
        label: Option<String>,
        /// Who vouches, for an account elsewhere.
        issuer: Option<String>,
        /// The account's id there.
        subject: Option<String>,
        /// The public half of a key pair.
        public_key: Option<Vec<u8>>,
        /// How often that key pair signed.
        sign_count: Option<i64>,
        /// What a secret for scripts begins with.
        prefix: Option<String>,
        /// What such a secret is good for.
        scopes: Option<Vec<String>>,
        /// When the user last signed in with it.
        last_used_at: Option<Timestamp>,
        /// When it ends by itself.
        expires_at: Option<Timestamp>,
        /// Since when it no longer counts.
        revoked_at: Option<Timestamp>,
        /// Why.
        revoked_reason: Option<String>,
        /// What seals the personal columns.
        key_id: Option<KeyId>,
    }
}

/// Why a password no longer counts once there is another.
pub const REPLACED: &str = "replaced";
/// Why an account elsewhere no longer counts.
pub const UNLINKED: &str = "unlinked";
/// Why a credential of somebody who is gone no longer counts.
pub const USER_DELETED: &str = "user_deleted";

/// The fold of `identity.credentials`.
#[derive(Debug)]
pub struct Credentials;

/// What an event says about one credential.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Part<'e> {
    /// This is the password from now on.
    Password(CredentialId),
    /// Codes of this app count from now on.
    Totp(CredentialId, Option<&'e String>),
    /// This account elsewhere counts from now on.
    Account(Account<'e>),
    /// The user signed in with it.
    Used,
    /// It no longer counts, for this reason.
    Revoked(&'e str),
}

/// An account elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Account<'e> {
    id: CredentialId,
    kind: CredentialKind,
    issuer: &'e str,
    subject: &'e Personal<String>,
}

impl Fold for Credentials {
    type Row = CredentialRow;
    type Event = UserEvent;
    type Part<'e> = Part<'e>;
    const VERSION: u16 = 1;
    const HOME: Option<&'static str> = Some(UserEvent::CATEGORY);
    const SWEEPS: &'static [Sweep] = &[Sweep::Shredded(&["subject"])];

    fn touches<'e>(event: &'e Recorded<UserEvent>) -> Vec<Touch<Key<Self>, Part<'e>>> {
        use UserEvent as E;
        match &event.event {
            E::PasswordSet { credential_id, replaces, .. }
            | E::PasswordReset { credential_id, replaces, .. } => {
                let new = Touch::New(*credential_id, Part::Password(*credential_id));
                let old = replaces.map(|old| Touch::Row(old, Part::Revoked(REPLACED)));
                std::iter::once(new).chain(old).collect()
            }
            E::IdentityLinked { credential_id, kind, issuer, subject } => {
                let (id, kind) = (*credential_id, (*kind).into());
                vec![Touch::New(id, Part::Account(Account { id, kind, issuer, subject }))]
            }
            E::TotpEnrolled { credential_id, label, .. } => {
                vec![Touch::New(*credential_id, Part::Totp(*credential_id, label.as_ref()))]
            }
            E::IdentityUnlinked { credential_id } => {
                vec![Touch::Row(*credential_id, Part::Revoked(UNLINKED))]
            }
            E::CredentialRevoked { credential_id, reason, .. } => {
                vec![Touch::Row(*credential_id, Part::Revoked(reason))]
            }
            E::LoginSucceeded { credential_id, totp_credential_id, .. } => {
                let used = std::iter::once(credential_id).chain(totp_credential_id);
                used.map(|id| Touch::Row(*id, Part::Used)).collect()
            }
            E::Deleted { credential_ids, .. } => {
                let revoked = |id: &CredentialId| Touch::Row(*id, Part::Revoked(USER_DELETED));
                credential_ids.iter().map(revoked).collect()
            }
            E::Registered { .. }
            | E::EmailVerificationRequested { .. }
            | E::EmailVerified { .. }
            | E::EmailChangeRequested { .. }
            | E::EmailChanged { .. }
            | E::PasswordRehashed { .. }
            | E::PasswordResetRequested { .. }
            | E::TokenAttempted { .. }
            | E::TokenInvalidated { .. }
            | E::LoginFailed { .. }
            | E::RegistrationAttempted { .. }
            | E::Locked { .. }
            | E::Unlocked {}
            | E::Disabled { .. }
            | E::Enabled { .. }
            | E::PersonChanged { .. } => Vec::new(),
        }
    }

    fn fold(
        row: Option<CredentialRow>,
        part: Part<'_>,
        at: &At<'_>,
    ) -> Result<Option<CredentialRow>, Fault> {
        let now = at.envelope.occurred_at;
        Ok(Some(match part {
            Part::Password(id) => created(id, CredentialKind::Password, at),
            Part::Totp(id, label) => {
                CredentialRow { label: label.cloned(), ..created(id, CredentialKind::Totp, at) }
            }
            Part::Account(account) => CredentialRow {
                issuer: Some(account.issuer.to_owned()),
                subject: account.subject.open().cloned(),
                key_id: at.envelope.key_id,
                ..created(account.id, account.kind, at)
            },
            Part::Used => CredentialRow { last_used_at: Some(now), ..required(row)? },
            Part::Revoked(reason) => CredentialRow {
                revoked_at: Some(now),
                revoked_reason: Some(reason.to_owned()),
                ..required(row)?
            },
        }))
    }
}

/// A credential of which nothing personal is kept.
fn created(id: CredentialId, kind: CredentialKind, at: &At<'_>) -> CredentialRow {
    CredentialRow {
        id,
        user_id: UserId::from_uuid(at.envelope.stream),
        kind,
        label: None,
        issuer: None,
        subject: None,
        public_key: None,
        sign_count: None,
        prefix: None,
        scopes: None,
        last_used_at: None,
        expires_at: None,
        revoked_at: None,
        revoked_reason: None,
        key_id: None,
        std: Std::default(),
    }
}

/// A place in the list: oldest first.
pub type Place = (Timestamp, CredentialId);

/// Query 3: the credentials of a user that count, oldest first.
///
/// # Errors
/// If the database cannot be asked.
pub async fn live_of_user(
    reader: &Reader,
    user: UserId,
    page: &PageRequest<Place>,
) -> Result<Page<CredentialRow, Place>, QueryError> {
    let mut query = Query::of::<CredentialRow>(&NoTenant);
    query.push(" AND t.user_id = ").push_bind(user.uuid());
    query.push(" AND t.revoked_at IS NULL");
    if let Some((created, id)) = page.after {
        query.push(" AND (t.created_at, t.id) > (").push_bind(created);
        query.push(", ").push_bind(id.uuid()).push(")");
    }
    query.push(" ORDER BY t.created_at, t.id");
    reader.page(query, page, |row: &CredentialRow| (row.std.created_at, row.id)).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{
        identity::{Aal, PersonId, SessionId, TokenId, user::IdentityKind},
        kernel::testing::at,
    };

    use super::*;
    use crate::testing::{id, rows, stream};

    const USER: UserId = UserId::from_uuid(id(1));
    const ADA: PersonId = PersonId::from_uuid(id(2));

    fn credential(number: u128) -> CredentialId {
        CredentialId::from_uuid(id(number))
    }

    fn password(number: u128, replaces: Option<u128>) -> UserEvent {
        UserEvent::PasswordSet {
            credential_id: credential(number),
            secret_hash: "$argon2id$".to_owned().into(),
            replaces: replaces.map(credential),
        }
    }

    fn linked(number: u128) -> UserEvent {
        UserEvent::IdentityLinked {
            credential_id: credential(number),
            kind: IdentityKind::Saml,
            issuer: "https://id.example.org".into(),
            subject: "ada".to_owned().into(),
        }
    }

    fn enrolled(number: u128) -> UserEvent {
        UserEvent::TotpEnrolled {
            credential_id: credential(number),
            seed: "seed".to_owned().into(),
            label: Some("Phone".into()),
            step: None,
        }
    }

    fn after<const N: usize>(events: [UserEvent; N]) -> BTreeMap<CredentialId, CredentialRow> {
        rows::<Credentials>(&stream(USER, Some(ADA.key()), events))
    }

    fn reason(row: &CredentialRow) -> Option<&str> {
        row.revoked_at.and(row.revoked_reason.as_deref())
    }

    #[test]
    fn each_kind_keeps_what_is_known_of_it() {
        use CredentialKind as K;
        let rows: Vec<_> =
            after([password(10, None), linked(11), enrolled(12)]).into_values().collect();
        let kinds: Vec<_> = rows.iter().map(|row| row.kind).collect();
        assert_eq!(kinds, [K::Password, K::Saml, K::Totp]);
        assert_eq!(rows[1].issuer.as_deref(), Some("https://id.example.org"));
        assert_eq!(rows[1].subject.as_deref(), Some("ada"));
        assert_eq!(rows[2].label.as_deref(), Some("Phone"));
        assert!(rows.iter().all(|row| row.user_id == USER && row.revoked_at.is_none()));
        let keys: Vec<_> = rows.iter().map(|row| row.key_id).collect();
        assert_eq!(keys, [None, Some(ADA.key()), None], "only a subject is sealed");
    }

    #[test]
    fn a_new_password_revokes_the_old_one() {
        let reset = UserEvent::PasswordReset {
            token_id: TokenId::from_uuid(id(20)),
            credential_id: credential(12),
            secret_hash: "$argon2id$".to_owned().into(),
            replaces: Some(credential(11)),
        };
        let rows = after([password(10, None), password(11, Some(10)), reset]);
        let reasons: Vec<_> = rows.values().map(reason).collect();
        assert_eq!(reasons, [Some(REPLACED), Some(REPLACED), None]);
        assert_eq!(rows[&credential(10)].revoked_at, Some(at(120)));
    }

    #[test]
    fn each_end_has_its_reason() {
        let unlinked = UserEvent::IdentityUnlinked { credential_id: credential(11) };
        let revoked = UserEvent::CredentialRevoked {
            credential_id: credential(12),
            reason: "lost".into(),
            mfa_enrolled: false,
            kind: Some(CredentialKind::Totp),
        };
        let deleted = UserEvent::Deleted {
            credential_ids: vec![credential(10)],
            token_ids: vec![],
            email_digest: None,
        };
        let start = [password(10, None), linked(11), enrolled(12)];
        let [a, b, c] = start;
        let rows = after([a, b, c, unlinked, revoked, deleted]);
        let reasons: Vec<_> = rows.values().map(reason).collect();
        assert_eq!(reasons, [Some(USER_DELETED), Some(UNLINKED), Some("lost")]);
    }

    #[test]
    fn a_sign_in_uses_both_factors_and_leaves_the_etag() {
        let login = UserEvent::LoginSucceeded {
            session_id: SessionId::from_uuid(id(30)),
            session_expires_at: at(900),
            credential_id: credential(10),
            aal: Aal::Two,
            ip: None,
            totp_credential_id: Some(credential(12)),
            totp_step: Some(7),
        };
        let rows = after([password(10, None), linked(11), enrolled(12), login]);
        let used: Vec<_> = rows.values().map(|row| row.last_used_at).collect();
        assert_eq!(used, [Some(at(240)), None, Some(at(240))]);
        assert_eq!(rows[&credential(10)].std.stream_version, 1);
    }

    #[test]
    fn without_the_key_an_account_has_no_subject() {
        let erased = UserEvent::IdentityLinked {
            credential_id: credential(10),
            kind: IdentityKind::Oidc,
            issuer: "https://id.example.org".into(),
            subject: Personal::Erased,
        };
        assert_eq!(after([erased])[&credential(10)].subject, None);
    }
}
