//! `/users`: logins, and the humans behind them.

mod email;
mod life;
mod password;
mod profile;
mod sign_up;
pub(super) mod totp;

use crate::{app::App, routes::Routes};

/// The group of these routes in the description.
const TAG: &str = "users";

pub(super) fn routes() -> Routes<App> {
    sign_up::routes()
        .merge(password::routes())
        .merge(email::routes())
        .merge(profile::routes())
        .merge(life::routes())
        .merge(totp::routes())
}
