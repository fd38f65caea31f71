//! What a refusal looks like to a client: RFC 9457 `application/problem+json`.
//!
//! Owns the shape, the stable codes and the mapping from a domain refusal to a status. Refuses
//! to show anything internal: the cause of a 500 is logged once, with the trace id, and the body
//! is constant.

mod catalogue;
mod edge;
mod page;
pub mod refusals;

use std::{error::Error, sync::Arc};

use axum::response::{IntoResponse, Response};
use domain::kernel::{DomainError, Kind};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

pub use catalogue::{ProblemCode, all, find, markdown};
pub use edge::*;
pub use page::page;

use crate::context;

/// Declares problem codes: a constant for each, and a table of them all.
#[macro_export]
macro_rules! problem_codes {
    (
        $(#[$meta:meta])*
        $table:ident;
        $( $name:ident = $status:literal $code:literal {
            title: $title:literal, cause: $cause:literal, fix: $fix:literal $(,)?
        } )+
    ) => {
        $(
            #[doc = concat!("`", $code, "`: ", $cause)]
            pub const $name: $crate::problem::ProblemCode = $crate::problem::ProblemCode {
                code: $code, status: $status, title: $title, cause: $cause, fix: $fix,
            };
        )+
        $(#[$meta])*
        pub const $table: &[$crate::problem::ProblemCode] = &[$($name),+];
    };
}

/// A refusal on its way to the client.
#[derive(Debug, Clone)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: &'static str,
    status: StatusCode,
    title: &'static str,
    fix: &'static str,
    detail: Option<String>,
    errors: Vec<FieldError>,
    headers: HeaderMap,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body, or `?name` for a query parameter.
    pub pointer: String,
    /// Stable code of the fault.
    pub code: String,
    /// The fault in words.
    pub detail: String,
}

/// The body of every refusal (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Where the code is explained, relative to this server.
    #[schema(example = "/problems/not-found")]
    pub r#type: String,
    /// The code in words; the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable code: the thing to branch on.
    #[schema(example = "not-found")]
    pub code: String,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What the reader can do; the same for every occurrence.
    pub fix: String,
    /// Finds this request in the logs.
    pub trace_id: String,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// The code of a refusal: put into the response's extensions, where it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub &'static str);

/// Why a server-side failure happened: put into the response's extensions for the log, never
/// into its body.
#[derive(Debug, Clone)]
pub struct Cause(pub Arc<dyn Error + Send + Sync>);

impl Problem {
    /// A refusal with a code of the catalogue.
    #[must_use]
    pub fn new(code: &ProblemCode) -> Self {
        Self(Box::new(Parts {
            code: code.code,
            status: code.status(),
            title: code.title,
            fix: code.fix,
            detail: None,
            errors: Vec::new(),
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    /// A refusal of the domain: its kind decides the status, its code stays.
    #[must_use]
    pub fn refused(refusal: &dyn DomainError) -> Self {
        let by_kind = match refusal.kind() {
            Kind::Missing => NOT_FOUND,
            Kind::Conflict => CONFLICT,
            Kind::Invalid => INVALID_FIELD,
            Kind::Forbidden => FORBIDDEN,
            Kind::Unauthenticated => INVALID_TOKEN,
        };
        let mut problem = Self::new(&by_kind);
        problem.0.code = refusal.code();
        if let Some(code) = find(refusal.code()) {
            (problem.0.title, problem.0.fix) = (code.title, code.fix);
        }
        // A missing thing and a foreign one must answer alike, and so must every reason for
        // which a proof of identity fails: their details stay inside.
        if matches!(refusal.kind(), Kind::Missing | Kind::Unauthenticated) {
            return problem;
        }
        let detail = refusal.to_string();
        match refusal.pointer() {
            Some(pointer) => problem.field(pointer, refusal.code(), detail),
            None => problem.detail(detail),
        }
    }

    /// A failure of ours. The cause goes to the log, never to the client.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(&INTERNAL).cause(cause)
    }

    /// The thing does not exist, or not for this caller. Always the same answer.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(&NOT_FOUND)
    }

    /// The body is not what its media type promises.
    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(&MALFORMED).detail(detail)
    }

    /// A field has a value that cannot be accepted.
    #[must_use]
    pub fn invalid_field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(&INVALID_FIELD).field(pointer, INVALID_FIELD.code, detail)
    }

    /// A field, parameter or enum value nobody knows.
    #[must_use]
    pub fn unknown_field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(&UNKNOWN_FIELD).field(pointer, UNKNOWN_FIELD.code, detail)
    }

    /// The thing changed since the client read it; `etag` is its present one.
    #[must_use]
    pub fn stale(etag: HeaderValue) -> Self {
        Self::new(&STALE).header(header::ETAG, etag)
    }

    /// Adds what happened this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds a field at fault.
    #[must_use]
    pub fn field(
        mut self,
        pointer: impl Into<String>,
        code: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        self.0.errors.push(FieldError {
            pointer: pointer.into(),
            code: code.into(),
            detail: detail.into(),
        });
        self
    }

    /// Adds the fields that another refusal of the same request names.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.errors.extend(other.0.errors);
        self
    }

    /// Tells the client when to come back, in whole seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// Adds a response header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Adds what led here, for the log only.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(Arc::from(cause.into()));
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The status it will answer with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The body as the client will see it.
    #[must_use]
    pub fn body(&self, trace_id: &str) -> ProblemBody {
        ProblemBody {
            r#type: format!("/problems/{}", self.0.code),
            title: self.0.title.to_owned(),
            status: self.0.status.as_u16(),
            code: self.0.code.to_owned(),
            detail: self.0.detail.clone(),
            fix: self.0.fix.to_owned(),
            trace_id: trace_id.to_owned(),
            errors: self.0.errors.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.body(&context::trace_id());
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.0.status, self.0.headers, json).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.0.status == StatusCode::UNAUTHORIZED {
            let challenge = response.headers_mut().entry(header::WWW_AUTHENTICATE);
            challenge.or_insert(HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Code(self.0.code));
        if let Some(cause) = self.0.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

#[cfg(test)]
mod tests;
