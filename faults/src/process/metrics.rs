//! Reading `/metrics`.

/// The value of a metric without labels.
#[must_use]
pub fn gauge(page: &str, name: &str) -> Option<f64> {
    let mut values = page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    values.next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_whole() {
        let page = "# TYPE full gauge\nfuller 3\nfull{a=\"b\"} 2\nfull 1\n# EOF\n";
        assert_eq!(gauge(page, "full"), Some(1.0));
        assert_eq!(gauge(page, "ful"), None);
    }
}
