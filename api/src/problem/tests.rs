//! Statuses, bodies and the completeness of the catalogue.

use std::collections::BTreeSet;

use http_body_util::BodyExt;

use super::*;

#[derive(Debug, thiserror::Error)]
#[error("the door is shut")]
struct Shut(Kind, Option<&'static str>);

impl DomainError for Shut {
    fn code(&self) -> &'static str {
        "door-shut"
    }

    fn kind(&self) -> Kind {
        self.0
    }

    fn pointer(&self) -> Option<&'static str> {
        self.1
    }
}

async fn answered(problem: Problem) -> (StatusCode, HeaderMap, serde_json::Value) {
    let response = problem.into_response();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn the_kind_of_a_refusal_decides_the_status() {
    for (kind, status) in [
        (Kind::Missing, 404),
        (Kind::Conflict, 409),
        (Kind::Invalid, 422),
        (Kind::Forbidden, 403),
        (Kind::Unauthenticated, 401),
    ] {
        let problem = Problem::refused(&Shut(kind, None));
        assert_eq!(problem.status().as_u16(), status);
        assert_eq!(problem.code(), "door-shut");
    }
}

#[tokio::test]
async fn a_refusal_with_a_field_points_at_it() {
    let (status, headers, body) =
        answered(Problem::refused(&Shut(Kind::Invalid, Some("/door")))).await;
    assert_eq!(status, 422);
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(body["type"], "/problems/door-shut");
    assert_eq!(body["errors"][0]["pointer"], "/door");
    assert_eq!(body["errors"][0]["detail"], "the door is shut");
}

#[tokio::test]
async fn a_missing_thing_says_nothing_about_itself() {
    let (_, _, body) = answered(Problem::refused(&Shut(Kind::Missing, Some("/id")))).await;
    assert_eq!(body.get("detail"), None);
    assert_eq!(body.get("errors"), None);
}

#[tokio::test]
async fn the_body_of_a_failure_is_constant_and_its_cause_is_for_the_log() {
    let response = Problem::internal("password=hunter2").into_response();
    assert!(response.extensions().get::<Cause>().is_some());
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
}

#[tokio::test]
async fn headers_travel_with_the_problem() {
    let (status, headers, _) =
        answered(Problem::stale(HeaderValue::from_static("\"3\"")).retry_after(0)).await;
    assert_eq!(status, 412);
    assert_eq!(headers[header::ETAG], "\"3\"");
    assert_eq!(headers[header::RETRY_AFTER], "1");
}

#[test]
fn codes_are_unique_and_kebab_case() {
    let mut seen = BTreeSet::new();
    for entry in all() {
        assert!(seen.insert(entry.code), "{} stands twice", entry.code);
        assert!(entry.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", entry.code);
        assert!((400..600).contains(&entry.status), "{}", entry.code);
    }
}

#[test]
fn the_document_explains_every_code() {
    let document = include_str!("../../../docs/problems.md");
    assert_eq!(document, markdown(), "run `platformctl docs generate`");
}

#[tokio::test]
async fn every_code_has_a_page() {
    for entry in all() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
        let code = axum::extract::Path(entry.code.to_owned());
        let response = page(code, headers).await.unwrap();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&bytes).contains(entry.title));
    }
    let unknown = page(axum::extract::Path("nope".to_owned()), HeaderMap::new()).await;
    assert_eq!(unknown.unwrap_err().status(), 404);
}

/// The codes in `fn code` of every `impl DomainError`, from the source: no list to forget.
fn codes_in(folder: &std::path::Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes_in(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            for body in source.split("fn code(&self) -> &'static str {").skip(1) {
                let body = body.split("\n    }\n").next().unwrap();
                into.extend(body.split('"').skip(1).step_by(2).map(str::to_owned));
            }
        }
    }
}

#[test]
fn every_refusal_of_the_domain_is_explained() {
    let mut codes = BTreeSet::new();
    let domain = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/src");
    codes_in(&domain, &mut codes);
    assert!(codes.len() > 50, "the source is read: {codes:?}");
    let unknown: Vec<_> = codes.iter().filter(|code| find(code).is_none()).collect();
    assert_eq!(unknown, Vec::<&String>::new(), "add these to problem/refusals");
}
