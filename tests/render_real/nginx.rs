//! `nginx -t`, as the user and on the file system of the generated container.

use rstest::rstest;
use swiftdeploy::domain::{Routes, Share, Slot};
use swiftdeploy::manifest::{Manifest, OperatorAccess, Split};
use swiftdeploy::render;
use swiftdeploy::runtime::ProxyAbilities;

use super::docker::{Docker, readable_folder, write};
use super::render_support::{full, seed};

/// What an nginx of this version can do.
pub fn abilities(version: (u32, u32, u32)) -> ProxyAbilities {
    ProxyAbilities {
        keepalive_min_timeout: version >= (1, 27, 4),
        resolve: version >= (1, 27, 3),
        hides_client_addresses: false,
    }
}

/// Manifests that differ in what nginx reads.
fn manifests() -> Vec<(&'static str, Manifest)> {
    let with = |change: fn(&mut Manifest)| {
        let mut manifest = seed();
        change(&mut manifest);
        manifest
    };
    vec![
        ("seed", seed()),
        ("every key", full()),
        ("closed", with(|manifest| manifest.nginx.operator = OperatorAccess::Closed)),
        ("open", with(|manifest| manifest.nginx.operator = OperatorAccess::Open)),
        ("by address", with(|manifest| manifest.canary.split = Split::Ip)),
        ("privileged port", with(|manifest| manifest.nginx.port = 80)),
        ("no bridge", with(|manifest| manifest.network.driver_type = "macvlan".into())),
    ]
}

fn routing_states() -> Vec<Routes> {
    let split = |blue, green| Routes {
        generation: format!("split-{blue}"),
        shares: vec![Share { slot: Slot::Blue, percent: blue }, Share { slot: Slot::Green, percent: green }],
    };
    vec![
        Routes::declared(),
        Routes::all_to(Slot::Green, "green"),
        split(90, 10),
        split(1, 99),
        Routes { generation: "empty".into(), shares: Vec::new() },
    ]
}

#[rstest]
#[case::newest("nginx:latest", "newest")]
#[case::oldest("nginx:1.22", "oldest")]
fn accepts_every_configuration(#[case] image: &str, #[case] name: &str) {
    let Some(docker) = Docker::with(&format!("check-{name}"), &[image]) else { return };
    let abilities = abilities(docker.nginx_version(image));
    for (what, manifest) in manifests() {
        for routes in routing_states() {
            let text = render::nginx_conf(&manifest, &routes, abilities).unwrap();
            let folder = readable_folder();
            write(folder.path(), "nginx.conf", &text);
            let said = check(&docker, image, &folder.path().display().to_string(), &manifest);
            assert!(!said.contains("[warn]"), "{what}, {}: {said}", routes.generation);
        }
    }
}

#[test]
fn older_nginx_refuses_what_only_the_newer_one_knows() {
    let Some(docker) = Docker::with("abilities", &["nginx:1.22"]) else { return };
    for abilities in [
        ProxyAbilities { keepalive_min_timeout: true, ..ProxyAbilities::default() },
        ProxyAbilities { resolve: true, ..ProxyAbilities::default() },
    ] {
        let text = render::nginx_conf(&seed(), &Routes::declared(), abilities).unwrap();
        let folder = readable_folder();
        write(folder.path(), "nginx.conf", &text);
        let outcome = docker.call(
            arguments("nginx:1.22", &folder.path().display().to_string(), &seed()).iter().map(String::as_str),
        );
        assert!(outcome.is_err(), "{abilities:?}");
    }
}

/// Checks a configuration; what nginx said.
fn check(docker: &Docker, image: &str, folder: &str, manifest: &Manifest) -> String {
    let output = docker.command("docker").args(arguments(image, folder, manifest)).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

fn arguments(image: &str, folder: &str, manifest: &Manifest) -> Vec<String> {
    let mut all: Vec<String> = [
        "run",
        "--rm",
        "--network",
        "none",
        "--read-only",
        "--user",
        "101:101",
        "--cap-drop",
        "ALL",
        "--tmpfs",
        "/tmp",
        "--tmpfs",
        "/var/tmp:mode=1777",
        "--entrypoint",
        "nginx",
    ]
    .map(str::to_owned)
    .into();
    for slot in Slot::ALL {
        // Before the app runs, nobody knows its name.
        all.push("--add-host".into());
        all.push(format!("{}-{slot}:127.0.0.1", manifest.services.name));
    }
    all.push("-v".into());
    all.push(format!("{folder}:/etc/swiftdeploy:ro"));
    all.push(image.into());
    all.extend(["-t", "-c", "/etc/swiftdeploy/nginx.conf", "-e", "stderr"].map(str::to_owned));
    all
}
