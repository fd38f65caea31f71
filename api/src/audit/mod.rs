//! What investigators ask of the log itself.

mod events;
mod kinds;
mod streams;
mod view;

use crate::{app::App, routes::Routes};

/// The routes of this module.
#[must_use]
pub fn routes() -> Routes<App> {
    events::routes().merge(streams::routes())
}
