//! Owns `identity.verification_tokens`: proofs sent out of band, good once and for a while.

use domain::{
    identity::{
        TokenId, UserId,
        user::{TokenPurpose, UserEvent},
    },
    kernel::{DomainEvent, KeyId, Personal, Recorded, Timestamp},
};

use crate::{At, Fault, Fold, Key, NoTenant, Std, Sweep, Touch, required, row};

row! {
    /// A proof sent out of band.
    pub struct VerificationTokenRow in identity.verification_tokens scope(NoTenant)
    key(id: TokenId) unique(consumed_at, invalidated_at) {
        /// Its id.
        id: TokenId,
        /// Whose it is.
        user_id: UserId,
        /// What it is good for.
        purpose: TokenPurpose,
        /// SHA-256 of its secret.
        token_hash: String,
        /// The address it went to.
        sent_to: Option<String>,
        /// How often somebody tried in vain.
        attempts: i16,
        /// Until when it counts.
        expires_at: Timestamp,
        /// When it was used.
        consumed_at: Option<Timestamp>,
        /// When it became worthless without having been used.
        invalidated_at: Option<Timestamp>,
        /// What seals the personal columns.
        key_id: Option<KeyId>,
    }
}

/// The fold of `identity.verification_tokens`.
#[derive(Debug)]
pub struct VerificationTokens;

/// What an event says about one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Part<'e> {
    /// It was sent.
    Sent(Sent<'e>),
    /// Somebody tried in vain, so often by now.
    Attempted(i16),
    /// It was used.
    Consumed,
    /// It no longer counts.
    Invalidated,
}

/// A token that was sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sent<'e> {
    token_id: TokenId,
    purpose: TokenPurpose,
    token_hash: &'e str,
    sent_to: &'e Personal<String>,
    expires_at: Timestamp,
}

impl Fold for VerificationTokens {
    type Row = VerificationTokenRow;
    type Event = UserEvent;
    type Part<'e> = Part<'e>;
    const VERSION: u16 = 1;
    const HOME: Option<&'static str> = Some(UserEvent::CATEGORY);
    const SWEEPS: &'static [Sweep] = &[Sweep::Shredded(&["sent_to"])];

    fn touches<'e>(event: &'e Recorded<UserEvent>) -> Vec<Touch<Key<Self>, Part<'e>>> {
        use TokenPurpose as P;
        use UserEvent as E;
        match &event.event {
            E::EmailVerificationRequested {
                token_id,
                token_hash,
                sent_to,
                expires_at,
                supersedes,
            } => {
                let (token_id, expires_at) = (*token_id, *expires_at);
                Sent { token_id, purpose: P::EmailVerification, token_hash, sent_to, expires_at }
                    .touches(*supersedes)
            }
            E::EmailChangeRequested {
                token_id,
                token_hash,
                sent_to,
                expires_at,
                supersedes,
                email_digest: _,
            } => {
                let (token_id, expires_at) = (*token_id, *expires_at);
                Sent { token_id, purpose: P::EmailChange, token_hash, sent_to, expires_at }
                    .touches(*supersedes)
            }
            E::PasswordResetRequested { token_id, token_hash, sent_to, expires_at, supersedes } => {
                let (token_id, expires_at) = (*token_id, *expires_at);
                Sent { token_id, purpose: P::PasswordReset, token_hash, sent_to, expires_at }
                    .touches(*supersedes)
            }
            E::EmailVerified { token_id, .. } => {
                token_id.iter().map(|id| Touch::Row(*id, Part::Consumed)).collect()
            }
            E::EmailChanged { token_id, .. } | E::PasswordReset { token_id, .. } => {
                vec![Touch::Row(*token_id, Part::Consumed)]
            }
            E::TokenAttempted { token_id, attempts } => {
                vec![Touch::Row(*token_id, Part::Attempted(*attempts))]
            }
            E::TokenInvalidated { token_id, .. } => vec![Touch::Row(*token_id, Part::Invalidated)],
            E::Deleted { token_ids, .. } => {
                token_ids.iter().map(|id| Touch::Row(*id, Part::Invalidated)).collect()
            }
            E::Registered { .. }
            | E::PasswordSet { .. }
            | E::PasswordRehashed { .. }
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
            | E::PersonChanged { .. } => Vec::new(),
        }
    }

    fn fold(
        row: Option<VerificationTokenRow>,
        part: Part<'_>,
        at: &At<'_>,
    ) -> Result<Option<VerificationTokenRow>, Fault> {
        let now = at.envelope.occurred_at;
        Ok(Some(match part {
            Part::Sent(sent) => sent.row(at),
            Part::Attempted(attempts) => VerificationTokenRow { attempts, ..required(row)? },
            Part::Consumed => VerificationTokenRow { consumed_at: Some(now), ..required(row)? },
            Part::Invalidated => {
                VerificationTokenRow { invalidated_at: Some(now), ..required(row)? }
            }
        }))
    }
}

