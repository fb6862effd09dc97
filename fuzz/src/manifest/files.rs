//! The generated files: none of a manifest's values adds to their structure.

use std::collections::BTreeSet;

use serde_json::Value;
use swiftdeploy::domain::{Routes, Share, Slot};
use swiftdeploy::manifest::{EngineKind, Manifest};
use swiftdeploy::render::{self, GeneratedFile};
use swiftdeploy::runtime::ProxyAbilities;

use crate::directives::{Directive, directives};

/// Renders everything that a manifest means.
pub(super) fn check(manifest: &Manifest) {
    let files = render::declared(manifest).unwrap_or_else(|error| panic!("loads, but: {error}"));
    compose(manifest, named(&files, "docker-compose.yml"));
    environment(named(&files, ".env"));
    questions(manifest, named(&files, "authz.rego"));
    proxy(manifest, named(&files, "nginx.conf"));
    let rules = render::proxy_rules(manifest);
    assert_eq!((rules.port, rules.bind), (manifest.nginx.port, manifest.nginx.bind));
}

fn named<'a>(files: &'a [GeneratedFile], name: &str) -> &'a str {
    let file = files.iter().find(|file| file.path.ends_with(name));
    &file.unwrap_or_else(|| panic!("there is no {name}")).contents
}

/// The Compose file is YAML that says what the stack says.
fn compose(manifest: &Manifest, text: &str) {
    let file: Value = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let sections: Vec<&String> = file.as_object().into_iter().flat_map(|file| file.keys()).collect();
    assert_eq!(sections, ["networks", "services", "volumes"], "{text}");
    let stack = render::stack(manifest);
    let services = file["services"].as_object().unwrap();
    assert_eq!(services.len(), stack.containers.len(), "{text}");
    for container in &stack.containers {
        let service = &services[&container.service];
        assert_eq!(service["image"], escaped(&container.image));
        let none = serde_json::Map::new();
        let environment = service["environment"].as_object().unwrap_or(&none);
        assert_eq!(environment.len(), container.env.len(), "{text}");
        for (key, value) in &container.env {
            assert_eq!(environment[key], escaped(value), "{text}");
        }
    }
}

/// What Compose takes for `text`: a dollar sign is written twice.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

/// A comment and the project's name.
fn environment(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let [comment, name] = lines[..] else { panic!("{text}") };
    assert!(comment.starts_with("# "), "{text}");
    let name = name.strip_prefix("COMPOSE_PROJECT_NAME=").unwrap_or_else(|| panic!("{text}"));
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{text}");
}

/// Each gate is one line of the rules of OPA, and nothing else is.
fn questions(manifest: &Manifest, text: &str) {
    let mut plain = manifest.clone();
    plain.policy.gates.clear();
    let files = render::opa_files(&plain).unwrap();
    let known: Vec<&str> = files.iter().flat_map(|(_, text)| text.lines()).collect();
    let new = text.lines().filter(|line| !known.contains(line)).map(str::to_owned).collect::<BTreeSet<_>>();
    let packages: BTreeSet<&str> = manifest.policy.gates.iter().map(|gate| gate.package.as_str()).collect();
    let packages: BTreeSet<&str> = packages.difference(&["infra", "canary"].into()).copied().collect();
    let line = |package: &&str| {
        let parts = package.replace('.', "\", \"");
        format!("\t[\"v1\", \"data\", \"{parts}\", \"decision\"],")
    };
    let wanted: BTreeSet<String> = packages.iter().map(line).collect();
    assert_eq!(new, wanted, "{text}");
    assert_eq!(text.lines().count(), known.len() + packages.len(), "{text}");
}

/// nginx reads the same directives whatever the names and texts are.
fn proxy(manifest: &Manifest, declared: &str) {
    let routes = Routes::declared();
    let of = |manifest: &Manifest, routes: &Routes, abilities| {
        shape(&render::nginx_conf(manifest, routes, abilities).unwrap())
    };
    let plain = plain(manifest);
    assert_eq!(shape(declared), of(&plain, &routes, ProxyAbilities::default()), "{declared}");
    let shares = [(Slot::Blue, 90), (Slot::Green, 10)].map(|(slot, percent)| Share { slot, percent });
    let routes = Routes { generation: "g-1".into(), shares: shares.into() };
    // One or the other: filling templates is what takes the time here.
    let hides_client_addresses = manifest.services.port.is_multiple_of(2);
    let abilities = ProxyAbilities { keepalive_min_timeout: true, resolve: true, hides_client_addresses };
    assert_eq!(of(manifest, &routes, abilities), of(&plain, &routes, abilities));
}

/// The same manifest with harmless words in every place that takes text.
fn plain(manifest: &Manifest) -> Manifest {
    let mut plain = manifest.clone();
    plain.contact = "x".into();
    plain.project = "x".into();
    plain.services.name = "x".into();
    plain.services.image = "x".into();
    plain.services.version = "1".into();
    plain.nginx.image = "x".into();
    plain.network.name = "x".into();
    // The operator's paths are listed once.
    if plain.metrics.path != "/chaos" {
        plain.metrics.path = "/x".into();
    }
    plain.policy.gates.clear();
    plain.policy.engine = Some(EngineKind::Embedded);
    plain
}

fn shape(text: &str) -> Vec<(usize, String, usize)> {
    let all = directives(text).unwrap_or_else(|reason| panic!("{reason} in\n{text}"));
    all.into_iter().map(|Directive { depth, words }| (depth, words[0].clone(), words.len())).collect()
}
