//! Names that another project has on the same daemon.

use super::among_others;
use super::world::World;

#[test]
fn a_network_of_another_project_is_told_by_validate_and_not_used() {
    let _among = among_others();
    let Some(world) = World::docker() else { return };
    let neighbour = world.neighbour();
    neighbour.run(&["deploy"]).ends_with(0);
    let theirs = format!("{}-net", neighbour.project);
    world.edit_manifest(|text| {
        text.replace(&format!("name: {}-net", world.project), &format!("name: {theirs}"))
    });
    let told = format!("network {theirs} that is not this project's but project {}'s", neighbour.project);
    world.run(&["validate"]).ends_with(1).says(&told).says("change network.name in the manifest");
    world.run(&["deploy"]).ends_with(1).says(&told);
    assert_eq!(neighbour.get("/").status, 200);
    for proxy in ["proxy", "nginx"] {
        neighbour.run(&["logs", proxy]).ends_with(0);
    }
    world.edit_manifest(|text| text.replace(&format!("name: {theirs}\n"), &format!("name: {theirs}-own\n")));
    world.run(&["validate"]).ends_with(0);
}
