//! How a container is. The daemon says whether it runs and what its own check
//! says; but that check comes seconds late, and an image may be unable to run
//! one. So a part of the platform is only called healthy when it also answers
//! at this moment: nginx what it serves ([`super::served`]), OPA here.

use std::time::Duration;

use bollard::models::{ContainerState, ContainerStateStatusEnum, HealthStatusEnum};

use super::{DockerRuntime, checks};
use crate::domain::stack::Role;
use crate::runtime::{Health, Instance};

/// A health check's words are cut here.
const LONGEST_REASON: usize = 300;
/// Longest wait for an answer: a look is to stay quick, and `/health` needs no
/// policy.
const ANSWER: Duration = Duration::from_secs(1);
/// How long a new OPA may load its policies before its silence is a fault.
const STARTS: Duration = Duration::from_secs(10);

/// What the daemon says. A check of the platform that the image cannot run says
/// nothing about the container; the check of a release is its operator's, who
/// wants to know of that.
pub fn told(role: Role, state: &ContainerState) -> Health {
    use ContainerStateStatusEnum as Status;
    match state.status {
        Some(Status::RUNNING) => {}
        Some(Status::PAUSED) => return Health::Unhealthy("it is paused".to_owned()),
        _ => {
            // Docker tells 0 for a container that was never started.
            let ended = state.finished_at.as_deref().is_some_and(|at| !at.starts_with("0001-"));
            return Health::Exited(state.exit_code.filter(|_| ended));
        }
    }
    let Some(check) = &state.health else { return Health::Healthy };
    let last = check.log.iter().flatten().next_back();
    let said = last.and_then(|result| result.output.as_deref()).unwrap_or_default().trim();
    let is_ours = !matches!(role, Role::App { .. });
    if is_ours && last.is_some_and(|result| checks::cannot_be_run(result.exit_code, said)) {
        return Health::Healthy;
    }
    match check.status {
        Some(HealthStatusEnum::STARTING) => Health::Starting,
        Some(HealthStatusEnum::UNHEALTHY) => {
            let reason: String = said.chars().take(LONGEST_REASON).collect();
            Health::Unhealthy(if reason.is_empty() { "its health check fails".to_owned() } else { reason })
        }
        // A container without a check of its own may still have an empty one.
        _ => Health::Healthy,
    }
}

/// What is true of an OPA that the daemon calls healthy: it has to answer.
pub async fn confirmed_policy(runtime: &DockerRuntime, instance: &Instance) -> Health {
    if instance.health != Health::Healthy {
        return instance.health.clone();
    }
    let Some(address) = instance.endpoint else {
        return Health::Unhealthy("it publishes no port at which it could be asked".to_owned());
    };
    let url = format!("http://{address}/health");
    let said = match runtime.http.get(&url).timeout(ANSWER).send().await {
        Ok(answer) if answer.status().is_success() => return Health::Healthy,
        Ok(answer) => format!("{url} answers {}", answer.status().as_u16()),
        Err(error) if error.is_timeout() => format!("{url} gives no answer within {ANSWER:?}"),
        Err(error) if error.is_connect() => format!("nothing listens at {address}"),
        Err(error) => format!("{url} gives no answer ({error})"),
    };
    let age = instance.started_at.map(|at| (runtime.clock.wall().to_utc() - at).to_std().unwrap_or_default());
    if age.is_some_and(|age| age < STARTS) { Health::Starting } else { Health::Unhealthy(said) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::domain::{Mode, Slot};

    const APP: Role = Role::App { slot: Slot::Blue, mode: Mode::Stable };

    fn state(json: serde_json::Value) -> ContainerState {
        serde_json::from_value(json).unwrap()
    }

    #[rstest]
    #[case(json!({"Status": "running"}), Health::Healthy)]
    #[case(json!({"Status": "running", "Health": {"Status": "starting"}}), Health::Starting)]
    #[case(json!({"Status": "running", "Health": {"Status": "healthy"}}), Health::Healthy)]
    #[case(
        json!({"Status": "running", "Health": {"Status": "unhealthy", "Log": [{"Output": "old"}, {"Output": "503\n"}]}}),
        Health::Unhealthy("503".into())
    )]
    #[case(json!({"Status": "running", "Health": {"Status": "unhealthy"}}), Health::Unhealthy("its health check fails".into()))]
    #[case(json!({"Status": "paused"}), Health::Unhealthy("it is paused".into()))]
    #[case(json!({"Status": "created", "ExitCode": 0, "FinishedAt": "0001-01-01T00:00:00Z"}), Health::Exited(None))]
    #[case(json!({"Status": "exited", "ExitCode": 3, "FinishedAt": "2026-01-01T00:00:00Z"}), Health::Exited(Some(3)))]
    #[case(json!({"Status": "restarting", "ExitCode": 1, "FinishedAt": "2026-01-01T00:00:00Z"}), Health::Exited(Some(1)))]
    fn health_is_told_from_the_state(#[case] json: serde_json::Value, #[case] expected: Health) {
        assert_eq!(told(APP, &state(json.clone())), expected);
        assert_eq!(told(Role::Proxy, &state(json)), expected);
    }

    /// As Compose makes it, which cannot know the image.
    #[rstest]
    #[case("starting")]
    #[case("unhealthy")]
    fn a_check_that_the_image_cannot_run_says_nothing_about_the_platform(#[case] status: &str) {
        let said = "OCI runtime exec failed: exec failed: unable to start container process: exec: \"sh\": \
                    executable file not found in $PATH: unknown";
        let health = json!({"Status": status, "Log": [{"ExitCode": -1, "Output": said}]});
        let state = state(json!({"Status": "running", "Health": health}));
        assert_eq!(told(Role::Proxy, &state), Health::Healthy);
        assert_eq!(told(Role::Policy, &state), Health::Healthy);
        assert_ne!(told(APP, &state), Health::Healthy);
    }
}
