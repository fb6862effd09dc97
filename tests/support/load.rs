//! A thousand requests while a release is replaced.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::world::World;

/// Requests at least.
const REQUESTS: usize = 1_000;

/// Clients side by side: half keep their connection, half open one each time.
const CLIENTS: usize = 8;

/// Redeploys as another version under load; every single answer is a 200, and
/// both versions were seen, so the switch lay in the middle.
pub fn redeploy_under_load(world: &World) {
    let is_done = Arc::new(AtomicBool::new(false));
    let url = format!("http://127.0.0.1:{}/", world.port);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| runtime.spawn(client(url.clone(), number % 2 == 0, Arc::clone(&is_done))))
        .collect();
    world.edit_manifest(|text| text.replace("version: \"1.0.0\"", "version: \"1.0.1\""));
    let ran = world.run(&["deploy"]);
    is_done.store(true, Ordering::Relaxed);
    ran.ends_with(0);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for client in clients {
        for (what, count) in runtime.block_on(client).unwrap() {
            *seen.entry(what).or_default() += count;
        }
    }
    let expected = ["200 1.0.0", "200 1.0.1"];
    let failed: Vec<_> = seen.iter().filter(|(what, _)| !expected.contains(&what.as_str())).collect();
    assert!(failed.is_empty(), "lost requests: {seen:?}");
    assert!(expected.iter().all(|what| seen.contains_key(*what)), "the switch was not under load: {seen:?}");
    assert!(seen.values().sum::<usize>() >= REQUESTS, "{seen:?}");
}

/// Sends until the deployment is done and its share of the thousand is sent.
async fn client(url: String, keeps_connection: bool, is_done: Arc<AtomicBool>) -> BTreeMap<String, usize> {
    let pool = usize::from(keeps_connection);
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(pool)
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    let mut seen = BTreeMap::new();
    let mut sent = 0;
    while !is_done.load(Ordering::Relaxed) || sent < REQUESTS / CLIENTS + 1 {
        sent += 1;
        let what = match client.get(&url).send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                match answer.json::<serde_json::Value>().await {
                    Ok(body) => format!("{status} {}", body["version"].as_str().unwrap_or("?")),
                    Err(error) => format!("{status} cut off: {error:?}"),
                }
            }
            Err(error) => format!("failed: {error:?}"),
        };
        *seen.entry(what).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    seen
}
