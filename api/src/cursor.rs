//! Cursors: where the next page begins, told so that nobody can forge it.
//!
//! A cursor is the position of the last row in the list's order, as typed JSON, with an HMAC over
//! it, the tenant and the query. Altered, taken from somebody else or from another query it is
//! `bad-cursor`. It never reaches SQL as text.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::kernel::TenantId;
use http::{HeaderValue, Uri};
use ring::hmac;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    crypto::keys::MasterKey,
    problem::{BAD_CURSOR, Problem},
};

const TAG_BYTES: usize = 32;
/// More than any order has values.
const MAX_CURSOR_CHARS: usize = 1_024;

/// What a cursor belongs to: one list of one tenant, with one filter and order.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'q, F> {
    /// Whose rows.
    pub tenant: TenantId,
    /// Which list; its path will do.
    pub list: &'q str,
    /// The filter and order, without `limit` and `cursor`.
    pub query: &'q F,
}

/// Makes and reads cursors.
#[derive(Clone)]
pub struct Cursors(hmac::Key);

impl fmt::Debug for Cursors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursors")
    }
}

impl Cursors {
    /// Cursors that every process of the installation understands.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, master.derive("cursor.v1").as_ref()))
    }

    /// The cursor after a row.
    ///
    /// # Errors
    /// `internal` if the position or the query is no JSON.
    pub fn after<F: Serialize, P: Serialize>(
        &self,
        scope: &Scope<'_, F>,
        position: &P,
    ) -> Result<String, Problem> {
        let position = serde_json::to_vec(position).map_err(Problem::internal)?;
        let tag = hmac::sign(&self.0, &signed(scope, &position)?);
        Ok(URL_SAFE_NO_PAD.encode([tag.as_ref(), &position].concat()))
    }

    /// The row a cursor stands after.
    ///
    /// # Errors
    /// `bad-cursor` for every cursor that was not made for this scope.
    pub fn read<F: Serialize, P: DeserializeOwned>(
        &self,
        scope: &Scope<'_, F>,
        cursor: &str,
    ) -> Result<P, Problem> {
        let bytes = Some(cursor)
            .filter(|cursor| cursor.len() <= MAX_CURSOR_CHARS)
            .and_then(|cursor| URL_SAFE_NO_PAD.decode(cursor).ok());
        let parts = bytes.as_deref().and_then(|bytes| bytes.split_at_checked(TAG_BYTES));
        let Some((tag, position)) = parts else { return Err(suspicious(scope.list)) };
        let signed = signed(scope, position)?;
        hmac::verify(&self.0, &signed, tag).map_err(|_| suspicious(scope.list))?;
        serde_json::from_slice(position).map_err(|_| suspicious(scope.list))
    }
}

/// A cursor is never typed by hand: one that does not fit was altered or carried over.
fn suspicious(list: &str) -> Problem {
    tracing::warn!(list, "a cursor does not fit its query");
    Problem::new(&BAD_CURSOR)
}

/// Every part with its length, so that no two scopes sign the same bytes.
fn signed<F: Serialize>(scope: &Scope<'_, F>, position: &[u8]) -> Result<Vec<u8>, Problem> {
    let query = serde_json::to_vec(scope.query).map_err(Problem::internal)?;
    let tenant = scope.tenant.uuid();
    let mut bytes = Vec::new();
    for part in [tenant.as_bytes().as_slice(), scope.list.as_bytes(), &query, position] {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(part);
    }
    Ok(bytes)
}

/// The `Link` header to the next page: the same query with another cursor.
#[must_use]
pub fn next_link(uri: &Uri, cursor: &str) -> Option<HeaderValue> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if name != "cursor" {
            query.append_pair(&name, &value);
        }
    }
    query.append_pair("cursor", cursor);
    let link = format!("<{}?{}>; rel=\"next\"", uri.path(), query.finish());
    HeaderValue::from_str(&link).ok()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    type Position = (String, Uuid);

    fn cursors() -> Cursors {
        Cursors::new(&MasterKey::from_bytes([7; 32]))
    }

    fn scope<'q>(list: &'q str, query: &'q &'q str) -> Scope<'q, &'q str> {
        Scope { tenant: TenantId::PLATFORM, list, query }
    }

    fn made() -> String {
        let position: Position = ("Ada".into(), Uuid::nil());
        cursors().after(&scope("/users", &"status=active"), &position).unwrap()
    }

    fn code(scope: &Scope<'_, &str>, cursor: &str) -> Result<Position, &'static str> {
        cursors().read(scope, cursor).map_err(|problem| problem.code())
    }

    #[test]
    fn a_cursor_leads_back_to_its_row() {
        let read = code(&scope("/users", &"status=active"), &made());
        assert_eq!(read, Ok(("Ada".into(), Uuid::nil())));
    }

    #[test]
    fn it_fits_nothing_else() {
        let foreign =
            Scope { tenant: TenantId::from_uuid(Uuid::max()), ..scope("/users", &"status=active") };
        let other_list = scope("/persons", &"status=active");
        let other_filter = scope("/users", &"status=disabled");
        for scope in [foreign, other_list, other_filter] {
            assert_eq!(code(&scope, &made()), Err("bad-cursor"));
        }
        let other_key = Cursors::new(&MasterKey::from_bytes([8; 32]));
        let read = other_key.read::<_, Position>(&scope("/users", &"status=active"), &made());
        assert_eq!(read.unwrap_err().code(), "bad-cursor");
    }

    #[test]
    fn it_cannot_be_altered() {
        let cursor = made();
        for at in 0..cursor.len() {
            let mut altered = cursor.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(code(&scope("/users", &"status=active"), &altered), Err("bad-cursor"));
        }
        for end in 0..cursor.len() {
            let cut = &cursor[..end];
            assert_eq!(code(&scope("/users", &"status=active"), cut), Err("bad-cursor"));
        }
        let long = "A".repeat(2_000);
        assert_eq!(code(&scope("/users", &"status=active"), &long), Err("bad-cursor"));
    }

    #[test]
    fn the_link_keeps_the_query_and_replaces_the_cursor() {
        let uri: Uri = "/api/v1/users?status=active&cursor=old&limit=7".parse().unwrap();
        let link = next_link(&uri, "new").unwrap();
        assert_eq!(link, "</api/v1/users?status=active&limit=7&cursor=new>; rel=\"next\"");
    }
}
