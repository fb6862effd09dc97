//! The generated files under Compose.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use rstest::rstest;
use serde::Deserialize;
use swiftdeploy::manifest::Manifest;
use swiftdeploy::render;

use super::docker::{Docker, readable_folder, write};
use super::http::{get, request};
use super::ports::free_port;
use super::render_support::{full, seed};
use super::{run, skipped, wait_for};

/// What the engine was told about a container.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    env: Vec<String>,
    labels: BTreeMap<String, String>,
    user: String,
    stop_signal: String,
    healthcheck: Option<ToldHealth>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ToldHealth {
    test: Vec<String>,
    interval: u128,
    timeout: u128,
    start_period: u128,
    retries: u32,
}

fn has_compose() -> bool {
    let found =
        Command::new("docker-compose").arg("version").output().is_ok_and(|output| output.status.success());
    if !found {
        skipped::note("docker-compose is not installed");
    }
    found
}

fn write_generated(manifest: &Manifest, folder: &Path) {
    for file in render::declared(manifest).unwrap() {
        write(folder, &file.path.display().to_string(), &file.contents);
    }
}

const FILE: &str = "generated/docker-compose.yml";

#[test]
fn compose_finds_nothing_wrong() {
    if !has_compose() {
        return;
    }
    for manifest in [seed(), full()] {
        let folder = tempfile::tempdir().unwrap();
        write_generated(&manifest, folder.path());
        run(Command::new("docker-compose").current_dir(folder.path()).args(["-f", FILE, "config", "-q"]))
            .unwrap();
    }
}

#[rstest]
#[case::seed("values-seed", seed())]
#[case::every_key("values-full", full())]
fn every_value_reaches_the_engine_as_it_was_meant(#[case] name: &str, #[case] manifest: Manifest) {
    let Some(docker) = Docker::with(name, &["nginx:latest"]) else { return };
    if !has_compose() {
        return;
    }
    let manifest = for_test(manifest, &docker);
    let folder = readable_folder();
    write_generated(&manifest, folder.path());
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    let up = Up { docker: &docker, folder: folder.path() };
    up.compose(&["up", "--no-start"]).unwrap();
    for spec in render::stack(&manifest).containers {
        let said = docker.call(["inspect", "-f", "{{json .Config}}", &spec.name]).unwrap();
        let told: Told = serde_json::from_str(&said).unwrap();
        for (key, value) in &spec.env {
            assert!(told.env.contains(&format!("{key}={value}")), "{key}={value:?} in {:?}", told.env);
        }
        for (key, value) in spec.identity_labels(&manifest.project) {
            assert_eq!(told.labels.get(&key), Some(&value), "{key}");
        }
        assert_eq!((&told.user, &told.stop_signal), (&spec.user, &spec.stop_signal));
        if let Some(health) = &spec.health {
            let check = told.healthcheck.unwrap();
            assert_eq!(check.test[0], "CMD");
            assert_eq!(check.test[1..], health.command);
            let told = [check.interval, check.timeout, check.start_period];
            let meant = [health.interval, health.timeout, health.start_period];
            assert_eq!(told, meant.map(|duration| duration.as_nanos()));
            assert_eq!(check.retries, health.retries);
        }
    }
}

