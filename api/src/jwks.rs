//! The public keys of access tokens (RFC 7517), for programs that verify them on their own.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::header;

use crate::crypto::keys::Keyring;

/// Where the keys are published.
pub const PATH: &str = "/.well-known/jwks.json";

/// Serves the keys that sign now and those whose tokens may still be valid.
pub fn router(keyring: Arc<Keyring>) -> Router {
    Router::new().route(PATH, get(keys)).with_state(keyring)
}

async fn keys(State(keyring): State<Arc<Keyring>>) -> Response {
    // A new key signs at once, so nobody should hold on to the list for long.
    let caching = (header::CACHE_CONTROL, "public, max-age=60");
    ([caching], Json(keyring.current().jwks())).into_response()
}
