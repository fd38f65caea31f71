//! Each fact of a user, and the row it leads to.

use domain::{
    identity::{Aal, CredentialId, SessionId, TokenId},
    kernel::{Personal, testing::at},
};

use super::*;
use crate::testing::{id, row, stream};

const USER: UserId = UserId::from_uuid(id(1));
const ADA: PersonId = PersonId::from_uuid(id(2));
const TOKEN: TokenId = TokenId::from_uuid(id(3));
const CREDENTIAL: CredentialId = CredentialId::from_uuid(id(4));

fn open(text: &str) -> Personal<String> {
    text.to_owned().into()
}

fn registered() -> UserEvent {
    UserEvent::Registered {
        user_id: USER,
        person_id: ADA,
        email: open("ada@example.org"),
        email_digest: "old".into(),
        username: Some(open("ada")),
        via: "signup".into(),
    }
}

fn verified() -> UserEvent {
    UserEvent::EmailVerified { token_id: None, method: "signup".into() }
}

fn after(events: impl IntoIterator<Item = UserEvent>) -> UserRow {
    let events = [registered(), verified()].into_iter().chain(events);
    row::<Users>(&stream(USER, Some(ADA.key()), events))
}

fn change_requested() -> UserEvent {
    UserEvent::EmailChangeRequested {
        token_id: TOKEN,
        token_hash: "hash".into(),
        sent_to: open("king@example.org"),
        email_digest: "new".into(),
        expires_at: at(900),
        supersedes: None,
    }
}

fn login(ip: &str) -> UserEvent {
    UserEvent::LoginSucceeded {
        session_id: SessionId::from_uuid(id(5)),
        session_expires_at: at(900),
        credential_id: CREDENTIAL,
        aal: Aal::One,
        ip: Some(open(ip)),
        totp_credential_id: None,
        totp_step: None,
    }
}

fn failed(count: i32) -> UserEvent {
    UserEvent::LoginFailed { reason: "password".into(), count, ip: Some(open("192.0.2.9")) }
}

#[test]
fn an_address_that_is_not_verified_lets_nobody_in() {
    let row = row::<Users>(&stream(USER, Some(ADA.key()), [registered()]));
    assert_eq!((row.status, row.email_verified_at), (UserStatus::Pending, None));
    assert_eq!(row.email.as_deref(), Some("ada@example.org"));
    assert_eq!((row.username.as_deref(), row.key_id), (Some("ada"), Some(ADA.key())));
    let row = after([]);
    assert_eq!((row.status, row.email_verified_at), (UserStatus::Active, Some(at(120))));
}

#[test]
fn a_new_address_waits_beside_the_old_one_until_it_is_shown() {
    let row = after([change_requested()]);
    assert_eq!(row.email.as_deref(), Some("ada@example.org"));
    assert_eq!(row.pending_email.as_deref(), Some("king@example.org"));
    let changed = UserEvent::EmailChanged {
        token_id: TOKEN,
        email: open("king@example.org"),
        email_digest: "new".into(),
        previous: Some(open("ada@example.org")),
    };
    let row = after([change_requested(), changed]);
    assert_eq!(row.email.as_deref(), Some("king@example.org"));
    assert_eq!((row.email_digest.as_deref(), row.pending_email), (Some("new"), None));
    assert_eq!(row.email_verified_at, Some(at(240)));
}

#[test]
fn a_wish_for_an_address_ends_with_its_own_token_only() {
    let invalidated = |purpose| UserEvent::TokenInvalidated { token_id: TOKEN, purpose };
    let row = after([change_requested(), invalidated(TokenPurpose::PasswordReset)]);
    assert!(row.pending_email.is_some());
    let row = after([change_requested(), invalidated(TokenPurpose::EmailChange)]);
    assert_eq!(row.pending_email, None);
}

#[test]
fn failures_count_up_and_a_sign_in_starts_them_anew() {
    let row = after([failed(1), failed(2)]);
    assert_eq!((row.failed_login_count, row.last_login_at), (2, None));
    let row = after([failed(1), failed(2), login("192.0.2.1")]);
    assert_eq!((row.failed_login_count, row.last_login_at), (0, Some(at(300))));
    assert_eq!(row.last_login_ip, Some(IpAddr::from([192, 0, 2, 1])));
    assert_eq!(row.std.stream_version, 2, "signing in edits nothing");
}

#[test]
fn a_lock_ends_with_whatever_takes_its_place() {
    let locked = || UserEvent::Locked { until: Some(at(900)) };
    let row = after([locked()]);
    assert_eq!((row.status, row.locked_until), (UserStatus::Locked, Some(at(900))));
    let row = after([locked(), UserEvent::Unlocked {}]);
    assert_eq!((row.status, row.locked_until), (UserStatus::Active, None));
    let row = after([locked(), UserEvent::Disabled { reason: "left".into() }]);
    assert_eq!((row.status, row.locked_until), (UserStatus::Disabled, None));
    assert_eq!(row.disabled_reason.as_deref(), Some("left"));
}

#[test]
fn an_enabled_user_stands_where_the_event_says() {
    let disabled = || UserEvent::Disabled { reason: "left".into() };
    for status in [UserStatus::Active, UserStatus::Pending] {
        let row = after([disabled(), UserEvent::Enabled { status }]);
        assert_eq!((row.status, row.disabled_reason), (status, None));
    }
}

#[test]
fn a_second_factor_comes_and_goes() {
    let enrolled = || UserEvent::TotpEnrolled {
        credential_id: CREDENTIAL,
        seed: open("seed"),
        label: None,
        step: None,
    };
    let revoked = UserEvent::CredentialRevoked {
        credential_id: CREDENTIAL,
        reason: "lost".into(),
        mfa_enrolled: false,
        kind: None,
    };
    assert!(after([enrolled()]).mfa_enrolled);
    assert!(!after([enrolled(), revoked]).mfa_enrolled);
}

#[test]
fn what_concerns_a_credential_alone_still_moves_the_etag() {
    let unlinked = UserEvent::IdentityUnlinked { credential_id: CREDENTIAL };
    assert_eq!(after([unlinked]).std.stream_version, 3);
}

#[test]
fn a_user_follows_a_merge() {
    let person_id = PersonId::from_uuid(id(9));
    let row = after([UserEvent::PersonChanged { person_id }]);
    assert_eq!((row.person_id, row.key_id), (person_id, Some(ADA.key())));
}

#[test]
fn a_deleted_user_waits_for_nothing() {
    let deleted =
        UserEvent::Deleted { credential_ids: vec![], token_ids: vec![TOKEN], email_digest: None };
    let row = after([change_requested(), deleted]);
    assert_eq!((row.status, row.pending_email), (UserStatus::Deleted, None));
    assert_eq!(row.email_digest.as_deref(), Some("old"));
}

#[test]
fn without_the_key_only_the_digest_is_left() {
    let erased = UserEvent::Registered {
        user_id: USER,
        person_id: ADA,
        email: Personal::Erased,
        email_digest: "old".into(),
        username: None,
        via: "signup".into(),
    };
    let row = row::<Users>(&stream(USER, Some(ADA.key()), [erased]));
    assert_eq!((row.email, row.email_digest.as_deref()), (None, Some("old")));
    assert_eq!(row.key_id, Some(ADA.key()));
}
