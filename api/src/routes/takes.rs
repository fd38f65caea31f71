//! What a route takes of a request, as it is declared: whatever else comes is refused.
//!
//! Owns the names of the query and whether there is a body. Refuses what nobody would read: a
//! reason in a body that is dropped looks to its sender like one that was kept.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use http::Uri;

use super::{describe, op::Op};
use crate::problem::Problem;

/// What a route takes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Takes {
    body: bool,
    names: Arc<[String]>,
}

impl Takes {
    /// What a declaration says, in its description too.
    pub(super) fn of(op: &Op) -> Self {
        let names = describe::query(op).map(|parameter| parameter.name).collect();
        Self { body: op.body.is_some(), names }
    }

    /// Checks a request whose body has arrived.
    ///
    /// # Errors
    /// 422 for a parameter the route does not know, and for a body where it takes none; no bytes
    /// are no body.
    pub fn check(&self, uri: &Uri, body: &Body) -> Result<(), Problem> {
        if !self.body && !body.is_end_stream() {
            let detail = format!("there is no body here; {}", self.known());
            return Err(Problem::unknown_field("", detail));
        }
        let Some(query) = uri.query() else { return Ok(()) };
        let mut sent = url::form_urlencoded::parse(query.as_bytes());
        match sent.find(|(name, _)| !self.names.iter().any(|known| known == name)) {
            None => Ok(()),
            Some((name, _)) => Err(Problem::unknown_field(format!("?{name}"), self.known())),
        }
    }

    fn known(&self) -> String {
        match &*self.names {
            [] => "this route takes no parameters".to_owned(),
            names => format!("the parameters of this route are `{}`", names.join("`, `")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{problem::FieldError, routes::op};

    fn refused(takes: &Takes, uri: &str, body: &'static str) -> Option<FieldError> {
        let refusal = takes.check(&uri.parse().unwrap(), &Body::from(body)).err()?.body("");
        assert_eq!((refusal.status, refusal.code.as_str()), (422, "unknown-field"));
        refusal.errors.into_iter().next()
    }

    #[test]
    fn what_is_not_declared_is_refused_and_the_answer_says_what_is() {
        let list = Takes::of(&op("List lamps").paged().waits());
        assert_eq!(refused(&list, "/lamps?limit=7&cursor=x&min_position=12", ""), None);
        let unknown = refused(&list, "/lamps?limit=7&foo=1", "").unwrap();
        assert_eq!(unknown.pointer, "?foo");
        assert!(unknown.detail.ends_with("`min_position`, `limit`, `cursor`"), "{unknown:?}");
        let body = refused(&list, "/lamps", "{}").unwrap();
        assert_eq!(body.pointer, "");
        assert!(body.detail.contains("`limit`"), "{body:?}");
    }

    #[test]
    fn a_body_comes_only_where_one_is_taken() {
        let bare = Takes::of(&op("Remove a lamp"));
        assert_eq!(refused(&bare, "/lamps/1", ""), None);
        assert_eq!(refused(&bare, "/lamps/1?", ""), None);
        assert!(refused(&bare, "/lamps/1", "{\"reason\": \"broken\"}").is_some());
        assert!(refused(&bare, "/lamps/1?x", "").unwrap().detail.contains("no parameters"));
        let mut op = op("Rename a lamp");
        op.body = Some("RenameBody".to_owned());
        assert_eq!(refused(&Takes::of(&op), "/lamps/1", "{}"), None);
    }
}