#[test]
fn what_the_api_made_is_listed_and_can_be_taken_over() {
    let Some(docker) = Docker::with("labels", &["nginx:latest"]) else { return };
    if !has_compose() {
        return;
    }
    let manifest = for_test(seed(), &docker);
    let folder = readable_folder();
    write_generated(&manifest, folder.path());
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    let stack = render::stack(&manifest);
    let create = |what: &[&str], labels: BTreeMap<String, String>, name: &[&str]| {
        let labels = labels.iter().map(|(key, value)| format!("--label={key}={value}")).collect::<Vec<_>>();
        docker
            .call(what.iter().copied().chain(labels.iter().map(String::as_str)).chain(name.iter().copied()))
            .unwrap();
    };
    for network in &stack.networks {
        create(&["network", "create"], network.labels(&stack.project), &[&network.name]);
    }
    for volume in &stack.volumes {
        create(&["volume", "create"], stack.volume_labels(volume), &[&stack.volume_name(volume)]);
    }
    for spec in &stack.containers {
        create(&["create", "--name", &spec.name], spec.labels(&stack.project), &["nginx:latest", "nginx"]);
    }
    let up = Up { docker: &docker, folder: folder.path() };
    let listed = up.compose(&["ps", "-a"]).unwrap();
    for spec in &stack.containers {
        assert!(listed.contains(&spec.name), "{} in {listed}", spec.name);
    }
    up.compose(&["up", "--no-start"]).unwrap();
    for spec in &stack.containers {
        let user = docker.call(["inspect", "-f", "{{.Config.User}}", &spec.name]).unwrap();
        assert_eq!(user.trim(), spec.user, "{} is made again from the file", spec.name);
    }
}

/// The manifest with names of this test, and an image that is there.
fn for_test(mut manifest: Manifest, docker: &Docker) -> Manifest {
    manifest.project.clone_from(&docker.prefix);
    manifest.network.name = format!("{}-net", docker.prefix);
    manifest.canary.image = None;
    for image in [&mut manifest.services.image, &mut manifest.nginx.image, &mut manifest.policy.image] {
        "nginx:latest".clone_into(image);
    }
    manifest
}

/// Removes what Compose started, whatever becomes of the test.
struct Up<'a> {
    docker: &'a Docker,
    folder: &'a Path,
}

impl Up<'_> {
    fn compose(&self, arguments: &[&str]) -> Result<String, String> {
        run(self.docker.command("docker-compose").current_dir(self.folder).args(["-f", FILE]).args(arguments))
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        if let Err(reason) = self.compose(&["down", "-v", "-t", "2"]) {
            eprintln!("left behind: {reason}");
        }
    }
}

#[test]
fn generated_stack_runs_without_swiftdeploy() {
    let images = ["swift-deploy-1-node:latest", "nginx:latest", "openpolicyagent/opa:latest"];
    let Some(docker) = Docker::with("stack", &images) else { return };
    if !has_compose() {
        return;
    }
    let mut manifest = seed();
    manifest.project.clone_from(&docker.prefix);
    manifest.network.name = format!("{}-net", docker.prefix);
    manifest.nginx.port = free_port();
    manifest.policy.port = free_port();
    let folder = readable_folder();
    write_generated(&manifest, folder.path());
    let infra = "package infra\n\ndecision := {\"allow\": true}\n";
    write(folder.path(), "policies/infra.rego", infra);

    let up = Up { docker: &docker, folder: folder.path() };
    up.compose(&["up", "-d"]).unwrap();
    let answer = wait_for("the service", || match get(manifest.nginx.port, "/healthz")? {
        answer if answer.status == 200 => Ok(answer),
        answer => Err(format!("status {}", answer.status)),
    });
    assert_eq!(answer.header("X-Deployed-By"), ["swiftdeploy"]);
    assert_eq!(get(manifest.nginx.port, "/metrics").unwrap().status, 200, "the host is let through");
    let ask = |method, path| request(manifest.policy.port, method, path, "", "{\"input\":{}}");
    let decision = wait_for("OPA", || ask("POST", "/v1/data/infra/decision"));
    assert_eq!((decision.status, decision.body.trim()), (200, r#"{"result":{"allow":true}}"#));
    assert_eq!(ask("PUT", "/v1/policies/infra").unwrap().status, 401);

    for spec in render::stack(&manifest).containers {
        let state = docker.call(["inspect", "-f", "{{.State.Status}} {{.Config.User}}", &spec.name]).unwrap();
        assert_eq!(state.trim(), format!("running {}", spec.user), "{}", spec.name);
        wait_for("its health check", || {
            let health = docker.call(["inspect", "-f", "{{.State.Health.Status}}", &spec.name])?;
            if health.trim() == "healthy" { Ok(()) } else { Err(format!("{}: {health}", spec.name)) }
        });
    }
}
