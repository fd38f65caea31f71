//! `/organizations`: tenants, their content and their life.
//!
//! Split by what is asked: reading, creating, the name with slug and settings, the life, the
//! owners, and the contract behind an organization.

mod contract;
mod create;
mod edit;
mod life;
mod owners;
mod read;

use crate::{app::App, routes::Routes};

/// The group of these routes in the description.
const TAG: &str = "organizations";

pub(super) fn routes() -> Routes<App> {
    create::routes()
        .merge(read::routes())
        .merge(edit::routes())
        .merge(life::routes())
        .merge(owners::routes())
        .merge(contract::routes())
}
