//! The words by which investigators name events.
//!
//! Owns what a type, a category and an event's name may be. Refuses words that nothing in the log
//! can bear, and says which there are: nothing found would look like nothing happened.

use std::collections::BTreeSet;

use domain::catalogue::{self, CATEGORIES, Category};

use crate::problem::Problem;

/// The filter that a type or its leading words mean: a type, or a prefix that ends in a dot.
///
/// # Errors
/// 422 where no event is called that.
pub(super) fn filter(text: &str) -> Result<String, Problem> {
    let words = text.strip_suffix('.').unwrap_or(text);
    let types: Vec<String> = catalogue::types().collect();
    if types.iter().any(|known| known == words) {
        return Ok(words.to_owned());
    }
    let prefix = format!("{words}.");
    if types.iter().any(|known| known.starts_with(&prefix)) {
        return Ok(prefix);
    }
    Err(Problem::unknown_field("?type", called(&near(words, &types))))
}

/// What stands where the first unknown word does, behind those that are known.
fn near(words: &str, types: &[String]) -> BTreeSet<String> {
    let mut known = words;
    loop {
        known = known.rsplit_once('.').map_or("", |(front, _)| front);
        let front = if known.is_empty() { String::new() } else { format!("{known}.") };
        let next = |rest: &str| rest.split('.').next().map(|word| format!("{front}{word}"));
        let choices: BTreeSet<_> =
            types.iter().filter_map(|known| next(known.strip_prefix(&front)?)).collect();
        if !choices.is_empty() {
            return choices;
        }
    }
}

/// The category of a path.
///
/// # Errors
/// 404 where no streams are of it.
pub(super) fn category(name: &str) -> Result<&'static Category, Problem> {
    let found = CATEGORIES.iter().find(|category| category.name == name);
    found.ok_or_else(|| {
        let names = CATEGORIES.iter().map(|category| category.name.to_owned()).collect();
        Problem::not_found().detail(called(&names))
    })
}

/// Checks the name of an event in the streams of a category.
///
/// # Errors
/// 422 where none is called that.
pub(super) fn event(category: &Category, name: &str) -> Result<(), Problem> {
    if category.events().any(|known| known == name) {
        return Ok(());
    }
    Err(Problem::unknown_field("?name", called(&category.events().collect())))
}

fn called(choices: &BTreeSet<String>) -> String {
    let choices: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    format!("nothing is called this; there are {}", choices.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_whole_words_with_the_last_dot_or_without() {
        for (text, means) in [
            ("identity", "identity."),
            ("identity.", "identity."),
            ("identity.user", "identity.user."),
            ("identity.user.", "identity.user."),
            ("identity.user.registered", "identity.user.registered"),
            ("organization.role", "organization.role."),
        ] {
            assert_eq!(filter(text).unwrap(), means, "{text}");
        }
    }

    #[test]
    fn unknown_words_are_refused_with_those_there_are() {
        for (text, hint) in [
            ("", "`identity`, `organization`"),
            ("Organization.", "`identity`, `organization`"),
            ("nonsense.x", "`identity`, `organization`"),
            ("identity.use", "`identity.person`, `identity.session`, `identity.user`"),
            ("identity.user.registerd", "`identity.user.registered`"),
            ("identity.user.registered.x", "`identity.user.registered`"),
        ] {
            let refused = filter(text).unwrap_err().body("");
            assert_eq!((refused.status, refused.code.as_str()), (422, "unknown-field"), "{text}");
            assert!(refused.errors[0].detail.contains(hint), "{text}: {refused:?}");
        }
    }

    #[test]
    fn a_stream_is_of_a_category_and_has_its_events() {
        let role = category("organization.role").unwrap();
        assert!(event(role, "archived").is_ok());
        let refused = event(role, "bogus").unwrap_err().body("");
        assert!(refused.errors[0].detail.contains("`archived`"), "{refused:?}");
        let refused = category("organization.roles").unwrap_err().body("");
        assert!(refused.detail.unwrap().contains("`organization.role`"));
    }
}
