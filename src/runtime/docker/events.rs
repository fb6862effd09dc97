//! What changes from outside: the daemon's events about this project.

use std::collections::HashMap;

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::client::Client;
use super::labels;
use crate::domain::stack::compose_label;
use crate::runtime::{RuntimeError, RuntimeEvent};

/// A stack that restarts as a whole makes about twenty.
const CHANNEL: usize = 64;

/// Sends events until the receiver is dropped or the connection ends.
pub async fn stream(client: &Client) -> Result<mpsc::Receiver<RuntimeEvent>, RuntimeError> {
    // From the daemon's own "now": what happens before its answer begins to
    // flow must not be missed.
    let info = client.read("asking the daemon for its time", client.docker.info()).await?;
    let since = info.system_time.and_then(|time| time.parse::<DateTime<Utc>>().ok());
    let mut filters = labels::filter(&client.project);
    filters.insert("type".to_owned(), vec!["container".to_owned()]);
    let mut options = EventsOptionsBuilder::new().filters(&filters);
    if let Some(since) = since {
        options = options.since(&format!("{}.{:09}", since.timestamp(), since.timestamp_subsec_nanos()));
    }
    let (sender, receiver) = mpsc::channel(CHANNEL);
    let (client, options) = (client.clone(), options.build());
    tokio::spawn(async move {
        let mut messages = Box::pin(client.docker.events(Some(options)));
        loop {
            let message = tokio::select! {
                () = sender.closed() => return,
                message = messages.next() => message,
            };
            let Some(Ok(message)) = message else { return };
            if let Some(event) = event(message)
                && sender.send(event).await.is_err()
            {
                return;
            }
        }
    });
    Ok(receiver)
}

/// What changes a container. Everything else that the daemon tells is left out,
/// above all what a look at the stack causes itself (`archive-path` for each
/// file that is read, `exec_…` for health checks): whoever looks again at each
/// event would never come to rest.
const CHANGES: [&str; 9] =
    ["start", "die", "oom", "health_status", "pause", "unpause", "destroy", "stop", "restart"];

/// An event that means something to a person. Throw-away containers do not.
fn event(message: EventMessage) -> Option<RuntimeEvent> {
    // A health check's event carries its outcome: `health_status: healthy`.
    let kind = |action: &str| action.split(':').next().is_some_and(|kind| CHANGES.contains(&kind));
    let what = message.action.filter(|action| kind(action))?;
    let attributes: HashMap<String, String> = message.actor?.attributes?;
    labels::role(&attributes)?;
    let service = attributes.get(compose_label::SERVICE).or_else(|| attributes.get("name"))?.clone();
    Some(RuntimeEvent { service, what })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("die", "proxy", Some("die"))]
    #[case("health_status: unhealthy", "proxy", Some("health_status: unhealthy"))]
    #[case("restart", "policy", Some("restart"))]
    #[case("destroy", "proxy", Some("destroy"))]
    #[case("exec_start: /service healthcheck", "proxy", None)]
    #[case("archive-path", "proxy", None)]
    #[case("kill", "proxy", None)]
    #[case("die", "helper", None)]
    fn only_what_matters_is_told(#[case] action: &str, #[case] role: &str, #[case] expected: Option<&str>) {
        let attributes = json!({"io.swiftdeploy.role": role, "com.docker.compose.service": "nginx"});
        let message = json!({"Type": "container", "Action": action, "Actor": {"Attributes": attributes}});
        let told = event(serde_json::from_value(message).unwrap());
        assert_eq!(told.map(|event| event.what).as_deref(), expected);
    }
}
