//! Ports for what tests start.
#![allow(dead_code, reason = "every test binary uses another part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the ports of the tests are: below the range from which the kernel
/// gives ports to connections, so that none is taken between choice and use.
const PORTS: Range<u32> = 20_000..32_000;

/// Names, for a program that a test starts again in a namespace, where its ports
/// begin: process ids are small and alike in all of those.
pub const FIRST_PORT: &str = "SWIFTDEPLOY_TEST_FIRST_PORT";

/// Where the ports of this process begin, by its number in the range. A program
/// may hold this file twice: each has a place of its own.
fn first_port() -> u32 {
    let told = std::env::var(FIRST_PORT).ok().and_then(|number| number.parse().ok());
    let here = module_path!().bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    told.unwrap_or_else(|| std::process::id().wrapping_mul(97)).wrapping_add(here)
}

/// Where the ports begin for a program that this one starts again: far from its
/// own and from those of others that it starts.
pub fn first_port_of_another() -> u32 {
    static STARTED: AtomicU32 = AtomicU32::new(1);
    first_port().wrapping_add(STARTED.fetch_add(1, Ordering::Relaxed).wrapping_mul(997))
}

/// A port that nobody has, given once in this process; other processes begin
/// elsewhere in the range.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = first_port();
    for _ in PORTS {
        let step = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(PORTS.start + step % (PORTS.end - PORTS.start)).unwrap();
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}
