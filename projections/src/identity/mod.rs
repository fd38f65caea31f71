//! The tables of module identity.

use domain::identity::{PersonId, UserId};

use crate::module::{Module, tables};

crate::id_columns!(PersonId, UserId);

/// The module's part of the read model.
pub static MODULE: Module = tables!["identity":];
