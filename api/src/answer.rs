//! What commands and queries answer with, and how their refusals become problems.

use axum::response::{IntoResponse, Response};
use commands::{CommandError, Denied, Done, Refusal};
use domain::kernel::{Position, Version};
use eventstore::{LoadError, Unavailable};
use http::{HeaderName, HeaderValue, StatusCode, header};
use projections::{Lagging, QueryError};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    extract::{PLATFORM_POSITION, etag},
    problem::{
        CONFLICT, CONTENDED, FORBIDDEN, IDEMPOTENCY_KEY_REUSED, INVALID_TOKEN, OVERLOADED,
        PROJECTION_LAGGING, Problem, STORAGE_FULL, UNAVAILABLE,
    },
};

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The answer to a command: what it made, where the log stands, and the new `ETag`.
#[derive(Debug)]
pub struct Accepted<T> {
    status: StatusCode,
    body: Option<T>,
    position: Position,
    version: Option<Version>,
    location: Option<String>,
    replayed: bool,
}

impl<T: Serialize> Accepted<T> {
    /// 201: something is there that was not; `location` is its path.
    pub fn created<A>(done: &Done<A>, stream: impl Into<Uuid>, location: String, body: T) -> Self {
        let mut accepted = Self::changed(done, stream, body);
        accepted.status = StatusCode::CREATED;
        accepted.location = Some(location);
        accepted
    }

    /// 200: something changed.
    pub fn changed<A>(done: &Done<A>, stream: impl Into<Uuid>, body: T) -> Self {
        Self {
            status: StatusCode::OK,
            body: Some(body),
            position: done.position,
            version: done.version(stream),
            location: None,
            replayed: done.duplicate,
        }
    }
}

impl Accepted<()> {
    /// 202: whatever becomes of it, its outcome is told elsewhere, such as by mail. Says nothing
    /// about what changed, if anything did.
    pub fn underway<A>(done: &Done<A>) -> Self {
        let nothing = Uuid::nil();
        Self { status: StatusCode::ACCEPTED, version: None, ..Self::done(done, nothing) }
    }

    /// 204: it is done, and there is nothing to tell.
    pub fn done<A>(done: &Done<A>, stream: impl Into<Uuid>) -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: None,
            position: done.position,
            version: done.version(stream),
            location: None,
            replayed: done.duplicate,
        }
    }
}

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        let mut response = match &self.body {
            Some(body) => (self.status, axum::Json(body)).into_response(),
            None => self.status.into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(PLATFORM_POSITION, HeaderValue::from(self.position.0));
        if let Some(version) = self.version {
            headers.insert(header::ETAG, etag(version));
        }
        if let Some(Ok(location)) = self.location.as_deref().map(HeaderValue::from_str) {
            headers.insert(header::LOCATION, location);
        }
        if self.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// The answer to a request of somebody who is not signed in: what was taken in. Where the log
/// stands is told only after a proof; it would show whether an address is known.
#[derive(Debug)]
pub struct Noted<T> {
    status: StatusCode,
    body: Option<T>,
    position: Option<Position>,
}

impl<T: Serialize> Noted<T> {
    /// 202: it was taken in; more happens out of band.
    pub const fn new(body: T) -> Self {
        Self { status: StatusCode::ACCEPTED, body: Some(body), position: None }
    }
}

impl Noted<()> {
    /// 202, without a word.
    #[must_use]
    pub const fn accepted() -> Self {
        Self { status: StatusCode::ACCEPTED, body: None, position: None }
    }

    /// 204: it is done, for somebody who showed a token.
    #[must_use]
    pub const fn done(position: Position) -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, position: Some(position) }
    }
}

impl<T: Serialize> IntoResponse for Noted<T> {
    fn into_response(self) -> Response {
        let mut response = match &self.body {
            Some(body) => (self.status, axum::Json(body)).into_response(),
            None => self.status.into_response(),
        };
        if let Some(position) = self.position {
            response.headers_mut().insert(PLATFORM_POSITION, HeaderValue::from(position.0));
        }
        response
    }
}

/// 200 with tokens: never kept by anybody on the way.
#[derive(Debug)]
pub struct Tokens<T> {
    body: T,
    position: Position,
}

impl<T: Serialize> Tokens<T> {
    /// Tokens of a sign-in at a position.
    pub const fn new(body: T, position: Position) -> Self {
        Self { body, position }
    }
}

