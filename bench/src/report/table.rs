//! Tables in Markdown.

use crate::stats::median;

/// A table in the making.
pub struct Table(String);

impl Table {
    /// With its head; the first column is text, the others are figures.
    pub fn new<H: AsRef<str>>(head: impl IntoIterator<Item = H>) -> Self {
        let mut table = Self(String::new());
        let columns = table.row(head);
        table.row((0..columns).map(|column| if column == 0 { "---" } else { "---:" }));
        table
    }

    /// Adds a row, and answers how many cells it has.
    pub fn row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) -> usize {
        let mut count = 0;
        for cell in cells {
            self.0.push_str("| ");
            self.0.push_str(cell.as_ref());
            self.0.push(' ');
            count += 1;
        }
        self.0.push_str("|\n");
        count
    }

    /// The Markdown, with an empty line after it.
    pub fn finish(mut self) -> String {
        self.0.push('\n');
        self.0
    }
}

/// A rate as people read it: `12,345`.
pub fn rate(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::with_capacity(digits.len() + 4);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds with as many digits as mean something.
pub fn ms(figure: f64) -> String {
    if figure < 10.0 { format!("{figure:.2}") } else { format!("{figure:.0}") }
}

/// What stands where there is no figure.
pub fn or_dash(figure: Option<f64>, show: impl Fn(f64) -> String) -> String {
    figure.map_or_else(|| "–".to_owned(), show)
}

/// Ratios: their median, and from which to which they reach.
pub fn times(all: &[f64]) -> String {
    let show = |x: f64| format!("{x:.2}");
    match median(all.iter().copied()) {
        None => "–".to_owned(),
        Some(middle) => format!("{middle:.2}× ({})", range(all, show)),
    }
}

/// From the lowest to the highest.
pub fn range(all: &[f64], show: impl Fn(f64) -> String) -> String {
    let lowest = all.iter().copied().min_by(f64::total_cmp);
    let highest = all.iter().copied().max_by(f64::total_cmp);
    format!("{}–{}", or_dash(lowest, &show), or_dash(highest, &show))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_grouped_by_thousands() {
        assert_eq!(rate(999.6), "1,000");
        assert_eq!(rate(12.0), "12");
        assert_eq!(rate(1_234_567.0), "1,234,567");
    }

    #[test]
    fn a_table_has_a_head_and_rows() {
        let mut table = Table::new(["a", "b"]);
        table.row(["1", "2"]);
        assert_eq!(table.finish(), "| a | b |\n| --- | ---: |\n| 1 | 2 |\n\n");
    }
}
