//! The rows in which two sets of tables differ, as people and machines read them.

use projections::{Difference, Differences, Module};
use serde_json::{Map, Value, json};

use super::progress::lines_wanted;
use crate::cli::Output;

/// Prints differing rows, each with what differs in it.
pub(super) fn print(output: &Output, module: &Module, found: &Differences) {
    let lines = lines_wanted(output);
    for difference in &found.rows {
        if lines {
            output.line(&json!({
                "type": "difference",
                "table": format!("{}.{}", module.name, difference.table),
                "key": difference.key,
                "live": row(difference.live.as_deref()),
                "rebuilt": row(difference.rebuilt.as_deref()),
            }));
        } else {
            output.text(&text(module.name, difference));
        }
    }
    let others = found.count.saturating_sub(found.rows.len());
    if others > 0 && !lines {
        output.text(&format!("and {others} more rows of {}", module.name));
    }
}

fn row(json: Option<&str>) -> Option<Map<String, Value>> {
    serde_json::from_str(json?).ok()
}

fn text(module: &str, difference: &Difference) -> String {
    let Difference { table, key, live, rebuilt } = difference;
    let mut text = format!("{module}.{table} {key}");
    match (row(live.as_deref()), row(rebuilt.as_deref())) {
        (Some(live), Some(rebuilt)) => {
            for (column, value) in &live {
                let right = rebuilt.get(column).unwrap_or(&Value::Null);
                if value != right {
                    text.push_str(&format!("\n  {column}: live {value}, rebuilt {right}"));
                }
            }
        }
        (Some(_), None) => text.push_str("\n  live only: the log does not lead to it"),
        (None, Some(_)) => text.push_str("\n  missing from the live table"),
        (None, None) => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(live: Option<&str>, rebuilt: Option<&str>) -> String {
        let owned = |text: &str| text.to_owned();
        let (live, rebuilt) = (live.map(owned), rebuilt.map(owned));
        text("organization", &Difference { table: "roles".into(), key: "k".into(), live, rebuilt })
    }

    #[test]
    fn only_the_columns_that_differ_are_shown() {
        let shown = difference(Some(r#"{"id":"k","name":"a"}"#), Some(r#"{"id":"k","name":"b"}"#));
        assert_eq!(shown, "organization.roles k\n  name: live \"a\", rebuilt \"b\"");
    }

    #[test]
    fn a_row_on_one_side_is_named_so() {
        assert!(difference(Some("{}"), None).ends_with("live only: the log does not lead to it"));
        assert!(difference(None, Some("{}")).ends_with("missing from the live table"));
        assert_eq!(difference(None, None), "organization.roles k");
    }
}
