//! What the gates see, for people and as JSON: the sums first, then each
//! process and series that they come from.

use serde_json::{Value, json};

use super::{Paint, clean};
use crate::domain::figure;
use crate::engine::{GroupMetrics, NoWindow, Seen};
use crate::telemetry::{Bucket, Figures, InstanceDetail, Life, SeriesDetail, Why};

/// One group as JSON: what `--from A --to B` prints is in `figures`.
pub(in super::super) fn group_json(group: &GroupMetrics) -> Value {
    let details = group.window.as_ref().map(|window| window.instances.as_slice()).unwrap_or_default();
    let mut instances: Vec<Value> = group
        .instances
        .iter()
        .map(|Seen { id, service, endpoint }| {
            let detail = details.iter().find(|detail| detail.instance == *id);
            json!({
                "instance": id,
                "service": service,
                "endpoint": endpoint,
                "life": detail.map(|detail| detail.life),
                "requests": detail.map(|detail| &detail.requests),
                "durations": detail.map(|detail| &detail.durations),
            })
        })
        .collect();
    let is_known = |detail: &&InstanceDetail| group.instances.iter().any(|seen| seen.id == detail.instance);
    instances.extend(details.iter().filter(|detail| !is_known(detail)).map(|detail| {
        json!({
            "instance": detail.instance,
            "service": null,
            "endpoint": null,
            "life": detail.life,
            "requests": detail.requests,
            "durations": detail.durations,
        })
    }));
    json!({
        "mode": group.mode,
        "slot": group.slot,
        "version": group.version,
        "figures": group.window.as_ref().ok().map(|window| Figures::from(&window.measured)),
        "fault": group.window.as_ref().err().map(|NoWindow { code, message, next, instance, .. }| {
            json!({ "code": code, "message": message, "next": next, "instance": instance })
        }),
        "instances": instances,
        "warnings": group.warnings,
    })
}

/// One group for people.
pub(in super::super) fn group_lines(group: &GroupMetrics, paint: Paint) -> Vec<String> {
    let mut lines =
        vec![paint.strong(&clean(&format!("{} {} in {}", group.mode, group.version, group.slot)))];
    match &group.window {
        Ok(window) => {
            let figures = Figures::from(&window.measured);
            lines.push(format!("window       {:.1} s", figures.window_seconds));
            lines.extend(figure_lines(&figures));
            for detail in &window.instances {
                lines.push(String::new());
                lines.extend(instance_lines(group, detail, paint));
            }
        }
        Err(fault) => {
            let about = fault.instance.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            lines.push(format!(
                "{} {}",
                paint.bad("no figures:"),
                clean(&format!("{about}{}", fault.message))
            ));
            lines.push(format!("next:  {}", fault.next));
        }
    }
    lines.extend(
        group.warnings.iter().map(|warning| format!("{} {}", paint.unsure("warning:"), clean(warning))),
    );
    lines.push(String::new());
    lines
}

/// The sums for people.
pub(in super::super) fn figure_lines(figures: &Figures) -> Vec<String> {
    let error_rate = figures.error_rate.map_or_else(|| figure::NO_DATA.to_owned(), figure::percent);
    let mut lines = vec![
        format!("requests     {} ({:.2}/s)", figures.requests, figures.request_rate),
        format!("errors       {}", figures.errors),
        format!("error rate   {error_rate}"),
        format!("P99          {}", p99(figures)),
        format!("resets       {}", figures.resets),
    ];
    if figures.vanished > 0 {
        lines.push(format!("vanished     {}", figures.vanished));
    }
    if let Some(all) = figures.buckets.last().filter(|all| all.count > 0.0) {
        lines.extend(figures.buckets.iter().map(|bucket| bucket_line(bucket, all.count)));
    }
    lines
}

fn p99(figures: &Figures) -> String {
    match (figures.p99_latency_ms, figures.p99_bucket) {
        (Some(_), Some((low, None))) => format!("above {low} ms, the highest bound"),
        (Some(ms), Some((low, Some(high)))) => {
            format!("{}, between {low} and {high} ms", figure::millis(ms))
        }
        (Some(ms), None) => figure::millis(ms),
        (None, _) => figure::NO_DATA.to_owned(),
    }
}

fn bucket_line(bucket: &Bucket, all: f64) -> String {
    let bound = bucket.le_ms.map_or_else(|| "in all".to_owned(), |bound| format!("<= {bound} ms"));
    format!("  {bound:<14} {:>8} {:>8.2} %", bucket.count, bucket.count / all * 100.0)
}

fn instance_lines(group: &GroupMetrics, detail: &InstanceDetail, paint: Paint) -> Vec<String> {
    let seen = group.instances.iter().find(|seen| seen.id == detail.instance);
    let service = seen.map_or("gone", |seen| seen.service.as_str());
    let at =
        seen.and_then(|seen| seen.endpoint).map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
    let life = match detail.life {
        Life::Whole => "lived through the window",
        Life::Restarted => "restarted in the window: every series counts from zero",
        Life::New => "came in the window: every series counts in full",
        Life::Gone => "is gone: what it did after its last scrape is not known",
    };
    let mut lines = vec![clean(&format!("{service}{at} ({}) {life}", detail.instance))];
    for series in detail.requests.iter().chain(&detail.durations) {
        lines.push(series_line(series, paint));
    }
    lines
}

