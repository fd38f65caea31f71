//! The tables of module organization.

use domain::organization::{
    OrganizationId,
    organization::{OrganizationKind, OrganizationStatus, OrganizationType},
};

use crate::module::{Module, tables};

pub mod organizations;

crate::id_columns!(OrganizationId);
crate::enum_columns!(OrganizationKind, OrganizationStatus, OrganizationType);

/// The module's part of the read model.
pub static MODULE: Module = tables!["organization": organizations::Organizations];
