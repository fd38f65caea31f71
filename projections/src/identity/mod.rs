//! The tables of module identity.

use std::net::IpAddr;

use domain::{
    identity::{
        Aal, CredentialId, PersonId, SessionId, TokenId, UserId,
        person::PersonStatus,
        session::SessionStatus,
        user::{CredentialKind, TokenPurpose, UserStatus},
    },
    kernel::Personal,
};
use sqlx::postgres::PgRow;

use crate::{
    Column,
    module::{Module, tables},
};

pub mod credentials;
pub mod persons;
pub mod sessions;
pub mod users;
pub mod verification_tokens;

crate::id_columns!(CredentialId, PersonId, SessionId, TokenId, UserId);
crate::enum_columns!(CredentialKind, PersonStatus, SessionStatus, TokenPurpose, UserStatus);

impl Column for Aal {
    fn write(&self, out: &mut String) -> bool {
        i16::from(*self).write(out)
    }

    fn read(row: &PgRow, index: usize) -> Result<Self, sqlx::Error> {
        let level = <i16 as Column>::read(row, index)?;
        Self::try_from(level).map_err(|e| sqlx::Error::Decode(Box::new(e)))
    }
}

/// The module's part of the read model.
pub static MODULE: Module = tables!["identity":
    persons::Persons,
    users::Users,
    credentials::Credentials,
    sessions::Sessions,
    verification_tokens::VerificationTokens,
];

/// A client's address, if it is still readable and is one.
fn address(ip: Option<&Personal<String>>) -> Option<IpAddr> {
    ip.and_then(Personal::text)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erased_or_senseless_address_is_none() {
        let ip = |text: &str| Personal::Open(text.to_owned());
        assert_eq!(address(Some(&ip("192.0.2.1"))), Some(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(address(Some(&ip("unknown"))), None);
        assert_eq!(address(Some(&Personal::Erased)), None);
        assert_eq!(address(None), None);
    }
}
