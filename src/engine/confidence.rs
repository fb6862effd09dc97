//! How far the true error rate may be above the one that was seen, by the size
//! of the sample alone. Nothing is compared with a limit: that is the policy's.

/// How sure the bound is.
pub(super) const LEVEL: f64 = 0.95;

/// Up to so many errors the bound is exact; beyond, the approximation is off by
/// less than any figure shown.
const EXACT: u64 = 1000;

/// The quantile of the normal distribution that belongs to [`LEVEL`], one-sided.
const Z: f64 = 1.644_853_626_951_472_7;

/// Halvings of the interval: more than a double can tell apart.
const HALVINGS: u32 = 60;

/// The error rate above which so few errors in so many requests would be seen
/// in fewer than 5 of 100 samples (one-sided Clopper-Pearson); `None` without
/// requests.
pub(super) fn error_rate_at_most(errors: u64, requests: u64) -> Option<f64> {
    if requests == 0 || errors > requests {
        return None;
    }
    if errors == requests {
        return Some(1.0);
    }
    let (k, n) = (real(errors), real(requests));
    if errors > EXACT {
        return Some(wilson(k, n));
    }
    let (mut low, mut high) = (k / n, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if at_most(errors, n, middle) > 1.0 - LEVEL {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

/// The probability of at most `errors` among `n` at a rate. Each term comes
/// from the one before; logarithms keep the first ones from vanishing.
fn at_most(errors: u64, n: f64, rate: f64) -> f64 {
    let odds = (rate / (1.0 - rate)).ln();
    let mut term = n * (-rate).ln_1p();
    let mut sum = term.exp();
    for i in 0..errors {
        let i = real(i);
        term += ((n - i) / (i + 1.0)).ln() + odds;
        sum += term.exp();
    }
    sum
}

fn wilson(k: f64, n: f64) -> f64 {
    let (p, z2) = (k / n, Z * Z);
    let spread = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((p + z2 / (2.0 * n) + spread) / (1.0 + z2 / n)).min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests stay far below 2^53")]
const fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The smallest samples that show a rate of at most 1 %, from tables of the
    /// exact binomial.
    #[rstest]
    #[case(0, 299)]
    #[case(1, 473)]
    #[case(2, 628)]
    #[case(3, 773)]
    fn samples_that_show_one_percent_are_those_of_the_tables(#[case] errors: u64, #[case] requests: u64) {
        assert!(error_rate_at_most(errors, requests).unwrap() <= 0.01);
        assert!(error_rate_at_most(errors, requests - 1).unwrap() > 0.01);
    }

    #[rstest]
    #[case::nothing_seen(0, 0, None)]
    #[case::more_errors_than_requests(2, 1, None)]
    #[case::all_failed(7, 7, Some(1.0))]
    fn extremes_have_an_answer(#[case] errors: u64, #[case] requests: u64, #[case] expected: Option<f64>) {
        assert_eq!(error_rate_at_most(errors, requests), expected);
    }

    #[test]
    fn exact_and_approximate_bounds_meet() {
        let (exact, beyond) = (error_rate_at_most(EXACT, 50_000), error_rate_at_most(EXACT + 1, 50_000));
        let difference = (exact.unwrap() - beyond.unwrap()).abs();
        assert!(difference < 1e-4, "{exact:?} {beyond:?}");
    }

    #[test]
    fn a_large_sample_of_no_errors_leaves_little_room() {
        let bound = error_rate_at_most(0, 10_000_000).unwrap();
        assert!((2e-7..4e-7).contains(&bound), "{bound}");
    }
}
