//! Requests that nginx gave to a slot and got no answer to, from the log that
//! the generated configuration keeps of them on the proxy's volume.

use bollard::errors::Error;
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;

use super::DockerRuntime;
use super::client::Failure;
use super::files::FileTree;
use super::{containers, exec};
use crate::domain::Slot;
use crate::domain::stack::Role;
use crate::runtime::{RuntimeError, failures};

/// Where the generated configuration writes it.
const LOG: &str = "/var/tmp/failures.log";

/// A log up to this length (some 20,000 requests) is read as a whole, which
/// works with every image; of a longer one only so much at its end, with the
/// image's own `tail`.
const MOST_BYTES: usize = 2 << 20;

const DOING: &str = "counting the requests that got no answer";

/// How many requests of a slot got no answer since a moment. nginx writes the
/// time of the daemon's machine, which is this one: others are refused.
pub async fn unanswered(
    runtime: &DockerRuntime,
    slot: Slot,
    since: DateTime<Utc>,
) -> Result<u64, RuntimeError> {
    let unknown = |reason: String| RuntimeError::Engine { doing: DOING.to_owned(), reason };
    let Some(proxy) = containers::in_role(&runtime.client, Role::Proxy).await? else {
        return Err(unknown("there is no proxy".to_owned()));
    };
    let (log, is_whole) = match whole(runtime, &proxy.id).await {
        Ok(Some(log)) => (log, true),
        Ok(None) => (end(runtime, &proxy.id).await?, false),
        Err(failure) if failure.is_absent() => {
            return Err(unknown(format!(
                "{} keeps no log of them ({LOG}); `swiftdeploy deploy` gives it a configuration that does",
                proxy.service
            )));
        }
        Err(failure) => return Err(failure.error),
    };
    failures::count(&log, is_whole, slot, since).map_err(|reason| unknown(format!("{LOG}: {reason}")))
}

/// The whole log; `None` when it is too long for that.
async fn whole(runtime: &DockerRuntime, proxy: &str) -> Result<Option<String>, Failure> {
    let client = &runtime.client;
    let options = DownloadFromContainerOptionsBuilder::new().path(LOG).build();
    let stream = client.docker.download_from_container(proxy, Some(options));
    let collect = async {
        let mut stream = Box::pin(stream);
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.try_next().await? {
            if bytes.len() + chunk.len() > MOST_BYTES {
                return Ok::<_, Error>(None);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(bytes))
    };
    let Some(archive) = client.read(DOING, collect).await? else { return Ok(None) };
    let tree = FileTree::unpack(&archive).map_err(|error| Failure { error, status: None })?;
    let content = tree.0.into_values().next().unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(&content).into_owned()))
}

/// The last part of the log.
async fn end(runtime: &DockerRuntime, proxy: &str) -> Result<String, RuntimeError> {
    let command = ["tail", "-c", &MOST_BYTES.to_string(), LOG].map(str::to_owned).into();
    let output = exec::run(&runtime.client, proxy, command).await?;
    if output.code == 0 {
        return Ok(output.text);
    }
    Err(RuntimeError::Engine {
        doing: DOING.to_owned(),
        reason: format!("{LOG} is too long, and `tail` of the proxy's image says: {}", output.text.trim()),
    })
}