impl<'e> Sent<'e> {
    /// The new row, and the one whose place it takes.
    fn touches(self, supersedes: Option<TokenId>) -> Vec<Touch<TokenId, Part<'e>>> {
        let new = Touch::New(self.token_id, Part::Sent(self));
        let old = supersedes.map(|old| Touch::Row(old, Part::Invalidated));
        std::iter::once(new).chain(old).collect()
    }

    fn row(self, at: &At<'_>) -> VerificationTokenRow {
        VerificationTokenRow {
            id: self.token_id,
            user_id: UserId::from_uuid(at.envelope.stream),
            purpose: self.purpose,
            token_hash: self.token_hash.to_owned(),
            sent_to: self.sent_to.open().cloned(),
            attempts: 0,
            expires_at: self.expires_at,
            consumed_at: None,
            invalidated_at: None,
            key_id: at.envelope.key_id,
            std: Std::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{identity::PersonId, kernel::testing::at};

    use super::*;
    use crate::testing::{id, rows, stream};

    const USER: UserId = UserId::from_uuid(id(1));
    const ADA: PersonId = PersonId::from_uuid(id(2));

    fn token(number: u128) -> TokenId {
        TokenId::from_uuid(id(number))
    }

    fn reset(number: u128, supersedes: Option<u128>) -> UserEvent {
        UserEvent::PasswordResetRequested {
            token_id: token(number),
            token_hash: format!("hash-{number}"),
            sent_to: "ada@example.org".to_owned().into(),
            expires_at: at(900),
            supersedes: supersedes.map(token),
        }
    }

    fn after<const N: usize>(events: [UserEvent; N]) -> Vec<VerificationTokenRow> {
        let events = stream(USER, Some(ADA.key()), events);
        rows::<VerificationTokens>(&events).into_values().collect()
    }

    fn ends(row: &VerificationTokenRow) -> (Option<Timestamp>, Option<Timestamp>) {
        (row.consumed_at, row.invalidated_at)
    }

    #[test]
    fn each_request_sends_a_token_for_its_purpose() {
        let sent_to: Personal<String> = "king@example.org".to_owned().into();
        let rows = after([
            UserEvent::EmailVerificationRequested {
                token_id: token(10),
                token_hash: "a".into(),
                sent_to: sent_to.clone(),
                expires_at: at(900),
                supersedes: None,
            },
            UserEvent::EmailChangeRequested {
                token_id: token(11),
                token_hash: "b".into(),
                sent_to,
                email_digest: "new".into(),
                expires_at: at(900),
                supersedes: None,
            },
            reset(12, None),
        ]);
        let purposes: Vec<_> = rows.iter().map(|row| row.purpose).collect();
        use TokenPurpose as P;
        assert_eq!(purposes, [P::EmailVerification, P::EmailChange, P::PasswordReset]);
        assert_eq!(rows[1].sent_to.as_deref(), Some("king@example.org"));
        assert!(rows.iter().all(|row| row.user_id == USER && row.key_id == Some(ADA.key())));
    }

    #[test]
    fn a_new_token_ends_the_one_before() {
        let rows = after([reset(10, None), reset(11, Some(10))]);
        assert_eq!(ends(&rows[0]), (None, Some(at(120))));
        assert_eq!(ends(&rows[1]), (None, None));
    }

    #[test]
    fn a_used_token_is_consumed() {
        let rows = after([
            reset(10, None),
            UserEvent::PasswordReset {
                token_id: token(10),
                credential_id: domain::identity::CredentialId::from_uuid(id(20)),
                secret_hash: "$argon2id$".to_owned().into(),
                replaces: None,
            },
        ]);
        assert_eq!(ends(&rows[0]), (Some(at(120)), None));
    }

    #[test]
    fn an_address_vouched_for_by_others_uses_no_token() {
        let verified = |token_id| UserEvent::EmailVerified { token_id, method: "token".into() };
        assert_eq!(ends(&after([reset(10, None), verified(None)])[0]), (None, None));
        assert_eq!(ends(&after([reset(10, None), verified(Some(token(10)))])[0]).0, Some(at(120)));
    }

    #[test]
    fn tries_are_counted_by_the_event() {
        let attempted = UserEvent::TokenAttempted { token_id: token(10), attempts: 3 };
        assert_eq!(after([reset(10, None), attempted])[0].attempts, 3);
    }

    #[test]
    fn what_ends_the_user_or_the_token_invalidates_it() {
        let purpose = TokenPurpose::PasswordReset;
        let invalidated = UserEvent::TokenInvalidated { token_id: token(10), purpose };
        let deleted = UserEvent::Deleted {
            credential_ids: vec![],
            token_ids: vec![token(10)],
            email_digest: None,
        };
        for event in [invalidated, deleted] {
            assert_eq!(ends(&after([reset(10, None), event])[0]), (None, Some(at(120))));
        }
    }

    #[test]
    fn without_the_key_nobody_knows_where_it_went() {
        let rows = after([UserEvent::PasswordResetRequested {
            token_id: token(10),
            token_hash: "hash-10".into(),
            sent_to: Personal::Erased,
            expires_at: at(900),
            supersedes: None,
        }]);
        assert_eq!((rows[0].sent_to.as_deref(), rows[0].key_id), (None, Some(ADA.key())));
    }
}
