//! The labels by which SwiftDeploy, and `docker compose ps`, recognise what
//! belongs to a project. What is true about a stack is read from them.

use std::collections::HashMap;

use super::maker;
use crate::domain::stack::{Role, compose_label, label};
use crate::domain::{Mode, Slot};

/// The value of [`label::ROLE`] on throw-away containers.
const HELPER: &str = "helper";

/// On a release whose port is published on the loopback only so that this tool
/// can ask it; what the port is for.
pub const PUBLISHED_FOR: (&str, &str) = ("io.swiftdeploy.published-for", "health-and-metrics");

/// The labels of a volume, as `Stack::volume_labels` makes them for whoever
/// knows the whole stack.
pub fn of_volume(project: &str, volume: &str) -> HashMap<String, String> {
    [(label::PROJECT, project), (compose_label::PROJECT, project), (compose_label::VOLUME, volume)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The labels of a throw-away container. Not Compose's: it would list it.
pub fn of_helper(project: &str) -> HashMap<String, String> {
    let labels = [(label::PROJECT, project), (label::ROLE, HELPER)];
    let labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    labels.chain(maker::mark().map(|mark| (maker::LABEL.to_owned(), mark))).collect()
}

/// What a container is for, as its labels tell; `None` for throw-away
/// containers and for labels that make no sense.
pub fn role(labels: &HashMap<String, String>) -> Option<Role> {
    match labels.get(label::ROLE)?.as_str() {
        "app" => {
            let slot = Slot::from_label(labels.get(label::SLOT)?)?;
            let mode = match labels.get(label::MODE)?.as_str() {
                "stable" => Mode::Stable,
                "canary" => Mode::Canary,
                _ => return None,
            };
            Some(Role::App { slot, mode })
        }
        "proxy" => Some(Role::Proxy),
        "policy" => Some(Role::Policy),
        _ => None,
    }
}

/// The filter that finds this project's objects and no others.
pub fn filter(project: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{}={project}", label::PROJECT)])])
}
