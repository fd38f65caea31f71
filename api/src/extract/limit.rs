//! The size of a page.

use serde::{Deserialize, Deserializer, de::Error};

/// How many items a page holds: 1 to 200, 50 unless said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// The most a page can hold.
    pub const MAX: u16 = 200;

    /// The number of items.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u16::deserialize(deserializer) {
            Ok(limit) if (1..=Self::MAX).contains(&limit) => Ok(Self(limit)),
            Ok(_) | Err(_) => {
                let expected = format_args!("must be a whole number from 1 to {}", Self::MAX);
                Err(D::Error::custom(expected))
            }
        }
    }
}

impl utoipa::PartialSchema for Limit {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::Integer)
            .minimum(Some(1))
            .maximum(Some(Self::MAX))
            .default(Some(50.into()))
            .build()
            .into()
    }
}

impl utoipa::ToSchema for Limit {}
