//! Who listens on a port of the host: our proxy, another container, or a
//! process, named as well as the system lets us.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;

use bollard::query_parameters::ListContainersOptionsBuilder;

use super::client::Client;
use super::labels;
use crate::domain::stack::{Role, label};
use crate::runtime::{PortOwner, RuntimeError};

/// The kernel's word for a listening socket.
const LISTEN: &str = "0A";

/// Looks at the daemon's containers first, then at this machine if the daemon
/// is here; of another machine only the containers can be seen.
pub async fn owner(
    client: &Client,
    is_local: bool,
    bind: IpAddr,
    port: u16,
) -> Result<PortOwner, RuntimeError> {
    let options = ListContainersOptionsBuilder::new().build();
    let running =
        client.read("listing running containers", client.docker.list_containers(Some(options))).await?;
    for container in running {
        let publishes = container.ports.iter().flatten().any(|published| {
            let at = published.ip.as_deref().and_then(|ip| ip.parse().ok());
            published.public_port == Some(port) && at.is_none_or(|at| overlap(at, bind))
        });
        if !publishes {
            continue;
        }
        let labels = container.labels.unwrap_or_default();
        let ours = labels.get(label::PROJECT).is_some_and(|project| *project == client.project);
        if ours && labels::role(&labels) == Some(Role::Proxy) {
            return Ok(PortOwner::OurProxy);
        }
        let name = container.names.unwrap_or_default();
        let name = name.first().map_or("without a name", |name| name.trim_start_matches('/'));
        return Ok(PortOwner::Other(format!("container {name}")));
    }
    if !is_local {
        return Ok(PortOwner::Free);
    }
    let look = tokio::task::spawn_blocking(move || owner_here(bind, port));
    look.await.map_err(|error| RuntimeError::Engine {
        doing: format!("looking for the owner of port {port}"),
        reason: error.to_string(),
    })
}

/// Two listeners on these addresses get in each other's way.
fn overlap(a: IpAddr, b: IpAddr) -> bool {
    a == b || a.is_unspecified() || b.is_unspecified()
}

/// Who listens on this machine. Reads `/proc` and tries to listen, since each
/// sees what the other does not (other network namespaces; ports below 1024).
pub fn owner_here(bind: IpAddr, port: u16) -> PortOwner {
    let sockets: HashSet<u64> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listeners(&table, bind, port))
        .collect();
    if !sockets.is_empty() {
        return PortOwner::Other(
            process(&sockets).unwrap_or_else(|| "a process that this user may not see".to_owned()),
        );
    }
    match TcpListener::bind(SocketAddr::new(bind, port)) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            PortOwner::Other("a process that cannot be seen from here".to_owned())
        }
        // Any other failure (no right to a low port, an address of another
        // machine) says nothing about an owner.
        _ => PortOwner::Free,
    }
}

/// The inodes of the sockets in a kernel table that listen on the port.
fn listeners(table: &str, bind: IpAddr, port: u16) -> Vec<u64> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (address, found) = fields.nth(1)?.split_once(':')?;
            let listens = fields.nth(1)? == LISTEN;
            let inode = fields.nth(5)?.parse().ok()?;
            let same_port = u16::from_str_radix(found, 16).ok()? == port;
            (listens && same_port && overlap(kernel_address(address)?, bind)).then_some(inode)
        })
        .collect()
}

/// An address as the kernel writes it: 32-bit words in the machine's order.
fn kernel_address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(IpAddr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (part, at) in bytes.chunks_exact_mut(4).zip([0, 8, 16, 24]) {
                part.copy_from_slice(&word(at)?);
            }
            // An IPv4 listener may stand in the table of IPv6.
            Some(std::net::Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

/// `nginx (pid 4242)`, from the first process that holds one of the sockets.
fn process(sockets: &HashSet<u64>) -> Option<String> {
    let links: HashSet<String> = sockets.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let holds = |process: &Path| {
        let descriptors = std::fs::read_dir(process.join("fd")).ok()?;
        let held = descriptors.flatten().any(|descriptor| {
            std::fs::read_link(descriptor.path())
                .is_ok_and(|link| link.to_str().is_some_and(|link| links.contains(link)))
        });
        held.then_some(())
    };
    let mut pids: Vec<u32> = std::fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    // A server's first process is the one that a person started.
    pids.sort_unstable();
    pids.into_iter().find_map(|pid| {
        let folder = Path::new("/proc").join(pid.to_string());
        holds(&folder)?;
        let name = std::fs::read_to_string(folder.join("comm")).unwrap_or_default();
        Some(format!("{} (pid {pid})", name.trim()))
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rstest::rstest;

    use super::*;

    const TABLE: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 32 1 0 100 0 0 10 0
   2: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 33 1 0 100 0 0 10 0
";

    #[rstest]
    #[case("127.0.0.1", 8080, &[31])]
    #[case::any_address_covers_it("0.0.0.0", 8080, &[31])]
    #[case::another_address("127.0.0.2", 8080, &[])]
    #[case::covered_by_any_address("127.0.0.2", 8081, &[33])]
    #[case::nobody("127.0.0.1", 8082, &[])]
    fn the_kernels_table_tells_listeners(#[case] bind: &str, #[case] port: u16, #[case] expected: &[u64]) {
        assert_eq!(listeners(TABLE, bind.parse().unwrap(), port), expected);
    }

    #[test]
    fn a_process_on_the_port_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let PortOwner::Other(owner) = owner_here(any, port) else { panic!("the port is taken") };
        assert!(owner.ends_with(&format!("(pid {})", std::process::id())), "{owner}");
        drop(listener);
        assert_eq!(owner_here(any, port), PortOwner::Free);
    }
}
