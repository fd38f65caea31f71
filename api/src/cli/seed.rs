//! `platformctl seed`.

use clap::Args;
use serde_json::json;

use super::{
    Common, Failure, Output,
    session::{Wanted, session},
};
use crate::{
    clock::Clock,
    crypto::password::PasswordHashing,
    seed::{self, Admin},
};

/// Makes what every installation begins with, as far as it is missing.
#[derive(Debug, Args)]
pub(super) struct Seed {}

impl Seed {
    pub(super) fn run(self, common: &Common, output: &Output) -> Result<(), Failure> {
        session(common, output, Wanted::Existing, async |session| {
            let (store, digests) = session.log().await?;
            let hashing = PasswordHashing::new(&session.config.auth)?;
            let made = seed::seed(&store, &digests, &hashing, &Clock::system()).await?;
            let Some(Admin { email, password }) = made else {
                output.words("the built-in roles and the administrator are there");
                return if output.is_json() {
                    output.data(&json!({}), String::new)
                } else {
                    Ok(())
                };
            };
            output.words("the administrator was made; the password is shown only now");
            output.data(&json!({ "email": email, "password": password }), || {
                format!("{email}\n{password}")
            })
        })
    }
}
