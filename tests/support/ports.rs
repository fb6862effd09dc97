//! Ports for what tests start.
#![allow(dead_code, reason = "every test binary uses another part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the ports of the tests are: below the range from which the kernel
/// gives ports to connections, so that none is taken between choice and use.
pub const PORTS: Range<u32> = 20_000..32_000;

/// A port that nobody has, and that no test program is given again while this
/// process runs.
pub fn free_port() -> u16 {
    // Only so that programs side by side need not try each other's first.
    free_port_from(std::process::id().wrapping_mul(97))
}

/// The same, where the search begins at this place of the range, that is
/// so far above its start.
pub fn free_port_from(begin: u32) -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in PORTS {
        let step = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(PORTS.start + step % (PORTS.end - PORTS.start)).unwrap();
        if is_ours(port) {
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}

/// Takes a port for this process, unless somebody has it.
///
/// That nobody listens says nothing of a test program beside this one that was
/// given the port a moment ago and has not begun to listen. So what a program is
/// given it marks: it keeps the UDP socket of the same number, which no test uses
/// otherwise. The kernel gives it to one process of a network namespace, whatever
/// process namespace that is in; no program inherits it, and it ends with the
/// process, however that ends.
fn is_ours(port: u16) -> bool {
    static MARKS: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    let Ok(mark) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) else { return false };
    // What a program of before left running has no mark any more.
    let is_free = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
    if is_free {
        MARKS.lock().unwrap().push(mark);
    }
    is_free
}
