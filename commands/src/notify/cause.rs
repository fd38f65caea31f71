//! Which events are worth a letter: a pure mapping, before anything is looked up.

use domain::{
    identity::{TokenId, UserId, session::SessionEvent, user::UserEvent},
    kernel::{ActorKind, DomainEvent, Personal},
    organization::{
        InvitationId, OrganizationId, invitation::InvitationEvent,
        service_principal::ServicePrincipalEvent,
    },
};
use eventstore::{Opened, Stored, Undecodable, decode};

use super::letter::{Content, TokenRef, invitation_token};

/// What an event gives cause to.
#[derive(Debug, PartialEq)]
pub(super) enum Cause {
    /// A letter to an address the event names.
    Sent { to: String, content: Content },
    /// A letter to wherever the user is reached now.
    Told { user_id: UserId, content: Content },
    /// Somebody signed in; a letter if they come from somewhere new.
    SignedIn { user_id: UserId, address: String, user_agent: Option<String> },
    /// The letter of an invitation.
    Invited { invitation_id: InvitationId, token: TokenRef },
    /// A letter about a new key.
    KeyIssued {
        user_id: UserId,
        organization_id: OrganizationId,
        principal: String,
        prefix: String,
    },
    /// Nothing about this user needs remembering any more.
    Gone { user_id: UserId },
}

/// Whether an event can be a cause at all; spares the others their opening.
pub(super) fn concerns(event: &Stored) -> bool {
    [
        UserEvent::CATEGORY,
        SessionEvent::CATEGORY,
        InvitationEvent::CATEGORY,
        ServicePrincipalEvent::CATEGORY,
    ]
    .contains(&&*event.envelope.category)
}

/// What an event gives cause to, if anything.
pub(super) fn cause(event: &Opened) -> Result<Option<Cause>, Undecodable> {
    Ok(match &*event.envelope.category {
        UserEvent::CATEGORY => of_user(event, decode::<UserEvent>(event)?.event),
        SessionEvent::CATEGORY => of_session(decode::<SessionEvent>(event)?.event),
        InvitationEvent::CATEGORY => of_invitation(event, &decode(event)?.event),
        ServicePrincipalEvent::CATEGORY => of_principal(event, decode(event)?.event),
        _ => None,
    })
}

fn of_user(event: &Opened, fact: UserEvent) -> Option<Cause> {
    use UserEvent as E;
    let stream = event.envelope.stream;
    let user_id = UserId::from_uuid(stream);
    let token = |token_id: TokenId| TokenRef { stream, token: token_id.uuid() };
    let sent = |to: Personal<String>, content| match to {
        Personal::Open(to) => Some(Cause::Sent { to, content }),
        Personal::Erased => None,
    };
    let told = |content| Some(Cause::Told { user_id, content });
    match fact {
        E::EmailVerificationRequested { token_id, sent_to, .. } => {
            sent(sent_to, Content::VerifyEmail { token: token(token_id) })
        }
        E::PasswordResetRequested { token_id, sent_to, .. } => {
            sent(sent_to, Content::PasswordReset { token: token(token_id) })
        }
        E::EmailChangeRequested { token_id, sent_to, .. } => {
            sent(sent_to, Content::EmailChange { token: token(token_id) })
        }
        E::RegistrationAttempted { .. } => told(Content::SignUpAttempt),
        // The first password of all is no news.
        E::PasswordSet { replaces: Some(_), .. } | E::PasswordReset { .. } => {
            told(Content::PasswordChanged)
        }
        // To the old address: whoever took the account over has the new one.
        E::EmailChanged { previous: Some(previous), .. } => sent(previous, Content::EmailChanged),
        E::TotpEnrolled { .. } => told(Content::TotpEnrolled),
        E::CredentialRevoked { kind, .. } => told(Content::CredentialRevoked { kind }),
        E::Deleted { .. } => Some(Cause::Gone { user_id }),
        E::Registered { .. }
        | E::EmailVerified { .. }
        | E::EmailChanged { previous: None, .. }
        | E::PasswordSet { replaces: None, .. }
        | E::PasswordRehashed { .. }
        | E::TokenAttempted { .. }
        | E::TokenInvalidated { .. }
        | E::IdentityLinked { .. }
        | E::IdentityUnlinked { .. }
        | E::LoginSucceeded { .. }
        | E::LoginFailed { .. }
        | E::Locked { .. }
        | E::Unlocked {}
        | E::Disabled { .. }
        | E::Enabled { .. }
        | E::PersonChanged { .. } => None,
    }
}

/// A session starts with each sign-in, and knows more of it than the user does.
fn of_session(fact: SessionEvent) -> Option<Cause> {
    use SessionEvent as E;
    match fact {
        E::Started { user_id, ip: Some(Personal::Open(address)), user_agent, .. } => {
            let user_agent = user_agent.and_then(|agent| agent.text().map(str::to_owned));
            Some(Cause::SignedIn { user_id, address, user_agent })
        }
        E::Started { .. }
        | E::Refreshed { .. }
        | E::ReuseDetected { .. }
        | E::Revoked { .. }
        | E::Expired {} => None,
    }
}

fn of_invitation(event: &Opened, fact: &InvitationEvent) -> Option<Cause> {
    use InvitationEvent as E;
    let stream = event.envelope.stream;
    let invitation_id = InvitationId::from_uuid(stream);
    let sending = match fact {
        E::Invited { .. } => 1,
        E::Resent { count, .. } => *count,
        E::Accepted { .. } | E::Declined { .. } | E::Revoked { .. } | E::Expired { .. } => {
            return None;
        }
    };
    let token = invitation_token(invitation_id, sending).uuid();
    Some(Cause::Invited { invitation_id, token: TokenRef { stream, token } })
}

fn of_principal(event: &Opened, fact: ServicePrincipalEvent) -> Option<Cause> {
    use ServicePrincipalEvent as E;
    let actor = event.envelope.actor;
    match fact {
        E::KeyIssued { organization_id, principal_name, prefix, .. }
            if actor.kind == ActorKind::User =>
        {
            let user_id = UserId::from_uuid(actor.id);
            Some(Cause::KeyIssued { user_id, organization_id, principal: principal_name, prefix })
        }
        E::Created { .. }
        | E::KeyIssued { .. }
        | E::KeyRotated { .. }
        | E::KeyRevoked { .. }
        | E::KeyUsed { .. }
        | E::Disabled { .. } => None,
    }
}
