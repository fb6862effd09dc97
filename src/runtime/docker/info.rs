//! What is known about the daemon, and about the machine that it runs on.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use bollard::models::SystemInfo;

use super::client::Client;
use super::connect::{Address, FIRST_ANSWER, ask_version, refuse_too_old};
use crate::runtime::{EngineInfo, HostFacts, RuntimeError};

/// How this machine reaches releases, which publish no port of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apps {
    /// At their own addresses.
    Directly,
    /// At a port that is published for this tool on the loopback of the
    /// daemon's machine: a rootless engine and Docker Desktop forward it to the
    /// loopback of this one.
    Published,
    /// Not at all.
    OutOfReach,
}

/// How this machine stands to the daemon's; asked once, at connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The daemon runs on this machine.
    pub is_local: bool,
    /// How releases are asked from this machine.
    pub apps: Apps,
    /// Clients' addresses reach the proxy unchanged.
    pub shows_client_addresses: bool,
    /// Where published ports are reached.
    pub published_at: IpAddr,
}

impl Reach {
    /// Asks the daemon and compares it with this machine.
    pub async fn find(client: &Client, address: &Address) -> Result<Self, RuntimeError> {
        let info = client.read("asking the daemon what it is", client.docker.info()).await?;
        let is_local = address.is_on_this_machine() && same_machine(&info, &ThisMachine::read());
        Ok(Self::of(&info, is_local, address.is_on_this_machine(), published_at(address).await?))
    }

    fn of(info: &SystemInfo, is_local: bool, address_is_here: bool, published_at: IpAddr) -> Self {
        let plain = !is_rootless(info) && !is_desktop(info);
        let apps = if is_local && plain {
            Apps::Directly
        } else if (is_local && is_rootless(info)) || (address_is_here && is_desktop(info)) {
            Apps::Published
        } else {
            Apps::OutOfReach
        };
        Self { is_local, apps, shows_client_addresses: plain, published_at }
    }

    /// Fails for a daemon whose releases cannot be asked, before one runs that
    /// would never be known to be well.
    pub async fn refuse_out_of_reach(&self, client: &Client) -> Result<(), RuntimeError> {
        if self.apps != Apps::OutOfReach {
            return Ok(());
        }
        let info = client.read("asking the daemon what it is", client.docker.info()).await?;
        let host = info.name.unwrap_or_else(|| "another machine".to_owned());
        Err(RuntimeError::EngineOutOfReach { address: client.address.clone(), host })
    }

    /// The address at which this machine reaches a port that is published on
    /// `bind`.
    pub fn published(&self, bind: IpAddr) -> IpAddr {
        if bind.is_unspecified() { self.published_at } else { bind }
    }
}

async fn published_at(address: &Address) -> Result<IpAddr, RuntimeError> {
    let Address::Tcp { host, port } = address else { return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)) };
    let found = tokio::time::timeout(FIRST_ANSWER, tokio::net::lookup_host(format!("{host}:{port}"))).await;
    let found = found.ok().and_then(Result::ok).and_then(|mut found| found.next());
    found.map(|address| address.ip()).ok_or_else(|| RuntimeError::EngineAbsent {
        address: address.to_string(),
        reason: format!("the name {host} has no address"),
    })
}

/// What identifies a machine well enough to tell it from another one to which
/// a socket was forwarded.
struct ThisMachine {
    name: String,
    kernel: String,
}

impl ThisMachine {
    fn read() -> Self {
        let read = |name: &str| {
            let text = std::fs::read_to_string(Path::new("/proc/sys/kernel").join(name));
            text.unwrap_or_default().trim().to_owned()
        };
        Self { name: read("hostname"), kernel: read("osrelease") }
    }
}

/// A virtual machine (Docker Desktop) has another name and another kernel; a
/// container that holds the daemon's socket has another name only.
fn same_machine(info: &SystemInfo, this: &ThisMachine) -> bool {
    if is_desktop(info) {
        return false;
    }
    info.name.as_deref() == Some(this.name.as_str())
        || info.kernel_version.as_deref() == Some(this.kernel.as_str())
}

fn is_rootless(info: &SystemInfo) -> bool {
    info.security_options.iter().flatten().any(|option| option.contains("name=rootless"))
}

fn is_desktop(info: &SystemInfo) -> bool {
    info.operating_system.as_deref().is_some_and(|system| system.contains("Docker Desktop"))
}

/// Asks the daemon who it is now.
pub async fn engine(client: &Client, reach: Reach) -> Result<EngineInfo, RuntimeError> {
    let version = ask_version(&client.address, &client.docker, FIRST_ANSWER).await?;
    refuse_too_old(&version)?;
    reach.refuse_out_of_reach(client).await?;
    let info = client.read("asking the daemon what it is", client.docker.info()).await?;
    Ok(EngineInfo {
        name: "docker".to_owned(),
        version: version.version.or(info.server_version).unwrap_or_default(),
        host: info.name.unwrap_or_default(),
        is_local: reach.is_local,
        shows_client_addresses: reach.shows_client_addresses,
    })
}

