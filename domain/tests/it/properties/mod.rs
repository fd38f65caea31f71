//! Properties of aggregates under random commands.

mod identity;
mod organization;
