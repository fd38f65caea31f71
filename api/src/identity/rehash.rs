//! Hashing passwords anew when the costs of the day are others than those they were hashed at.
//!
//! Only a sign-in knows a password, so that is when it happens: after the answer is settled, in the
//! pool that bounds all hashing. Refuses to be waited for, and to make a sign-in fail: what does not
//! work out is left to the next one.

use commands::{Caller, CommandError, Context, identity::user::RehashPassword};
use domain::{identity::UserId, kernel::Personal};

use crate::{
    crypto::password::{HashError, Password, PasswordHashing},
    gate::Call,
};

/// A password that was right, and its hash of other costs.
pub(super) struct Outdated {
    pub(super) password: Password,
    pub(super) hash: String,
}

/// Why a password keeps its old hash for now.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Hashing(#[from] HashError),
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// Hashes a password anew, beside the request. It is the platform's own doing, not the user's.
pub(super) fn begin(call: &Call, user_id: UserId, outdated: Outdated) {
    let context = Context { caller: Caller::system(), request: None, ..call.context(call.once()) };
    let hashing = call.app.hashing.clone();
    tokio::spawn(async move {
        if let Err(fault) = rehash(&context, &hashing, user_id, outdated).await {
            tracing::debug!(%user_id, cause = %fault, "a password keeps its old hash for now");
        }
    });
}

async fn rehash(
    context: &Context,
    hashing: &PasswordHashing,
    user_id: UserId,
    outdated: Outdated,
) -> Result<(), Fault> {
    let secret_hash = hashing.hash(outdated.password).await?;
    let case = RehashPassword {
        user_id,
        outdated: Personal::Open(outdated.hash),
        secret_hash: Personal::Open(secret_hash),
    };
    commands::execute(context, &case).await?;
    Ok(())
}
