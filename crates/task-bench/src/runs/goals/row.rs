//! A table in Markdown: what was to be reached, and what is.

use super::list::{Bound, Goal};

pub(super) const HEAD: &str = "| goal | what | is to be | is (from – to) | |\n|---|---|---|---|---|";

/// The median of what was measured of a goal, and from the least to the most; `None` if nothing was.
pub(super) fn row(goal: &Goal, mut values: Vec<f64>) -> Option<String> {
    values.sort_by(f64::total_cmp);
    let (least, most) = (values.first()?, values.last()?);
    let median = values[values.len() / 2];
    let verdict = |met| if met { "met" } else { "**missed**" };
    let (to_be, verdict) = match goal.bound {
        Bound::Least(bound) => (format!("≥ {}", shown(bound)), verdict(median >= bound)),
        Bound::Most(bound) => (format!("≤ {}", shown(bound)), verdict(median <= bound)),
        Bound::None => (String::new(), ""),
    };
    let Goal { number, what, unit, .. } = goal;
    let range = match values.len() {
        1 => String::new(),
        _ => format!(" ({} – {})", shown(*least), shown(*most)),
    };
    Some(format!("| {number} | {what} | {to_be} | {} {unit}{range} | {verdict} |", shown(median)))
}

/// Three digits are more than a noisy machine gives.
fn shown(value: f64) -> String {
    let thousands = (value / 1000.0).round();
    match value {
        _ if thousands >= 1000.0 => format!("{:.1} million", value / 1e6),
        _ if value >= 10_000.0 => format!("{thousands},000"),
        _ if value >= 1000.0 => {
            let tens = (value / 10.0).round() as u64 * 10;
            format!("{},{:03}", tens / 1000, tens % 1000)
        }
        _ if value >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::list::Figure, *};

    #[test]
    fn a_row_is_a_median_with_its_range_and_a_verdict() {
        let goal = Goal {
            number: 3,
            what: "many",
            figure: Figure::Of("a", "b"),
            bound: Bound::Least(2.0),
            unit: "/s",
        };
        assert_eq!(row(&goal, vec![]), None);
        assert_eq!(row(&goal, vec![1.0]).unwrap(), "| 3 | many | ≥ 2.00 | 1.00 /s | **missed** |");
        let said = row(&goal, vec![5.0, 1.0, 3.0]).unwrap();
        assert_eq!(said, "| 3 | many | ≥ 2.00 | 3.00 /s (1.00 – 5.00) | met |");
    }

    #[test]
    fn figures_are_told_in_three_digits() {
        let texts = [0.6, 123.4, 2048.0, 9_999.0, 41_266.0, 999_700.0, 12e6].map(shown);
        assert_eq!(texts, ["0.60", "123", "2,050", "10,000", "41,000", "1.0 million", "12.0 million"]);
    }
}
