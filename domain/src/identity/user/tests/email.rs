//! Verifying and changing the address.

use super::*;

fn verified(n: u128) -> UserEvent {
    UserEvent::EmailVerified { token_id: Some(token_id(n)), method: BY_TOKEN.into() }
}

fn request_change(n: u128) -> UserCommand {
    UserCommand::RequestEmailChange {
        email: personal("ada@example.com"),
        email_digest: "digest-of-new".into(),
        token: new_token(n),
    }
}

fn changed(n: u128) -> UserEvent {
    UserEvent::EmailChanged {
        token_id: token_id(n),
        email: personal("ada@example.com"),
        email_digest: "digest-of-new".into(),
        previous: Some(personal("ada@example.org")),
    }
}

#[test]
fn a_token_to_the_address_makes_a_pending_user_active() {
    given([registered()])
        .when(UserCommand::RequestEmailVerification(new_token(5)))
        .then([verification_requested(5, None)]);
    given([registered(), verification_requested(5, None)])
        .when(UserCommand::VerifyEmail(shown(5)))
        .then([verified(5)]);
    let state = given([registered(), verification_requested(5, None)])
        .when(UserCommand::VerifyEmail(shown(5)))
        .then_state();
    let user = state.present().unwrap();
    assert!(user.email_verified);
    assert_eq!(user.status, UserStatus::Active);
}

#[test]
fn a_verified_address_is_not_verified_again() {
    given(active([])).when(UserCommand::RequestEmailVerification(new_token(5))).then([]);
    given([registered(), verification_requested(5, None), verified(5)])
        .when(UserCommand::VerifyEmail(shown(5)))
        .then_err(UserError::TokenInvalid);
}

#[test]
fn an_address_changes_once_the_new_one_answers() {
    given(active([])).when(request_change(5)).then([change_requested(5, None)]);
    given(active([change_requested(5, None)]))
        .when(UserCommand::ConfirmEmailChange(shown(5)))
        .then([changed(5)]);
    let state = given(active([change_requested(5, None)]))
        .when(UserCommand::ConfirmEmailChange(shown(5)))
        .then_state();
    let user = state.present().unwrap();
    assert_eq!(user.email.text(), Some("ada@example.com"));
    assert_eq!(user.email_digest, "digest-of-new");
}

#[test]
fn the_address_there_is_needs_no_change() {
    given(active([]))
        .when(UserCommand::RequestEmailChange {
            email: personal("ada@example.org"),
            email_digest: "digest-of-ada".into(),
            token: new_token(5),
        })
        .then([]);
}

#[test]
fn only_a_verified_address_can_be_changed() {
    given([registered()])
        .when(request_change(5))
        .then_err(UserError::WrongStatus(UserStatus::Pending));
}

#[test]
fn tokens_to_the_old_address_go_with_it() {
    let history = active([reset_requested(6, None), change_requested(5, None)]);
    given(history)
        .when(UserCommand::ConfirmEmailChange(shown(5)))
        .then([changed(5), invalidated(6, TokenPurpose::PasswordReset)]);
}

#[test]
fn an_address_is_verified_only_by_a_token_that_went_there() {
    let kinds = [reset_requested(5, None), change_requested(5, None)];
    for other in kinds {
        given([registered(), other])
            .when(UserCommand::VerifyEmail(shown(5)))
            .then_err(UserError::TokenInvalid);
    }
}

#[test]
fn a_try_to_sign_up_with_the_address_is_noted_once_an_hour() {
    let attempt = || UserCommand::NoteRegistrationAttempt { ip: Some(personal("192.0.2.1")) };
    let attempted =
        |n| UserEvent::RegistrationAttempted { ip: Some(personal("192.0.2.1")), at: at(n) };
    given(active([])).when(attempt()).then([attempted(0)]);
    let noted = || given(active([attempted(0)]));
    noted().at(at(3_599)).when(attempt()).then([]);
    noted().at(at(3_600)).when(attempt()).then([attempted(3_600)]);
}
