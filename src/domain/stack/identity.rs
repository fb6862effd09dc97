//! By what the objects of a stack are recognised: names, labels and the hash
//! of what a container was made from.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ContainerSpec, HealthSpec, Mount, MountSource, NetworkSpec, Role, Stack, env, label};

/// Labels by which Compose recognises what is its own. Objects made through
/// the engine's API carry them too, so that `docker compose ps`, `logs` and
/// `down` see the same stack.
pub mod compose_label {
    /// The Compose project, on every object.
    pub const PROJECT: &str = "com.docker.compose.project";
    /// The key under `services`, on containers.
    pub const SERVICE: &str = "com.docker.compose.service";
    /// Which of several equal containers this is; here always 1.
    pub const CONTAINER_NUMBER: &str = "com.docker.compose.container-number";
    /// Whether it came from `compose run`; here always `False`. Compose 1
    /// compares the text, so the capital letter matters.
    pub const ONEOFF: &str = "com.docker.compose.oneoff";
    /// What Compose compares with its file. Compose 2 skips containers
    /// without it.
    pub const CONFIG_HASH: &str = "com.docker.compose.config-hash";
    /// The version of Compose that made it. Compose 1 compares it on `up` and
    /// crashes where it is absent.
    pub const VERSION: &str = "com.docker.compose.version";
    /// The key under `networks`, on networks.
    pub const NETWORK: &str = "com.docker.compose.network";
    /// The key under `volumes`, on volumes.
    pub const VOLUME: &str = "com.docker.compose.volume";
}

/// The Compose whose labels these are.
const COMPOSE_VERSION: &str = "1.29.2";

impl Stack {
    /// The name by which the engine knows a volume of this stack.
    #[must_use]
    pub fn volume_name(&self, volume: &str) -> String {
        format!("{}-{volume}", self.project)
    }

    /// The labels of a volume: ours and Compose's.
    #[must_use]
    pub fn volume_labels(&self, volume: &str) -> BTreeMap<String, String> {
        object_labels(&self.project, compose_label::VOLUME, volume)
    }
}

/// The labels of an object that is not a container.
fn object_labels(project: &str, kind: &str, key: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (label::PROJECT.to_owned(), project.to_owned()),
        (compose_label::PROJECT.to_owned(), project.to_owned()),
        (kind.to_owned(), key.to_owned()),
    ])
}

impl NetworkSpec {
    /// The labels of the network: ours and Compose's. Compose 2 refuses to use
    /// a network of the right name that lacks its labels.
    #[must_use]
    pub fn labels(&self, project: &str) -> BTreeMap<String, String> {
        object_labels(project, compose_label::NETWORK, &self.key)
    }
}

impl ContainerSpec {
    /// SHA-256 over what a container is made of, as hex digits: two containers
    /// with the same hash were made the same way. Changes with any field; only
    /// the proxy's leaves out when it is started (Compose alone asks for that)
    /// and how long it may take to stop (the call that stops it says so). To make
    /// it anew for one of these would lose requests for nothing.
    #[must_use]
    pub fn hash(&self) -> String {
        match self.role {
            Role::Proxy => self.hash_with(&Value::Null, &[]),
            Role::App { .. } | Role::Policy => {
                self.hash_with(&json!(millis(self.stop_grace)), &self.depends_on)
            }
        }
    }

    /// The hash by the rule of older versions: also over how long the container may
    /// take to stop, and what it was started after. By it a proxy that one of them
    /// made is known to be right still.
    #[must_use]
    pub fn older_hash(&self, stop_grace: Duration) -> String {
        self.hash_with(&json!(millis(stop_grace)), &self.depends_on)
    }

    fn hash_with(&self, stop_grace: &Value, depends_on: &[String]) -> String {
        // Taken apart without `..`, so that a new field does not compile until
        // it has its place in the hash.
        let Self {
            role,
            service,
            name,
            image,
            entrypoint,
            command,
            env,
            user,
            read_only,
            tmpfs,
            mounts,
            networks,
            ports,
            health,
            restart,
            stop_signal,
            stop_grace: _,
            memory,
            milli_cpus,
            depends_on: _,
        } = self;
        let place = match role {
            Role::App { slot, mode } => json!([slot.as_str(), mode.as_str()]),
            Role::Proxy | Role::Policy => json!([]),
        };
        let text = json!([
            [role.as_str(), place],
            service,
            name,
            image,
            [entrypoint, command],
            env,
            user,
            [read_only, tmpfs],
            mounts.iter().map(Mount::fingerprint).collect::<Vec<_>>(),
            networks,
            ports.iter().map(|port| json!([port.bind, port.host, port.container])).collect::<Vec<_>>(),
            health.as_ref().map(HealthSpec::fingerprint),
            [restart, stop_signal],
            stop_grace,
            [json!(memory), json!(milli_cpus)],
            depends_on,
        ])
        .to_string();
        Sha256::digest(text).iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// Our labels: what this container is, for whom, and what it was made
    /// from.
    #[must_use]
    pub fn own_labels(&self, project: &str) -> BTreeMap<String, String> {
        let mut labels = self.identity_labels(project);
        labels.insert(label::SPEC.to_owned(), self.hash());
        labels
    }

    /// Our labels but for [`label::SPEC`]. The Compose file carries these: a
    /// container that Compose made mounts folders where SwiftDeploy mounts
    /// copies, so it must not pass for one that SwiftDeploy made.
    #[must_use]
    pub fn identity_labels(&self, project: &str) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::from([
            (label::PROJECT.to_owned(), project.to_owned()),
            (label::ROLE.to_owned(), self.role.as_str().to_owned()),
            (label::IMAGE.to_owned(), self.image.clone()),
        ]);
        if let Role::App { slot, mode } = self.role {
            labels.insert(label::SLOT.to_owned(), slot.as_str().to_owned());
            labels.insert(label::MODE.to_owned(), mode.as_str().to_owned());
            let version = self.env.get(env::VERSION).cloned().unwrap_or_default();
            labels.insert(label::VERSION.to_owned(), version);
        }
        labels
    }

    /// All labels of a container made through the engine's API: ours, and
    /// those by which Compose counts it as part of the project.
    #[must_use]
    pub fn labels(&self, project: &str) -> BTreeMap<String, String> {
        let mut labels = self.own_labels(project);
        labels.extend(
            [
                (compose_label::PROJECT, project),
                (compose_label::SERVICE, self.service.as_str()),
                (compose_label::CONTAINER_NUMBER, "1"),
                (compose_label::ONEOFF, "False"),
                (compose_label::VERSION, COMPOSE_VERSION),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        labels.insert(compose_label::CONFIG_HASH.to_owned(), self.hash());
        labels
    }
}

/// Whole milliseconds, the unit of the fingerprints.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Mount {
    /// What enters the hash of the container.
    fn fingerprint(&self) -> Value {
        let source = match self.source {
            MountSource::Volume(volume) => ["volume", volume],
            MountSource::Files(files) => ["files", files.volume()],
        };
        json!([source, self.target, self.read_only])
    }
}

impl HealthSpec {
    /// What enters the hash of the container.
    fn fingerprint(&self) -> Value {
        let times = [self.interval, self.timeout, self.start_period].map(millis);
        json!([self.command, times, self.retries])
    }
}

#[cfg(test)]
mod tests;
