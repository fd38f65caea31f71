//! Alerts: sound, tested on series that are bad and on a healthy platform, and explained.

use std::{collections::BTreeMap, fs};

use serde::Deserialize;
use testkit::Prometheus;

use super::{DOCUMENT, ops, rules};

#[derive(Debug, Deserialize)]
struct Tests {
    tests: Vec<Test>,
}

#[derive(Debug, Deserialize)]
struct Test {
    alert_rule_test: Vec<Expectation>,
}

#[derive(Debug, Deserialize)]
struct Expectation {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<serde_json::Value>,
}

fn promtool(arguments: &[&str], file: &str) {
    let output = Prometheus::tool().args(arguments).arg(ops(file)).output().unwrap();
    let words = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&words));
}

#[test]
fn rules_and_configuration_are_sound() {
    promtool(&["check", "rules"], "prometheus/commonhold.rules.yml");
    promtool(&["check", "config"], "prometheus/prometheus.yml");
}

#[test]
fn alerts_fire_on_what_is_bad_and_only_then() {
    promtool(&["test", "rules"], "prometheus/commonhold.test.yml");
    let text = fs::read_to_string(ops("prometheus/commonhold.test.yml")).unwrap();
    let tests: Tests = serde_saphyr::from_str(&text).unwrap();
    // How often an alert is expected to fire, and to be silent.
    let mut seen: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for expectation in tests.tests.iter().flat_map(|test| &test.alert_rule_test) {
        let (fires, silent) = seen.entry(expectation.alertname.clone()).or_default();
        *(if expectation.exp_alerts.is_empty() { silent } else { fires }) += 1;
    }
    for (alert, _) in rules::alerts() {
        let (fires, silent) = seen.remove(&alert).unwrap_or_default();
        assert!(fires > 0 && silent > 0, "{alert} is not tested both ways");
    }
    assert!(seen.is_empty(), "tests of alerts that are not there: {seen:?}");
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_alert_says_what_it_means_and_where_to_read_on() {
    let headings =
        DOCUMENT.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    let anchors: Vec<String> = headings.map(anchor).collect();
    let mut explained = Vec::new();
    for (alert, rule) in rules::alerts() {
        for annotation in ["summary", "description", "runbook_url"] {
            assert!(rule.annotations.contains_key(annotation), "{alert} has no {annotation}");
        }
        assert!(["warning", "critical"].contains(&rule.labels["severity"].as_str()), "{alert}");
        let url = &rule.annotations["runbook_url"];
        let wanted = url.strip_prefix("docs/operations.md#").unwrap_or_else(|| panic!("{alert}"));
        assert!(anchors.iter().any(|anchor| anchor == wanted), "{alert}: no section {wanted}");
        explained.push(wanted.to_owned());
    }
    // And no section is about an alert that is gone.
    let (_, section) = DOCUMENT.split_once("\n## Alerts\n").unwrap();
    let section = section.split_once("\n## ").unwrap().0;
    for heading in section.lines().filter_map(|line| line.strip_prefix("### ")) {
        assert!(explained.contains(&anchor(heading)), "{heading} is nobody's section");
    }
}

#[test]
fn links_inside_the_document_lead_somewhere() {
    let headings =
        DOCUMENT.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    let anchors: Vec<String> = headings.map(anchor).collect();
    for link in DOCUMENT.split("](#").skip(1) {
        let wanted = link.split_once(')').unwrap().0;
        assert!(anchors.iter().any(|anchor| anchor == wanted), "no section {wanted}");
    }
}