impl<T: Serialize> IntoResponse for Tokens<T> {
    fn into_response(self) -> Response {
        let mut response = axum::Json(&self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(PLATFORM_POSITION, HeaderValue::from(self.position.0));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// The answer to a query: rows, how fresh they are, and the `ETag` of a single one.
#[derive(Debug)]
pub struct Found<T> {
    body: T,
    position: Position,
    version: Option<Version>,
    link: Option<HeaderValue>,
}

impl<T: Serialize> Found<T> {
    /// What was found in tables that hold everything up to a position.
    pub const fn new(body: T, position: Position) -> Self {
        Self { body, position, version: None, link: None }
    }

    /// With the version a client names when it changes this.
    #[must_use]
    pub fn version(mut self, stream_version: i64) -> Self {
        self.version = Some(Version(i32::try_from(stream_version).unwrap_or(i32::MAX)));
        self
    }

    /// With the place of the next page.
    #[must_use]
    pub fn link(mut self, link: Option<HeaderValue>) -> Self {
        self.link = link;
        self
    }
}

impl<T: Serialize> IntoResponse for Found<T> {
    fn into_response(self) -> Response {
        let mut response = axum::Json(&self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(PLATFORM_POSITION, HeaderValue::from(self.position.0));
        if let Some(version) = self.version {
            headers.insert(header::ETAG, etag(version));
        }
        if let Some(link) = self.link {
            headers.insert(header::LINK, link);
        }
        response
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => refusal.into(),
            CommandError::Taken { scope } => taken(&scope),
            CommandError::Reused => Self::new(&IDEMPOTENCY_KEY_REUSED),
            CommandError::SubjectErased => Self::not_found(),
            CommandError::Contended => Self::new(&CONTENDED).retry_after(1),
            CommandError::Overloaded => Self::new(&OVERLOADED).retry_after(1),
            CommandError::Unavailable(fault) => fault.into(),
            CommandError::Broken(what) => Self::internal(what),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Rule(rule) => Self::refused(&*rule),
            Refusal::Denied(denied) => denied.into(),
            Refusal::Stale { current } => Self::stale(etag(current)),
            Refusal::Load(fault) => fault.into(),
            Refusal::Overloaded => Self::new(&OVERLOADED).retry_after(1),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unauthenticated => Self::new(&INVALID_TOKEN),
            Denied::Missing => Self::not_found(),
            Denied::Forbidden(_) => Self::new(&FORBIDDEN).detail(denied.to_string()),
        }
    }
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Unavailable(fault) => fault.into(),
            LoadError::Undecodable(_) => Self::internal(error),
            LoadError::Overloaded(_) => Self::new(&OVERLOADED).retry_after(1),
        }
    }
}

impl From<Unavailable> for Problem {
    fn from(fault: Unavailable) -> Self {
        if fault.is_full() {
            Self::new(&STORAGE_FULL).retry_after(30).cause(fault)
        } else if fault.is_refusal() {
            Self::internal(fault)
        } else {
            Self::new(&UNAVAILABLE).retry_after(1).cause(fault)
        }
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            // A server that goes or comes refuses as well: what that means is judged as of the log.
            QueryError::Database(fault) => Unavailable::from(fault).into(),
            QueryError::Log(fault) => fault.into(),
        }
    }
}

impl From<Lagging> for Problem {
    fn from(lagging: Lagging) -> Self {
        match lagging {
            Lagging::Behind { .. } | Lagging::Beyond { .. } => {
                Self::new(&PROJECTION_LAGGING).retry_after(1).detail(lagging.to_string())
            }
            Lagging::Unavailable(fault) => fault.into(),
        }
    }
}

/// What to say of a unique value somebody else holds.
fn taken(scope: &str) -> Problem {
    let (pointer, what) = match scope {
        "organization.slug" | "workspace.slug" => ("/slug", "this slug is taken"),
        "user.username" => ("/username", "this user name is taken"),
        "user.email" => ("/email", "this address is taken"),
        "role.key" => ("/key", "a role with this key exists"),
        "membership" => ("/user_id", "this user belongs to the organization already"),
        "invitation.pending" => ("/email", "an invitation to this address is pending"),
        "organization.domain" => ("/domain", "another organization has verified this domain"),
        "role_assignment.live" => ("/role_id", "this role is assigned already"),
        other => return Problem::new(&CONFLICT).detail(format!("{other} is taken")),
    };
    Problem::new(&CONFLICT).field(pointer, "taken", what)
}
