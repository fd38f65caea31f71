//! The roles that the first migration makes, for whoever connects.

/// A role of the database that parts of the platform take on. The owner of the tables may take on
/// each; none of them owns anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Adds to the log, and reads what the scope of a query shows.
    App,
    /// Reads the rows of all tenants.
    Operator,
    /// Writes the read tables.
    Projector,
}

impl Role {
    /// Its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App => "commonhold_app",
            Self::Operator => "commonhold_operator",
            Self::Projector => "commonhold_projector",
        }
    }
}
