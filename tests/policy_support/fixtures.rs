//! The table of decisions.

use serde_json::{Value, json};
use swiftdeploy::policy::Verdict::{self, Fail, Inconclusive, Pass};

use super::{good_canary, limits, roomy_host, with, without};

/// Facts and limits, and what must come of them.
pub struct Fixture {
    pub name: &'static str,
    pub package: &'static str,
    pub limits: Value,
    pub input: Value,
    pub verdict: Verdict,
    pub codes: &'static [&'static str],
}

fn infra(name: &'static str, input: Value, verdict: Verdict, codes: &'static [&'static str]) -> Fixture {
    Fixture { name, package: "infra", limits: limits(), input, verdict, codes }
}

fn canary(name: &'static str, changes: Value, verdict: Verdict, codes: &'static [&'static str]) -> Fixture {
    Fixture { name, package: "canary", limits: limits(), input: with(good_canary(), changes), verdict, codes }
}

impl Fixture {
    fn limits(mut self, changes: Value) -> Self {
        self.limits = with(self.limits, changes);
        self
    }

    fn without_limit(mut self, name: &str) -> Self {
        self.limits = without(self.limits, name);
        self
    }

    fn input(mut self, input: Value) -> Self {
        self.input = input;
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.input = without(self.input, name);
        self
    }
}

fn infra_fixtures() -> Vec<Fixture> {
    vec![
        infra("a roomy host", roomy_host(), Pass, &[]),
        infra(
            "exactly at both limits",
            with(roomy_host(), json!({"disk_free_gb": 10.0, "cpu_load": 2})),
            Pass,
            &[],
        ),
        infra("a full disk", with(roomy_host(), json!({"disk_free_gb": 4.196})), Fail, &["disk_free_low"]),
        infra(
            "just below the disk limit",
            with(roomy_host(), json!({"disk_free_gb": 9.999})),
            Fail,
            &["disk_free_low"],
        ),
        infra("a busy host", with(roomy_host(), json!({"cpu_load": 3.5})), Fail, &["cpu_load_high"]),
        infra(
            "just above the load limit",
            with(roomy_host(), json!({"cpu_load": 2.001})),
            Fail,
            &["cpu_load_high"],
        ),
        infra(
            "a load that OPA takes for its limit",
            with(roomy_host(), json!({"cpu_load": 20.0})),
            Fail,
            &["cpu_load_high"],
        ),
        infra(
            "a disk limit that OPA takes for the fact",
            with(roomy_host(), json!({"disk_free_gb": 1})),
            Fail,
            &["disk_free_low"],
        )
        .limits(json!({"disk_free_gb": 10.0})),
        infra("zero written as a decimal", with(roomy_host(), json!({"cpu_load": 0.0})), Pass, &[])
            .limits(json!({"cpu_load": 0.5})),
        infra(
            "both",
            with(roomy_host(), json!({"disk_free_gb": 0, "cpu_load": 7})),
            Fail,
            &["disk_free_low", "cpu_load_high"],
        ),
        infra("no disk fact", without(roomy_host(), "disk_free_gb"), Fail, &["facts_missing"]),
        infra("a load that is null", with(roomy_host(), json!({"cpu_load": null})), Fail, &["facts_missing"]),
        infra(
            "a number as text",
            with(roomy_host(), json!({"disk_free_gb": "80"})),
            Fail,
            &["facts_missing"],
        ),
        infra("a negative load", with(roomy_host(), json!({"cpu_load": -1})), Fail, &["facts_missing"]),
        infra("no facts at all", json!({}), Fail, &["facts_missing", "facts_missing"]),
        infra("facts that are no object", json!([80, 0.4]), Fail, &["facts_missing", "facts_missing"]),
        infra("facts that are null", json!(null), Fail, &["facts_missing", "facts_missing"]),
        infra(
            "sources of a wrong type",
            with(roomy_host(), json!({"sources": "here", "cpus": "two"})),
            Pass,
            &[],
        ),
        infra("no processors", with(roomy_host(), json!({"cpus": 0})), Pass, &[]),
        infra("no disk limit", roomy_host(), Fail, &["limits_missing"]).without_limit("disk_free_gb"),
        infra("a limit as text", roomy_host(), Fail, &["limits_missing"]).limits(json!({"cpu_load": "2.0"})),
        infra("neither facts nor limits", json!({}), Fail, &["limits_missing", "facts_missing"])
            .without_limit("disk_free_gb"),
    ]
}

fn error_fixtures() -> Vec<Fixture> {
    vec![
        canary("serving well", json!({}), Pass, &[]),
        canary(
            "half of all fail",
            json!({"requests": 100, "errors": 52, "error_rate": 0.52}),
            Fail,
            &["error_rate_high"],
        ),
        canary(
            "errors exactly at the limit",
            json!({"requests": 100, "errors": 1, "error_rate": 0.01}),
            Pass,
            &[],
        ),
        canary(
            "errors just above the limit",
            json!({"requests": 9900, "errors": 100, "error_rate": 100.0 / 9900.0, "latency_buckets": buckets(9850, 9900)}),
            Fail,
            &["error_rate_high"],
        ),
        canary("nothing fails", json!({"errors": 0, "error_rate": 0}), Pass, &[]),
        canary("everything fails", json!({"errors": 300, "error_rate": 1}), Fail, &["error_rate_high"]),
        canary(
            "a rate without a short decimal form",
            json!({"requests": 97, "errors": 32, "error_rate": 32.0 / 97.0}),
            Fail,
            &["error_rate_high"],
        ),
        canary(
            "no failure is allowed",
            json!({"requests": 40000, "error_rate": 0.000_025, "latency_buckets": buckets(39_900, 40_000)}),
            Fail,
            &["error_rate_high"],
        )
        .limits(json!({"error_rate": 0})),
        canary("errors of a wrong type", json!({"errors": "1"}), Fail, &["facts_missing"]),
        canary("a rate that is null with requests", json!({"error_rate": null}), Fail, &["facts_missing"]),
        canary("a rate above one", json!({"error_rate": 1.5}), Fail, &["facts_missing"]),
        canary("a rate that is not there", json!({}), Fail, &["facts_missing"]).without("error_rate"),
        canary("no limit of errors", json!({}), Fail, &["limits_missing"]).without_limit("error_rate"),
        canary("a limit in percent", json!({}), Fail, &["limits_missing"]).limits(json!({"error_rate": 5})),
        canary("a limit as text", json!({}), Fail, &["limits_missing"])
            .limits(json!({"p99_latency_ms": "500"})),
        canary(
            "stable fails too",
            json!({"errors": 9, "error_rate": 0.03, "stable": {"requests": 903, "errors": 90, "error_rate": 0.099_667, "p99_latency_ms": null}}),
            Fail,
            &["error_rate_high"],
        ),
        canary(
            "a sample that shows little",
            json!({"confidence": {"level": 0.95, "error_rate_at_most": 0.015_73}}),
            Pass,
            &[],
        ),
        canary("a confidence of a wrong type", json!({"confidence": {"level": "95 %"}}), Pass, &[]),
        canary("no stable beside it", json!({"stable": null}), Pass, &[]),
        canary(
            "stable without requests",
            json!({"stable": {"requests": 0, "errors": 0, "error_rate": null, "p99_latency_ms": null}}),
            Pass,
            &[],
        ),
    ]
}

fn buckets(at_limit: u32, total: u32) -> Value {
    json!([{"le_ms": 250, "count": 10}, {"le_ms": 500, "count": at_limit}, {"le_ms": 1000, "count": total}, {"le_ms": null, "count": total}])
}

#[allow(clippy::too_many_lines, reason = "a table; each line is a case")]
fn latency_fixtures() -> Vec<Fixture> {
    let no_edge =
        json!([{"le_ms": 400, "count": 280}, {"le_ms": 800, "count": 300}, {"le_ms": null, "count": 300}]);
    vec![
        canary(
            "exactly 99 of 100 at the edge",
            json!({"p99_latency_ms": 500, "latency_buckets": buckets(297, 300)}),
            Pass,
            &[],
        ),
        canary(
            "one too few at the edge",
            json!({"p99_latency_ms": 503.4, "p99_bucket": [500, 1000], "latency_buckets": buckets(296, 300)}),
            Fail,
            &["p99_high"],
        ),
        canary(
            "the edge decides against a rounded figure",
            json!({"p99_latency_ms": 500, "p99_bucket": [250, 500], "latency_buckets": buckets(296, 300)}),
            Fail,
            &["p99_high"],
        ),
        canary(
            "the edge decides without a figure",
            json!({"p99_latency_ms": null, "p99_bucket": null, "latency_buckets": buckets(300, 300)}),
            Pass,
            &[],
        ),
        canary(
            "no edge, estimated below",
            json!({"p99_latency_ms": 499.94, "p99_bucket": [400, 800], "latency_buckets": no_edge}),
            Pass,
            &[],
        ),
        canary(
            "no edge, estimated exactly at the limit",
            json!({"p99_latency_ms": 500.0, "p99_bucket": [400, 800], "latency_buckets": no_edge}),
            Pass,
            &[],
        ),
        canary(
            "no edge, estimated above",
            json!({"p99_latency_ms": 740, "p99_bucket": [400, 800], "latency_buckets": no_edge}),
            Fail,
            &["p99_high"],
        ),
        canary(
            "no edge, a hair above",
            json!({"p99_latency_ms": 500.001, "p99_bucket": [400, 800], "latency_buckets": no_edge}),
            Fail,
            &["p99_high"],
        ),
        canary(
            "one duration of a thousand requests",
            json!({"requests": 1000, "error_rate": 0.001, "p99_latency_ms": 99, "p99_bucket": [0, 100], "latency_buckets": [
                {"le_ms": 100, "count": 1}, {"le_ms": 500, "count": 1}, {"le_ms": null, "count": 1},
            ]}),
            Inconclusive,
            &["p99_unknown"],
        ),
        canary(
            "as few durations as a scrape may see",
            json!({"requests": 300, "p99_latency_ms": 430, "latency_buckets": buckets(280, 280)}),
            Pass,
            &[],
        ),
        canary(
            "one duration too few",
            json!({"requests": 300, "p99_latency_ms": 430, "latency_buckets": buckets(279, 279)}),
            Inconclusive,
            &["p99_unknown"],
        ),
        canary(
            "a slow one of a few durations",
            json!({"requests": 300, "p99_latency_ms": 980, "p99_bucket": [500, 1000], "latency_buckets": buckets(50, 90)}),
            Inconclusive,
            &["p99_unknown"],
        ),
        canary(
            "durations of the health checks too",
            json!({"requests": 300, "p99_latency_ms": 430, "latency_buckets": buckets(360, 360)}),
            Pass,
            &[],
        ),
        canary("a bucket of a wrong type", json!({"p99_bucket": "250-500"}), Fail, &["facts_missing"]),
        canary("buckets of a wrong type", json!({"latency_buckets": {"500": 1}}), Fail, &["facts_missing"]),
        canary(
            "buckets with counts of a wrong type",
            json!({"p99_latency_ms": null, "p99_bucket": null, "latency_buckets": [{"le_ms": 500, "count": "9"}, {"le_ms": null}, 7]}),
            Inconclusive,
            &["p99_unknown"],
        ),
        canary("a P99 as text", json!({"p99_latency_ms": "430"}), Fail, &["facts_missing"]),
        canary("a P99 that is not there", json!({}), Fail, &["facts_missing"]).without("p99_latency_ms"),
        canary("no limit of latency", json!({}), Fail, &["limits_missing"]).without_limit("p99_latency_ms"),
        canary(
            "slow and failing",
            json!({"error_rate": 0.1, "errors": 30, "p99_latency_ms": 503.4, "p99_bucket": [500, 1000], "latency_buckets": buckets(10, 300)}),
            Fail,
            &["error_rate_high", "p99_high"],
        ),
        canary(
            "failing with an unknown P99",
            json!({"error_rate": 0.1, "errors": 30, "p99_latency_ms": null, "p99_bucket": null, "latency_buckets": []}),
            Fail,
            &["error_rate_high", "p99_unknown"],
        ),
    ]
}

fn unbounded_fixtures() -> Vec<Fixture> {
    let ends_low = json!([{"le_ms": 300, "count": 200}, {"le_ms": null, "count": 300}]);
    let ends_high = json!([{"le_ms": 700, "count": 200}, {"le_ms": null, "count": 300}]);
    vec![
        canary(
            "in the last bucket, below the limit",
            json!({"p99_latency_ms": 300, "p99_bucket": [300, null], "latency_buckets": ends_low}),
            Inconclusive,
            &["p99_unknown"],
        ),
        canary(
            "figures that OPA takes for their limit",
            json!({"p99_latency_ms": 5000.0, "p99_bucket": [2500.0, 10000.0], "latency_buckets": []}),
            Fail,
            &["p99_high"],
        )
        .limits(json!({"p99_latency_ms": 500.0})),
        canary(
            "a bound that OPA takes for the limit",
            json!({"p99_latency_ms": 50.0, "p99_bucket": [50.0, null], "latency_buckets": [
                {"le_ms": 50.0, "count": 100.0}, {"le_ms": null, "count": 300.0},
            ]}),
            Inconclusive,
            &["p99_unknown"],
        )
        .limits(json!({"p99_latency_ms": 500.0})),
        canary(
            "an edge that OPA takes for the limit",
            json!({"p99_latency_ms": 4900.0, "p99_bucket": [500.0, 5000.0], "latency_buckets": [
                {"le_ms": 5000.0, "count": 300.0}, {"le_ms": null, "count": 300.0},
            ]}),
            Fail,
            &["p99_high"],
        )
        .limits(json!({"p99_latency_ms": 500.0})),
        canary(
            "zeros written as decimals",
            json!({"errors": 0.0, "error_rate": 0.0, "restarts": 0.0}),
            Pass,
            &[],
        ),
        canary(
            "in the last bucket, above the limit",
            json!({"p99_latency_ms": 700, "p99_bucket": [700, null], "latency_buckets": ends_high}),
            Fail,
            &["p99_high"],
        ),
        canary(
            "in the last bucket, at the limit",
            json!({"p99_latency_ms": 500, "p99_bucket": [500, null], "latency_buckets": [{"le_ms": 500, "count": 200}, {"le_ms": null, "count": 300}]}),
            Fail,
            &["p99_high"],
        ),
        canary(
            "in the last bucket, at the limit, without buckets",
            json!({"p99_latency_ms": 500, "p99_bucket": [500, null], "latency_buckets": []}),
            Fail,
            &["p99_high"],
        ),
        canary(
            "no histogram",
            json!({"p99_latency_ms": null, "p99_bucket": null, "latency_buckets": []}),
            Inconclusive,
            &["p99_unknown"],
        ),
        canary(
            "a histogram that counted nothing",
            json!({"p99_latency_ms": null, "p99_bucket": null, "latency_buckets": buckets(0, 0)}),
            Inconclusive,
            &["p99_unknown"],
        ),
        canary(
            "a figure without its bucket",
            json!({"p99_latency_ms": 20, "p99_bucket": null, "latency_buckets": []}),
            Inconclusive,
            &["p99_unknown"],
        ),
        canary(
            "a high figure without its bucket",
            json!({"p99_latency_ms": 900, "p99_bucket": null, "latency_buckets": []}),
            Fail,
            &["p99_high"],
        ),
    ]
}

fn evidence_fixtures() -> Vec<Fixture> {
    let nothing = json!({"requests": 0, "errors": 0, "error_rate": null, "p99_latency_ms": null, "p99_bucket": null, "latency_buckets": []});
    let unreachable = json!({
        "requests": null, "errors": null, "error_rate": null, "request_rate": null, "p99_latency_ms": null,
        "p99_bucket": null, "latency_buckets": [], "window_seconds": null, "resets": null, "vanished": null, "stable": null,
        "metrics_error": {"code": "timed_out", "message": "metrics timed out at http://172.18.0.3:3000/metrics after 2000 ms"},
    });
    vec![
        canary(
            "too few requests",
            json!({"requests": 12, "errors": 0, "error_rate": 0}),
            Inconclusive,
            &["too_few_requests"],
        ),
        canary(
            "too few requests, half of them failed",
            json!({"requests": 12, "errors": 6, "error_rate": 0.5}),
            Inconclusive,
            &["too_few_requests"],
        ),
        canary("one request short", json!({"requests": 49}), Inconclusive, &["too_few_requests"]),
        canary("just enough requests", json!({"requests": 50, "errors": 0, "error_rate": 0}), Pass, &[]),
        canary("no requests", nothing.clone(), Inconclusive, &["too_few_requests"]),
        canary(
            "no requests though none are needed",
            with(nothing.clone(), json!({"samples_needed": 0})),
            Inconclusive,
            &["too_few_requests"],
        ),
        canary("min_requests of data.json counts", json!({}), Inconclusive, &["too_few_requests"])
            .limits(json!({"min_requests": 500})),
        canary(
            "min_requests of data.json may be lower",
            json!({"requests": 20, "samples_needed": 50}),
            Pass,
            &[],
        )
        .limits(json!({"min_requests": 20})),
        canary(
            "min_requests of zero still needs one",
            with(nothing.clone(), json!({"samples_needed": 0})),
            Inconclusive,
            &["too_few_requests"],
        )
        .limits(json!({"min_requests": 0})),
        canary("min_requests of a wrong type", json!({}), Fail, &["limits_missing"])
            .limits(json!({"min_requests": "20"})),
        canary("min_requests that is null", json!({}), Fail, &["limits_missing"])
            .limits(json!({"min_requests": null})),
        canary("nobody says how many are needed", json!({}), Fail, &["facts_missing"])
            .without("samples_needed"),
        canary("min_requests replaces samples_needed", json!({}), Pass, &[])
            .without("samples_needed")
            .limits(json!({"min_requests": 20})),
        canary("unhealthy", json!({"healthy": false}), Fail, &["canary_unhealthy"]),
        canary(
            "still starting",
            json!({"healthy": false, "health": "starting"}),
            Inconclusive,
            &["canary_starting"],
        ),
        canary("restarted", json!({"restarts": 2}), Fail, &["canary_restarted"]),
        canary("killed for want of memory", json!({"oom_kills": 1}), Fail, &["canary_out_of_memory"]),
        canary(
            "crashed before it served anything",
            with(nothing, json!({"healthy": false, "restarts": 3})),
            Fail,
            &["canary_unhealthy", "canary_restarted", "too_few_requests"],
        ),
        canary("health that is not known", json!({"healthy": null}), Fail, &["facts_missing"]),
        canary("restarts that are not known", json!({}), Fail, &["facts_missing"]).without("restarts"),
        canary("half a restart", json!({"restarts": 0.5}), Fail, &["facts_missing", "canary_restarted"]),
        canary("no metrics", unreachable.clone(), Inconclusive, &["metrics_unavailable"]),
        canary(
            "no metrics of a crashed canary",
            with(unreachable, json!({"healthy": false})),
            Fail,
            &["canary_unhealthy", "metrics_unavailable"],
        ),
        canary(
            "good figures beside an error of the scrape",
            json!({"metrics_error": {"code": "x"}}),
            Inconclusive,
            &["metrics_unavailable"],
        ),
        canary(
            "an error of the scrape as text",
            json!({"metrics_error": "broken"}),
            Inconclusive,
            &["metrics_unavailable"],
        ),
        canary("no source named", json!({"source": null, "sources": null}), Pass, &[]),
        canary("sources of a wrong type", json!({"source": 7, "sources": {"metrics": 7}}), Pass, &[]),
        canary("no facts at all", json!({}), Fail, NOTHING_KNOWN).input(json!({})),
        canary("facts that are no object", json!({}), Fail, NOTHING_KNOWN).input(json!("fine")),
    ]
}

/// What is wrong with no facts at all.
const NOTHING_KNOWN: &[&str] = &[
    "facts_missing",
    "facts_missing",
    "facts_missing",
    "facts_missing",
    "facts_missing",
    "facts_missing",
    "facts_missing",
    "facts_missing",
    "facts_missing",
    "facts_missing",
    "facts_missing",
    "proxy_unknown",
];

fn lifetime_fixtures() -> Vec<Fixture> {
    vec![
        canary(
            "a process restarted in the window",
            json!({"resets": 1}),
            Inconclusive,
            &["process_restarted"],
        ),
        canary(
            "a process vanished in the window",
            json!({"vanished": 1}),
            Inconclusive,
            &["process_vanished"],
        ),
        canary(
            "restarted, and failing since",
            json!({"resets": 1, "errors": 30, "error_rate": 0.1}),
            Fail,
            &["process_restarted", "error_rate_high"],
        ),
        canary(
            "restarted, with too few requests since",
            json!({"resets": 2, "vanished": 1, "requests": 7}),
            Inconclusive,
            &["process_restarted", "process_vanished", "too_few_requests"],
        ),
        canary(
            "restarted by the engine too",
            json!({"resets": 1, "restarts": 1}),
            Fail,
            &["canary_restarted", "process_restarted"],
        ),
        canary("resets of a wrong type", json!({"resets": "0"}), Fail, &["facts_missing"]),
        canary("resets that are not known", json!({}), Fail, &["facts_missing"]).without("resets"),
        canary("vanished that is not known", json!({"vanished": null}), Fail, &["facts_missing"]),
        canary(
            "a window that is too short yet",
            json!({"metrics_error": {"code": "window_too_short", "message": "the window is 12000 ms"}}),
            Inconclusive,
            &["metrics_unavailable"],
        ),
        canary(
            "series that a scrape lacks",
            json!({"metrics_error": {"code": "metrics_series_lost", "message": "metrics incomplete: a series"}}),
            Inconclusive,
            &["metrics_unavailable"],
        ),
        canary(
            "one of two that cannot be read",
            json!({"instances": 2, "metrics_error": {
                "code": "metrics_http", "message": "metrics answered HTTP 500", "instance": "app-green at 172.18.0.4:3000",
            }}),
            Inconclusive,
            &["metrics_unavailable"],
        ),
        canary(
            "unwell, and told why",
            json!({"healthy": false, "health_detail": "app-green at 172.18.0.3:3000 fails its health check: 503"}),
            Fail,
            &["canary_unhealthy"],
        ),
    ]
}

fn proxy_fixtures() -> Vec<Fixture> {
    let nothing = json!({"requests": 0, "errors": 0, "error_rate": null, "p99_latency_ms": null, "p99_bucket": null, "latency_buckets": []});
    vec![
        canary("few requests got no answer", json!({"proxy_failures": 2}), Pass, &[]),
        canary(
            "exactly at the limit with those of the proxy",
            json!({"requests": 99, "errors": 0, "error_rate": 0, "proxy_failures": 1}),
            Pass,
            &[],
        ),
        canary(
            "just above the limit with those of the proxy",
            json!({"requests": 198, "errors": 1, "error_rate": 1.0 / 198.0, "proxy_failures": 1.0}),
            Fail,
            &["proxy_failures"],
        )
        .limits(json!({"error_rate": 0.0099})),
        canary("many requests got no answer", json!({"proxy_failures": 40}), Fail, &["proxy_failures"]),
        canary(
            "no request got an answer",
            with(nothing.clone(), json!({"proxy_failures": 500})),
            Fail,
            &["proxy_failures", "too_few_requests"],
        ),
        canary(
            "hardly a request, and none got an answer",
            with(nothing.clone(), json!({"proxy_failures": 49})),
            Inconclusive,
            &["too_few_requests"],
        ),
        canary(
            "the app fails and the proxy sees more",
            json!({"errors": 30, "error_rate": 0.1, "proxy_failures": 30}),
            Fail,
            &["proxy_failures", "error_rate_high"],
        ),
        canary(
            "the app fails, which is no failure of the proxy",
            json!({"errors": 30, "error_rate": 0.1}),
            Fail,
            &["error_rate_high"],
        ),
        canary(
            "the proxy does not tell",
            json!({"proxy_failures": null, "proxy_error": "counting: /var/tmp/failures.log is not there"}),
            Inconclusive,
            &["proxy_unknown"],
        ),
        canary("a count of the proxy that is not there", json!({}), Inconclusive, &["proxy_unknown"])
            .without("proxy_failures"),
        canary(
            "a count of the proxy as text",
            json!({"proxy_failures": "0", "proxy_error": 7}),
            Inconclusive,
            &["proxy_unknown"],
        ),
        canary(
            "a negative count of the proxy",
            json!({"proxy_failures": -1}),
            Inconclusive,
            &["proxy_unknown"],
        ),
        canary(
            "the proxy does not tell and the app fails",
            json!({"proxy_failures": null, "errors": 30, "error_rate": 0.1}),
            Fail,
            &["proxy_unknown", "error_rate_high"],
        ),
        canary(
            "unanswered requests without metrics are no share",
            json!({"proxy_failures": 500, "metrics_error": {"code": "metrics_http", "message": "HTTP 404"}}),
            Inconclusive,
            &["metrics_unavailable"],
        ),
        canary(
            "unanswered requests without a limit",
            json!({"proxy_failures": 500}),
            Fail,
            &["limits_missing"],
        )
        .without_limit("error_rate"),
    ]
}

/// Every fixture of both packages.
pub fn all() -> Vec<Fixture> {
    [
        infra_fixtures(),
        error_fixtures(),
        latency_fixtures(),
        unbounded_fixtures(),
        evidence_fixtures(),
        lifetime_fixtures(),
        proxy_fixtures(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
