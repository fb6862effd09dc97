//! nginx as a program: how it is called to check a configuration or to load
//! it, and what it says. Pure.

use std::path::Path;

use crate::domain::stack::{ContainerSpec, FileSet, MountSource, Role, Stack};
use crate::runtime::RuntimeError;

/// The configuration in force, in the proxy's folder of files.
pub const CONFIG: &str = "nginx.conf";
/// A configuration that is checked before it takes the place of the other.
pub const CANDIDATE: &str = "nginx.conf.next";
/// Where the generated configuration lets the master write its number.
pub const PID: &str = "/tmp/nginx.pid";
/// Long enough for several complaints.
const LONGEST: usize = 2000;

/// The folder in which a container sees a file set.
pub fn folder(spec: &ContainerSpec, set: FileSet) -> Option<&str> {
    let mount = spec.mounts.iter().find(|mount| mount.source == MountSource::Files(set))?;
    Some(mount.target.trim_end_matches('/'))
}

/// The command that calls nginx as the spec does, but with another
/// configuration and with more arguments (`-t`; `-s reload`).
pub fn command(spec: &ContainerSpec, config: &str, more: &[&str]) -> Vec<String> {
    let whole: Vec<&String> = spec.entrypoint.iter().flatten().chain(&spec.command).collect();
    let is_nginx = |word: &&&String| Path::new(word).file_name().is_some_and(|name| name == "nginx");
    let start = whole.iter().position(|word| is_nginx(&word));
    let mut command = vec![start.map_or_else(|| "nginx".to_owned(), |at| whole[at].clone())];
    let mut arguments = whole.iter().skip(start.map_or(whole.len(), |at| at + 1));
    while let Some(argument) = arguments.next() {
        if argument.as_str() == "-c" {
            arguments.next();
        } else {
            command.push((*argument).clone());
        }
    }
    command.extend(["-c", config].iter().chain(more).map(|&word| word.to_owned()));
    command
}

/// What nginx complains about, without what is only noise.
pub fn complaint(said: &str) -> String {
    let complaints: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| ["[emerg]", "[alert]", "[crit]", "[error]"].iter().any(|level| line.contains(level)))
        .collect();
    let text = if complaints.is_empty() { said.trim().to_owned() } else { complaints.join("; ") };
    text.chars().take(LONGEST).collect()
}

/// The names of the app in both slots, derived from the declared one, and of
/// its containers: what a configuration may name.
pub fn app_names(stack: &Stack) -> Vec<String> {
    let mut names = Vec::new();
    for spec in &stack.containers {
        let Role::App { slot, .. } = spec.role else { continue };
        for name in [&spec.service, &spec.name] {
            names.push(name.clone());
            if let Some(base) = name.strip_suffix(slot.as_str()) {
                names.push(format!("{base}{}", slot.other()));
            }
        }
    }
    names
}

/// The proxy of a stack and the folder of its configuration.
pub fn proxy(stack: &Stack) -> Result<(&ContainerSpec, &str), RuntimeError> {
    let missing = |what: &str| RuntimeError::Engine {
        doing: "reading the stack".to_owned(),
        reason: format!("it has no {what}"),
    };
    let spec =
        stack.containers.iter().find(|spec| spec.role == Role::Proxy).ok_or_else(|| missing("proxy"))?;
    let folder =
        folder(spec, FileSet::ProxyConfig).ok_or_else(|| missing("folder for the proxy's configuration"))?;
    Ok((spec, folder))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn spec(entrypoint: Option<&[&str]>, command: &[&str]) -> ContainerSpec {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        ContainerSpec {
            role: Role::Proxy,
            service: "nginx".into(),
            name: "shop-nginx".into(),
            image: "nginx".into(),
            entrypoint: entrypoint.map(words),
            command: words(command),
            env: std::collections::BTreeMap::new(),
            user: "101:101".into(),
            read_only: true,
            tmpfs: Vec::new(),
            mounts: Vec::new(),
            networks: Vec::new(),
            ports: Vec::new(),
            health: None,
            restart: "no".into(),
            stop_signal: "SIGQUIT".into(),
            stop_grace: std::time::Duration::ZERO,
            memory: None,
            milli_cpus: None,
            depends_on: Vec::new(),
        }
    }

    #[rstest]
    #[case::entrypoint(Some(&["nginx", "-c", "/old", "-e", "stderr"] as &[&str]), &[], "nginx -e stderr -c /new -t")]
    #[case::command(None, &["/usr/sbin/nginx", "-g", "daemon off;"], "/usr/sbin/nginx -g daemon off; -c /new -t")]
    #[case::behind_a_script(Some(&["/run.sh"] as &[&str]), &["nginx", "-c", "/old"], "nginx -c /new -t")]
    #[case::unknown(None, &[], "nginx -c /new -t")]
    fn nginx_is_called_as_the_container_does(
        #[case] entrypoint: Option<&[&str]>,
        #[case] words: &[&str],
        #[case] expected: &str,
    ) {
        assert_eq!(command(&spec(entrypoint, words), "/new", &["-t"]).join(" "), expected);
    }

    #[test]
    fn complaints_are_told_without_noise() {
        let said = "2026/01/01 [notice] x\nnginx: [emerg] unknown directive \"x\" in /a:3\n\
                    nginx: configuration file /a test failed\n";
        assert_eq!(complaint(said), "nginx: [emerg] unknown directive \"x\" in /a:3");
        assert_eq!(complaint(" exec: nginx: not found\n"), "exec: nginx: not found");
    }
}
