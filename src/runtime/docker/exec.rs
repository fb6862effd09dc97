//! A command inside a running container.

use std::time::Duration;

use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use futures_util::TryStreamExt;

use super::client::Client;
use super::helper::Output;
use crate::runtime::RuntimeError;

/// Longest run of a command.
const RUN: Duration = Duration::from_secs(30);

/// Runs a command as the container's own user and waits for its end.
pub async fn run(client: &Client, id: &str, command: Vec<String>) -> Result<Output, RuntimeError> {
    let doing = format!("running `{}` in the container", command.join(" "));
    let config = ExecConfig {
        cmd: Some(command),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..ExecConfig::default()
    };
    let exec = client.change(&doing, client.docker.create_exec(id, config)).await?.id;
    let run = async {
        let mut text = String::new();
        if let StartExecResults::Attached { mut output, .. } = client.docker.start_exec(&exec, None).await? {
            while let Some(chunk) = output.try_next().await? {
                text.push_str(&chunk.to_string());
            }
        }
        Ok(text)
    };
    let text = client.within(RUN, &doing, run).await?;
    let ended = client.read(&doing, client.docker.inspect_exec(&exec)).await?;
    // Without an exit code it did not come to an end that can be trusted.
    Ok(Output { code: ended.exit_code.unwrap_or(-1), text })
}
