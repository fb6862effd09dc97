//! Requests that nginx gave to a slot and got no answer to, or only a part of
//! one, from the two logs that the generated configuration keeps of them on the
//! proxy's volume: its own kind of access log, and the errors ([`broken`]).

use bollard::errors::Error;
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;

use super::DockerRuntime;
use super::client::Failure;
use super::containers::Found;
use super::files::FileTree;
use super::{broken, containers, exec, rotate};
use crate::domain::Slot;
use crate::domain::stack::Role;
use crate::runtime::{RuntimeError, Unanswered, failures};

/// Where the generated configuration writes it.
const FOLDER: &str = "/var/tmp";
/// Its name.
pub const LOG: &str = "failures.log";

/// A log up to this length (some 20,000 requests) is read as a whole, which
/// works with every image; of a longer one only so much at its end, with the
/// image's own `tail`. It is put aside long before ([`rotate`]).
pub const MOST_BYTES: usize = 2 << 20;

const DOING: &str = "counting the requests that got no answer";

/// What nginx saw of a slot since a moment. It writes the time of the daemon's
/// machine, which is this one: others are refused.
pub async fn unanswered(
    runtime: &DockerRuntime,
    slot: Slot,
    since: DateTime<Utc>,
) -> Result<Unanswered, RuntimeError> {
    let Some(proxy) = containers::in_role(&runtime.client, Role::Proxy).await? else {
        return Err(unknown("there is no proxy".to_owned()));
    };
    let look = |log| Look { runtime, proxy: &proxy, log, since };
    let failures = look(LOG).sum(|part| failures::count(&part.text, part.is_whole, slot, since));
    let errors = look(broken::LOG).sum(|part| {
        let broken = broken::count(&part.text, part.is_whole, slot, since, part.written)?;
        Ok(Unanswered { broken, ..Unanswered::default() })
    });
    let (failures, errors) = futures_util::future::join(failures, errors).await;
    let (mut found, errors) = (failures?, errors?);
    // The same answers: the first log tells of those that had a length, and the
    // second of the others too, but has no word that is agreed with anybody.
    found.broken = found.broken.max(errors.broken);
    Ok(found)
}

fn unknown(reason: String) -> RuntimeError {
    RuntimeError::Engine { doing: DOING.to_owned(), reason }
}

/// A log, or its end.
struct Part {
    text: String,
    /// Whether it is read from its beginning.
    is_whole: bool,
    /// When it was written to last, as far as it was read or a little earlier.
    written: DateTime<Utc>,
}

/// A look at one log, together with the one that was put aside before it.
struct Look<'a> {
    runtime: &'a DockerRuntime,
    proxy: &'a Found,
    log: &'a str,
    since: DateTime<Utc>,
}

impl Look<'_> {
    /// Counts in the log and, where the window began in it, in the one before.
    async fn sum(
        self,
        count: impl Fn(&Part) -> Result<Unanswered, String>,
    ) -> Result<Unanswered, RuntimeError> {
        let (runtime, proxy, log) = (self.runtime, &self.proxy.id, self.log);
        let client = &runtime.client;
        let count =
            |part: &Part, name: &str| count(part).map_err(|reason| unknown(format!("{name}: {reason}")));
        let Some(mut now) = self.read(log).await? else {
            return Err(unknown(format!(
                "{} keeps no log of them ({log}); `swiftdeploy deploy` gives it a configuration that does",
                self.proxy.service
            )));
        };
        // A part that reaches back beyond the window needs nothing from before it.
        if !now.is_whole {
            return count(&now, log);
        }
        // The window may have begun in the log that was put aside last.
        let aside = rotate::older(log, 1);
        let written = rotate::stat(client, proxy, &path(&aside)).await?;
        if written.is_none_or(|stat| stat.written < self.since - failures::ORDER) {
            return count(&now, log);
        }
        let before =
            self.read(&aside).await?.ok_or_else(|| unknown(format!("{aside} is not there any more")))?;
        // Of a longer one only the end was read: what was put aside in between
        // would stand at its very end.
        let is_again = if before.is_whole {
            before.text.starts_with(&now.text)
        } else {
            before.text.contains(&now.text)
        };
        // What was put aside between the two reads would be counted twice.
        if !now.text.is_empty() && is_again {
            now = self.read(log).await?.ok_or_else(|| unknown(format!("{log} is not there any more")))?;
        }
        // What was put aside still earlier is not read.
        let oldest = path(&rotate::older(log, 2));
        let is_first = before.is_whole && rotate::stat(client, proxy, &oldest).await?.is_none();
        let mut found = count(&Part { is_whole: is_first, ..before }, &aside)?;
        found += count(&now, log)?;
        Ok(found)
    }

    /// A log, or its end where it is too long; `None` where there is none.
    async fn read(&self, log: &str) -> Result<Option<Part>, RuntimeError> {
        let (runtime, proxy) = (self.runtime, &self.proxy.id);
        let Some(stat) = rotate::stat(&runtime.client, proxy, &path(log)).await? else { return Ok(None) };
        let written = stat.written;
        match whole(runtime, proxy, log).await {
            Ok(Some(text)) => Ok(Some(Part { text, is_whole: true, written })),
            Ok(None) => {
                let text = end(runtime, proxy, log).await?;
                Ok(Some(Part { text, is_whole: false, written }))
            }
            Err(failure) if failure.is_absent() => Ok(None),
            Err(failure) => Err(failure.error),
        }
    }
}

fn path(log: &str) -> String {
    format!("{FOLDER}/{log}")
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
