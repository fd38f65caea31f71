//! Linking, enrolling and revoking credentials.

use super::*;
use CredentialKind as K;

fn link(n: u128) -> UserCommand {
    UserCommand::LinkIdentity {
        credential_id: credential_id(n),
        kind: IdentityKind::Oidc,
        issuer: "https://id.example.org".into(),
        subject: personal("248289761001"),
    }
}

fn unlink(n: u128) -> UserCommand {
    UserCommand::UnlinkIdentity { credential_id: credential_id(n) }
}

fn unlinked(n: u128) -> UserEvent {
    UserEvent::IdentityUnlinked { credential_id: credential_id(n) }
}

fn enrol(n: u128) -> UserCommand {
    UserCommand::EnrolTotp {
        credential_id: credential_id(n),
        seed: personal("seed"),
        label: None,
        step: Some(100),
    }
}

fn revoke(n: u128) -> UserCommand {
    UserCommand::RevokeCredential { credential_id: credential_id(n), reason: "lost".into() }
}

/// With a code of the app 9, of the given step.
fn revoke_own(verified: u128, n: u128, step: Option<i64>) -> UserCommand {
    UserCommand::RevokeOwnCredential {
        verified: credential_id(verified),
        credential_id: credential_id(n),
        code: step.map(|step| TotpCode { credential_id: credential_id(9), step }),
    }
}

fn revoked(n: u128, kind: CredentialKind, mfa_enrolled: bool) -> UserEvent {
    UserEvent::CredentialRevoked {
        credential_id: credential_id(n),
        reason: "lost".into(),
        mfa_enrolled,
        kind: Some(kind),
    }
}

#[test]
fn an_identity_is_linked_once() {
    given(active([])).when(link(8)).then([linked(8)]);
    given(active([linked(8)])).when(link(9)).then([]);
    given(active([password_set(8)])).when(link(8)).then_err(UserError::IdRetired);
    given(active([password_set(7), linked(8)])).when(unlink(8)).then([unlinked(8)]);
    given(active([password_set(7), linked(8), unlinked(8)])).when(link(9)).then([linked(9)]);
}

#[test]
fn only_an_identity_can_be_unlinked() {
    for n in [7, 9] {
        given(active([password_set(7), linked(8)]))
            .when(unlink(n))
            .then_err(UserError::CredentialMissing);
    }
}

#[test]
fn one_way_to_sign_in_remains() {
    given(active([linked(8)])).when(unlink(8)).then_err(UserError::LastCredential);
    for only in [password_set(8), linked(8)] {
        given(active([only, totp_enrolled(9)])).when(revoke(8)).then_err(UserError::LastCredential);
    }
    given(active([password_set(7), linked(8)])).when(revoke(7)).then([revoked(
        7,
        K::Password,
        false,
    )]);
}

#[test]
fn one_app_is_enrolled_at_a_time() {
    given(active([password_set(8)])).when(enrol(9)).then([totp_enrolled(9)]);
    given(active([password_set(8), totp_enrolled(9)]))
        .when(enrol(10))
        .then_err(UserError::TotpEnrolled);
}

#[test]
fn a_revoked_app_asks_for_no_more_codes() {
    let history = active([password_set(8), linked(7), totp_enrolled(9)]);
    given(history.clone()).when(revoke(7)).then([revoked(7, K::Oidc, true)]);
    given(history.clone()).when(revoke(9)).then([revoked(9, K::Totp, false)]);
    let state = given(history).when(revoke(9)).then_state();
    assert_eq!(state.present().unwrap().totp(), None);
}

#[test]
fn ones_own_credential_is_revoked_with_the_password_that_counts() {
    let history = active([password_set(8), linked(7), totp_enrolled(9)]);
    let by_user = UserEvent::CredentialRevoked {
        credential_id: credential_id(9),
        reason: BY_USER.into(),
        mfa_enrolled: false,
        kind: Some(K::Totp),
    };
    given(history.clone()).when(revoke_own(8, 9, Some(101))).then([by_user]);
    for other in [7, 9, 10] {
        given(history.clone())
            .when(revoke_own(other, 9, Some(101)))
            .then_err(UserError::ProofInvalid);
    }
    given(history).when(revoke_own(8, 10, None)).then_err(UserError::CredentialMissing);
    given(active([linked(7), totp_enrolled(9)]))
        .when(revoke_own(7, 9, Some(101)))
        .then_err(UserError::ProofInvalid);
}

#[test]
fn ones_own_app_goes_with_a_code_of_it_and_nothing_else_does() {
    let history = active([password_set(8), linked(7), totp_enrolled(9)]);
    given(history.clone()).when(revoke_own(8, 9, None)).then_err(UserError::SecondFactorRequired);
    given(history.clone()).when(revoke_own(8, 9, Some(100))).then_err(UserError::CodeUsed);
    let another = UserCommand::RevokeOwnCredential {
        verified: credential_id(8),
        credential_id: credential_id(9),
        code: Some(TotpCode { credential_id: credential_id(10), step: 101 }),
    };
    given(history.clone()).when(another).then_err(UserError::ProofInvalid);
    let state = given(history).when(revoke_own(8, 7, None)).then_state();
    assert_eq!(state.present().unwrap().credential(credential_id(7)), None);
}

#[test]
fn a_credential_is_revoked_once() {
    given(active([password_set(8)])).when(revoke(9)).then_err(UserError::CredentialMissing);
    given(active([password_set(7), linked(8), revoked(7, K::Password, false)]))
        .when(revoke(7))
        .then_err(UserError::CredentialMissing);
}

#[test]
fn a_stolen_credential_can_be_revoked_while_the_user_is_disabled() {
    given(active([password_set(7), linked(8), disabled()])).when(revoke(8)).then([revoked(
        8,
        K::Oidc,
        false,
    )]);
}

#[test]
fn each_credential_has_the_kind_its_table_knows() {
    let state = given(active([password_set(7), linked(8), totp_enrolled(9)]))
        .when(UserCommand::Unlock)
        .then_state();
    let user = state.present().unwrap();
    let kinds = [7, 8, 9].map(|n| user.credential(credential_id(n)).unwrap().kind());
    assert_eq!(kinds, [K::Password, K::Oidc, K::Totp]);
}
