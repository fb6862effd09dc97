//! What must never change a verdict: the order of series and labels, how a
//! bound is spelled, comments; what a life before a restart had counted; and
//! that the parts of a window add up to the whole.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

mod policy_support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use policy_support::{Policies, good_canary};
use proptest::prelude::*;
use serde_json::{Value, json};
use swiftdeploy::policy::{Decision, PolicyEngine};
use swiftdeploy::telemetry::exposition::{Format, parse};
use swiftdeploy::telemetry::{Figures, Measured, Names, Snapshot, measure};

const WINDOW: Duration = Duration::from_secs(30);

/// The paths and statuses of the traffic; some do not count.
const SERIES: [(&str, &str); 5] =
    [("/", "200"), ("/", "500"), ("/a \\\"b\\\",{c}", "404"), ("/healthz", "503"), ("/metrics", "200")];

/// Bounds in three spellings each.
const BOUNDS: [[&str; 3]; 5] = [
    ["0.1", "0.10", "1e-1"],
    ["0.5", ".5", "5e-1"],
    ["1", "1.0", "1e0"],
    ["2.5", "2.50", "25e-1"],
    ["+Inf", "Inf", "+inf"],
];

/// What a process has counted so far.
#[derive(Debug, Clone)]
struct Counted {
    requests: [u32; SERIES.len()],
    /// Not cumulative.
    durations: [u32; BOUNDS.len()],
    started_at: u32,
}

impl Counted {
    const fn nothing(started_at: u32) -> Self {
        Self { requests: [0; SERIES.len()], durations: [0; BOUNDS.len()], started_at }
    }

    /// The same process, so much later.
    fn and(&self, more: &Self) -> Self {
        let mut sum = self.clone();
        for (have, more) in sum.requests.iter_mut().zip(more.requests) {
            *have += more;
        }
        for (have, more) in sum.durations.iter_mut().zip(more.durations) {
            *have += more;
        }
        sum
    }

    fn lines(&self, spelling: usize) -> Vec<String> {
        let mut lines = vec![format!("process_start_time_seconds {}", self.started_at)];
        for ((path, status), value) in SERIES.iter().zip(self.requests) {
            lines.push(format!("http_requests_total{{path=\"{path}\",status_code=\"{status}\"}} {value}"));
        }
        let mut below = 0;
        for (spellings, value) in BOUNDS.iter().zip(self.durations) {
            below += value;
            let bound = spellings[spelling % spellings.len()];
            lines.push(format!("http_request_duration_seconds_bucket{{path=\"/\",le=\"{bound}\"}} {below}"));
        }
        lines
    }

    fn body(&self) -> String {
        self.lines(0).join("\n") + "\n"
    }
}

/// Traffic of one stretch of a process: of any kind, or mostly good, so that
/// every verdict comes up.
fn traffic() -> impl Strategy<Value = Counted> {
    let wild = (prop::array::uniform5(0_u32..400), prop::array::uniform5(0_u32..400));
    let good = ([0_u32..400, 0..3, 0..20, 0..100, 0..100], [0_u32..400, 0..40, 0..3, 0..2, 0..2]);
    prop_oneof![wild, good].prop_map(|(requests, durations)| Counted {
        requests,
        durations,
        started_at: 1_700_000_000,
    })
}

/// A scrape, so many windows after the first.
fn at(windows: u32, body: String) -> [Snapshot; 1] {
    let start = DateTime::from_timestamp(1_763_901_711, 0).unwrap();
    [Snapshot {
        instance: "a".to_owned(),
        taken_at: start + TimeDelta::from_std(WINDOW * windows).unwrap(),
        is_openmetrics: false,
        body,
    }]
}

fn between(from: (u32, String), to: (u32, String)) -> Measured {
    measure(&at(from.0, from.1), &at(to.0, to.1), &Names::default(), WINDOW).unwrap()
}

static POLICIES: OnceLock<Policies> = OnceLock::new();

/// What the shipped canary policy says to these figures, all else being well.
fn verdict(measured: &Measured) -> (Value, Vec<String>) {
    let figures = serde_json::to_value(Figures::from(measured)).unwrap();
    let mut facts = good_canary();
    for name in [
        "requests",
        "errors",
        "error_rate",
        "p99_latency_ms",
        "p99_bucket",
        "window_seconds",
        "resets",
        "vanished",
    ] {
        facts[name] = figures[name].clone();
    }
    facts["latency_buckets"] = figures["buckets"].clone();
    let policies = POLICIES.get_or_init(Policies::starters);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let Decision { verdict, violations, reasons, fault, .. } =
        runtime.block_on(policies.embedded().ask("canary", &facts));
    assert_eq!(fault, None);
    let codes: Vec<&str> = violations.iter().map(|violation| violation.code.as_str()).collect();
    (json!({ "verdict": verdict, "codes": codes }), reasons)
}

