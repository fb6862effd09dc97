//! A container's spec as the daemon wants to read it. Pure, so that a test can
//! see that nothing which matters for safety is left to the daemon's defaults.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType,
    MountVolumeOptions, NetworkingConfig, PortBinding, PortMap, RestartPolicy, RestartPolicyNameEnum,
};

use super::labels;
use crate::domain::stack::{self, ContainerSpec, MountSource};

/// A network that a container joins, under the names by which others find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The name that the daemon knows.
    pub network: String,
    /// The service's name, and the container's.
    pub aliases: Vec<String>,
}

impl Joined {
    /// How the daemon wants to read it.
    pub fn endpoint(&self) -> EndpointSettings {
        EndpointSettings { aliases: Some(self.aliases.clone()), ..EndpointSettings::default() }
    }
}

/// The name of a volume of a project, as [`stack::Stack::volume_name`] makes
/// it for whoever knows the whole stack.
pub fn volume_name(project: &str, volume: &str) -> String {
    format!("{project}-{volume}")
}

/// The container as a spec says. It joins the first of `networks`; the others
/// are joined by calls of their own (several at once need API 1.44).
pub fn body(spec: &ContainerSpec, project: &str, image: &str, networks: &[Joined]) -> ContainerCreateBody {
    let first = networks.first();
    ContainerCreateBody {
        image: Some(image.to_owned()),
        user: Some(spec.user.clone()),
        env: Some(spec.env.iter().map(|(key, value)| format!("{key}={value}")).collect()),
        entrypoint: spec.entrypoint.clone(),
        cmd: (!spec.command.is_empty()).then(|| spec.command.clone()),
        labels: Some(spec.labels(project).into_iter().collect()),
        exposed_ports: Some(spec.ports.iter().map(|port| format!("{}/tcp", port.container)).collect()),
        healthcheck: spec.health.as_ref().map(health),
        stop_signal: Some(spec.stop_signal.clone()),
        stop_timeout: Some(whole_seconds(spec.stop_grace)),
        host_config: Some(HostConfig {
            network_mode: Some(first.map_or_else(|| "none".to_owned(), |joined| joined.network.clone())),
            mounts: Some(spec.mounts.iter().map(|mount| volume_mount(mount, project)).collect()),
            port_bindings: Some(port_bindings(spec)),
            restart_policy: Some(RestartPolicy {
                name: Some(restart(&spec.restart)),
                maximum_retry_count: None,
            }),
            memory: spec.memory.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
            nano_cpus: spec.milli_cpus.map(|thousandths| i64::from(thousandths) * 1_000_000),
            ..confined(spec)
        }),
        networking_config: first.map(|joined| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(joined.network.clone(), joined.endpoint())])),
        }),
        ..ContainerCreateBody::default()
    }
}

/// Publishes a release's port on the loopback of the daemon's machine, at a
/// port that the daemon chooses, and says so in a label.
pub fn publish_on_loopback(body: &mut ContainerCreateBody, port: u16) {
    let (label, value) = labels::PUBLISHED_FOR;
    body.labels.get_or_insert_default().insert(label.to_owned(), value.to_owned());
    let key = format!("{port}/tcp");
    body.exposed_ports.get_or_insert_default().push(key.clone());
    let binding = PortBinding {
        host_ip: Some(std::net::Ipv4Addr::LOCALHOST.to_string()),
        host_port: Some("0".to_owned()),
    };
    let host = body.host_config.get_or_insert_default();
    host.port_bindings.get_or_insert_default().entry(key).or_default().get_or_insert_default().push(binding);
}

/// The part of the configuration that confines a container, whatever it is
/// for: no capabilities, no way to gain any, a read-only root, bounded logs.
pub fn confined(spec: &ContainerSpec) -> HostConfig {
    HostConfig {
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
        readonly_rootfs: Some(spec.read_only),
        tmpfs: Some(spec.tmpfs.iter().map(|path| tmpfs(path)).collect()),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), "10m".to_owned()),
                ("max-file".to_owned(), "3".to_owned()),
            ])),
        }),
        ..HostConfig::default()
    }
}

/// `/path` or `/path:options`, as Compose writes it.
fn tmpfs(text: &str) -> (String, String) {
    let (path, options) = text.split_once(':').unwrap_or((text, ""));
    (path.to_owned(), options.to_owned())
}

fn volume_mount(mount: &stack::Mount, project: &str) -> Mount {
    let (volume, no_copy) = match mount.source {
        // A new volume takes contents and mode of the image's folder: that is
        // how a log folder becomes writable for a user other than root.
        MountSource::Volume(volume) => (volume, false),
        MountSource::Files(files) => (files.volume(), true),
    };
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume_name(project, volume)),
        target: Some(mount.target.clone()),
        read_only: Some(mount.read_only),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(no_copy),
            // Should the volume be gone, the daemon makes it with these.
            labels: Some(labels::of_volume(project, volume)),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }
}

/// A volume without a name, writable, that ends with its container.
pub fn anonymous_mount(mount: &stack::Mount) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        target: Some(mount.target.clone()),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(matches!(mount.source, MountSource::Files(_))),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }
}

