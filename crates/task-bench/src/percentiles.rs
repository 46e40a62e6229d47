/// The p50 and p99 of values, by nearest rank; zero of none.
pub(crate) fn p50_p99(values: &mut [f64]) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    (at(values, 50), at(values, 99))
}

fn at(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(p50_p99(&mut values), (100.0, 198.0));
        assert_eq!(p50_p99(&mut [7.0]), (7.0, 7.0));
        assert_eq!(p50_p99(&mut []), (0.0, 0.0));
    }
}
