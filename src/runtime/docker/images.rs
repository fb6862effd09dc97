//! Images: whether one is there, and how it gets there.

use std::collections::HashMap;
use std::time::Duration;

use bollard::query_parameters::{CreateImageOptionsBuilder, ListImagesOptionsBuilder};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::client::{Client, Failure, chain, or_absent};
use crate::runtime::{ImagePresence, PullProgress, RuntimeError};

/// A pull in which nothing moves for so long is given up.
const STALL: Duration = Duration::from_mins(2);

/// Whether an image is there; if not, which others of the same name are.
pub async fn presence(client: &Client, image: &str) -> Result<ImagePresence, RuntimeError> {
    let call = client.docker.inspect_image(image);
    if let Some(found) = or_absent(client.read(format!("looking for image {image}"), call).await)? {
        return Ok(ImagePresence::Present(found.id));
    }
    let (repository, _) = split(image);
    let filters = HashMap::from([("reference", vec![repository])]);
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    let others = client.read("listing images", client.docker.list_images(Some(options))).await;
    let mut tags: Vec<String> =
        others.unwrap_or_default().into_iter().flat_map(|image| image.repo_tags).collect();
    tags.sort();
    Ok(ImagePresence::Absent(if tags.is_empty() {
        format!("the daemon at {} has no image of this name", client.address)
    } else {
        format!("the daemon at {} has only {}", client.address, tags.join(", "))
    }))
}

/// Pulls an image; credentials are not sent.
pub async fn pull(
    client: &Client,
    image: &str,
    progress: mpsc::Sender<PullProgress>,
) -> Result<(), RuntimeError> {
    let failed = |reason: String| RuntimeError::PullFailed { image: image.to_owned(), reason };
    let (repository, tag) = split(image);
    // Without a tag the daemon would pull every tag that there is.
    let options =
        CreateImageOptionsBuilder::new().from_image(repository).tag(tag.unwrap_or("latest")).build();
    let mut steps = Box::pin(client.docker.create_image(Some(options), None, None));
    let mut layers = Layers::default();
    loop {
        match tokio::time::timeout(STALL, steps.next()).await {
            Err(_) => return Err(failed(format!("nothing moved for {STALL:?}"))),
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(failed(chain(&error))),
            Ok(Some(Ok(step))) => {
                if let Some(message) = step.error_detail.and_then(|detail| detail.message) {
                    return Err(failed(message));
                }
                let detail = step.progress_detail.unwrap_or_default();
                let told = layers.step(step.id, step.status, detail.current, detail.total);
                // Only the newest matters: a reader that is slow misses some.
                let _ = progress.try_send(told);
            }
        }
    }
}

/// The sum over the layers of a pull.
#[derive(Debug, Default)]
struct Layers(HashMap<String, (u64, u64)>);

impl Layers {
    fn step(
        &mut self,
        layer: Option<String>,
        status: Option<String>,
        current: Option<i64>,
        total: Option<i64>,
    ) -> PullProgress {
        let status = status.unwrap_or_default();
        if let Some(layer) = layer.clone() {
            let known = self.0.entry(layer).or_default();
            // Extraction counts the same bytes a second time from zero.
            if status == "Downloading" {
                let number = |value: Option<i64>| u64::try_from(value.unwrap_or(0)).unwrap_or(0);
                *known = (number(current), number(total));
            } else if status == "Download complete" || status == "Pull complete" {
                known.0 = known.1;
            }
        }
        PullProgress {
            status: layer.map_or_else(|| status.clone(), |layer| format!("{layer}: {status}")),
            current: self.0.values().map(|(current, _)| current).sum(),
            total: self.0.values().map(|(_, total)| total).sum(),
        }
    }
}

/// The repository of an image and its tag or digest.
fn split(image: &str) -> (&str, Option<&str>) {
    if let Some((repository, digest)) = image.split_once('@') {
        return (repository, Some(digest));
    }
    match image.rsplit_once(':') {
        // In `host:5000/app` the colon belongs to the port.
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (image, None),
    }
}

/// The daemon says "no such image" when it should make a container from one.
pub fn or_image_absent(failure: Failure, image: &str) -> RuntimeError {
    if failure.is_absent() && failure.reason().contains("No such image") {
        return RuntimeError::ImageAbsent { image: image.to_owned(), detail: failure.reason() };
    }
    failure.error
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("nginx", "nginx", None)]
    #[case("nginx:1.28", "nginx", Some("1.28"))]
    #[case("host:5000/app", "host:5000/app", None)]
    #[case("host:5000/app:2", "host:5000/app", Some("2"))]
    #[case("app@sha256:12", "app", Some("sha256:12"))]
    fn a_reference_has_a_repository_and_a_tag(
        #[case] image: &str,
        #[case] repository: &str,
        #[case] tag: Option<&str>,
    ) {
        assert_eq!(split(image), (repository, tag));
    }

    #[test]
    fn progress_adds_up_over_layers() {
        let mut layers = Layers::default();
        let mut step = |layer: &str, status: &str, current, total| {
            let told = layers.step(Some(layer.to_owned()), Some(status.to_owned()), current, total);
            (told.current, told.total)
        };
        assert_eq!(step("a", "Pulling fs layer", None, None), (0, 0));
        assert_eq!(step("a", "Downloading", Some(10), Some(100)), (10, 100));
        assert_eq!(step("b", "Downloading", Some(5), Some(50)), (15, 150));
        assert_eq!(step("a", "Download complete", None, None), (105, 150));
        assert_eq!(step("a", "Extracting", Some(1), Some(100)), (105, 150), "not counted twice");
    }
}
