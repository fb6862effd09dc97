//! What commands say in the moments that people meet least often: a manifest that
//! broke, a canary that is declared, an address of another machine. Each of these
//! once named a wrong next step, or none.

#[path = "support/world.rs"]
mod world;

use world::World;

#[test]
fn figures_are_rounded_for_people_and_exact_for_machines() {
    let world = World::local();
    let plan = world.run(&["plan"]).ends_with(0);
    let line = plan.out.lines().find(|line| line.contains("disk_free_gb")).unwrap();
    let figure = line.split_whitespace().nth(2).unwrap();
    let decimals = figure.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    assert!(decimals <= 2 && line.contains(" GB (must be >= 1 GB)"), "{line}");

    let asked = world.run(&["policy", "ask", "infra", "--json"]).ends_with(0).json();
    let checks = asked[0]["decision"]["checks"].as_array().unwrap();
    let disk = checks.iter().find(|check| check["fact"] == "disk_free_gb").unwrap();
    let bytes = asked[0]["decision"]["input"].to_string();
    assert!(bytes.contains(&disk["observed"].to_string()), "{disk} is not the fact in {bytes}");
}
