//! Logs of a container as lines, bounded in memory: a slow reader slows the
//! daemon's stream down, it does not fill this process.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::client::{Client, READ};
use super::containers::{self, Found};
use crate::domain::stack::Role;
use crate::runtime::{LogLine, LogRequest, RuntimeError};

/// Lines between the daemon and the reader: about a screen at a time.
const CHANNEL: usize = 256;
/// The proxy's name on the local target, and in what this tool says.
const PROXY: &str = "proxy";
/// Where a longer line is cut in two.
const LONGEST_LINE: usize = 16 << 10;

/// Sends the lines of a service's log until its end or, following, until the
/// receiver is dropped.
pub async fn stream(client: &Client, request: LogRequest) -> Result<mpsc::Receiver<LogLine>, RuntimeError> {
    let found = containers::list(client).await?;
    let known: Vec<&str> =
        found.iter().filter(|found| found.role.is_some()).map(|found| found.service.as_str()).collect();
    let is_wanted = |found: &&Found| match found.role {
        None => false,
        // By the name that it has on every target, too.
        Some(Role::Proxy) if request.service == PROXY => true,
        Some(_) => found.service == request.service,
    };
    let wanted = found.iter().find(is_wanted);
    let Some(wanted) = wanted else {
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(RuntimeError::UnknownService { service: request.service, known });
    };
    let options = LogsOptionsBuilder::new()
        .stdout(true)
        .stderr(true)
        .follow(request.follow)
        .tail(&request.tail.to_string())
        .build();
    let (sender, receiver) = mpsc::channel(CHANNEL);
    let (client, id) = (client.clone(), wanted.id.clone());
    tokio::spawn(async move {
        let mut chunks = Box::pin(client.docker.logs(&id, Some(options)));
        let mut splitter = LineSplitter::default();
        loop {
            let next = async {
                if request.follow {
                    return chunks.next().await;
                }
                tokio::time::timeout(READ, chunks.next()).await.ok().flatten()
            };
            let chunk = tokio::select! {
                () = sender.closed() => return,
                chunk = next => chunk,
            };
            let Some(Ok(chunk)) = chunk else { break };
            for line in splitter.push(chunk) {
                if sender.send(line).await.is_err() {
                    return;
                }
            }
        }
        for line in splitter.rest() {
            if sender.send(line).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// The last lines of a container's log, for an error message; empty when they
/// cannot be had, since the error itself matters more.
pub async fn last(client: &Client, id: &str, lines: usize) -> Vec<String> {
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
    let mut chunks = Box::pin(client.docker.logs(id, Some(options)));
    let mut splitter = LineSplitter::default();
    let mut said = Vec::new();
    let collect = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            said.extend(splitter.push(chunk));
        }
        said.extend(splitter.rest());
    };
    // What came in time is enough.
    let _ = tokio::time::timeout(Duration::from_secs(3), collect).await;
    let excess = said.len().saturating_sub(lines);
    said.into_iter().skip(excess).map(|line| line.text).collect()
}

/// Cuts the daemon's chunks, which end anywhere, into lines, each stream for
/// itself.
#[derive(Debug, Default)]
struct LineSplitter {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl LineSplitter {
    fn push(&mut self, chunk: LogOutput) -> Vec<LogLine> {
        let is_stderr = matches!(chunk, LogOutput::StdErr { .. });
        let pending = if is_stderr { &mut self.stderr } else { &mut self.stdout };
        let mut lines = Vec::new();
        for byte in chunk.into_bytes() {
            if byte != b'\n' {
                pending.push(byte);
            }
            if byte == b'\n' || pending.len() >= LONGEST_LINE {
                lines.push(line(is_stderr, pending));
            }
        }
        lines
    }

    /// What stands without a line end at the end of the log.
    fn rest(&mut self) -> Vec<LogLine> {
        let mut lines = Vec::new();
        for (is_stderr, pending) in [(false, &mut self.stdout), (true, &mut self.stderr)] {
            if !pending.is_empty() {
                lines.push(line(is_stderr, pending));
            }
        }
        lines
    }
}

fn line(is_stderr: bool, pending: &mut Vec<u8>) -> LogLine {
    let bytes = std::mem::take(pending);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(&bytes);
    LogLine { is_stderr, text: String::from_utf8_lossy(bytes).into_owned() }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn out(text: &'static str) -> LogOutput {
        LogOutput::StdOut { message: Bytes::from_static(text.as_bytes()) }
    }

    fn err(text: &'static str) -> LogOutput {
        LogOutput::StdErr { message: Bytes::from_static(text.as_bytes()) }
    }

    #[test]
    fn chunks_become_lines_of_their_own_stream() {
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        for chunk in [out("one\ntw"), err("bad\r\n"), out("o\n\nthr"), err("half")] {
            lines.extend(splitter.push(chunk));
        }
        lines.extend(splitter.rest());
        let told: Vec<(bool, &str)> = lines.iter().map(|line| (line.is_stderr, line.text.as_str())).collect();
        assert_eq!(
            told,
            [(false, "one"), (true, "bad"), (false, "two"), (false, ""), (false, "thr"), (true, "half")]
        );
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut splitter = LineSplitter::default();
        let long = LogOutput::StdOut { message: Bytes::from(vec![b'x'; LONGEST_LINE + 1]) };
        let lines = splitter.push(long);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].text.len(), LONGEST_LINE);
        assert_eq!(splitter.rest()[0].text, "x");
    }
}