/// Measures the machine that runs the containers, if it is this one: numbers
/// of another machine would let a policy allow what it should deny.
pub async fn host_facts(client: &Client, reach: Reach) -> Result<HostFacts, RuntimeError> {
    let doing = "measuring the host";
    let refused = |reason: String| RuntimeError::Engine { doing: doing.to_owned(), reason };
    if !reach.is_local {
        return Err(refused(format!(
            "the daemon at {} runs on another machine, whose disk and load cannot be measured from here",
            client.address
        )));
    }
    let info = client.read(doing, client.docker.info()).await?;
    let data_root = info
        .docker_root_dir
        .filter(|root| !root.is_empty())
        .map(PathBuf::from)
        .ok_or_else(|| refused("the daemon does not tell where it keeps its data".to_owned()))?;
    let disk_free_bytes = free_bytes(&data_root)?;
    let load1 = sysinfo::System::load_average()
        .map_err(|error| refused(format!("the load average cannot be read: {error}")))?
        .one;
    let cpus = info
        .ncpu
        .and_then(|count| u32::try_from(count).ok())
        .filter(|count| *count > 0)
        .ok_or_else(|| refused("the daemon does not tell its number of processors".to_owned()))?;
    Ok(HostFacts { disk_free_bytes, data_root, load1, cpus })
}

/// What a user other than root may still write.
fn free_bytes(path: &Path) -> Result<u64, RuntimeError> {
    let file = |source: std::io::Error| RuntimeError::File { path: path.to_path_buf(), source };
    let found = rustix::fs::statvfs(path).map_err(|errno| file(errno.into()))?;
    // A file system without size (as /proc) is not where data can be.
    if found.f_blocks == 0 {
        return Err(file(std::io::Error::other("this file system tells no size")));
    }
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn info(name: &str, kernel: &str, system: &str) -> SystemInfo {
        SystemInfo {
            name: Some(name.into()),
            kernel_version: Some(kernel.into()),
            operating_system: Some(system.into()),
            ..SystemInfo::default()
        }
    }

    #[rstest]
    #[case::the_same(info("here", "6.1", "Debian"), true)]
    #[case::seen_from_a_container(info("outside", "6.1", "Debian"), true)]
    #[case::a_forwarded_socket(info("there", "5.10", "Debian"), false)]
    #[case::a_virtual_machine(info("here", "6.1", "Docker Desktop"), false)]
    fn machines_are_told_apart(#[case] info: SystemInfo, #[case] expected: bool) {
        let this = ThisMachine { name: "here".into(), kernel: "6.1".into() };
        assert_eq!(same_machine(&info, &this), expected);
    }

    fn rootless() -> SystemInfo {
        SystemInfo { security_options: Some(vec!["name=rootless".into()]), ..info("here", "6.1", "Debian") }
    }

    #[rstest]
    #[case::plain(info("here", "6.1", "Debian"), true, Apps::Directly)]
    #[case::rootless(rootless(), true, Apps::Published)]
    #[case::rootless_elsewhere(rootless(), false, Apps::OutOfReach)]
    #[case::desktop(info("vm", "5.15", "Docker Desktop"), false, Apps::Published)]
    #[case::elsewhere(info("there", "5.10", "Debian"), false, Apps::OutOfReach)]
    fn releases_are_reached_directly_or_at_a_published_port_or_not(
        #[case] info: SystemInfo,
        #[case] is_local: bool,
        #[case] expected: Apps,
    ) {
        let reach = Reach::of(&info, is_local, true, IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(reach.apps, expected);
    }

    #[test]
    fn a_desktop_on_another_machine_is_out_of_reach() {
        let reach =
            Reach::of(&info("vm", "5.15", "Docker Desktop"), false, false, IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(reach.apps, Apps::OutOfReach);
    }

    #[tokio::test]
    async fn a_daemon_of_another_machine_is_told_at_once_with_what_helps() {
        let answer = || async {
            axum::Json(serde_json::json!({
                "ApiVersion": "1.41", "Version": "20.10", "Name": "there", "KernelVersion": "0.1"
            }))
        };
        let app = axum::Router::new().fallback(answer);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("tcp://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let options = crate::runtime::docker::DockerOptions {
            project: "shop".into(),
            host: Some(host.clone()),
            service_port: 3000,
            clock: crate::clock::SystemClock::shared(),
        };
        let runtime = crate::runtime::docker::DockerRuntime::connect(options).await.unwrap();
        let error = crate::runtime::Runtime::info(&runtime).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the Docker daemon at {host} runs on there, where health and metrics of a release cannot be read from here"
            )
        );
        assert!(error.next_step().starts_with("run swiftdeploy on that machine"), "{}", error.next_step());
    }

    #[test]
    fn free_space_is_measured_where_asked() {
        assert!(free_bytes(Path::new("/")).unwrap() > 0);
        assert!(free_bytes(Path::new("/nowhere")).is_err());
        assert!(free_bytes(Path::new("/proc")).is_err());
    }
}
