//! The operators' document says what is so: its tables are compared with the code and the process,
//! its walks are walked, its queries asked.

mod alerts;
mod queries;
mod restore;
mod rules;
mod tables;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The document.
const DOCUMENT: &str = include_str!("../../../../docs/operations.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn ops(file: &str) -> PathBuf {
    root().join("ops").join(file)
}

/// The code block of the document with these words behind its fence.
fn block(words: &str) -> &'static str {
    let rest = DOCUMENT.split_once(&format!("```{words}\n")).unwrap_or_else(|| panic!("{words}"));
    rest.1.split_once("```").unwrap().0
}

/// The cells of the rows of the table behind a heading, without the head.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = DOCUMENT.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The metrics of the document, each once.
fn documented() -> Vec<&'static str> {
    table("Metrics").iter().map(|row| row[0].trim_matches('`')).collect()
}

/// The queries of the dashboard, as Grafana would send them, with the title of their panel.
fn dashboard() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(ops("grafana/commonhold.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            let query = query.replace("$__rate_interval", "1m").replace("$job", "commonhold");
            assert!(!query.contains('$'), "{title}: {query}");
            queries.push((title.to_owned(), query));
        }
    }
    assert!(queries.len() > 40, "{}", queries.len());
    queries
}
