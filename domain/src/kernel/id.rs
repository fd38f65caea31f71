//! Identifiers: one newtype a kind of thing, so that no two can be swapped by mistake.
//!
//! Ids are UUIDv7, minted by the caller of a command; derived ids are UUIDv5 of the ids they
//! are made of, so that a rebuild reproduces them. There is no conversion between id types.

/// Declares an id: a transparent newtype over a UUID.
#[macro_export]
macro_rules! typed_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// Takes a UUID as this kind of id.
            #[must_use]
            pub const fn from_uuid(id: uuid::Uuid) -> Self {
                Self(id)
            }

            /// The bare UUID.
            #[must_use]
            pub const fn uuid(self) -> uuid::Uuid {
                self.0
            }
        }

        impl From<$name> for uuid::Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

typed_id!(
    /// Who a stream belongs to: an organization, or the platform itself.
    TenantId
);

impl TenantId {
    /// The platform: owner of people, users, sessions and system roles.
    pub const PLATFORM: Self = Self(uuid::Uuid::nil());

    /// Whether this is the platform rather than an organization.
    #[must_use]
    pub fn is_platform(self) -> bool {
        self == Self::PLATFORM
    }
}

typed_id!(
    /// The key under which personal data of one subject is sealed. It is the subject's own id:
    /// a person, an organization or an invitation has one key, once, for ever.
    KeyId
);
