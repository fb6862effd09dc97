//! Labels, names and hashes of a stack.

use std::time::Duration;

use rstest::rstest;

use super::super::{FileSet, PublishedPort};
use super::*;
use crate::domain::{Mode, Slot};

fn spec() -> ContainerSpec {
    ContainerSpec {
        role: Role::App { slot: Slot::Blue, mode: Mode::Stable },
        service: "app-blue".into(),
        name: "shop-app-blue".into(),
        image: "app:1".into(),
        entrypoint: None,
        command: Vec::new(),
        env: BTreeMap::from([(env::VERSION.into(), "1.0.0".into())]),
        user: "65532:65532".into(),
        read_only: true,
        tmpfs: vec!["/tmp".into()],
        mounts: vec![Mount {
            source: MountSource::Volume("logs"),
            target: "/var/tmp".into(),
            read_only: false,
        }],
        networks: vec!["app".into()],
        ports: Vec::new(),
        health: Some(HealthSpec {
            command: vec!["/app".into()],
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(2),
            retries: 3,
            start_period: Duration::from_mins(1),
        }),
        restart: "unless-stopped".into(),
        stop_signal: "SIGTERM".into(),
        stop_grace: Duration::from_secs(10),
        memory: None,
        milli_cpus: None,
        depends_on: Vec::new(),
    }
}

#[test]
fn equal_specs_have_equal_hashes_of_64_hex_digits() {
    let hash = spec().hash();
    assert_eq!(hash, spec().hash());
    assert_eq!(hash.len(), 64);
    assert!(hash.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()), "{hash}");
}

#[rstest]
#[case::slot(|spec: &mut ContainerSpec| spec.role = Role::App { slot: Slot::Green, mode: Mode::Stable })]
#[case::mode(|spec: &mut ContainerSpec| spec.role = Role::App { slot: Slot::Blue, mode: Mode::Canary })]
#[case::role(|spec: &mut ContainerSpec| spec.role = Role::Proxy)]
#[case::service(|spec: &mut ContainerSpec| spec.service.push('2'))]
#[case::name(|spec: &mut ContainerSpec| spec.name.push('2'))]
#[case::image(|spec: &mut ContainerSpec| spec.image.push('2'))]
#[case::entrypoint(|spec: &mut ContainerSpec| spec.entrypoint = Some(Vec::new()))]
#[case::command(|spec: &mut ContainerSpec| spec.command.push("run".into()))]
#[case::env(|spec: &mut ContainerSpec| { spec.env.insert("A".into(), "b".into()); })]
#[case::user(|spec: &mut ContainerSpec| spec.user = "1:1".into())]
#[case::read_only(|spec: &mut ContainerSpec| spec.read_only = false)]
#[case::tmpfs(|spec: &mut ContainerSpec| spec.tmpfs.clear())]
#[case::mount_source(|spec: &mut ContainerSpec| spec.mounts[0].source = MountSource::Files(FileSet::Policies))]
#[case::mount_target(|spec: &mut ContainerSpec| spec.mounts[0].target.push('2'))]
#[case::mount_access(|spec: &mut ContainerSpec| spec.mounts[0].read_only = true)]
#[case::networks(|spec: &mut ContainerSpec| spec.networks.push("b".into()))]
#[case::ports(|spec: &mut ContainerSpec| spec.ports.push(PublishedPort {
    bind: std::net::Ipv4Addr::LOCALHOST.into(), host: 1, container: 1,
}))]
#[case::no_health(|spec: &mut ContainerSpec| spec.health = None)]
#[case::health_command(|spec: &mut ContainerSpec| spec.health.as_mut().unwrap().command.push("x".into()))]
#[case::health_retries(|spec: &mut ContainerSpec| spec.health.as_mut().unwrap().retries = 4)]
#[case::health_interval(|spec: &mut ContainerSpec| {
    spec.health.as_mut().unwrap().interval = Duration::from_millis(2001);
})]
#[case::restart(|spec: &mut ContainerSpec| spec.restart = "no".into())]
#[case::stop_signal(|spec: &mut ContainerSpec| spec.stop_signal = "SIGQUIT".into())]
#[case::stop_grace(|spec: &mut ContainerSpec| spec.stop_grace = Duration::from_secs(11))]
#[case::memory(|spec: &mut ContainerSpec| spec.memory = Some(1))]
#[case::milli_cpus(|spec: &mut ContainerSpec| spec.milli_cpus = Some(1))]
#[case::depends_on(|spec: &mut ContainerSpec| spec.depends_on.push("opa".into()))]
fn hash_changes_with(#[case] change: fn(&mut ContainerSpec)) {
    let mut changed = spec();
    change(&mut changed);
    assert_ne!(changed.hash(), spec().hash());
}

