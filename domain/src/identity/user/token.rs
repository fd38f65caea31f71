//! Single-use proofs sent out of band: at most one a purpose, for a while, for few tries.

use super::{Present, TokenPurpose, UserError, UserEvent};
use crate::{
    identity::TokenId,
    kernel::{Personal, Timestamp},
};

/// How many wrong tries make a token worthless.
pub const MAX_ATTEMPTS: i16 = 5;

/// A token about to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct NewToken {
    /// Its id, minted by the caller.
    pub token_id: TokenId,
    /// SHA-256 of its secret.
    pub token_hash: String,
    /// Until when it counts.
    pub expires_at: Timestamp,
}

/// A token somebody shows.
#[derive(Debug, Clone, PartialEq)]
pub struct PresentedToken {
    /// The id it names.
    pub token_id: TokenId,
    /// SHA-256 of the secret it holds.
    pub token_hash: String,
}

/// A token that was sent and neither used nor superseded; it may have expired.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What it is good for.
    pub purpose: TokenPurpose,
    /// The address it went to.
    pub sent_to: Personal<String>,
    /// Keyed digest of that address.
    pub email_digest: String,
    /// Until when it counts.
    pub expires_at: Timestamp,
    /// How often somebody tried in vain.
    pub attempts: i16,
    pub(super) hash: String,
}

impl Token {
    /// Both hashes are SHA-256 of what was shown and of what was sent. Plain equality may tell by
    /// its duration how many leading bytes of them agree, but nobody can aim a secret of 256
    /// random bits at a wanted digest, so that tells nothing of use.
    fn accepts(&self, shown: &PresentedToken, now: Timestamp) -> bool {
        self.id == shown.token_id
            && self.hash == shown.token_hash
            && self.attempts < MAX_ATTEMPTS
            && now < self.expires_at
    }
}

impl Present {
    /// A token, as long as it was neither used nor superseded.
    #[must_use]
    pub fn token(&self, token_id: TokenId) -> Option<&Token> {
        self.tokens.values().find(|token| token.id == token_id)
    }

    /// Whether a new token may be sent, and the one it supersedes.
    pub(super) fn supersede(
        &self,
        purpose: TokenPurpose,
        new: &NewToken,
        now: Timestamp,
    ) -> Result<Option<TokenId>, UserError> {
        self.in_use()?;
        if new.expires_at <= now {
            return Err(UserError::TokenExpiry);
        }
        if self.token(new.token_id).is_some() {
            return Err(UserError::IdRetired);
        }
        Ok(self.tokens.get(&purpose).map(|token| token.id))
    }

    /// The token shown, if it counts.
    pub(super) fn accepts(
        &self,
        purpose: TokenPurpose,
        shown: &PresentedToken,
        now: Timestamp,
    ) -> Result<&Token, UserError> {
        let token = self.tokens.get(&purpose).filter(|token| token.accepts(shown, now));
        token.ok_or(UserError::TokenInvalid)
    }

    /// The token shown, if it counts. Only then does anybody learn whether the user is in use.
    pub(super) fn redeem(
        &self,
        purpose: TokenPurpose,
        shown: &PresentedToken,
        now: Timestamp,
    ) -> Result<&Token, UserError> {
        let token = self.accepts(purpose, shown, now)?;
        self.in_use()?;
        Ok(token)
    }

    /// Counts a try. A token that is gone or spent cannot be guessed, so there is nothing to count.
    pub(super) fn attempt(&self, token_id: TokenId) -> Vec<UserEvent> {
        self.token(token_id)
            .filter(|token| token.attempts < MAX_ATTEMPTS)
            .map(|token| {
                let attempts = token.attempts.saturating_add(1);
                UserEvent::TokenAttempted { token_id, attempts }
            })
            .into_iter()
            .collect()
    }

    /// Makes the other tokens worthless when what they rest on changes.
    pub(super) fn invalidate(
        &self,
        concerned: impl Fn(&Token) -> bool,
    ) -> impl Iterator<Item = UserEvent> {
        self.tokens
            .values()
            .filter(move |token| concerned(token))
            .map(|token| UserEvent::TokenInvalidated { token_id: token.id, purpose: token.purpose })
    }
}
