//! Requests that nginx gave to a slot and got no answer to, from the log that
//! the generated configuration keeps of them on the proxy's volume.

use bollard::errors::Error;
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;

use super::DockerRuntime;
use super::client::Failure;
use super::files::FileTree;
use super::{containers, exec, rotate};
use crate::domain::Slot;
use crate::domain::stack::Role;
use crate::runtime::{RuntimeError, failures};

/// Where the generated configuration writes it.
const FOLDER: &str = "/var/tmp";
/// Its name.
pub const LOG: &str = "failures.log";

/// A log up to this length (some 20,000 requests) is read as a whole, which
/// works with every image; of a longer one only so much at its end, with the
/// image's own `tail`. It is put aside long before ([`rotate`]).
pub const MOST_BYTES: usize = 2 << 20;

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
    let (mut now, mut is_whole) = match read(runtime, &proxy.id, LOG).await {
        Ok(log) => log,
        Err(failure) if failure.is_absent() => {
            return Err(unknown(format!(
                "{} keeps no log of them ({LOG}); `swiftdeploy deploy` gives it a configuration that does",
                proxy.service
            )));
        }
        Err(failure) => return Err(failure.error),
    };
    let count = |log: &str, is_whole, name: &str| {
        failures::count(log, is_whole, slot, since).map_err(|reason| unknown(format!("{name}: {reason}")))
    };
    // A part that reaches back beyond the window needs nothing from before it.
    if !is_whole {
        return count(&now, false, LOG);
    }
    // The window may have begun in the log that was put aside last.
    let aside = rotate::older(LOG, 1);
    let written = rotate::stat(&runtime.client, &proxy.id, &path(&aside)).await?;
    if written.is_none_or(|stat| stat.written < since - failures::ORDER) {
        return count(&now, is_whole, LOG);
    }
    let (before, is_before_whole) =
        read(runtime, &proxy.id, &aside).await.map_err(|failure| failure.error)?;
    // Of a longer one only the end was read: what was put aside in between
    // would stand at its very end.
    let is_again = if is_before_whole { before.starts_with(&now) } else { before.contains(&now) };
    // What was put aside between the two reads would be counted twice.
    if !now.is_empty() && is_again {
        (now, is_whole) = read(runtime, &proxy.id, LOG).await.map_err(|failure| failure.error)?;
    }
    // What was put aside still earlier is not read.
    let oldest = path(&rotate::older(LOG, 2));
    let is_first = is_before_whole && rotate::stat(&runtime.client, &proxy.id, &oldest).await?.is_none();
    Ok(count(&before, is_first, &aside)? + count(&now, is_whole, LOG)?)
}

fn path(log: &str) -> String {
    format!("{FOLDER}/{log}")
}

/// A log, or its end where it is too long; whether it is read from its
/// beginning.
async fn read(runtime: &DockerRuntime, proxy: &str, log: &str) -> Result<(String, bool), Failure> {
    match whole(runtime, proxy, log).await? {
        Some(log) => Ok((log, true)),
        None => match end(runtime, proxy, log).await {
            Ok(log) => Ok((log, false)),
            Err(error) => Err(Failure { error, status: None }),
        },
    }
}

/// The whole log; `None` when it is too long for that.
async fn whole(runtime: &DockerRuntime, proxy: &str, log: &str) -> Result<Option<String>, Failure> {
    let client = &runtime.client;
    let options = DownloadFromContainerOptionsBuilder::new().path(&path(log)).build();
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
async fn end(runtime: &DockerRuntime, proxy: &str, log: &str) -> Result<String, RuntimeError> {
    let command = ["tail", "-c", &MOST_BYTES.to_string(), &path(log)].map(str::to_owned).into();
    let output = exec::run(&runtime.client, proxy, command).await?;
    if output.code == 0 {
        return Ok(output.text);
    }
    Err(RuntimeError::Engine {
        doing: DOING.to_owned(),
        reason: format!("{log} is too long, and `tail` of the proxy's image says: {}", output.text.trim()),
    })
}
