//! Releases that listen elsewhere than the manifest says by now: the traffic goes
//! to what runs, forwards and back.

use super::world::World;
use super::{among_others, load};

const PORT: &str = "  port: 3000\n";

fn versions(world: &World, expected: &str) {
    let answer = world.get("/");
    assert_eq!((answer.status, answer.json()["version"].as_str()), (200, Some(expected)));
}

#[test]
fn a_release_with_another_name_and_port_is_reached_and_so_is_the_one_before_it() {
    let _among = among_others();
    let Some(world) = World::docker() else { return };
    world.run(&["deploy"]).ends_with(0);
    let edit = |text: String| {
        assert!(text.contains(PORT) && text.contains("  name: app\n"), "{text}");
        text.replace(PORT, "  port: 3100\n").replace("  name: app\n", "  name: shop\n")
    };
    load::redeploy_under_load(&world, "1.0.0", "1.0.1", edit);
    versions(&world, "1.0.1");
    world.run(&["rollback"]).ends_with(0).says("app-");
    versions(&world, "1.0.0");

    // To the slot that stayed warm beside a canary.
    world.edit_manifest(|text| text.replace("  port: 3100\n", "  port: 3200\n"));
    world.run(&["promote", "canary"]).ends_with(0);
    assert_eq!(world.get("/").json()["mode"], "canary");
    world.run(&["rollback"]).ends_with(0);
    versions(&world, "1.0.0");
    assert_eq!(world.get("/").json()["mode"], "stable");
}
