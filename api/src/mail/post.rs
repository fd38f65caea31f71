//! Carrying the letters of the platform: tokens are derived, templates filled, mails sent.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use commands::notify::{Content, Letter as Wanted, Post, PostError, TokenRef};
use futures_util::future::BoxFuture;
use lru::LruCache;
use uuid::Uuid;

use super::{Letter, MailError, Mailer, Templates};
use crate::crypto::digest::Digests;

/// How often a server may put one letter off. Then it is set aside, so that it holds no other up.
const PUT_OFF: u32 = 8;
/// Letters put off that are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");

/// Carries letters by mail.
#[derive(Debug)]
pub struct MailPost {
    templates: Templates,
    mailer: Arc<dyn Mailer>,
    digests: Digests,
    put_off: Mutex<LruCache<Uuid, u32>>,
}

impl MailPost {
    /// Letters in these templates, by this way out.
    #[must_use]
    pub fn new(templates: Templates, mailer: Arc<dyn Mailer>, digests: Digests) -> Self {
        Self { templates, mailer, digests, put_off: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// Whether a letter was put off too often. Only a server's own word counts: one that cannot
    /// be reached says nothing about the letter, and is waited for.
    fn is_hopeless(&self, letter: Uuid, error: &MailError) -> bool {
        let MailError::Smtp(fault) = error else { return false };
        if !fault.is_transient() {
            return false;
        }
        let mut put_off = self.put_off.lock().unwrap_or_else(PoisonError::into_inner);
        let times = put_off.get(&letter).copied().unwrap_or_default().saturating_add(1);
        put_off.put(letter, times);
        times >= PUT_OFF
    }

    /// The secret is made anew from the ids of the letter; no event ever held it.
    fn token(&self, token: TokenRef) -> String {
        self.digests.single_use(token.stream, token.token).text()
    }

    fn letter(&self, content: Content) -> Letter {
        match content {
            Content::VerifyEmail { token } => Letter::VerifyEmail { token: self.token(token) },
            Content::SignUpAttempt => Letter::SignUpAttempt,
            Content::PasswordReset { token } => Letter::PasswordReset { token: self.token(token) },
            Content::PasswordChanged => Letter::PasswordChanged,
            Content::EmailChange { token } => Letter::EmailChange { token: self.token(token) },
            Content::NewSignIn { address, user_agent } => Letter::NewSignIn {
                address,
                user_agent: user_agent.unwrap_or_else(|| "an unknown client".to_owned()),
            },
            Content::Invitation { invitation_id, token, organization, inviter } => {
                Letter::Invitation {
                    invitation_id: invitation_id.uuid(),
                    organization,
                    inviter: inviter.unwrap_or_else(|| "A member".to_owned()),
                    token: self.token(token),
                }
            }
            Content::ApiKeyCreated { organization, principal, prefix } => {
                Letter::ApiKeyCreated { organization, principal, prefix }
            }
        }
    }
}

impl Post for MailPost {
    fn deliver(&self, wanted: Wanted) -> BoxFuture<'_, Result<(), PostError>> {
        Box::pin(async move {
            let letter = self.letter(wanted.content);
            let mail = self.templates.write(&letter, &wanted.to).map_err(refused)?;
            self.mailer.send(mail).await.map_err(|error| {
                let hopeless = self.is_hopeless(wanted.id, &error);
                let refusal = refused(error);
                PostError { permanent: refusal.permanent || hopeless, ..refusal }
            })
        })
    }
}

fn refused(error: MailError) -> PostError {
    let permanent = match &error {
        MailError::Address | MailError::Template(_) | MailError::Message(_) => true,
        // RFC 5321: a 5yz reply will be the same next time.
        MailError::Smtp(fault) => fault.is_permanent(),
        MailError::Timeout | MailError::Outbox { .. } => false,
    };
    PostError { permanent, cause: error.to_string() }
}
