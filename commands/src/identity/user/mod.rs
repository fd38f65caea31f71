//! Use cases of a user, split by what they are about: signing up, signing in, the address, the
//! password, the other credentials, and the life of the login.

mod account;
mod credential;
mod email;
mod password;
mod profile;
mod sign_in;
mod sign_up;
mod status;
mod token;

pub use account::{Account, Authenticated, FirstFactor, HalfAuthenticated};
pub use credential::{EnrolTotp, RevokeCredential, RevokeOwnCredential};
pub use email::{ConfirmEmailChange, RequestEmailChange, RequestEmailVerification, VerifyEmail};
pub use password::{
    ChangePassword, RefuseReset, RehashPassword, RequestPasswordReset, ResetPassword,
    ResetPasswordByOperator,
};
pub use profile::UpdateProfile;
pub use sign_in::{RecordSignInFailure, SignIn, SignedIn};
pub use sign_up::{BringIn, NewUser, NoteRegistrationAttempt, Register, Registered, Username};
pub use status::{Delete, Disable, Enable, Unlock};
pub use token::TokenShown;

pub(super) use status::remove;
