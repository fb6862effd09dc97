//! The service's Dockerfile under both builders of the engine: `BuildKit` and the
//! one before it. Each says in its own words that it was the one.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[path = "support/world.rs"]
mod world;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use world::{Ran, skipped, until};

/// The image that the fixtures built, for its binary.
const BUILT: &str = "swift-deploy-1-node:latest";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Builder {
    Classic,
    BuildKit,
}

impl Builder {
    /// The value of `DOCKER_BUILDKIT`.
    fn switch(self) -> &'static str {
        match self {
            Self::Classic => "0",
            Self::BuildKit => "1",
        }
    }

    /// What only this one says while it builds.
    fn words(self) -> &'static str {
        match self {
            Self::Classic => "Step 1/",
            Self::BuildKit => "[internal] load build definition",
        }
    }
}

/// The tests' daemon.
struct Daemon(String);

impl Daemon {
    fn run(&self, program: &Path, builder: Option<Builder>, arguments: &[&str]) -> Ran {
        let mut command = Command::new(program);
        command.args(arguments).env("DOCKER_HOST", &self.0);
        if let Some(builder) = builder {
            command.env("DOCKER_BUILDKIT", builder.switch());
        }
        Ran::of(&command.output().unwrap())
    }

    fn call(&self, arguments: &[&str]) -> Ran {
        self.run(Path::new("docker"), None, arguments).ends_with(0)
    }

    /// Builds with whichever client can drive this builder: newer ones refuse
    /// `BuildKit` without a plugin.
    fn build(&self, builder: Builder, tag: &str, context: &Path) -> Option<String> {
        let context = context.display().to_string();
        let mut arguments = vec!["build", "--no-cache", "--tag", tag];
        if builder == Builder::BuildKit {
            arguments.extend(["--progress", "plain"]);
        }
        arguments.push(&context);
        for client in clients() {
            let ran = self.run(&client, Some(builder), &arguments);
            if ran.text().contains("buildx component is missing") {
                continue;
            }
            let text = ran.ends_with(0).text();
            println!("{builder:?}, driven by {}:\n{text}", client.display());
            return Some(text);
        }
        None
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(self.call(arguments).text().trim()).unwrap()
    }
}

/// Every `docker` on the path.
fn clients() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join("docker")).filter(|file| file.is_file()).collect()
}

/// The binary, as the fixtures compiled it, beside the Dockerfile.
fn context(daemon: &Daemon, name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    daemon.call(&["create", "--name", name, BUILT]);
    let to = folder.path().join("swiftdeploy-service").display().to_string();
    daemon.call(&["cp", &format!("{name}:/swiftdeploy-service"), &to]);
    daemon.call(&["rm", name]);
    std::fs::copy(
        concat!(env!("CARGO_MANIFEST_DIR"), "/service/Dockerfile"),
        folder.path().join("Dockerfile"),
    )
    .unwrap();
    folder
}

#[test]
fn the_image_builds_with_and_without_buildkit_and_is_the_same() {
    let Some(host) = skipped::needs("SWIFTDEPLOY_TEST_DOCKER_HOST") else { return };
    let daemon = Daemon(host);
    let name = |what: &str| format!("sdtest-image-{}-{what}", std::process::id());
    let context = context(&daemon, &name("source"));
    let mut images = Vec::new();
    for builder in [Builder::Classic, Builder::BuildKit] {
        let tag = name(builder.switch());
        let Some(said) = daemon.build(builder, &tag, context.path()) else {
            let without = format!("no docker client here can drive {builder:?}");
            return skipped::note(&without);
        };
        let other = if builder == Builder::Classic { Builder::BuildKit } else { Builder::Classic };
        assert!(said.contains(builder.words()) && !said.contains(other.words()), "{builder:?}: {said}");
        // The daemon's record of how the image came about.
        let history = daemon.call(&["history", "--no-trunc", "--format", "{{.Comment}}", &tag]).text();
        assert_eq!(history.contains("buildkit.dockerfile"), builder == Builder::BuildKit, "{history}");

        let image = daemon.json(&["image", "inspect", "--format", "{{json .}}", &tag]);
        assert!(image["Size"].as_u64().unwrap() < 20_000_000, "{}", image["Size"]);
        let config = ["User", "Entrypoint", "ExposedPorts", "StopSignal", "Healthcheck"]
            .map(|key| image["Config"][key].clone());
        assert!(config.iter().all(|value| !value.is_null()), "{config:?}");
        runs(&daemon, &name(&format!("run-{}", builder.switch())), &tag);
        daemon.call(&["rmi", "--force", &tag]);
        images.push(config);
    }
    assert_eq!(images[0], images[1]);
}

/// The image as it is deployed: without rights, on a read-only file system.
fn runs(daemon: &Daemon, name: &str, tag: &str) {
    daemon.call(&[
        "run",
        "--detach",
        "--name",
        name,
        "--read-only",
        "--cap-drop",
        "ALL",
        "--network",
        "none",
        "--env",
        "MODE=stable",
        "--env",
        "APP_VERSION=1",
        "--env",
        "APP_PORT=3000",
        tag,
    ]);
    until("its own health check passes", Duration::from_mins(1), || {
        let word = daemon.call(&["inspect", "--format", "{{.State.Health.Status}}", name]).text();
        if word.trim() == "healthy" { Ok(()) } else { Err(word) }
    });
    daemon.call(&["rm", "--force", name]);
}
