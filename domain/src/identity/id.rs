//! The ids of this module.

use crate::{kernel::KeyId, typed_id};

typed_id!(
    /// A human, whether or not they have a login.
    PersonId
);
typed_id!(
    /// A login of a person.
    UserId
);
typed_id!(
    /// One way a user can prove who they are.
    CredentialId
);
typed_id!(
    /// A sign-in and the refresh tokens that follow from it.
    SessionId
);
typed_id!(
    /// A single-use proof sent out of band.
    TokenId
);

impl PersonId {
    /// The person as the subject of a key.
    #[must_use]
    pub const fn key(self) -> KeyId {
        KeyId::from_uuid(self.uuid())
    }
}
