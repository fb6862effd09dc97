//! The tests' Docker daemon, through the `docker` command.

use std::path::Path;
use std::process::Command;

use super::{run, skipped};

pub struct Docker {
    host: String,
    /// Prefix of everything that the test makes.
    pub prefix: String,
}

impl Docker {
    /// The daemon, if these images are on it.
    pub fn with(test: &str, images: &[&str]) -> Option<Self> {
        let host = skipped::needs("SWIFTDEPLOY_TEST_DOCKER_HOST")?;
        let docker = Self { host, prefix: format!("render-{test}-{}", std::process::id()) };
        for image in images {
            if docker.call(["image", "inspect", image]).is_err() {
                skipped::note(&format!("image {image} is not on the tests' daemon"));
                return None;
            }
        }
        Some(docker)
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DOCKER_HOST", &self.host).env_remove("COMPOSE_PROJECT_NAME").env_remove("COMPOSE_FILE");
        command
    }

    pub fn call<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Result<String, String> {
        run(self.command("docker").args(arguments))
    }

    /// Starts a container that lives as long as the test, hardened as the
    /// generated ones are; its name.
    pub fn start(&self, name: &str, arguments: &[&str]) -> String {
        let name = format!("{}-{name}", self.prefix);
        let mut all = vec!["run", "-d", "--name", &name];
        all.extend(["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]);
        all.extend(["--security-opt", "no-new-privileges:true", "--user", "101:101"]);
        all.extend(arguments);
        self.call(all).unwrap();
        name
    }

    /// The version of the nginx in an image, `(1, 28, 3)`.
    pub fn nginx_version(&self, image: &str) -> (u32, u32, u32) {
        let command = self
            .command("docker")
            .args(["run", "--rm", "--network", "none", "--entrypoint", "nginx", image, "-v"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&command.stderr).into_owned();
        let version = text.trim().rsplit('/').next().unwrap_or_default();
        let mut parts = version.split('.').map(|part| part.parse().unwrap_or_else(|_| panic!("{text}")));
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let filter = format!("name={}", self.prefix);
        for (kind, remove) in [("container", "-fv"), ("network", ""), ("volume", "-f")] {
            let mut list = vec![kind, "ls", "-q", "--filter", &filter];
            if kind == "container" {
                list.push("-a");
            }
            for id in self.call(list).unwrap_or_default().split_whitespace() {
                let call = [kind, "rm", remove, id];
                if let Err(reason) = self.call(call.into_iter().filter(|part| !part.is_empty())) {
                    eprintln!("left behind: {reason}");
                }
            }
        }
    }
}

/// Writes a file, and its folder, so that any user may read it.
pub fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A folder that containers' users may enter.
pub fn readable_folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}
