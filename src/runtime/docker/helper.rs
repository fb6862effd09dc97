//! Throw-away containers: one that is never started carries files into and out
//! of volumes, one that runs for a moment answers a question (`nginx -t`). They
//! have no network, no rights and a label by which they are found should the
//! process end before it has removed them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, DownloadFromContainerOptionsBuilder, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures_util::{StreamExt, TryStreamExt};

use super::client::{CHANGE, Client, Failure};
use super::create::volume_name;
use super::files::FileTree;
use super::{images, labels};
use crate::domain::stack::FileSet;
use crate::runtime::RuntimeError;

/// Longest run of a question.
const RUN: Duration = Duration::from_secs(30);
/// More than any folder of files that we copy.
const MOST_BYTES: usize = 64 << 20;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A throw-away container; removed by [`Helper::remove`], or in the
/// background when it is dropped.
#[derive(Debug)]
pub struct Helper {
    client: Client,
    id: Option<String>,
}

/// How a question ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code.
    pub code: i64,
    /// What it said, both streams.
    pub text: String,
}

impl Helper {
    /// Creates a container that is not started yet. `purpose` is part of its
    /// name, for people who look at the daemon meanwhile.
    pub async fn create(
        client: &Client,
        purpose: &str,
        body: ContainerCreateBody,
    ) -> Result<Self, RuntimeError> {
        let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{purpose}-{}-{unique}", client.project, std::process::id());
        let image = body.image.clone().unwrap_or_default();
        // A body is some kilobytes, which every caller would carry.
        Box::pin(Self::named(client, &name, body))
            .await
            .map_err(|failure| images::or_image_absent(failure, &image))
    }

    /// A container that is there only once in the project, so that its owner is
    /// alone with what it stands for; `None` while another has it.
    pub async fn alone(client: &Client, purpose: &str, image: &str) -> Result<Option<Self>, RuntimeError> {
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            // Never started; an image without a command needs one all the same.
            cmd: Some(vec![purpose.to_owned()]),
            ..ContainerCreateBody::default()
        };
        match Box::pin(Self::named(client, &format!("{}-{purpose}", client.project), body)).await {
            Ok(helper) => Ok(Some(helper)),
            Err(failure) if failure.is_conflict() => Ok(None),
            Err(failure) => Err(images::or_image_absent(failure, image)),
        }
    }

    async fn named(client: &Client, name: &str, mut body: ContainerCreateBody) -> Result<Self, Failure> {
        body.labels = Some(labels::of_helper(&client.project));
        let host = body.host_config.get_or_insert_default();
        host.network_mode = Some("none".to_owned());
        host.cap_drop = Some(vec!["ALL".to_owned()]);
        host.security_opt = Some(vec!["no-new-privileges:true".to_owned()]);
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let call = client.docker.create_container(Some(options), body);
        let created = client.change(format!("creating {name}"), call).await?;
        Ok(Self { client: client.clone(), id: Some(created.id) })
    }

    /// A container that only holds the volumes of file sets, writable, each at
    /// [`Helper::folder`].
    pub async fn holding(client: &Client, image: &str, sets: &[FileSet]) -> Result<Self, RuntimeError> {
        let mounts = sets
            .iter()
            .map(|set| Mount {
                typ: Some(MountType::VOLUME),
                source: Some(volume_name(&client.project, set.volume())),
                target: Some(Self::folder(*set)),
                volume_options: Some(MountVolumeOptions {
                    no_copy: Some(true),
                    labels: Some(labels::of_volume(&client.project, set.volume())),
                    ..MountVolumeOptions::default()
                }),
                ..Mount::default()
            })
            .collect();
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            // Never started; an image without a command needs one all the same.
            cmd: Some(vec!["files".to_owned()]),
            host_config: Some(HostConfig { mounts: Some(mounts), ..HostConfig::default() }),
            ..ContainerCreateBody::default()
        };
        Self::create(client, "files", body).await
    }

    /// Where [`Helper::holding`] mounts a file set.
    pub fn folder(set: FileSet) -> String {
        format!("/swiftdeploy/{}", set.volume())
    }

    fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// Writes files below a folder of the container; each file is replaced as
    /// a whole.
    pub async fn upload(&self, folder: &str, files: &FileTree) -> Result<(), RuntimeError> {
        let options = UploadToContainerOptionsBuilder::new().path(folder).build();
        let body = bollard::body_full(files.pack()?);
        let call = self.client.docker.upload_to_container(self.id(), Some(options), body);
        Ok(self.client.change(format!("copying files to {folder}"), call).await?)
    }

    /// Reads all files below a folder.
    pub async fn download(&self, folder: &str) -> Result<FileTree, RuntimeError> {
        download(&self.client, self.id(), folder).await
    }

    /// Starts it, waits for its end and tells what it said.
    pub async fn run(&self) -> Result<Output, RuntimeError> {
        let id = self.id();
        let docker = &self.client.docker;
        self.client.change("starting a check", docker.start_container(id, None)).await?;
        let wait = async {
            match docker.wait_container(id, None).next().await {
                Some(Ok(end)) => Ok(end.status_code),
                Some(Err(Error::DockerContainerWaitError { code, .. })) => Ok(code),
                Some(Err(error)) => Err(error),
                None => Ok(0),
            }
        };
        let code = self.client.within(RUN, "waiting for a check", wait).await?;
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).build();
        let said = docker.logs(id, Some(options)).try_fold(String::new(), async |mut text, chunk| {
            text.push_str(&chunk.to_string());
            Ok(text)
        });
        let text = self.client.within(CHANGE, "reading what a check said", said).await?;
        Ok(Output { code, text })
    }

    /// Removes it, with its unnamed volumes.
    pub async fn remove(mut self) -> Result<(), RuntimeError> {
        let Some(id) = self.id.take() else { return Ok(()) };
        let removal = remove(&self.client, &id).await;
        if removal.is_err() {
            // Dropping tries once more.
            self.id = Some(id);
        }
        removal
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let client = self.client.clone();
            // Should this fail, the label leads the next deploy or teardown
            // to the container.
            runtime.spawn(async move { remove(&client, &id).await });
        }
    }
}

async fn remove(client: &Client, id: &str) -> Result<(), RuntimeError> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    let call = client.docker.remove_container(id, Some(options));
    match client.change("removing a throw-away container", call).await {
        Err(failure) if !failure.is_absent() && !failure.is_conflict() => Err(failure.error),
        _ => Ok(()),
    }
}

/// Reads all files below a folder of any container, running or not.
pub async fn download(client: &Client, container: &str, folder: &str) -> Result<FileTree, RuntimeError> {
    let options = DownloadFromContainerOptionsBuilder::new().path(folder).build();
    let stream = client.docker.download_from_container(container, Some(options));
    let collect = stream.try_fold(Vec::new(), async |mut bytes: Vec<u8>, chunk| {
        if bytes.len() + chunk.len() > MOST_BYTES {
            return Err(Error::IOError { err: std::io::Error::other(format!("{folder} is too large")) });
        }
        bytes.extend_from_slice(&chunk);
        Ok(bytes)
    });
    let archive = client.change(format!("reading {folder}"), collect).await?;
    FileTree::unpack(&archive)
}
