//! Test programs run side by side: none may be given a port that another was
//! given, used or not yet.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::duplicate_mod,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[path = "support/ports.rs"]
mod again;
#[path = "support/ports.rs"]
mod ports;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Tells the program that this one starts where it begins to look.
const BEGIN: &str = "SWIFTDEPLOY_TEST_PORTS_BEGIN";

/// More than any test program needs.
const MANY: usize = 300;

/// Where in the range a port is.
fn place_of(port: u16) -> u32 {
    u32::from(port) - ports::PORTS.start
}

/// A program that was given ports and keeps them until it is let go.
struct Other {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Other {
    fn beginning_at(begin: u32) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "helper_takes_ports", "--ignored", "--nocapture"])
            .env(BEGIN, begin.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// All that it was given.
    fn ports(&mut self) -> BTreeSet<u16> {
        let lines = self.output.by_ref().lines().map_while(Result::ok);
        lines.filter_map(|line| line.strip_prefix("given ")?.parse().ok()).take(MANY).collect()
    }

    fn ends(mut self) {
        drop(self.child.stdin.take());
        std::io::copy(&mut self.output, &mut std::io::sink()).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
#[ignore = "not a test: a program that is given ports beside another"]
fn helper_takes_ports() {
    let begin = std::env::var(BEGIN).unwrap().parse().unwrap();
    println!();
    for _ in 0..MANY {
        println!("given {}", ports::free_port_from(begin));
    }
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn programs_that_begin_to_look_at_the_same_place_are_given_different_ports() {
    let begin = place_of(ports::free_port());
    let (mut one, mut other) = (Other::beginning_at(begin), Other::beginning_at(begin));
    let (ports, others) = (one.ports(), other.ports());
    assert_eq!((ports.len(), others.len()), (MANY, MANY));
    assert_eq!(ports.intersection(&others).collect::<Vec<_>>(), Vec::<&u16>::new());

    // Not yet used, and no longer kept.
    assert!(ports.union(&others).all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()));
    one.ends();
    let mut third = Other::beginning_at(begin);
    let thirds = third.ports();
    assert!(thirds.intersection(&ports).count() > 0, "an ended program keeps nothing");
    assert_eq!(thirds.intersection(&others).count(), 0);
    third.ends();
    other.ends();
}

#[test]
fn a_program_that_holds_the_helper_twice_is_given_each_port_once() {
    let begin = place_of(ports::free_port());
    let given: BTreeSet<u16> =
        (0..MANY).flat_map(|_| [ports::free_port_from(begin), again::free_port_from(begin)]).collect();
    assert_eq!(given.len(), 2 * MANY);
}

#[test]
fn a_port_on_which_somebody_listens_is_not_given() {
    // Bound as a program does that a test left running: without a mark.
    let begin = ports::free_port();
    let somebody: Vec<_> =
        (begin..).filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()).take(3).collect();
    let taken: BTreeSet<u16> =
        somebody.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    let mut other = Other::beginning_at(place_of(begin));
    assert!(other.ports().is_disjoint(&taken));
    other.ends();
}
