//! Answers that break off behind a real nginx, in front of an nginx that stands
//! in for a service which does that.

use rstest::rstest;
use swiftdeploy::clock::{Clock as _, SystemClock};
use swiftdeploy::domain::stack::ContainerSpec;
use swiftdeploy::domain::{Mode, Routes, Slot};
use swiftdeploy::render;
use swiftdeploy::runtime::{Runtime as _, Unanswered};

use super::docker_harness::{World, with_docker};
use super::idle;
use super::runtime_suite::{self, Harness as _, client, eventually};

/// Breaks off what takes longer than a moment: with its length, or in pieces,
/// since a trailer leaves no place for one.
const SERVICE: &str = r"
daemon off; pid /tmp/nginx.pid; error_log stderr; events {}
http {
    access_log off;
    client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f;
    uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    proxy_buffering off;
    server {
        listen 3000;
        location / { return 200 'whole'; }
        location /pieces { add_trailer X-End yes; return 200 'whole'; }
        location /breaks/length { proxy_pass http://127.0.0.1:3001; proxy_read_timeout 50ms; }
        location /breaks/pieces { proxy_pass http://127.0.0.1:3001; proxy_read_timeout 50ms; add_trailer X-End yes; }
        location /stuck { proxy_pass http://127.0.0.1:3001; }
    }
    server {
        listen 127.0.0.1:3001;
        limit_rate 50; limit_rate_after 1000;
        location / { return 200 'LONG'; }
    }
}
";

async fn serving(world: &World, image: &str) {
    let (mut manifest, files) = world.declared();
    image.clone_into(&mut manifest.nginx.image);
    let stack = render::stack(&manifest);
    runtime_suite::bring(&world.runtime, &stack, &files, &idle()).await.unwrap();
    let config = SERVICE.replace("LONG", &"x".repeat(4000));
    let green = world.spec(Slot::Green, Mode::Canary, "1.0.0");
    let mut env = green.env.clone();
    env.insert("CONFIG".into(), config);
    let start = r#"printf %s "$CONFIG" >/tmp/nginx.conf && exec nginx -c /tmp/nginx.conf"#;
    let spec = ContainerSpec {
        networks: vec![stack.networks[0].key.clone()],
        image: "nginx:latest".into(),
        command: ["sh", "-c", start].map(str::to_owned).into(),
        env,
        ..green
    };
    world.runtime.start(&spec, None).await.unwrap();
    world.runtime.route(&stack, &files, &Routes::all_to(Slot::Green, "breaking")).await.unwrap();
    eventually("the service answers", async || {
        let answer = client().get(format!("http://{}/", world.public())).send().await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
}

/// With a length and in pieces, also where the client asked for the end of its
/// connection: there nginx' access log tells no difference to a complete one.
#[rstest]
#[case::newest("nginx:latest")]
#[case::oldest("nginx:1.22")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_break_off_are_told_and_those_that_clients_leave_are_not(#[case] image: &str) {
    with_docker(async |world| {
        serving(world, image).await;
        // Those before it was there got no answer. Breaks have whole seconds.
        let begin = SystemClock.wall();
        let http = client();
        let get = async |path: &str, connection: &str| {
            let request = http.get(format!("http://{}{path}", world.public()));
            request.header("connection", connection).send().await.unwrap()
        };
        for connection in ["keep-alive", "close"] {
            for path in ["/breaks/length", "/breaks/pieces"] {
                let answer = get(path, connection).await;
                assert_eq!(answer.status(), 200);
                assert!(answer.bytes().await.is_err(), "{path} is complete");
            }
            for path in ["/", "/pieces"] {
                assert_eq!(get(path, connection).await.text().await.unwrap(), "whole");
            }
            let head = http.head(format!("http://{}/", world.public())).send().await.unwrap();
            assert_eq!(head.headers()["content-length"], "5");
            let mut left = get("/stuck", connection).await;
            assert!(left.chunk().await.unwrap().is_some());
        }
        let seen = eventually("those that broke off are told", async || {
            let seen = world.runtime.unanswered(Slot::Green, begin).await.unwrap();
            (seen.broken >= 4).then_some(seen)
        })
        .await;
        assert_eq!(seen, Unanswered { broken: 4, ..Unanswered::default() });
        assert_eq!(world.runtime.unanswered(Slot::Blue, begin).await.unwrap(), Unanswered::default());
    })
    .await;
}
