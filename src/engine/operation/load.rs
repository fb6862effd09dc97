//! `load`: probe traffic through the proxy, labelled as such, with a picture
//! of what came back. The slots are scraped meanwhile, so that a promotion
//! right afterwards has its window.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::super::action::LoadPlan;
use super::super::context::{Context, Step};
use super::super::faults;
use super::super::halt::Halt;
use super::super::probe::{plain, public_address};
use super::super::stage::Stage;
use crate::domain::stack::Role;

/// Requests under way at most: a service that hangs must not pile them up.
const IN_FLIGHT: usize = 256;

/// Nobody probes a small service harder than this by accident.
const MOST_RPS: u32 = 2_000;

/// The header that tells probe traffic from users'.
const LABEL: (&str, &str) = ("x-swiftdeploy-probe", "load");

/// Longest latency told apart, in microseconds.
const LONGEST_MICROS: u64 = 120_000_000;

/// What came back so far.
struct Tally {
    sent: u64,
    statuses: BTreeMap<String, u64>,
    latencies: Histogram<u64>,
}

pub(super) async fn run(context: &Context, plan: LoadPlan) -> Result<String, Halt> {
    if plan.rps == 0 || plan.rps > MOST_RPS || plan.lasting.is_zero() {
        return Err(Halt::failed(
            format!("{} requests per second for {} s is no load", plan.rps, plan.lasting.as_secs_f64()),
            format!("ask for 1 to {MOST_RPS} requests per second and a time above zero"),
        ));
    }
    let stage = Stage::of(context).await?;
    if stage.observed.proxy().is_none() {
        return Err(Halt::failed("no proxy runs that could be asked", "run `swiftdeploy deploy`"));
    }
    let name = format!("{} requests/s for {} s", plan.rps, plan.lasting.as_secs());
    let tally = context.step(&name, async |step| drive(context, &stage, plan, &step).await).await?;
    Ok(summary(&tally))
}

async fn drive(
    context: &Context,
    stage: &Stage,
    plan: LoadPlan,
    step: &Step,
) -> Result<(Tally, String), Halt> {
    let url = format!("http://{}/", public_address(stage.manifest()));
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(stage.manifest().nginx.proxy_timeout + Duration::from_secs(5))
        .build()
        .map_err(|error| Halt::failed(plain(&error), "repeat"))?;
    let latencies = Histogram::new_with_bounds(1, LONGEST_MICROS, 3)
        .map_err(|error| Halt::failed(error.to_string(), "repeat"))?;
    let mut tally = Tally { sent: 0, statuses: BTreeMap::new(), latencies };
    let wanted = u64::from(plan.rps) * u64::try_from(plan.lasting.as_millis()).unwrap_or(u64::MAX) / 1000;
    let mut pace = tokio::time::interval(Duration::from_secs(1) / plan.rps);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut look = tokio::time::interval(stage.manifest().status.interval);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut under_way: JoinSet<(String, Duration)> = JoinSet::new();
    loop {
        let may_send = tally.sent < wanted.max(1) && under_way.len() < IN_FLIGHT;
        tokio::select! {
            _ = pace.tick(), if may_send => {
                tally.sent += 1;
                under_way.spawn(one(client.clone(), url.clone(), context.core.clock.clone()));
            }
            Some(done) = under_way.join_next() => {
                if let Ok((status, latency)) = done {
                    tally.count(status, latency);
                }
            }
            _ = look.tick() => {
                scrape(context, stage).await;
                #[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
                let fraction = tally.sent as f64 / wanted.max(1) as f64;
                step.progress(tally.line(), Some(fraction));
            }
            () = context.cancel.cancelled() => return Err(Halt::Cancelled),
        }
        if tally.sent >= wanted.max(1) && under_way.is_empty() {
            scrape(context, stage).await;
            let line = tally.line();
            return Ok((tally, line));
        }
    }
}

async fn one(client: reqwest::Client, url: String, clock: crate::clock::SharedClock) -> (String, Duration) {
    let began = clock.instant();
    let outcome = async {
        let answer = client.get(&url).header(LABEL.0, LABEL.1).send().await?;
        let status = answer.status();
        answer.bytes().await?;
        Ok::<_, reqwest::Error>(status.as_u16().to_string())
    }
    .await;
    let status = outcome.unwrap_or_else(|error| format!("failed: {}", plain(&error)));
    (status, clock.instant().saturating_duration_since(began))
}

/// Looks at every slot that runs; what fails is seen by the watch and the
/// gates, the load goes on.
async fn scrape(context: &Context, stage: &Stage) {
    let Ok(observed) = stage.session.runtime.observe().await else { return };
    for instance in observed.instances.iter().filter(|instance| matches!(instance.role, Role::App { .. })) {
        let clock = &*context.core.clock;
        if context
            .core
            .measurements
            .look(instance, stage.manifest(), stage.longest_request, clock)
            .await
            .is_ok()
        {
            faults::observe(&context.core, &stage.prober, instance).await;
        }
    }
}

impl Tally {
    fn count(&mut self, status: String, latency: Duration) {
        *self.statuses.entry(status).or_default() += 1;
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST_MICROS);
        self.latencies.saturating_record(micros.clamp(1, LONGEST_MICROS));
    }

    fn line(&self) -> String {
        let statuses: Vec<String> =
            self.statuses.iter().map(|(status, count)| format!("{status} × {count}")).collect();
        format!(
            "{} sent; {}",
            self.sent,
            if statuses.is_empty() { "no answer yet".into() } else { statuses.join(", ") }
        )
    }
}

fn summary(tally: &Tally) -> String {
    if tally.latencies.is_empty() {
        return tally.line();
    }
    let millis = |quantile: f64| {
        Duration::from_micros(tally.latencies.value_at_quantile(quantile)).as_secs_f64() * 1e3
    };
    format!("{}; median {:.1} ms, P99 {:.1} ms", tally.line(), millis(0.5), millis(0.99))
}
