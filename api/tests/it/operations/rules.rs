//! The rules file, read.

use std::{collections::BTreeMap, fs};

use serde::Deserialize;

use super::ops;

#[derive(Debug, Deserialize)]
pub(super) struct Rule {
    pub(super) alert: Option<String>,
    pub(super) record: Option<String>,
    pub(super) expr: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

pub(super) fn read() -> Vec<Rule> {
    let text = fs::read_to_string(ops("prometheus/commonhold.rules.yml")).unwrap();
    let groups: Groups = serde_saphyr::from_str(&text).unwrap();
    groups.groups.into_iter().flat_map(|group| group.rules).collect()
}

pub(super) fn alerts() -> Vec<(String, Rule)> {
    read().into_iter().filter_map(|rule| Some((rule.alert.clone()?, rule))).collect()
}