fn port_bindings(spec: &ContainerSpec) -> PortMap {
    let mut bindings = PortMap::new();
    for port in &spec.ports {
        bindings.entry(format!("{}/tcp", port.container)).or_default().get_or_insert_default().push(
            PortBinding { host_ip: Some(port.bind.to_string()), host_port: Some(port.host.to_string()) },
        );
    }
    bindings
}

fn health(spec: &stack::HealthSpec) -> HealthConfig {
    let test = std::iter::once("CMD".to_owned()).chain(spec.command.iter().cloned()).collect();
    HealthConfig {
        test: Some(test),
        interval: Some(nanoseconds(spec.interval)),
        timeout: Some(nanoseconds(spec.timeout)),
        retries: Some(i64::from(spec.retries)),
        start_period: Some(nanoseconds(spec.start_period)),
        start_interval: None,
    }
}

fn restart(policy: &str) -> RestartPolicyNameEnum {
    match policy {
        "always" => RestartPolicyNameEnum::ALWAYS,
        "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
        "unless-stopped" => RestartPolicyNameEnum::UNLESS_STOPPED,
        _ => RestartPolicyNameEnum::NO,
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Rounded up: a grace of half a second must not become none.
pub fn whole_seconds(duration: Duration) -> i64 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::domain::stack::{FileSet, HealthSpec, PublishedPort, Role};
    use crate::domain::{Mode, Slot};

    fn spec() -> ContainerSpec {
        ContainerSpec {
            role: Role::App { slot: Slot::Green, mode: Mode::Canary },
            service: "app-green".into(),
            name: "shop-app-green".into(),
            image: "shop:1".into(),
            entrypoint: None,
            command: Vec::new(),
            env: [("APP_VERSION".to_owned(), "1.2.3".to_owned())].into(),
            user: "65532:65532".into(),
            read_only: true,
            tmpfs: vec!["/tmp".into(), "/run:size=1m".into()],
            mounts: vec![
                stack::Mount {
                    source: MountSource::Volume("logs"),
                    target: "/var/tmp".into(),
                    read_only: false,
                },
                stack::Mount {
                    source: MountSource::Files(FileSet::Policies),
                    target: "/policies".into(),
                    read_only: true,
                },
            ],
            networks: vec!["app".into()],
            ports: vec![PublishedPort { bind: IpAddr::V4(Ipv4Addr::LOCALHOST), host: 8081, container: 3000 }],
            health: Some(HealthSpec {
                command: vec!["/service".into(), "healthcheck".into()],
                interval: Duration::from_secs(2),
                timeout: Duration::from_millis(500),
                retries: 3,
                start_period: Duration::from_secs(5),
            }),
            restart: "unless-stopped".into(),
            stop_signal: "SIGTERM".into(),
            stop_grace: Duration::from_millis(1500),
            memory: Some(64 << 20),
            milli_cpus: Some(1500),
            depends_on: Vec::new(),
        }
    }

    #[test]
    fn every_part_of_a_spec_reaches_the_daemon() {
        let networks = [Joined { network: "shop-net".into(), aliases: vec!["app-green".into()] }];
        let body = body(&spec(), "shop", "sha256:1234", &networks);
        let mut text: serde_json::Value = serde_json::to_value(body).unwrap();
        // The hash has a test of its own.
        for key in ["io.swiftdeploy.spec", "com.docker.compose.config-hash"] {
            text["Labels"][key] = "HASH".into();
        }
        insta::assert_snapshot!(serde_json::to_string_pretty(&text).unwrap());
    }

    #[test]
    fn a_port_for_this_tool_is_on_the_loopback_and_labelled() {
        let mut body = body(&ContainerSpec { ports: Vec::new(), ..spec() }, "shop", "shop:1", &[]);
        publish_on_loopback(&mut body, 3000);
        let text = serde_json::to_value(body).unwrap();
        let expected = serde_json::json!({"3000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "0"}]});
        assert_eq!(text["HostConfig"]["PortBindings"], expected);
        assert_eq!(text["Labels"]["io.swiftdeploy.published-for"], "health-and-metrics");
    }

    #[test]
    fn a_container_without_networks_has_none() {
        let body = body(&spec(), "shop", "shop:1", &[]);
        assert_eq!(body.host_config.unwrap().network_mode.as_deref(), Some("none"));
        assert_eq!(body.networking_config, None);
    }

    #[test]
    fn volumes_have_the_names_that_the_compose_file_gives_them() {
        let stack = stack::Stack {
            project: "shop".into(),
            networks: Vec::new(),
            volumes: Vec::new(),
            containers: Vec::new(),
        };
        assert_eq!(volume_name("shop", "logs"), stack.volume_name("logs"));
        let labels: std::collections::BTreeMap<_, _> =
            labels::of_volume("shop", "logs").into_iter().collect();
        assert_eq!(labels, stack.volume_labels("logs"));
    }

    #[test]
    fn labels_tell_the_role_again() {
        let labels = spec().labels("shop").into_iter().collect();
        assert_eq!(labels::role(&labels), Some(spec().role));
        assert_eq!(labels::role(&labels::of_helper("shop")), None);
    }
}
