//! The Compose file, printed from the stack: what `docker compose up` needs
//! to run it without SwiftDeploy. Accepted by Compose 1.29 and 2: without
//! `version`, of which Compose 2 warns, and without `name`, which Compose 1
//! refuses; the project's name stands in `.env` beside it, which both read.

mod model;

use serde_saphyr::{SerializerOptions, ser_options, to_string_with_options};

use super::{GENERATED, RenderError, safe};
use crate::domain::stack::Stack;

/// `generated/docker-compose.yml`.
pub(super) fn file(stack: &Stack) -> Result<String, RenderError> {
    check(stack)?;
    // Every string quoted: what looks like a number, a date or a `yes` stays
    // text for YAML 1.1 (Compose 1) and 1.2 (Compose 2) alike.
    let options: SerializerOptions =
        ser_options! { quote_all: true, prefer_block_scalars: false, compact_list_indent: false };
    let body = to_string_with_options(&model::Compose::from(stack), options).map_err(|error| {
        RenderError::Template { template: "docker-compose.yml", reason: error.to_string() }
    })?;
    Ok(format!("# {GENERATED}\n{body}"))
}

/// `generated/.env`: Compose would take the folder's name, `generated`, for
/// the project's.
pub(super) fn project_env(stack: &Stack) -> Result<String, RenderError> {
    let project = safe::name("project", &stack.project)?;
    Ok(format!("# {GENERATED}\nCOMPOSE_PROJECT_NAME={project}\n"))
}

/// Refuses what no engine would accept, before Compose has to.
fn check(stack: &Stack) -> Result<(), RenderError> {
    safe::name("project", &stack.project)?;
    for network in &stack.networks {
        safe::name("network.name", &network.name)?;
        safe::name("network.driver_type", &network.driver)?;
    }
    for container in &stack.containers {
        safe::name("services.name", &container.service)?;
        safe::line("image", &container.image)?;
        for key in container.env.keys() {
            safe::name("services.env", key)?;
        }
    }
    Ok(())
}
