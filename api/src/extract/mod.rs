//! Reading a request strictly: what is not understood is refused, never ignored.
//!
//! Owns bodies, queries, path ids and the conditional headers. Every refusal is a
//! [`Problem`](crate::problem::Problem) of the bad-input table.

mod body;
mod headers;
mod json;
mod limit;
mod misfit;
mod path;
mod query;
mod strict;

pub(crate) use body::bytes;
pub(crate) use headers::MIN_POSITION;
pub use headers::{IdempotencyKey, IfMatch, MinPosition, PLATFORM_POSITION, etag};
pub use json::Json;
pub(crate) use json::is_json;
pub use limit::Limit;
pub use path::Path;
pub use query::Query;
pub use strict::{MAX_DEPTH, from_slice};
