//! Why a container is replaced, as a person reads it.

use std::collections::HashMap;

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::domain::stack::{NetworkSpec, PublishedPort};

fn spec() -> ContainerSpec {
    ContainerSpec {
        role: Role::Proxy,
        service: "nginx".into(),
        name: "shop-nginx".into(),
        image: "nginx:latest".into(),
        entrypoint: None,
        command: Vec::new(),
        env: std::collections::BTreeMap::new(),
        user: "101:101".into(),
        read_only: true,
        tmpfs: Vec::new(),
        mounts: Vec::new(),
        networks: vec!["app".into()],
        ports: vec![PublishedPort { bind: Ipv4Addr::UNSPECIFIED.into(), host: 8080, container: 8080 }],
        health: None,
        restart: "no".into(),
        stop_signal: "SIGQUIT".into(),
        stop_grace: Duration::from_secs(45),
        memory: None,
        milli_cpus: None,
        depends_on: Vec::new(),
    }
}

/// The reasons for a container that was made from `spec()`, for a stack whose
/// proxy is another by now.
fn reasons(now: impl FnOnce(&mut ContainerSpec, &mut NetworkSpec), labels: &[(&str, &str)]) -> Replacement {
    let mut wanted = spec();
    let mut network = NetworkSpec { key: "app".into(), name: "shop-net".into(), driver: "bridge".into() };
    now(&mut wanted, &mut network);
    let stack = Stack {
        project: "shop".into(),
        networks: vec![network],
        volumes: Vec::new(),
        containers: vec![wanted.clone()],
    };
    let found = Found {
        id: "1".into(),
        name: "shop-nginx".into(),
        service: "nginx".into(),
        role: Some(Role::Proxy),
        is_running: true,
        is_restarting: false,
        created: 0,
        labels: labels
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect::<HashMap<_, _>>(),
    };
    let inspected = json!({
        "HostConfig": {"PortBindings": {"8080/tcp": [{"HostIp": "", "HostPort": "8080"}]}},
        "NetworkSettings": {"Networks": {"shop-net": {}}},
    });
    why(&stack, &wanted, &found, &serde_json::from_value(inspected).unwrap())
}

const OURS: [(&str, &str); 2] = [(label::SPEC, "0123"), (label::IMAGE, "nginx:latest")];

#[rstest]
#[case::image(
    |spec: &mut ContainerSpec, _: &mut NetworkSpec| spec.image = "nginx:1.28".into(),
    "nginx.image is nginx:1.28 and was nginx:latest",
    true
)]
#[case::port(
    |spec: &mut ContainerSpec, _: &mut NetworkSpec| spec.ports[0].host = 9090,
    "nginx.port is 9090 and was 8080",
    false
)]
#[case::bind(
    |spec: &mut ContainerSpec, _: &mut NetworkSpec| spec.ports[0].bind = Ipv4Addr::LOCALHOST.into(),
    "nginx.bind is 127.0.0.1 and was 0.0.0.0",
    false
)]
#[case::network(
    |_: &mut ContainerSpec, network: &mut NetworkSpec| network.name = "other-net".into(),
    "by network.name it joins other-net and was in shop-net",
    false
)]
#[case::nothing_of_the_manifest(
    |spec: &mut ContainerSpec, _: &mut NetworkSpec| spec.user = "1:1".into(),
    "another version of SwiftDeploy made it, otherwise than this one does",
    true
)]
fn the_reason_is_told_and_whether_it_could_go_on(
    #[case] now: fn(&mut ContainerSpec, &mut NetworkSpec),
    #[case] why: &str,
    #[case] can_stay: bool,
) {
    let told = reasons(now, &OURS);
    assert_eq!((told.why.as_str(), told.can_stay), (why, can_stay));
}

#[test]
fn one_that_compose_started_reads_files_of_its_own() {
    let told = reasons(|_, _| {}, &[(label::IMAGE, "nginx:latest")]);
    assert!(!told.can_stay);
    assert_eq!(
        told.to_string(),
        "nginx: Compose started it, with files that SwiftDeploy does not write; \
         INTERRUPTS THE TRAFFIC until the new one serves"
    );
}
