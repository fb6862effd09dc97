//! Whether an image can run the health check of its container: tried out,
//! since a tag says little about its content. A check whose program the image
//! lacks would call a container unhealthy that is well.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bollard::models::ContainerCreateBody;

use super::DockerRuntime;
use super::client::Client;
use super::create::confined;
use super::helper::Helper;
use super::images;
use crate::domain::stack::{ContainerSpec, HealthSpec};
use crate::runtime::{ImagePresence, RuntimeError};

/// What a shell gives back for a program that may not be run or is not there,
/// and for one that crashes: ended by SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV.
/// A static busybox, for one, may crash where it should ask.
const NO_PROGRAM: [i64; 7] = [126, 127, 128 + 4, 128 + 6, 128 + 7, 128 + 8, 128 + 11];

/// What was tried out, by image id and command; the content behind an id never
/// changes.
#[derive(Debug, Default)]
pub struct KnownChecks(Mutex<HashMap<(String, Vec<String>), bool>>);

impl DockerRuntime {
    /// The check that a part of the platform gets: none where its image could
    /// not run it. Such a part is only asked from outside.
    pub(super) async fn runnable_check<'a>(
        &self,
        spec: &'a ContainerSpec,
    ) -> Result<Option<&'a HealthSpec>, RuntimeError> {
        let Some(check) = &spec.health else { return Ok(None) };
        let id = match images::presence(&self.client, &spec.image).await? {
            ImagePresence::Present(id) => id.unwrap_or_else(|| spec.image.clone()),
            ImagePresence::Absent(detail) => {
                return Err(RuntimeError::ImageAbsent { image: spec.image.clone(), detail });
            }
        };
        let key = (id, check.command.clone());
        let known = self.checks.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        let runs = if let Some(runs) = known {
            runs
        } else {
            let runs = Box::pin(try_out(&self.client, spec, check, &key.0)).await?;
            self.checks.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, runs);
            runs
        };
        Ok(runs.then_some(check))
    }
}

/// Runs the check where nobody answers it: it has to fail, and how it fails
/// tells whether it could be run.
async fn try_out(
    client: &Client,
    spec: &ContainerSpec,
    check: &HealthSpec,
    image: &str,
) -> Result<bool, RuntimeError> {
    let mut command = check.command.clone();
    if command.is_empty() {
        return Ok(false);
    }
    let program = command.remove(0);
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        user: Some(spec.user.clone()),
        entrypoint: Some(vec![program]),
        cmd: Some(command),
        host_config: Some(confined(spec)),
        ..ContainerCreateBody::default()
    };
    let helper = Helper::create(client, "health", body).await?;
    let output = helper.run().await;
    helper.remove().await?;
    match output {
        Ok(output) => Ok(!NO_PROGRAM.contains(&output.code)),
        Err(RuntimeError::Engine { reason, .. }) if names_an_absent_program(&reason) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Whether a check failed since its program is not in the image or cannot work
/// there: by the exit code, or by what the engine says when it cannot start it.
pub fn cannot_be_run(code: Option<i64>, said: &str) -> bool {
    match code {
        Some(code) if NO_PROGRAM.contains(&code) => true,
        // Engine 20.10 has no better code for it.
        Some(-1) | None => names_an_absent_program(said),
        Some(_) => false,
    }
}

/// In the words of runc and crun.
fn names_an_absent_program(said: &str) -> bool {
    let is_start = ["exec failed", "unable to start container process", "executable file"]
        .iter()
        .any(|words| said.contains(words));
    let is_absent =
        ["executable file not found", "no such file or directory", "not found", "permission denied"]
            .iter()
            .any(|words| said.contains(words));
    is_start && is_absent
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NO_SHELL: &str = "OCI runtime exec failed: exec failed: unable to start container process: exec: \
                            \"sh\": executable file not found in $PATH: unknown";
    const NO_OPA: &str = "OCI runtime exec failed: exec failed: unable to start container process: exec: \
                          \"/opa\": stat /opa: no such file or directory: unknown";

    #[rstest]
    #[case::no_shell(Some(-1), NO_SHELL, true)]
    #[case::no_program(Some(-1), NO_OPA, true)]
    #[case::newer_engine(Some(127), NO_SHELL, true)]
    #[case::crun(Some(-1), "OCI runtime exec failed: executable file `sh` not found: no such file", true)]
    #[case::shell_without_tools(Some(127), "neither curl nor wget is in this image", true)]
    #[case::crash(Some(139), "Segmentation fault", true)]
    #[case::given_up(Some(143), "Terminated", false)]
    #[case::refused(Some(7), "curl: (7) Failed to connect", false)]
    #[case::absent_page(Some(1), "wget: server returned error: HTTP/1.1 404 Not Found", false)]
    #[case::took_too_long(Some(-1), "Health check exceeded timeout (5s)", false)]
    fn a_check_that_cannot_be_run_is_told_from_one_that_fails(
        #[case] code: Option<i64>,
        #[case] said: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(cannot_be_run(code, said), expected);
    }
}
