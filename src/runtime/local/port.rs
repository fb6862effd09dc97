//! Who listens on the proxy's public port.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;

use super::os::{self, Listener};
use super::program::PROXY_ARGS;

/// Why a port can not be had, or that it can.
pub enum Port {
    /// Nobody listens, and we may.
    Free,
    /// Somebody listens; who, as far as can be told.
    Taken(Vec<Listener>),
    /// Nobody listens, but we cannot either: why, and what to do about it.
    Forbidden {
        /// Why not.
        reason: String,
        /// What to do.
        next: &'static str,
    },
}

/// Tries to listen, which is the only sure answer.
pub fn look(bind: IpAddr, port: u16) -> Port {
    match TcpListener::bind(SocketAddr::new(bind, port)) {
        Ok(_) => Port::Free,
        Err(error) if error.kind() == ErrorKind::AddrInUse => Port::Taken(os::listeners(port)),
        Err(error) => forbidden(bind, port, &error),
    }
}

fn forbidden(bind: IpAddr, port: u16, error: &std::io::Error) -> Port {
    let (reason, next) = match error.kind() {
        ErrorKind::PermissionDenied => (
            format!("this user may not listen on port {port} (only root may below 1024)"),
            "change nginx.port in the manifest",
        ),
        ErrorKind::AddrNotAvailable => (
            format!(
                "{bind} (nginx.bind) is not an address of this machine, so nothing here can listen on it"
            ),
            "set nginx.bind to an address of this machine, or leave it out to listen on all of them",
        ),
        _ => (
            format!("port {port} of {bind} cannot be listened on: {error}"),
            "change nginx.port or nginx.bind in the manifest",
        ),
    };
    Port::Forbidden { reason, next }
}

/// The folder of the project whose proxy this is: two levels above its state.
fn project(listener: &Listener) -> Option<&Path> {
    match listener.arguments.as_slice() {
        [_, proxy, state, folder]
            if [proxy, state].map(OsString::as_os_str) == PROXY_ARGS.map(OsStr::new) =>
        {
            Path::new(folder).ancestors().nth(2)
        }
        _ => None,
    }
}

/// The owners in words: `python3 (pid 4242)`.
pub fn describe(listeners: &[Listener]) -> String {
    let mut names: Vec<String> = listeners
        .iter()
        .map(|listener| match (&listener.name, listener.pid, listener.uid) {
            (Some(name), Some(pid), _) => match project(listener) {
                Some(folder) => format!("{name} (pid {pid}), the proxy of {}", folder.display()),
                None => format!("{name} (pid {pid})"),
            },
            (None, Some(pid), _) => format!("process {pid}"),
            (_, None, Some(uid)) => format!("a process of user {uid}"),
            (_, None, None) => "another process".into(),
        })
        .collect();
    names.dedup();
    if names.is_empty() { "another process".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn listener(pid: Option<u32>, name: Option<&str>, uid: Option<u32>) -> Listener {
        Listener { pid, name: name.map(Into::into), arguments: Vec::new(), uid }
    }

    #[test]
    fn the_proxy_of_another_project_is_named_with_its_folder() {
        let mut proxy = listener(Some(7), Some("swiftdeploy"), None);
        let arguments = ["swiftdeploy", PROXY_ARGS[0], PROXY_ARGS[1], "/srv/shop/.swiftdeploy/local"];
        proxy.arguments = arguments.map(OsString::from).to_vec();
        assert_eq!(describe(&[proxy]), "swiftdeploy (pid 7), the proxy of /srv/shop");
    }

    #[rstest]
    #[case::named(&[listener(Some(4242), Some("python3"), Some(0))], "python3 (pid 4242)")]
    #[case::of_another_user(&[listener(None, None, Some(33))], "a process of user 33")]
    #[case::nameless(&[listener(Some(7), None, None)], "process 7")]
    #[case::nothing_known(&[], "another process")]
    #[case::workers(&[listener(Some(1), Some("a"), None), listener(Some(2), Some("a"), None)], "a (pid 1), a (pid 2)")]
    fn owners_are_named_as_well_as_possible(#[case] listeners: &[Listener], #[case] expected: &str) {
        assert_eq!(describe(listeners), expected);
    }

    #[test]
    fn a_port_is_free_taken_or_not_ours_to_take() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = look(address.ip(), address.port());
        assert!(matches!(&taken, Port::Taken(by) if describe(by).contains(&std::process::id().to_string())));

        drop(listener);
        assert!(matches!(look(address.ip(), address.port()), Port::Free));

        // A documentation address is no machine's own.
        let foreign = look("192.0.2.1".parse().unwrap(), address.port());
        let Port::Forbidden { reason, next } = foreign else { panic!("it is not ours") };
        assert!(reason.starts_with("192.0.2.1 (nginx.bind) is not an address of this machine"), "{reason}");
        assert!(next.starts_with("set nginx.bind to an address of this machine"), "{next}");
    }
}
