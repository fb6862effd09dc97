//! Too few requests, by command: the wait, the hint, the end without a verdict,
//! and the end with one once probe traffic came.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use super::world::{World, until};

fn with_canary(max_wait: &str) -> World {
    let world = World::local();
    world.edit_manifest(|text| text.replace("max_wait: 20s", &format!("max_wait: {max_wait}")));
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    world
}

#[test]
fn too_few_requests_end_without_a_verdict_and_do_not_read_like_a_denial() {
    let world = with_canary("7s");
    let ran = world
        .run(&["promote", "stable"])
        .ends_with(3)
        .says("waiting up to 7 s for evidence")
        .says("`swiftdeploy load --rps 20 --for 30s`")
        .says("Promotion not decided: not enough evidence")
        .says("requests 0 is below the limit 20")
        .says("0 of 20 requests");
    for denial in ["blocked", "violation", "denied", "FAIL"] {
        assert!(!ran.text().contains(denial), "{denial}: {}", ran.text());
    }
    assert_eq!(world.get("/healthz").json()["mode"], "canary");
}

#[test]
fn a_promotion_that_waits_tells_how_many_and_passes_once_probe_traffic_came() {
    let world = with_canary("60s");
    let mut waiting = world
        .command(&["promote", "stable", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(waiting.stdout.take().unwrap()).lines().map(Result::unwrap);
    // The window has its length before requests are what is wanting.
    let first = lines.by_ref().find(|line| line.contains("0 of 20 requests, waiting"));
    assert!(first.is_some(), "it never told how many requests there are");
    // Beside the promotion, which holds the lock.
    world.run(&["load", "--rps", "30", "--for", "6s"]).ends_with(0);
    let rest: Vec<String> = lines.collect();
    assert!(waiting.wait().unwrap().success(), "{rest:#?}");
    assert_eq!(world.get("/healthz").json()["mode"], "stable");
}

/// A limit of more than half the window wants old requests of the local target too:
/// there are enough requests, and load is not what is wanting.
#[test]
fn a_promotion_that_lacks_nothing_but_time_does_not_offer_load() {
    let world = with_canary("2s");
    world.set_limits(
        r#"{"thresholds":{"disk_free_gb":1,"cpu_load":1000,"error_rate":0.01,"p99_latency_ms":10000}}"#,
    );
    world.run(&["load", "--rps", "40", "--for", "6s"]).ends_with(0);
    let mut goes_on = world.command(&["load", "--rps", "40", "--for", "10s"]);
    let mut goes_on = goes_on.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let ran = world
        .run(&["promote", "stable"])
        .ends_with(3)
        .says("waiting up to 2 s for evidence, which comes with time")
        .says("settled_requests 0 is below the limit 20");
    assert!(!ran.text().contains("swiftdeploy load"), "{}", ran.text());
    goes_on.kill().unwrap();
    goes_on.wait().unwrap();
}

/// The local target restarts nothing: what is killed stays away, and every
/// request after that is one that only the proxy saw.
#[test]
fn a_canary_that_died_fails_by_its_health_and_by_what_the_proxy_saw() {
    let world = with_canary("3s");
    world.run(&["load", "--rps", "30", "--for", "2s"]).ends_with(0);
    world.run(&["chaos", "kill"]).ends_with(0);
    for _ in 0..25 {
        assert_eq!(world.get("/").status, 502);
    }
    let ran = world.run(&["policy", "ask", "canary", "--json"]).ends_with(2);
    let decision = &ran.json()[0]["decision"];
    assert_eq!(decision["verdict"], "fail", "{decision}");
    assert_eq!(decision["violations"][0]["code"], "canary_unhealthy", "{decision}");
    assert_eq!(decision["input"]["proxy_failures"], 25, "{}", decision["input"]);
    world.run(&["promote", "stable"]).ends_with(2).says("Promotion blocked").says("does not run");
    world.run(&["rollback"]).ends_with(0);
}

/// A canary that begins to hang a moment before the gate is asked: no request has
/// ended, and it was good until then.
#[test]
fn a_canary_whose_requests_hang_as_the_gate_is_asked_fails() {
    let world = with_canary("20s");
    world.run(&["load", "--rps", "40", "--for", "6s"]).ends_with(0);
    world.run(&["policy", "ask", "canary"]).ends_with(0);

    assert_eq!(world.curl_chaos(r#"{"mode":"slow","duration":20}"#).status, 200);
    let hanging = [(); 10].map(|()| {
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, world.port)).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n").unwrap();
        client
    });
    let late = until("requests wait for longer than the limit", Duration::from_secs(4), || {
        let decision = world.run(&["policy", "ask", "canary", "--json"]).json()[0]["decision"].clone();
        let waits = decision["input"]["proxy_waiting"].as_array().unwrap().clone();
        let late = waits.iter().filter(|wait| wait["waited_ms"].as_u64() > Some(500));
        let number = late.filter_map(|wait| wait["count"].as_u64()).sum::<u64>();
        if number == 10 { Ok(decision) } else { Err(decision.to_string()) }
    });
    assert_eq!(late["verdict"], "fail", "{late}");
    assert_eq!(late["violations"][0]["code"], "proxy_abandoned", "{late}");
    world.run(&["promote", "stable"]).ends_with(2).says("proxy_waiting 10");
    drop(hanging);
    world.run(&["rollback"]).ends_with(0);
}