/// Counts of a window, without its length.
fn counts(measured: &Measured) -> (u64, u64, Vec<(Option<f64>, f64)>) {
    let buckets = measured.buckets.iter().map(|bucket| (bucket.le_ms, bucket.count)).collect();
    (measured.requests, measured.errors, buckets)
}

type Counts = (u64, u64, Vec<(Option<f64>, f64)>);

fn sum((requests, errors, buckets): Counts, more: &Counts) -> Counts {
    let buckets =
        buckets.into_iter().zip(&more.2).map(|((le, count), (_, more))| (le, count + more)).collect();
    (requests + more.0, errors + more.1, buckets)
}

/// The labels of a line in the other order, with blanks where they may be.
fn turned(line: &str) -> String {
    match (line.split_once('{'), line.rsplit_once("} ")) {
        (Some((name, _)), Some((head, value))) => {
            let labels = &head[name.len() + 1..];
            let (first, second) = labels.rsplit_once("\",").unwrap();
            format!("  {name} {{ {second} , {first}\" , }}\t{value} ")
        }
        _ => line.to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn order_spelling_and_comments_never_change_a_verdict(
        first in traffic(),
        more in traffic(),
        turn in 0_usize..11,
        spelling in 0_usize..3,
        turns_labels in any::<bool>(),
    ) {
        let last = first.and(&more);
        let plain = between((0, first.body()), (1, last.body()));
        let mut lines = last.lines(spelling);
        lines.rotate_left(turn);
        if turns_labels {
            lines = lines.iter().map(|line| turned(line)).collect();
        }
        let mut body = String::from("# a comment\n\n# HELP http_requests_total Requests\n");
        for line in lines {
            writeln!(body, "{line}\n# between").unwrap();
        }
        let other = between((0, first.body()), (1, body));
        prop_assert_eq!(&other, &plain);
        prop_assert_eq!(verdict(&other), verdict(&plain));
    }

    #[test]
    fn two_windows_add_up_to_the_one_over_both(first in traffic(), second in traffic(), third in traffic()) {
        let (t0, t1) = (first.clone(), first.and(&second));
        let t2 = t1.and(&third);
        let whole = between((0, t0.body()), (2, t2.body()));
        let earlier = between((0, t0.body()), (1, t1.body()));
        let later = between((1, t1.body()), (2, t2.body()));
        prop_assert_eq!(sum(counts(&earlier), &counts(&later)), counts(&whole));
        prop_assert_eq!((earlier.resets, later.resets, whole.resets), (0, 0, 0));
    }

    /// After a restart in the second window its first life is known of the
    /// first window alone; nothing is ever counted twice, or in the whole and
    /// not in a part.
    #[test]
    fn windows_around_a_restart_add_up_too(
        before in traffic(),
        second in traffic(),
        third in traffic(),
        restarts_in_first in any::<bool>(),
    ) {
        let reborn = Counted::nothing(before.started_at + 40);
        let (t1, t2) = if restarts_in_first {
            let t1 = reborn.and(&second);
            (t1.clone(), t1.and(&third))
        } else {
            (before.and(&second), reborn.and(&third))
        };
        let whole = between((0, before.body()), (2, t2.body()));
        let earlier = between((0, before.body()), (1, t1.body()));
        let later = between((1, t1.body()), (2, t2.body()));
        let parts = sum(counts(&earlier), &counts(&later));
        prop_assert_eq!(whole.resets, 1);
        prop_assert_eq!(earlier.resets + later.resets, 1);
        if restarts_in_first {
            prop_assert_eq!(parts, counts(&whole));
        } else {
            prop_assert_eq!(counts(&later), counts(&whole));
            prop_assert!(parts.0 >= whole.requests && parts.1 >= whole.errors);
        }
    }

    #[test]
    fn what_an_earlier_life_had_counted_never_changes_a_verdict(
        one in traffic(),
        other in traffic(),
        life in traffic(),
    ) {
        let last = Counted::nothing(one.started_at + 40).and(&life);
        let after_one = between((0, one.body()), (1, last.body()));
        let after_other = between((0, other.body()), (1, last.body()));
        prop_assert_eq!(&after_one, &after_other);
        prop_assert_eq!(after_one.resets, 1);
        prop_assert_eq!(verdict(&after_one), verdict(&after_other));
    }

    #[test]
    fn a_restart_never_counts_less_than_its_new_life_did(before in traffic(), life in traffic()) {
        // Nothing but the counters themselves tells of it.
        let last = Counted { started_at: before.started_at, ..life.clone() };
        let found = between((0, before.body()), (1, last.body()));
        let fell = before.requests.iter().zip(last.requests).any(|(was, is)| is < *was)
            || cumulative(&before).iter().zip(cumulative(&last)).any(|(was, is)| is < *was);
        let whole_life = between((0, Counted::nothing(before.started_at).body()), (1, last.body()));
        prop_assert_eq!(found.resets, u64::from(fell));
        if fell {
            prop_assert_eq!(counts(&found), counts(&whole_life));
        } else {
            prop_assert!(found.requests <= whole_life.requests);
        }
    }

    #[test]
    fn parse_print_parse_is_identity(
        lines in prop::collection::vec(
            prop::sample::select(vec![
                "# TYPE a counter", "# TYPE a gauge", "# HELP a x", "# HELP a y \\\\ \\n", "# UNIT a seconds",
                "# TYPE \"b c\" histogram", "# HELP \"b c\"", "# comment", "", " \t",
                "a 1", "a_total 2 1763901711", "a_total{x=\"1\"} 2.5 # {t=\"}\"} 1 5", "{\"b c_bucket\",le=\"+Inf\"} +Inf",
                "b{z=\"1\",y=\"2\",} NaN", "b{y=\"\"} -0", "c{p=\"\\\\\\\"\\n,={}\"} 1e-320", "{\"ü\"} -Inf 5",
            ]),
            0..12,
        ),
        is_openmetrics in any::<bool>(),
    ) {
        let format = if is_openmetrics { Format::OpenMetrics } else { Format::Text };
        let end = if is_openmetrics { "# EOF\n" } else { "" };
        let body = lines.iter().fold(String::new(), |body, line| body + line + "\n") + end;
        if let Ok(exposition) = parse(&body, format) {
            let printed = exposition.to_string();
            let again = parse(&printed, format);
            prop_assert_eq!(again.as_ref(), Ok(&exposition));
            prop_assert_eq!(again.unwrap().to_string(), printed);
        }
    }
}

proptest! {
    /// On what the library can read it is a second opinion.
    #[test]
    fn simple_text_is_read_as_prometheus_parse_reads_it(
        series in prop::collection::btree_map(
            ("[a-z_]{1,8}", prop::collection::btree_map("[a-z]{1,4}", "[A-Za-z0-9/ ._-]{1,8}", 0..3)),
            -1e9_f64..1e9,
            1..12,
        ),
        counts in prop::array::uniform3(0_u32..1000),
    ) {
        // `le` and `quantile` mean something to the library in any family.
        let is_plain = |labels: &BTreeMap<String, String>| !labels.contains_key("le");
        let mut body = String::new();
        for ((name, labels), value) in series.iter().filter(|((_, labels), _)| is_plain(labels)) {
            let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            writeln!(body, "Z{name}{labels} {value}").unwrap();
        }
        writeln!(body, "# TYPE Histogram histogram").unwrap();
        for (bound, count) in ["0.5", "1", "+Inf"].iter().zip(counts) {
            writeln!(body, "Histogram_bucket{{le=\"{bound}\"}} {count}").unwrap();
        }

        let ours = parse(&body, Format::Text).unwrap();
        let theirs = prometheus_parse::Scrape::parse(body.lines().map(|line| Ok(line.to_owned()))).unwrap();
        let mut read = 0;
        for sample in &theirs.samples {
            let of_it = ours.samples().iter().filter(|our| {
                our.name == sample.metric
                    && our.labels.len() == sample.labels.len()
                    && our.labels.iter().all(|label| sample.labels.get(&label.name) == Some(label.value.as_ref()))
            });
            match &sample.value {
                prometheus_parse::Value::Untyped(value) => {
                    let found: Vec<f64> = of_it.map(|our| our.value).collect();
                    prop_assert_eq!(found, vec![*value]);
                    read += 1;
                }
                prometheus_parse::Value::Histogram(buckets) => {
                    let found: Vec<(f64, f64)> = buckets.iter().map(|one| (one.less_than, one.count)).collect();
                    let expected: Vec<(f64, f64)> = ours
                        .named("Histogram_bucket")
                        .map(|our| (our.label("le").unwrap().parse().unwrap(), our.value))
                        .collect();
                    prop_assert_eq!(found, expected);
                    read += 3;
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert_eq!(read, ours.samples().len());
    }
}

fn cumulative(counted: &Counted) -> [u32; BOUNDS.len()] {
    let mut below = 0;
    counted.durations.map(|value| {
        below += value;
        below
    })
}
