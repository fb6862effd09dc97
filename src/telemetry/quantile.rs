//! The quantile of a classic histogram, exactly as Prometheus'
//! `histogram_quantile` answers it (`promql/quantile.go`, `BucketQuantile`).
//!
//! Bounds are in milliseconds here. That changes nothing: the rule is linear.

use super::model::{Bucket, P99};

/// Which quantile the gate looks at.
const GATE: f64 = 0.99;

/// Relative differences between neighbouring counts up to this are rounding,
/// not requests (`smallDeltaTolerance`).
const TOLERANCE: f64 = 1e-12;

/// The P99 of a cumulative histogram as [`cumulative`] makes it. `None` where
/// Prometheus says NaN: no `+Inf` bucket, fewer than two buckets, no requests.
#[must_use]
pub fn p99(buckets: &[Bucket]) -> Option<P99> {
    quantile(GATE, buckets)
}

/// A histogram in order: sorted by bound, equal bounds merged, and counts that
/// never fall from one bound to the next.
#[must_use]
pub fn cumulative(mut buckets: Vec<Bucket>) -> Vec<Bucket> {
    buckets.sort_by(|a, b| bound(a).total_cmp(&bound(b)));
    buckets.dedup_by(|next, kept| {
        let is_same = next.le_ms == kept.le_ms;
        if is_same {
            kept.count += next.count;
        }
        is_same
    });
    force_monotonic(&mut buckets);
    buckets
}

/// A decrease cannot be (the requests below a bound are also below the next
/// one), so the count before it stands; so it does across rounding errors.
fn force_monotonic(buckets: &mut [Bucket]) {
    let mut previous: Option<f64> = None;
    for bucket in buckets {
        match previous {
            Some(count) if bucket.count < count || is_almost_equal(count, bucket.count) => {
                bucket.count = count;
            }
            _ => previous = Some(bucket.count),
        }
    }
}

/// Prometheus' `almost.Equal` with [`TOLERANCE`], for counts.
fn is_almost_equal(a: f64, b: f64) -> bool {
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

fn quantile(q: f64, buckets: &[Bucket]) -> Option<P99> {
    let (last, finite) = buckets.split_last()?;
    let highest = finite.last()?.le_ms?;
    let total = last.count;
    if last.le_ms.is_some() || total <= 0.0 {
        return None;
    }
    let rank = q * total;
    let holder = finite.partition_point(|bucket| bucket.count < rank);
    let Some(Bucket { le_ms: Some(end), count }) = finite.get(holder).copied() else {
        return Some(P99 { ms: highest, low_ms: highest, high_ms: None });
    };
    let (start, below) = match holder.checked_sub(1).and_then(|index| finite.get(index)) {
        Some(before) => (before.le_ms?, before.count),
        // There is no lower edge to count from.
        None if end <= 0.0 => return Some(P99 { ms: end, low_ms: end, high_ms: Some(end) }),
        None => (0.0, 0.0),
    };
    let ms = start + (end - start) * ((rank - below) / (count - below));
    ms.is_finite().then_some(P99 { ms, low_ms: start, high_ms: Some(end) })
}

/// The bound as a number, to sort by.
fn bound(bucket: &Bucket) -> f64 {
    bucket.le_ms.unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests;
