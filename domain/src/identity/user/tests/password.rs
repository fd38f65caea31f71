//! Setting, changing and resetting the password.

use super::*;

fn replaced(n: u128, by: u128) -> UserEvent {
    UserEvent::PasswordSet {
        credential_id: credential_id(by),
        secret_hash: personal("$argon2id$"),
        replaces: Some(credential_id(n)),
    }
}

fn change(verified: u128, n: u128) -> UserCommand {
    UserCommand::ChangePassword { verified: credential_id(verified), password: new_password(n) }
}

fn rehash(outdated: &str) -> UserCommand {
    UserCommand::RehashPassword { outdated: personal(outdated), secret_hash: personal("$dearer$") }
}

fn rehashed(n: u128) -> UserEvent {
    UserEvent::PasswordRehashed {
        credential_id: credential_id(n),
        secret_hash: personal("$dearer$"),
    }
}

fn reset(token: u128, n: u128) -> UserCommand {
    UserCommand::ResetPassword { token: shown(token), password: new_password(n) }
}

fn was_reset(token: u128, n: u128, replaces: Option<u128>) -> UserEvent {
    UserEvent::PasswordReset {
        token_id: token_id(token),
        credential_id: credential_id(n),
        secret_hash: personal("$argon2id$"),
        replaces: replaces.map(credential_id),
    }
}

#[test]
fn each_password_replaces_the_one_before() {
    given([registered()]).when(UserCommand::SetPassword(new_password(8))).then([password_set(8)]);
    given(active([password_set(8)]))
        .when(UserCommand::SetPassword(new_password(9)))
        .then([replaced(8, 9)]);
    let state = given(active([password_set(8)])).when(change(8, 9)).then_state();
    assert_eq!(state.present().unwrap().password().unwrap().0, credential_id(9));
}

#[test]
fn a_change_needs_the_password_that_counts() {
    given(active([password_set(8)])).when(change(8, 9)).then([replaced(8, 9)]);
    given(active([password_set(8), replaced(8, 9)]))
        .when(change(8, 10))
        .then_err(UserError::ProofInvalid);
    given(active([linked(8)])).when(change(8, 9)).then_err(UserError::ProofInvalid);
}

#[test]
fn a_credential_id_is_used_once() {
    given(active([password_set(8)])).when(change(8, 8)).then_err(UserError::IdRetired);
}

#[test]
fn a_reset_uses_up_its_token() {
    let history = active([password_set(8), reset_requested(5, None)]);
    given(history.clone()).when(reset(5, 9)).then([was_reset(5, 9, Some(8))]);
    let used = [history, vec![was_reset(5, 9, Some(8))]].concat();
    given(used).when(reset(5, 10)).then_err(UserError::TokenInvalid);
    given(active([linked(8), reset_requested(5, None)]))
        .when(reset(5, 9))
        .then([was_reset(5, 9, None)]);
}

#[test]
fn a_new_password_voids_what_the_old_one_asked_for() {
    let history = active([password_set(8), reset_requested(5, None), change_requested(6, None)]);
    given(history.clone())
        .when(reset(5, 9))
        .then([was_reset(5, 9, Some(8)), invalidated(6, TokenPurpose::EmailChange)]);
    given(history).when(change(8, 9)).then([
        replaced(8, 9),
        invalidated(5, TokenPurpose::PasswordReset),
        invalidated(6, TokenPurpose::EmailChange),
    ]);
}

#[test]
fn a_new_password_leaves_the_verification_of_the_address() {
    given([registered(), verification_requested(5, None)])
        .when(UserCommand::SetPassword(new_password(8)))
        .then([password_set(8)]);
}

#[test]
fn a_new_hash_takes_the_place_of_the_outdated_one() {
    let history = active([password_set(8), totp_enrolled(9), reset_requested(5, None)]);
    given(history.clone()).when(rehash("$argon2id$")).then([rehashed(8)]);
    let state = given(history).when(rehash("$argon2id$")).then_state();
    let user = state.present().unwrap();
    assert_eq!(user.password(), Some((credential_id(8), &personal("$dearer$"))));
    assert!(user.token(token_id(5)).is_some(), "the password is the same");
}

#[test]
fn a_new_hash_of_what_is_not_the_password_any_more_is_dropped() {
    given(active([password_set(8)])).when(rehash("$another$")).then([]);
    given(active([password_set(8), rehashed(8)])).when(rehash("$argon2id$")).then([]);
    given(active([linked(8)])).when(rehash("$argon2id$")).then([]);
}

#[test]
fn a_new_hash_is_no_edit() {
    assert!(!crate::kernel::DomainEvent::edits(&rehashed(8)));
}
