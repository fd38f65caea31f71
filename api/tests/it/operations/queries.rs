//! Metrics as they are, and every query of the rules and the dashboard, on a real Prometheus.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use testkit::{Nats, Prometheus};

use super::{dashboard, documented, ops, rules, table};
use crate::support::{Client, PASSWORD, Server};

/// How long anything may take to show up. Most of it is the pause between two accounts of the
/// database.
const PATIENCE: Duration = Duration::from_secs(90);

/// What no healthy platform has, word for word.
const ABSENT: [&str; 1] = [
    // Nothing fails here.
    "http_server_request_duration_seconds_count{status=~\"5..\",\
     route!~\"/metrics|/healthz|/readyz|/startupz\"}",
];

/// Words of the query language that are no metric although no parenthesis follows.
const WORDS: [&str; 14] = [
    "and", "or", "unless", "by", "without", "on", "ignoring", "bool", "sum", "max", "min", "count",
    "avg", "topk",
];

/// The platform with all its parts, and somebody who uses it.
struct Watched {
    server: Server,
    user: Client,
    _nats: Nats,
}

impl Watched {
    async fn start() -> Self {
        let nats = Nats::start();
        let url = nats.url();
        let server = Server::with(|config| {
            config.nats.url = Some(url);
            // The load goes on for as long as Prometheus takes.
            config.rate_limit.per_account_per_minute = 1_000_000;
            config.rate_limit.per_address_per_minute = 1_000_000;
        });
        let server = server.await;
        let user = server.user("ada").await;
        user.organization("acme").await;
        server.user("bea").await;
        Self { server, user, _nats: nats }
    }

    /// A little of everything: a query, a command, a refusal. Whoever signs in so often loses their
    /// oldest sessions, so it is not the one who asks.
    async fn load(&self) {
        assert_eq!(self.user.get("/me").await.status, 200);
        self.server.sign_in("bea@example.org", PASSWORD).await;
        assert_eq!(self.user.get("/nothing").await.code(), "not-found");
    }
}

/// The metrics on the page, each with the labels of its samples.
fn shown(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut name = String::new();
    for line in page.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (base, kind) = declared.split_once(' ').unwrap();
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            name = format!("{base}{suffix}");
        } else if !line.starts_with('#') {
            let labels =
                line.split_once('{').map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
            let labels = labels.split("\",").filter_map(|label| label.split_once('='));
            let labels = labels.map(|(label, _)| label.to_owned()).filter(|label| label != "le");
            found.entry(name.clone()).or_default().extend(labels);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_are_those_of_the_document() {
    let watched = Watched::start().await;
    watched.load().await;
    let told: BTreeMap<String, BTreeSet<String>> = table("Metrics")
        .iter()
        .map(|row| {
            let labels = row[1].split(',').map(|label| label.trim().trim_matches('`').to_owned());
            (row[0].trim_matches('`').to_owned(), labels.filter(|l| !l.is_empty()).collect())
        })
        .collect();
    let begun = Instant::now();
    loop {
        let page = watched.user.get("//metrics").await.text;
        let found = shown(&page);
        if found == told {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the document says {told:#?}, the page {found:#?}");
    }
    watched.server.stop().await;
}

/// A Prometheus that watches a platform by our rules.
struct Asked {
    prometheus: Prometheus,
    http: reqwest::Client,
}

impl Asked {
    fn watching(server: &Server) -> Self {
        let target = server.url.strip_prefix("http://").unwrap();
        let rules = ops("prometheus/commonhold.rules.yml");
        let configuration = json!({
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms",
                       "evaluation_interval": "500ms"},
            "rule_files": [rules],
            "scrape_configs": [
                {"job_name": "commonhold", "static_configs": [{"targets": [target]}]},
            ],
        });
        // What is JSON is YAML.
        let prometheus = Prometheus::start(&configuration.to_string());
        Self { prometheus, http: reqwest::Client::new() }
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = format!("{}/api/v1/{path}", self.prometheus.url());
        let answer = self.http.get(url).query(query).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["status"], "success", "{query:?}: {answer}");
        answer["data"].clone()
    }

    /// How many series a query has.
    async fn series(&self, query: &str) -> usize {
        let data = self.get("query", &[("query", query)]).await;
        data["result"].as_array().unwrap().len()
    }

    /// Waits, with something going on, until a query has series.
    async fn until(&self, watched: &Watched, query: &str, begun: Instant) {
        while self.series(query).await == 0 {
            assert!(begun.elapsed() < PATIENCE, "no series for {query}");
            watched.load().await;
        }
    }
}

/// The selectors of a query: metrics with their matchers.
fn selectors(query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let end = |closing: char| rest.find(closing).map_or(rest.len(), |at| at + 1);
        let length = match first {
            '"' => rest[1..].find('"').unwrap() + 2,
            '[' => end(']'),
            'a'..='z' => {
                let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
                let length = rest.find(|c| !named(c)).unwrap_or(rest.len());
                let (name, behind) = rest.split_at(length);
                let group = ["by", "without", "on", "ignoring"].contains(&name);
                let braces = behind.starts_with('{').then(|| behind.find('}').unwrap() + 1);
                let matchers = braces.map_or(0, |braces| braces);
                let is_function = behind.starts_with('(');
                if !is_function && !WORDS.contains(&name) {
                    found.push(rest[..length + matchers].to_owned());
                }
                if group { end(')') } else { length + matchers }
            }
            '0'..='9' => {
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len())
            }
            other => other.len_utf8(),
        };
        rest = &rest[length..];
    }
    found
}

#[test]
fn selectors_are_found_in_queries() {
    let query = "histogram_quantile(0.99, sum by (job, le) (rate(a_bucket{x!~\"(b|c)\"}[5m])))\n  \
                 / (d:e > 5e3) or f * ignoring (g) max(h)";
    assert_eq!(selectors(query), ["a_bucket{x!~\"(b|c)\"}", "d:e", "f", "h"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_is_answered_by_prometheus() {
    let watched = Watched::start().await;
    let asked = Asked::watching(&watched.server);
    let begun = Instant::now();
    let mut used = BTreeSet::new();
    for rule in rules::read() {
        asked.series(&rule.expr).await;
        used.extend(selectors(&rule.expr));
        // What is recorded is there under its name; what alerts is silent, on series that exist.
        if let Some(name) = &rule.record {
            asked.until(&watched, name, begun).await;
        }
    }
    for (title, query) in dashboard() {
        used.extend(selectors(&query));
        asked.until(&watched, &query, begun).await;
        assert!(asked.series(&query).await > 0, "{title}");
    }
    for selector in &used {
        if !ABSENT.contains(&selector.as_str()) {
            asked.until(&watched, selector, begun).await;
        }
    }
    for absent in ABSENT {
        assert!(used.contains(absent), "nobody asks for {absent}");
    }
    // Nothing is measured for nobody: each metric of the document can be asked for, too.
    for metric in documented() {
        let buckets = format!("{{__name__=~\"{metric}|{metric}_count\"}}");
        asked.until(&watched, &buckets, begun).await;
    }
    let alerts = asked.get("alerts", &[]).await;
    let firing: Vec<_> = alerts["alerts"].as_array().unwrap().iter().collect();
    let firing: Vec<_> = firing.iter().filter(|alert| alert["state"] == "firing").collect();
    assert!(firing.is_empty(), "{firing:#?}");
    watched.server.stop().await;
}
