//! Throw-away containers of operations that were killed.

use std::collections::HashMap;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use swiftdeploy::domain::stack::label;
use swiftdeploy::runtime::Runtime as _;

use super::docker_harness::{World, with_docker};

/// A helper as an operation makes it, by the process that the mark names.
async fn helper(world: &World, name: &str, mark: &str) -> String {
    let name = format!("{}-files-{name}", world.stack.project);
    let labels = [
        (label::PROJECT, world.stack.project.as_str()),
        (label::ROLE, "helper"),
        ("io.swiftdeploy.maker", mark),
    ];
    let body = ContainerCreateBody {
        image: Some("swift-deploy-1-node:latest".into()),
        labels: Some(HashMap::from(labels.map(|(key, value)| (key.to_owned(), value.to_owned())))),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    world.docker.create_container(Some(options), body).await.unwrap();
    format!("container {name}")
}

/// The mark of this process, as if it had been started at another time.
fn mark(began: &str) -> String {
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    format!("{}/{}/{began}", namespace.display(), std::process::id())
}

fn own_start() -> String {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_helper_goes_with_the_next_operation_once_its_maker_has_ended() {
    with_docker(async |world| {
        let of_the_living = helper(world, "living", &mark(&own_start())).await;
        let of_another_place = helper(world, "elsewhere", "pid:[1]/1/1").await;
        let of_the_dead = helper(world, "dead", &mark("1")).await;
        world.runtime.ensure_ground(&world.stack).await.unwrap();
        let left = world.runtime.belongings().await.unwrap();
        assert!(!left.contains(&of_the_dead), "{left:?}");
        assert!(left.contains(&of_the_living) && left.contains(&of_another_place), "{left:?}");
        world.runtime.teardown().await.unwrap();
        assert_eq!(world.runtime.belongings().await.unwrap(), Vec::<String>::new());
    })
    .await;
}