/// What a series adds to the sums, from which value to which, and why not more.
fn series_line(detail: &SeriesDetail, paint: Paint) -> String {
    let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let change = format!("{} -> {}", value(detail.before), value(detail.after));
    let why = match detail.why {
        None => String::new(),
        Some(Why::ExcludedPath) => format!("  excluded path, {} not counted", detail.gained),
        Some(Why::Restarted) => "  restarted, from zero".to_owned(),
        Some(Why::New) => "  new, in full".to_owned(),
        Some(Why::Gone) => "  gone".to_owned(),
    };
    let counted = format!("+{}", detail.counted);
    format!("  {counted:>8}  {change:<20} {}{}", clean(&detail.series), paint.dim(&why))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::domain::{Mode, Slot};
    use crate::telemetry::{Names, Snapshot, explain};

    fn snapshot(instance: &str, seconds: i64, body: &str) -> Snapshot {
        Snapshot {
            instance: instance.to_owned(),
            taken_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds),
            is_openmetrics: false,
            body: body.to_owned(),
        }
    }

    /// Two processes: one lived on, one came; a third is gone.
    fn group() -> GroupMetrics {
        let names = Names::default();
        let earlier = [
            snapshot(
                "a",
                0,
                "http_requests_total{path=\"/\",status_code=\"200\"} 100\n\
                 http_requests_total{path=\"/healthz\",status_code=\"200\"} 5\n\
                 http_request_duration_seconds_bucket{path=\"/\",le=\"0.5\"} 100\n\
                 http_request_duration_seconds_bucket{path=\"/\",le=\"+Inf\"} 100\n",
            ),
            snapshot("gone", 0, "http_requests_total{path=\"/\",status_code=\"200\"} 9\n"),
            snapshot(
                "c",
                0,
                "http_requests_total{path=\"/\",status_code=\"200\"} 70\n\
                 http_requests_total{path=\"/old\",status_code=\"200\"} 3\n",
            ),
        ];
        let later = [
            snapshot(
                "a",
                30,
                "http_requests_total{path=\"/\",status_code=\"200\"} 150\n\
                 http_requests_total{path=\"/\",status_code=\"500\"} 2\n\
                 http_requests_total{path=\"/healthz\",status_code=\"200\"} 20\n\
                 http_request_duration_seconds_bucket{path=\"/\",le=\"0.5\"} 151\n\
                 http_request_duration_seconds_bucket{path=\"/\",le=\"+Inf\"} 152\n",
            ),
            snapshot(
                "c",
                30,
                "http_requests_total{path=\"/\",status_code=\"200\"} 8\n\
                 http_request_duration_seconds_bucket{path=\"/\",le=\"0.5\"} 8\n\
                 http_request_duration_seconds_bucket{path=\"/\",le=\"+Inf\"} 8\n",
            ),
        ];
        let window = explain(&earlier, &later, &names, Duration::from_secs(30)).unwrap();
        let seen = |id: &str, port| Seen {
            id: id.into(),
            service: "app-green".into(),
            endpoint: Some(([127, 0, 0, 1], port).into()),
        };
        GroupMetrics {
            slot: Slot::Green,
            mode: Mode::Canary,
            version: "1.0.1".into(),
            instances: vec![seen("a", 3001), seen("c", 3002)],
            window: Ok(window),
            warnings: vec!["no bucket edge is at the limit".into()],
        }
    }

    #[test]
    fn people_see_the_sums_and_every_series_behind_them() {
        let paint = Paint::detect(true);
        insta::assert_snapshot!(group_lines(&group(), paint).join("\n"));
    }

    #[test]
    fn json_has_the_figures_and_every_series_behind_them() {
        let json = group_json(&group());
        insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
        let counted = |instance: &Value| -> f64 {
            instance["requests"]
                .as_array()
                .unwrap()
                .iter()
                .map(|series| series["counted"].as_f64().unwrap())
                .sum()
        };
        let sum: f64 = json["instances"].as_array().unwrap().iter().map(counted).sum();
        assert_eq!(json["figures"]["requests"].as_f64(), Some(sum));
    }

    #[test]
    fn a_fault_says_of_whom_and_what_next() {
        let fault = NoWindow {
            code: "metrics_unreachable",
            message: "metrics unreachable at http://127.0.0.1:3001/metrics: refused".into(),
            next: "see whether the app runs",
            instance: Some("app-green at 127.0.0.1:3001".into()),
            is_too_short: false,
        };
        let group = GroupMetrics { window: Err(fault), ..group() };
        let json = group_json(&group);
        assert!(json["figures"].is_null());
        assert_eq!(json["fault"]["code"], "metrics_unreachable");
        assert_eq!(json["instances"][0]["endpoint"], "127.0.0.1:3001");
        let told = group_lines(&group, Paint::detect(true)).join("\n");
        assert!(told.contains("no figures: app-green at 127.0.0.1:3001: metrics unreachable"), "{told}");
        assert!(told.contains("next:  see whether the app runs"), "{told}");
    }
}
