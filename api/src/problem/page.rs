//! `GET /problems/{code}`: the page a problem's `type` points at.

use axum::{
    Json,
    extract::Path,
    response::{Html, IntoResponse, Response},
};
use http::{HeaderMap, header};
use serde_json::json;

use super::{Problem, ProblemCode, find};

/// Serves the entry of a code: HTML to browsers, JSON to everybody else.
///
/// # Errors
/// `not-found` for a code nobody knows.
pub async fn page(Path(code): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let entry = find(&code).ok_or_else(Problem::not_found)?;
    let wants_html = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    Ok(if wants_html { html(entry).into_response() } else { json_page(entry) })
}

fn json_page(entry: &ProblemCode) -> Response {
    let ProblemCode { code, status, title, cause, fix } = entry;
    Json(json!({
        "type": format!("/problems/{code}"),
        "code": code, "status": status, "title": title, "cause": cause, "fix": fix,
    }))
    .into_response()
}

fn html(entry: &ProblemCode) -> Html<String> {
    let ProblemCode { code, status, title, cause, fix } = entry;
    let [title, cause, fix] = [title, cause, fix].map(|text| escape(text));
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/docs/docs.css\"><main class=\"page\">\
         <p><code>{code}</code> · status {status}</p><h1>{title}</h1>\
         <h2>Cause</h2><p>{cause}</p><h2>Fix</h2><p>{fix}</p>\
         <p><a href=\"/docs\">API description</a></p></main></html>"
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
