//! The policies before the policy engine's own strict check, in a throw-away
//! container of its image.

use std::path::Path;

use bollard::models::ContainerCreateBody;

use super::client::Client;
use super::files::FileTree;
use super::helper::Helper;
use super::images;
use crate::domain::stack::{Role, Stack};
use crate::runtime::{Check, CheckStatus, ImagePresence, RuntimeError};

/// Where the container sees the policies.
const FOLDER: &str = "policies";

/// What the engine that the stack names says of a folder; `None` when the stack
/// has none or its image is not here (`deploy` brings it).
pub async fn judge(client: &Client, stack: &Stack, policies: &Path) -> Result<Option<Check>, RuntimeError> {
    let Some(spec) = stack.containers.iter().find(|spec| spec.role == Role::Policy) else { return Ok(None) };
    if let ImagePresence::Absent(_) = images::presence(client, &spec.image).await? {
        return Ok(None);
    }
    let folder = policies.to_owned();
    let read = tokio::task::spawn_blocking(move || FileTree::read(&folder));
    let tree = read.await.map_err(|error| RuntimeError::Engine {
        doing: "reading the policies".to_owned(),
        reason: error.to_string(),
    })??;
    let tree =
        FileTree(tree.0.into_iter().map(|(name, bytes)| (format!("{FOLDER}/{name}"), bytes)).collect());
    let root = format!("/{FOLDER}");
    let body = ContainerCreateBody {
        image: Some(spec.image.clone()),
        user: Some(spec.user.clone()),
        entrypoint: spec.entrypoint.clone(),
        cmd: Some(["check", "--strict", "--ignore", ".*", &root].map(str::to_owned).into()),
        ..ContainerCreateBody::default()
    };
    let helper = Helper::create(client, "policies", body).await?;
    let output = async {
        helper.upload("/", &tree).await?;
        helper.run().await
    }
    .await;
    helper.remove().await?;
    let output = output?;
    let status = if output.code == 0 { CheckStatus::Pass } else { CheckStatus::Fail };
    Ok(Some(Check { status, detail: output.text.replace(&format!("{root}/"), &format!("{FOLDER}/")) }))
}
