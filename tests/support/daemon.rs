//! Everything that the tests' Docker daemon has, and things of others on it.
#![allow(dead_code, reason = "every test binary uses another part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use std::collections::BTreeSet;

use swiftdeploy::domain::stack::label;

use super::world::World;

/// Everything that the daemon has, with what tells a thing from another of the
/// same name made in its place: identity, moment of creation and start.
pub fn listing(world: &World) -> BTreeSet<String> {
    let docker = |args: &[&str]| world.tool("docker", args).ends_with(0).out;
    let inspect = |kind: &str, list: &[&str], format: &str| {
        let all = docker(list);
        let names: Vec<&str> = all.lines().collect();
        if names.is_empty() {
            return String::new();
        }
        docker(&[&[kind, "inspect", "--format", format], names.as_slice()].concat())
    };
    let containers = inspect(
        "container",
        &["ps", "-aq", "--no-trunc"],
        "{{.Id}} {{.Name}} {{.Image}} created {{.Created}} {{.State.Status}} since {{.State.StartedAt}} pid {{.State.Pid}} restarts {{.RestartCount}}",
    );
    let networks = inspect(
        "network",
        &["network", "ls", "-q", "--no-trunc"],
        "{{.Id}} {{.Name}} {{.Driver}} created {{.Created}} {{json .Labels}}",
    );
    let volumes = inspect(
        "volume",
        &["volume", "ls", "-q"],
        "{{.Name}} {{.Driver}} created {{.CreatedAt}} {{json .Labels}}",
    );
    let images = docker(&["images", "-a", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"]);
    [("container", containers), ("network", networks), ("volume", volumes), ("image", images)]
        .iter()
        .flat_map(|(kind, lines)| lines.lines().map(move |line| format!("{kind} {line}")))
        .collect()
}

/// Things that somebody else made by hand, with names and labels that begin as
/// those of a project do. Removed at the end.
pub struct Strangers<'a> {
    world: &'a World,
    container: String,
    network: String,
    volume: String,
}

impl<'a> Strangers<'a> {
    /// Makes a running container, a network it is in and a volume with a file.
    pub fn beside(world: &'a World) -> Self {
        let named = |what: &str| format!("{}-{what}", world.project);
        let strangers =
            Self { world, container: named("app-blue-2"), network: named("net-2"), volume: named("logs-2") };
        let Self { container, network, volume, .. } = &strangers;
        let other = format!("{}={}-3", label::PROJECT, world.project);
        let compose = format!("com.docker.compose.project={}-3", world.project);
        let labels = ["--label", other.as_str(), "--label", compose.as_str()];
        let docker = |args: &[&[&str]]| world.tool("docker", &args.concat()).ends_with(0);
        docker(&[&["network", "create"], &labels, &[network]]);
        docker(&[&["volume", "create"], &labels, &[volume]]);
        let mount = format!("{volume}:/kept");
        let place = ["run", "-d", "--name", container, "--network", network, "-v", mount.as_str()];
        docker(&[&place, &labels, &["--network-alias", "app-blue", "swift-deploy-1-node:latest"]]);
        strangers
    }
}

impl Drop for Strangers<'_> {
    fn drop(&mut self) {
        for remove in
            [["rm", "-fv", &self.container], ["network", "rm", &self.network], ["volume", "rm", &self.volume]]
        {
            self.world.tool("docker", &remove);
        }
    }
}
