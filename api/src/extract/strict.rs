//! JSON without leniency: no repeated keys, no more than 64 levels, no unknown fields, and every
//! refusal points at its place.

use std::{cell::RefCell, fmt, fmt::Write};

use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use serde_path_to_error::{Path, Segment};

use super::misfit::Misfit;
use crate::problem::Problem;

/// Deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 64;

/// Reads a value from the text of a JSON object.
///
/// # Errors
/// `malformed` where the text is not the JSON we accept; `unknown-field` and `invalid-field`
/// where it is, but does not fit `T`.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    let value = parse(text)?;
    // Serde would take an array as a struct's fields in order; nobody means that.
    if !value.is_object() {
        return Err(Problem::invalid_field("", "the body must be a JSON object"));
    }
    fit(value)
}

/// The text as a value; what the type says comes later.
fn parse(text: &[u8]) -> Result<Value, Problem> {
    let place = RefCell::new(Vec::new());
    let mut source = serde_json::Deserializer::from_slice(text);
    let parsed = Strict { place: &place }
        .deserialize(&mut source)
        .and_then(|value| source.end().map(|()| value));
    parsed.map_err(|error| {
        let pointer: String = place.borrow().iter().map(|token| format!("/{token}")).collect();
        let detail = error.to_string();
        let problem = Problem::malformed("the body is not acceptable JSON");
        problem.field(pointer, "malformed", detail)
    })
}

/// The value as the type wants it.
fn fit<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer(error.path());
        misfit(pointer, &error.into_inner().to_string())
    })
}

fn misfit(pointer: String, message: &str) -> Problem {
    match Misfit::of(message) {
        // The tracker ends at the key it was reading for an unknown field, but at the parent of a
        // missing one.
        Misfit::UnknownField(name) => {
            let step = format!("/{}", escaped(name));
            let whole = pointer.ends_with(&step);
            Problem::unknown_field(if whole { pointer } else { pointer + &step }, message)
        }
        Misfit::UnknownVariant => Problem::unknown_field(pointer, message),
        Misfit::MissingField(name) => {
            Problem::invalid_field(format!("{pointer}/{}", escaped(name)), "is required")
        }
        Misfit::Other(what) => Problem::invalid_field(pointer, what),
    }
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let _ = match segment {
            Segment::Seq { index } => write!(pointer, "/{index}"),
            Segment::Map { key } => write!(pointer, "/{}", escaped(key)),
            // Variants and unknowns are steps of the type, not of the document.
            Segment::Enum { .. } | Segment::Unknown => Ok(()),
        };
    }
    pointer
}

/// A reference token of RFC 6901.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Reads one value. `place` holds the steps to it, and on failure stays where the fault is.
#[derive(Clone, Copy)]
struct Strict<'p> {
    place: &'p RefCell<Vec<String>>,
}

impl Strict<'_> {
    fn enter<E: Error>(self, step: &str) -> Result<(), E> {
        let mut place = self.place.borrow_mut();
        place.push(escaped(step));
        if place.len() > MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn leave(self) {
        self.place.borrow_mut().pop();
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            self.enter(&values.len().to_string())?;
            let Some(value) = items.next_element_seed(self)? else { break };
            self.leave();
            values.push(value);
        }
        self.leave();
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.enter(&key)?;
            if values.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key `{key}` stands twice")));
            }
            let value = entries.next_value_seed(self)?;
            self.leave();
            values.insert(key, value);
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[expect(dead_code, reason = "read by serde")]
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[expect(dead_code, reason = "read by serde")]
        kind: Kind,
        #[expect(dead_code, reason = "read by serde")]
        minor: i64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Item,
    }

    #[track_caller]
    fn refused(text: &str, status: u16, code: &str, pointer: &str) {
        let problem = from_slice::<Order>(text.as_bytes()).unwrap_err();
        let body = problem.body("");
        assert_eq!((body.status, body.code.as_str()), (status, code), "{text}");
        assert_eq!(body.errors[0].pointer, pointer, "{text}: {}", body.errors[0].detail);
    }

    #[test]
    fn a_good_body_is_read() {
        assert!(from_slice::<Order>(br#"{"lines":[{"kind":"item","minor":1}]}"#).is_ok());
    }

    #[test]
    fn what_is_not_json_is_malformed_where_it_stops() {
        refused("", 400, "malformed", "");
        refused(r#"{"lines":[}"#, 400, "malformed", "/lines/0");
        refused(r#"{"lines":[]} x"#, 400, "malformed", "");
        refused(r#"{"lines":[{"minor":NaN}]}"#, 400, "malformed", "/lines/0/minor");
        refused(r#"{"lines":[{"minor":1e999}]}"#, 400, "malformed", "/lines/0/minor");
        refused(r#"{"lines":["\ud800"]}"#, 400, "malformed", "/lines/0");
    }

    #[test]
    fn a_repeated_key_is_malformed() {
        refused(r#"{"lines":[],"lines":[]}"#, 400, "malformed", "/lines");
        refused(r#"{"lines":[{"minor":1,"minor":2}]}"#, 400, "malformed", "/lines/0/minor");
    }

    #[test]
    fn sixty_four_levels_are_enough() {
        let read = |levels: usize| {
            let inner = levels - 1;
            let text = format!("{{\"a\":{}{}}}", "[".repeat(inner), "]".repeat(inner));
            from_slice::<Value>(text.as_bytes()).map_err(|problem| problem.code())
        };
        assert!(read(MAX_DEPTH).is_ok());
        assert_eq!(read(MAX_DEPTH + 1), Err("malformed"));
        assert_eq!(read(100_000), Err("malformed"));
    }

    #[test]
    fn unknown_names_are_pointed_at() {
        refused(r#"{"lines":[],"extra":1}"#, 422, "unknown-field", "/extra");
        let line = r#"{"lines":[{"kind":"item","minor":1,"a/b":0}]}"#;
        refused(line, 422, "unknown-field", "/lines/0/a~1b");
        refused(r#"{"lines":[{"kind":"gift","minor":1}]}"#, 422, "unknown-field", "/lines/0/kind");
    }

    #[test]
    fn missing_and_mistyped_fields_are_pointed_at() {
        refused("[[]]", 422, "invalid-field", "");
        refused("{}", 422, "invalid-field", "/lines");
        refused(r#"{"lines":[{"kind":"item"}]}"#, 422, "invalid-field", "/lines/0/minor");
        let float = r#"{"lines":[{"kind":"item","minor":1.5}]}"#;
        refused(float, 422, "invalid-field", "/lines/0/minor");
    }
}
