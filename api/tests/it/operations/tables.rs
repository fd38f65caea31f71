//! The tables of the document against the code.

use std::fs;

use serde_json::Value;

use super::{DOCUMENT, root, table};
use crate::cli::Place;

/// The value of `const NAME: … = …;` in a source.
fn constant(source: &str, name: &str) -> u64 {
    let at = source.find(&format!("const {name}: ")).unwrap_or_else(|| panic!("no const {name}"));
    let value = source[at..].split_once(" = ").unwrap().1.split_once(';').unwrap().0;
    let value = value.trim_start_matches("NonZeroUsize::new(").split(')').next().unwrap();
    let number = |text: &str| text.trim().replace('_', "").parse::<u64>().unwrap();
    match value.split_once("<<") {
        Some((number_of, shift)) => number(number_of) << number(shift),
        None => number(value),
    }
}

/// A number of the document: `4,096`, `32 MiB`.
fn told(text: &str) -> u64 {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number: u64 = number.replace(',', "").parse().unwrap_or_else(|_| panic!("{text}"));
    match unit {
        "" => number,
        "KiB" => number << 10,
        "MiB" => number << 20,
        other => panic!("{other}"),
    }
}

/// The value of a constant of the code.
fn source(path: &str, name: &str) -> u64 {
    constant(&fs::read_to_string(root().join(path)).unwrap(), name)
}

#[test]
fn bounds_are_those_of_the_code() {
    let settings = Place::new().run(&["config", "check", "--json"]).with(0).json();
    let setting = |key: &str| {
        let all = settings.as_array().unwrap();
        let found = all.iter().find(|one| one["key"] == key);
        let value: &Value = &found.unwrap_or_else(|| panic!("no setting {key}"))["value"];
        value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap()
    };
    let rows = table("Bounds");
    assert!(rows.len() > 25);
    for row in rows {
        let (what, bound, place) = (row[0], told(row[1]), row[2]);
        let words: Vec<_> = place.split('`').filter(|word| !word.trim().is_empty()).collect();
        let found = match words[..] {
            [key] => setting(key),
            [path, name] => source(path, name),
            [key, " divided by ", path, name] => setting(key).div_ceil(source(path, name)),
            _ => panic!("{what}: {place}"),
        };
        assert_eq!(bound, found, "{what}: {place}");
    }
}

#[test]
fn the_connections_of_a_process_add_up() {
    let rows = table("Bounds");
    let bounds = [
        "connections of the pool",
        "connections that read tables for tenants",
        "connections that read tables for operators",
        "connections that read the log",
        "connections that search the log",
    ];
    let bounds = bounds.map(|what| told(rows.iter().find(|row| row[0] == what).unwrap()[1]));
    let modules = u64::try_from(projections::MODULES.len()).unwrap();
    let writer = 1;
    let all = bounds.iter().sum::<u64>() + writer + modules;
    let terms = bounds.map(|bound| bound.to_string()).join(" + ");
    let room = (100 - 3) / all;
    let text = DOCUMENT.split_once("Connections to the database of one process:").unwrap().1;
    let text = text.split_once("\n\n").unwrap().0.replace('\n', " ");
    for said in [format!("({terms})"), format!("({modules}): {all},"), format!("{room} processes")]
    {
        assert!(text.contains(&said), "{said}: {text}");
    }
}
