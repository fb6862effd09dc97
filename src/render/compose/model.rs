//! The part of the Compose format that a stack needs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::domain::stack::{
    ContainerSpec, FileSet, HealthSpec, Mount, MountSource, NetworkSpec, PublishedPort, Stack, label,
};

/// The whole file.
#[derive(Serialize)]
pub(super) struct Compose {
    services: BTreeMap<String, Service>,
    networks: BTreeMap<String, Network>,
    volumes: BTreeMap<String, Volume>,
}

#[derive(Serialize)]
struct Service {
    image: Text,
    container_name: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    entrypoint: Option<Vec<Text>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    command: Vec<Text>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<String, Text>,
    user: Text,
    read_only: bool,
    cap_drop: [Text; 1],
    security_opt: [Text; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tmpfs: Vec<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<ServiceVolume>,
    networks: Vec<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<Text>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    depends_on: BTreeMap<String, Dependency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthcheck: Option<Healthcheck>,
    restart: Text,
    stop_signal: Text,
    stop_grace_period: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpus: Option<f64>,
    logging: Logging,
    labels: BTreeMap<String, Text>,
}

#[derive(Serialize)]
struct ServiceVolume {
    r#type: &'static str,
    source: Text,
    target: Text,
    read_only: bool,
}

#[derive(Serialize)]
struct Dependency {
    condition: &'static str,
}

#[derive(Serialize)]
struct Healthcheck {
    test: Vec<Text>,
    interval: Text,
    timeout: Text,
    retries: u32,
    start_period: Text,
}

#[derive(Serialize)]
struct Logging {
    driver: &'static str,
    options: BTreeMap<&'static str, &'static str>,
}

#[derive(Serialize)]
struct Network {
    name: Text,
    driver: Text,
    labels: BTreeMap<String, Text>,
}

#[derive(Serialize)]
struct Volume {
    name: Text,
    labels: BTreeMap<String, Text>,
}

/// A string in which Compose expands nothing.
#[derive(Serialize)]
#[serde(transparent)]
struct Text(String);

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.replace('$', "$$"))
    }
}

impl From<Duration> for Text {
    fn from(duration: Duration) -> Self {
        match duration.as_millis() {
            millis if millis % 1000 == 0 => Self(format!("{}s", millis / 1000)),
            millis => Self(format!("{millis}ms")),
        }
    }
}

impl From<&PublishedPort> for Text {
    fn from(port: &PublishedPort) -> Self {
        // The short form: Compose 1 knows no `host_ip`.
        let address = std::net::SocketAddr::new(port.bind, port.host);
        Self(format!("{address}:{}", port.container))
    }
}

fn texts(list: &[String]) -> Vec<Text> {
    list.iter().map(|text| text.as_str().into()).collect()
}

fn text_map(map: &BTreeMap<String, String>) -> BTreeMap<String, Text> {
    map.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect()
}

impl From<&Stack> for Compose {
    fn from(stack: &Stack) -> Self {
        let services = stack
            .containers
            .iter()
            .map(|container| (container.service.clone(), Service::new(stack, container)))
            .collect();
        let networks = stack
            .networks
            .iter()
            .map(|network| (network.key.clone(), Network::new(stack, network)))
            .collect();
        let volumes =
            stack.volumes.iter().map(|volume| (volume.clone(), Volume::new(stack, volume))).collect();
        Self { services, networks, volumes }
    }
}

impl Service {
    fn new(stack: &Stack, spec: &ContainerSpec) -> Self {
        let dependency = |name: &String| {
            let checks_itself = |spec: &&ContainerSpec| &spec.service == name && spec.health.is_some();
            let condition = if stack.containers.iter().any(|spec| checks_itself(&spec)) {
                "service_healthy"
            } else {
                "service_started"
            };
            (name.clone(), Dependency { condition })
        };
        Self {
            image: spec.image.as_str().into(),
            container_name: spec.name.as_str().into(),
            entrypoint: spec.entrypoint.as_deref().map(texts),
            command: texts(&spec.command),
            environment: text_map(&spec.env),
            user: spec.user.as_str().into(),
            read_only: spec.read_only,
            cap_drop: ["ALL".into()],
            security_opt: ["no-new-privileges:true".into()],
            tmpfs: texts(&spec.tmpfs),
            volumes: spec.mounts.iter().map(ServiceVolume::from).collect(),
            networks: texts(&spec.networks),
            ports: spec.ports.iter().map(Text::from).collect(),
            depends_on: spec.depends_on.iter().map(dependency).collect(),
            healthcheck: spec.health.as_ref().map(Healthcheck::from),
            restart: spec.restart.as_str().into(),
            stop_signal: spec.stop_signal.as_str().into(),
            stop_grace_period: spec.stop_grace.into(),
            mem_limit: spec.memory,
            cpus: spec.milli_cpus.map(|milli| f64::from(milli) / 1000.0),
            logging: Logging::bounded(),
            labels: text_map(&spec.identity_labels(&stack.project)),
        }
    }
}

impl From<&Mount> for ServiceVolume {
    fn from(mount: &Mount) -> Self {
        // Folders, never single files: a file that is replaced by a rename
        // would stay the old one inside the container.
        let (r#type, source) = match mount.source {
            MountSource::Volume(volume) => ("volume", volume),
            MountSource::Files(FileSet::ProxyConfig) => ("bind", "."),
            MountSource::Files(FileSet::Policies) => ("bind", "../policies"),
            MountSource::Files(FileSet::PolicyConfig) => ("bind", "./opa"),
        };
        Self {
            r#type,
            source: source.into(),
            target: mount.target.as_str().into(),
            read_only: mount.read_only,
        }
    }
}

impl From<&HealthSpec> for Healthcheck {
    fn from(health: &HealthSpec) -> Self {
        let mut test = vec!["CMD".into()];
        test.extend(texts(&health.command));
        Self {
            test,
            interval: health.interval.into(),
            timeout: health.timeout.into(),
            retries: health.retries,
            start_period: health.start_period.into(),
        }
    }
}

impl Logging {
    /// The engine's own logs, bounded: at most 30 MB a container.
    fn bounded() -> Self {
        Self { driver: "json-file", options: BTreeMap::from([("max-size", "10m"), ("max-file", "3")]) }
    }
}

impl Network {
    fn new(stack: &Stack, network: &NetworkSpec) -> Self {
        Self {
            name: network.name.as_str().into(),
            driver: network.driver.as_str().into(),
            labels: project_label(stack),
        }
    }
}

impl Volume {
    fn new(stack: &Stack, volume: &str) -> Self {
        Self { name: stack.volume_name(volume).as_str().into(), labels: project_label(stack) }
    }
}

fn project_label(stack: &Stack) -> BTreeMap<String, Text> {
    BTreeMap::from([(label::PROJECT.to_owned(), stack.project.as_str().into())])
}
