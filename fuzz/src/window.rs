//! The window between two rounds of scrapes.
//!
//! An input is a first line `DISTANCE NOMINAL BEFORE AFTER`, then the bodies,
//! each behind a line `---`. The two lengths are in milliseconds; `BEFORE` and
//! `AFTER` hold a letter for each process that is scraped: `30000 30000 ab ac`
//! is two rounds in 30 s in which `b` went and `c` came, and four bodies.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use swiftdeploy::telemetry::exposition::{Format, parse};
use swiftdeploy::telemetry::{Bucket, Figures, Measured, Names, Snapshot, compare, measure};

/// The processes of a round; more would only be slower.
const MOST: usize = 4;

struct Input {
    nominal: Duration,
    earlier: Vec<Snapshot>,
    later: Vec<Snapshot>,
}

/// Measures a window, whatever it is.
///
/// # Panics
/// When something does not hold.
pub fn check(input: &[u8]) {
    let Some(input) = std::str::from_utf8(input).ok().and_then(Input::read) else { return };
    let names = Names {
        requests: "http_requests_total".to_owned(),
        duration: "http_request_duration_seconds".to_owned(),
        path_label: "path".to_owned(),
        status_label: "status_code".to_owned(),
        own_paths: Vec::new(),
    };
    let measured = measure(&input.earlier, &input.later, &names, input.nominal);
    // Of two scrapes of one process only the newer one is read.
    let is_plain = are_different(&input.earlier) && are_different(&input.later);
    let is_usable = |snapshot: &Snapshot| parse(&snapshot.body, format_of(&snapshot.body)).is_ok();
    match &measured {
        Ok(measured) => {
            if is_plain {
                assert!(input.earlier.iter().chain(&input.later).all(is_usable), "a scrape is not whole");
                let counts = |later: &Snapshot| later.body.contains("http_requests");
                assert!(input.later.iter().all(counts), "nothing is counted");
            }
            assert!(measured.window.as_millis() * 5 >= input.nominal.as_millis() * 4, "{measured:?}");
            assert!(measured.resets <= input.later.len() as u64, "{measured:?}");
            assert!(measured.vanished <= input.earlier.len() as u64, "{measured:?}");
            sane(measured);
        }
        Err(fault) => assert!(!fault.to_string().is_empty() && !fault.code().is_empty()),
    }

    // The order says nothing.
    let reversed = |snapshots: &[Snapshot]| snapshots.iter().rev().cloned().collect::<Vec<_>>();
    let other = measure(&reversed(&input.earlier), &reversed(&input.later), &names, input.nominal);
    if is_plain {
        assert_eq!(other.is_ok(), measured.is_ok(), "{other:?}, {measured:?}");
    }

    // Saved scrapes have no clock: what makes a window by the clock makes one by word too.
    if let ([from], [to]) = (&input.earlier[..], &input.later[..]) {
        let compared = compare(&from.body, &to.body, &names, input.nominal);
        if let Ok(figures) = &compared {
            let text = serde_json::to_string(figures).expect("figures are JSON");
            let read: Figures = serde_json::from_str(&text).expect("figures read back");
            assert_eq!(read.error_rate.is_some(), figures.error_rate.is_some(), "{text}");
            assert_eq!(read.p99_latency_ms.is_some(), figures.p99_latency_ms.is_some(), "{text}");
        }
    }
}

fn are_different(snapshots: &[Snapshot]) -> bool {
    let instances: BTreeSet<&str> = snapshots.iter().map(|snapshot| snapshot.instance.as_str()).collect();
    instances.len() == snapshots.len()
}

/// Figures that a person could believe.
fn sane(measured: &Measured) {
    assert!(measured.errors <= measured.requests, "{measured:?}");
    assert!(measured.request_rate.is_finite() && measured.request_rate >= 0.0, "{measured:?}");
    match measured.error_rate {
        Some(rate) => assert!((0.0..=1.0).contains(&rate), "{measured:?}"),
        None => assert_eq!(measured.requests, 0, "requests without a share of errors: {measured:?}"),
    }
    let bound = |bucket: &Bucket| bucket.le_ms.unwrap_or(f64::INFINITY);
    for pair in measured.buckets.windows(2) {
        assert!(bound(&pair[0]) < bound(&pair[1]) && pair[0].count <= pair[1].count, "{measured:?}");
    }
    assert!(measured.buckets.iter().all(|bucket| bucket.count.is_finite()), "{measured:?}");
    if let Some(p99) = measured.p99 {
        assert!(p99.ms.is_finite() && p99.low_ms.is_finite(), "{measured:?}");
        assert!(p99.low_ms <= p99.ms, "{measured:?}");
        assert!(p99.high_ms.is_none_or(|high| p99.ms <= high), "{measured:?}");
        let is_bound = |edge: f64| measured.buckets.iter().any(|bucket| bucket.le_ms == Some(edge));
        assert!(p99.high_ms.map_or_else(|| is_bound(p99.low_ms), is_bound), "{measured:?}");
    }
}

impl Input {
    fn read(text: &str) -> Option<Self> {
        let mut parts =
            text.split_inclusive("\n---\n").map(|part| part.strip_suffix("---\n").unwrap_or(part));
        let mut head = parts.next()?.trim_end().split(' ');
        let distance = TimeDelta::try_milliseconds(head.next()?.parse().ok()?)?;
        let nominal = Duration::from_millis(head.next()?.parse().ok()?);
        let (before, after) = (head.next()?, head.next()?);
        let first = DateTime::from_timestamp(1_700_000_000, 0)?;
        let second = first.checked_add_signed(distance)?;
        let mut round = |letters: &str, taken_at| -> Option<Vec<Snapshot>> {
            let scrape = |letter: char, body: &str| Snapshot {
                instance: letter.to_string(),
                taken_at,
                is_openmetrics: format_of(body) == Format::OpenMetrics,
                body: body.to_owned(),
            };
            letters.chars().take(MOST).map(|letter| Some(scrape(letter, parts.next()?))).collect()
        };
        Some(Self { nominal, earlier: round(before, first)?, later: round(after, second)? })
    }
}

fn format_of(body: &str) -> Format {
    Format::of_saved(body.as_bytes())
}