/// To make the proxy anew interrupts the traffic; these need no new one.
#[test]
fn neither_its_grace_nor_compose_s_order_makes_another_proxy() {
    let proxy = ContainerSpec { role: Role::Proxy, ..spec() };
    let other = ContainerSpec {
        stop_grace: Duration::from_secs(45),
        depends_on: vec!["shop-blue".into()],
        ..proxy.clone()
    };
    assert_eq!(other.hash(), proxy.hash());
    assert_ne!(ContainerSpec { image: "nginx:2".into(), ..proxy.clone() }.hash(), proxy.hash());
}

/// Written down when that rule was in force: containers carry it.
#[test]
fn the_older_rule_gives_what_it_gave() {
    let proxy = ContainerSpec { role: Role::Proxy, depends_on: vec!["app-blue".into()], ..spec() };
    let then = "e160387d8ddbe3017565a07363234b304df42ac4fe5ac58babedfa58241d7c8a";
    assert_eq!(proxy.older_hash(Duration::from_secs(10)), then);
    let edited = ContainerSpec { stop_grace: Duration::from_secs(45), ..proxy.clone() };
    assert_eq!(edited.older_hash(Duration::from_secs(10)), then);
    assert_ne!(proxy.older_hash(Duration::from_secs(11)), then);
}

#[test]
fn memory_and_processor_limits_are_not_mixed_up() {
    let memory = ContainerSpec { memory: Some(500), ..spec() };
    let processor = ContainerSpec { milli_cpus: Some(500), ..spec() };
    assert_ne!(memory.hash(), processor.hash());
}

#[test]
fn app_container_is_labelled_for_us_and_for_compose() {
    let spec = spec();
    let hash = spec.hash();
    let expected = BTreeMap::from(
        [
            ("io.swiftdeploy.project", "shop"),
            ("io.swiftdeploy.role", "app"),
            ("io.swiftdeploy.slot", "blue"),
            ("io.swiftdeploy.mode", "stable"),
            ("io.swiftdeploy.version", "1.0.0"),
            ("io.swiftdeploy.image", "app:1"),
            ("io.swiftdeploy.spec", hash.as_str()),
            ("com.docker.compose.project", "shop"),
            ("com.docker.compose.service", "app-blue"),
            ("com.docker.compose.container-number", "1"),
            ("com.docker.compose.oneoff", "False"),
            ("com.docker.compose.version", "1.29.2"),
            ("com.docker.compose.config-hash", hash.as_str()),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    assert_eq!(spec.labels("shop"), expected);
}

#[test]
fn proxy_has_no_slot_mode_or_version() {
    let labels = ContainerSpec { role: Role::Proxy, ..spec() }.own_labels("shop");
    for absent in [label::SLOT, label::MODE, label::VERSION] {
        assert!(!labels.contains_key(absent), "{absent}");
    }
}

#[test]
fn networks_and_volumes_carry_the_labels_that_compose_asks_for() {
    let network = NetworkSpec { key: "app".into(), name: "net".into(), driver: "bridge".into() };
    assert_eq!(network.labels("shop").get(compose_label::NETWORK).map(String::as_str), Some("app"));
    let stack =
        Stack { project: "shop".into(), networks: Vec::new(), volumes: Vec::new(), containers: Vec::new() };
    assert_eq!(stack.volume_name("logs"), "shop-logs");
    assert_eq!(stack.volume_labels("logs").get(compose_label::VOLUME).map(String::as_str), Some("logs"));
    assert_eq!(stack.volume_labels("logs").get(label::PROJECT).map(String::as_str), Some("shop"));
}
