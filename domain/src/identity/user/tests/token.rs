//! What every token has in common.

use super::*;

fn reset(shown: PresentedToken) -> UserCommand {
    UserCommand::ResetPassword { token: shown, password: new_password(9) }
}

fn attempted(n: u128, attempts: i16) -> UserEvent {
    UserEvent::TokenAttempted { token_id: token_id(n), attempts }
}

#[test]
fn a_new_token_supersedes_the_one_before() {
    given(active([reset_requested(5, None)]))
        .when(UserCommand::RequestPasswordReset(new_token(6)))
        .then([reset_requested(6, Some(5))]);
    let history = active([reset_requested(5, None), reset_requested(6, Some(5))]);
    given(history).when(reset(shown(5))).then_err(UserError::TokenInvalid);
    given([registered(), verification_requested(5, None)])
        .when(UserCommand::RequestEmailVerification(new_token(6)))
        .then([verification_requested(6, Some(5))]);
}

#[test]
fn tokens_of_different_purposes_live_side_by_side() {
    let state = given(active([change_requested(5, None)]))
        .when(UserCommand::RequestPasswordReset(new_token(6)))
        .then_state();
    let user = state.present().unwrap();
    assert_eq!(user.token(token_id(5)).unwrap().purpose, TokenPurpose::EmailChange);
    assert_eq!(user.token(token_id(6)).unwrap().purpose, TokenPurpose::PasswordReset);
}

#[test]
fn a_token_must_expire_in_the_future_and_bear_a_new_id() {
    let dead = NewToken { expires_at: at(0), ..new_token(5) };
    given(active([]))
        .when(UserCommand::RequestPasswordReset(dead))
        .then_err(UserError::TokenExpiry);
    given(active([reset_requested(5, None)]))
        .when(UserCommand::RequestPasswordReset(new_token(5)))
        .then_err(UserError::IdRetired);
}

#[test]
fn every_wrong_token_gets_the_same_answer() {
    let guessed = PresentedToken { token_hash: "guessed".into(), ..shown(5) };
    for wrong in [shown(6), guessed] {
        given(active([reset_requested(5, None)]))
            .when(reset(wrong))
            .then_err(UserError::TokenInvalid);
    }
    given(active([reset_requested(5, None)]))
        .at(at(DAY))
        .when(reset(shown(5)))
        .then_err(UserError::TokenInvalid);
    given(active([reset_requested(5, None), invalidated(5, TokenPurpose::PasswordReset)]))
        .when(reset(shown(5)))
        .then_err(UserError::TokenInvalid);
}

#[test]
fn five_wrong_tries_make_a_token_worthless() {
    let attempt = || UserCommand::AttemptToken { token_id: token_id(5) };
    given(active([reset_requested(5, None)])).when(attempt()).then([attempted(5, 1)]);
    let four = || active([reset_requested(5, None), attempted(5, 4)]);
    let state = given(four()).when(reset(shown(5))).then_state();
    assert_eq!(state.present().unwrap().token(token_id(5)), None);
    given(four()).when(attempt()).then([attempted(5, 5)]);
    let five = || active([reset_requested(5, None), attempted(5, 5)]);
    given(five()).when(reset(shown(5))).then_err(UserError::TokenInvalid);
    given(five()).when(attempt()).then([]);
}

#[test]
fn tries_on_a_token_that_is_gone_count_nothing() {
    given(active([])).when(UserCommand::AttemptToken { token_id: token_id(5) }).then([]);
}

#[test]
fn only_the_right_token_tells_that_the_user_is_disabled() {
    let history = active([reset_requested(5, None), disabled()]);
    given(history.clone()).when(reset(shown(6))).then_err(UserError::TokenInvalid);
    given(history).when(reset(shown(5))).then_err(UserError::WrongStatus(UserStatus::Disabled));
}
