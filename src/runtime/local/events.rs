//! What happens to the processes, found by looking again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::Shared;
use crate::runtime::{Health, Instance, RuntimeError, RuntimeEvent};

/// How often is looked.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a silent proxy holds up a look at the others.
const PATIENCE: Duration = Duration::from_secs(1);

/// Events that may wait for a slow reader; looking pauses then.
const WAITING: usize = 64;

/// Tells what changes from now on, until the reader goes.
pub async fn watch(shared: Arc<Shared>) -> Result<mpsc::Receiver<RuntimeEvent>, RuntimeError> {
    let mut before = States::of(&look(&shared).await?);
    let (events, reader) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = events.closed() => return,
                _ = ticks.tick() => {}
            }
            // What cannot be seen now will be seen at the next look.
            let Ok(instances) = look(&shared).await else { continue };
            let now = States::of(&instances);
            for event in now.since(&before) {
                if events.send(event).await.is_err() {
                    return;
                }
            }
            before = now;
        }
    });
    Ok(reader)
}

/// A proxy that does not tell what it serves is one more thing to tell here,
/// no reason to see nothing of the others.
async fn look(shared: &Shared) -> Result<Vec<Instance>, RuntimeError> {
    let proxy_answers = matches!(shared.serving(PATIENCE).await, Ok(Some(_)));
    shared.instances(proxy_answers).await
}

/// Process and health of each service.
#[derive(Debug, Default)]
struct States(BTreeMap<String, (String, Health)>);

impl States {
    fn of(instances: &[Instance]) -> Self {
        Self(
            instances.iter().map(|one| (one.service.clone(), (one.id.clone(), one.health.clone()))).collect(),
        )
    }

    /// In the words of Docker's events.
    fn since(&self, before: &Self) -> Vec<RuntimeEvent> {
        let mut events = Vec::new();
        let mut tell = |service: &str, what: &str| {
            events.push(RuntimeEvent { service: service.into(), what: what.into() });
        };
        for (service, (id, health)) in &self.0 {
            let old = before.0.get(service);
            let is_new = old.is_none_or(|(old_id, _)| old_id != id);
            let was_over = old.is_none_or(|(_, old)| matches!(old, Health::Exited(_)));
            let is_over = matches!(health, Health::Exited(_));
            if is_new && !was_over {
                tell(service, "die");
            }
            if is_new {
                tell(service, "start");
            }
            if is_over && (is_new || !was_over) {
                tell(service, "die");
            } else if !is_over && (is_new || old.is_none_or(|(_, old)| old.as_str() != health.as_str())) {
                tell(service, &format!("health_status: {}", health.as_str()));
            }
        }
        for (service, (_, old)) in &before.0 {
            if !self.0.contains_key(service) && !matches!(old, Health::Exited(_)) {
                tell(service, "die");
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn states(instances: &[(&str, Health)]) -> States {
        let all = instances.iter().map(|(id, health)| ("app-blue".into(), ((*id).into(), health.clone())));
        States(all.collect())
    }

    #[rstest]
    #[case::nothing_changed(&[("1", Health::Healthy)], &[("1", Health::Healthy)], &[])]
    #[case::started(&[], &[("1", Health::Starting)], &["start", "health_status: starting"])]
    #[case::became_healthy(&[("1", Health::Starting)], &[("1", Health::Healthy)], &["health_status: healthy"])]
    #[case::died(&[("1", Health::Healthy)], &[("1", Health::Exited(Some(137)))], &["die"])]
    #[case::went(&[("1", Health::Healthy)], &[], &["die"])]
    #[case::removed_after_its_end(&[("1", Health::Exited(None))], &[], &[])]
    #[case::replaced(&[("1", Health::Healthy)], &[("2", Health::Healthy)], &["die", "start", "health_status: healthy"])]
    #[case::started_and_died(&[], &[("1", Health::Exited(None))], &["start", "die"])]
    #[case::same_trouble_in_other_words(
        &[("1", Health::Unhealthy("a".into()))], &[("1", Health::Unhealthy("b".into()))], &[])]
    fn changes_are_told_once(
        #[case] before: &[(&str, Health)],
        #[case] now: &[(&str, Health)],
        #[case] expected: &[&str],
    ) {
        let events = states(now).since(&states(before));
        let told: Vec<&str> = events.iter().map(|event| event.what.as_str()).collect();
        assert_eq!(told, expected);
    }
}
