//! Carrying the letters of the platform: tokens are derived, templates filled, mails sent.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use commands::notify::{Content, Letter as Wanted, Post, PostError, TokenRef};
use domain::identity::user::CredentialKind;
use futures_util::future::BoxFuture;
use lru::LruCache;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use uuid::Uuid;

use super::{Letter, MailError, Mailer, Templates};
use crate::{crypto::digest::Digests, metrics::Metrics};

/// How often a server may put one letter off. Then it is set aside, so that it holds no other up.
const PUT_OFF: u32 = 8;
/// Letters put off that are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1_024).expect("not zero");
/// What comes of a try.
const TAKEN: &str = "taken";
const PUT_OFF_AGAIN: &str = "put_off";
const REFUSED: &str = "refused";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    outcome: &'static str,
}

/// Carries letters by mail.
#[derive(Debug)]
pub struct MailPost {
    templates: Templates,
    mailer: Arc<dyn Mailer>,
    digests: Digests,
    put_off: Mutex<LruCache<Uuid, u32>>,
    deliveries: Family<DeliveryLabels, Counter>,
}

impl MailPost {
    /// Letters in these templates, by this way out.
    #[must_use]
    pub fn new(templates: Templates, mailer: Arc<dyn Mailer>, digests: Digests) -> Self {
        let deliveries = Family::default();
        for outcome in [TAKEN, PUT_OFF_AGAIN, REFUSED] {
            drop(deliveries.get_or_create(&DeliveryLabels { outcome }));
        }
        let put_off = Mutex::new(LruCache::new(REMEMBERED));
        Self { templates, mailer, digests, put_off, deliveries }
    }

    /// Counts its tries among the metrics of the process.
    #[must_use]
    pub fn watched(self, metrics: &Metrics) -> Self {
        let help = "Tries to hand over a letter, by what came of them";
        let tries = self.deliveries.clone();
        metrics.register(|registry| registry.register("mail_deliveries", help, tries));
        self
    }

    async fn try_to(&self, wanted: Wanted) -> Result<(), PostError> {
        let letter = self.letter(wanted.content);
        let mail = self.templates.write(&letter, &wanted.to).map_err(refused)?;
        self.mailer.send(mail).await.map_err(|error| {
            let hopeless = self.is_hopeless(wanted.id, &error);
            let refusal = refused(error);
            PostError { permanent: refusal.permanent || hopeless, ..refusal }
        })
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
            Content::EmailChanged => Letter::EmailChanged,
            Content::TotpEnrolled => Letter::TotpEnrolled,
            Content::CredentialRevoked { kind } => {
                Letter::CredentialRevoked { credential: credential(kind).to_owned() }
            }
            Content::EmailChange { token } => Letter::EmailChange { token: self.token(token) },
            Content::NewSignIn { address, user_agent } => Letter::NewSignIn {
                address,
                user_agent: user_agent.unwrap_or_else(|| "an unknown client".to_owned()),
            },
            Content::Invitation { invitation_id, token, organization, inviter, message } => {
                Letter::Invitation {
                    invitation_id: invitation_id.uuid(),
                    organization,
                    inviter: inviter.unwrap_or_else(|| "A member".to_owned()),
                    message: message.unwrap_or_default(),
                    token: self.token(token),
                }
            }
            Content::ApiKeyCreated { organization, principal, prefix } => {
                Letter::ApiKeyCreated { organization, principal, prefix }
            }
        }
    }
}

/// A credential, as a sentence begins.
fn credential(kind: Option<CredentialKind>) -> &'static str {
    use CredentialKind as K;
    match kind {
        Some(K::Password) => "The password",
        Some(K::Oidc | K::Saml) => "The account elsewhere",
        Some(K::Passkey) => "The passkey",
        Some(K::Totp) => "The authenticator app",
        Some(K::RecoveryCode) => "The recovery code",
        Some(K::PersonalAccessToken) => "The access token",
        None => "A credential",
    }
}

impl Post for MailPost {
    fn deliver(&self, wanted: Wanted) -> BoxFuture<'_, Result<(), PostError>> {
        Box::pin(async move {
            let tried = self.try_to(wanted).await;
            let outcome = match &tried {
                Ok(()) => TAKEN,
                Err(refusal) if refusal.permanent => REFUSED,
                Err(_) => PUT_OFF_AGAIN,
            };
            self.deliveries.get_or_create(&DeliveryLabels { outcome }).inc();
            tried
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
