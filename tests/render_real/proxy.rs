//! A real nginx with the generated configuration in front of a stand-in for
//! the service: what clients, operators and the service see.

use rstest::rstest;
use swiftdeploy::domain::stack::Role;
use swiftdeploy::domain::{Routes, Share, Slot};
use swiftdeploy::manifest::{Manifest, Split};
use swiftdeploy::render;
use swiftdeploy::runtime::LONGEST_REQUEST;

use super::docker::{Docker, readable_folder, write};
use super::http::{Answer, get, posts_over_one_connection, request};
use super::ports::free_port;
use super::render_support::seed;
use super::{nginx, wait_for};

/// Stands in for the service: says who it is and what it was told.
const STAND_IN: &str = r"
daemon off;
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f;
    uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    server {
        listen 3000;
        add_header X-Mode canary always;
        add_header X-Deployed-By somebody-else always;
        location / { return 200 '$hostname'; }
        location /told {
            return 200 '$http_host|$http_x_forwarded_for|$http_x_forwarded_proto|$http_x_request_id|$http_upgrade|$http_connection|$http_proxy';
        }
        location /own-error { return 503 'mine'; }
        location /cut { return 444; }
        location /chaos { return 200 'chaos'; }
        location /metrics { return 200 'metrics'; }
    }
}
";

/// Passes everything to the proxy: a caller with an address of his own.
const RELAY: &str = r"
daemon off;
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f;
    uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    server { listen 9000; location / { proxy_pass http://nginx:8080; } }
}
";

/// A proxy on a network of its own, with stand-ins in both slots.
struct World {
    docker: Docker,
    /// Where the host reaches the proxy.
    port: u16,
    proxy: String,
    configs: tempfile::TempDir,
}

impl World {
    fn new(test: &str, image: &str, manifest: &Manifest, routes: &Routes) -> Option<Self> {
        let docker = Docker::with(test, &[image])?;
        let folder = readable_folder();
        let abilities = nginx::abilities(docker.nginx_version(image));
        let config = render::nginx_conf(manifest, routes, abilities).unwrap();
        write(folder.path(), "proxy/nginx.conf", &config);
        write(folder.path(), "stand-in/nginx.conf", STAND_IN);
        write(folder.path(), "relay/nginx.conf", RELAY);
        docker.call(["network", "create", &docker.prefix]).unwrap();
        let mut world = Self { docker, port: free_port(), proxy: String::new(), configs: folder };
        for slot in Slot::ALL {
            let name = format!("app-{slot}");
            world.start("stand-in", image, &name, &["--hostname", &name]);
        }
        let published = format!("127.0.0.1:{}:8080", world.port);
        let logs = format!("{}-logs:/var/tmp", world.docker.prefix);
        world.proxy = world.start("proxy", image, "nginx", &["-p", &published, "-v", &logs]);
        wait_for("the proxy", || get(world.port, Routes::MARKER_PATH));
        Some(world)
    }

    /// Starts an nginx with one of the configurations.
    fn start(&self, config: &str, image: &str, name: &str, further: &[&str]) -> String {
        let folder = format!("{}:/etc/swiftdeploy:ro", self.configs.path().join(config).display());
        let mut all = vec![
            "--network",
            &self.docker.prefix,
            "--network-alias",
            name,
            "-v",
            &folder,
            "--entrypoint",
            "nginx",
        ];
        all.extend(further);
        all.extend([image, "-c", "/etc/swiftdeploy/nginx.conf", "-e", "stderr"]);
        self.docker.start(name, &all)
    }

    fn get(&self, path: &str) -> Answer {
        get(self.port, path).unwrap()
    }

    /// A log of the proxy, from the volume.
    fn log(&self, name: &str) -> String {
        let copy = tempfile::tempdir().unwrap();
        let from = format!("{}:/var/tmp/{name}", self.proxy);
        let to = copy.path().join("log");
        self.docker.call(["cp", &from, &to.display().to_string()]).unwrap();
        std::fs::read_to_string(to).unwrap()
    }
}

fn is_ours(answer: &Answer) {
    assert_eq!(answer.header("X-Deployed-By"), ["swiftdeploy"], "status {}", answer.status);
}

fn is_json_error(answer: &Answer, code: u16, error: &str) {
    assert_eq!(answer.status, code);
    assert_eq!(answer.header("Content-Type"), ["application/json"]);
    let expected =
        format!(r#"{{"error":"{error}","code":{code},"service":"app","contact":"ops@localhost"}}"#);
    assert_eq!(answer.body, expected);
    is_ours(answer);
}

#[rstest]
#[case::newest("nginx:latest", "newest")]
#[case::oldest("nginx:1.22", "oldest")]
fn promises_are_kept(#[case] image: &str, #[case] name: &str) {
    let manifest = seed();
    let Some(world) = World::new(&format!("world-{name}"), image, &manifest, &Routes::declared()) else {
        return;
    };

    let marker = world.get(Routes::MARKER_PATH);
    assert_eq!((marker.status, marker.body.as_str()), (200, "declared"));
    is_ours(&marker);

    let answer = world.get("/any/path?with=query");
    assert_eq!((answer.status, answer.body.as_str()), (200, "app-blue"));
    assert_eq!(answer.header("X-Mode"), ["canary"]);
    is_ours(&answer);

    // The service's own error is not replaced, only marked.
    let own = world.get("/own-error");
    assert_eq!((own.status, own.body.as_str()), (503, "mine"));
    is_ours(&own);

    // The service closes without an answer.
    is_json_error(&world.get("/cut"), 502, "Bad Gateway");
    is_json_error(&world.get(&long_path()), 502, "Bad Gateway");

    // nginx' own refusal of what is no HTTP at all.
    let refused = request(world.port, "GET", "/\u{1}", "", "").unwrap();
    assert_eq!(refused.status, 400);
    is_ours(&refused);

    // The stand-in answers without reading the body.
    assert_eq!(posts_over_one_connection(world.port, 300), 300);

    told_headers(&world);
    operator_paths(&world, image);
    logs(&world);
}

fn told_headers(world: &World) {
    let told = |headers: &str| {
        let answer = request(world.port, "GET", "/told", headers, "").unwrap();
        answer.body.split('|').map(str::to_owned).collect::<Vec<_>>()
    };
    let plain = told("");
    assert_eq!(plain[0], format!("localhost:{}", world.port));
    assert_eq!(plain[2], "http");
    assert_eq!(plain[3].len(), 32, "a request id is made: {plain:?}");
    assert_eq!(plain[4..], ["", "", ""], "no upgrade, kept alive, no `Proxy`");

    let asked = told(
        "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Request-Id: abc-1\r\n\
         Upgrade: websocket\r\nProxy: evil\r\n",
    );
    assert!(asked[1].starts_with("198.51.100.7, "), "{asked:?}");
    assert_eq!(asked[2..], ["https", "abc-1", "websocket", "upgrade", ""]);

    let smuggled = told("Upgrade: h2c\r\nX-Request-Id: a b\r\nX-Forwarded-Proto: gopher\r\n");
    assert_eq!(smuggled[2], "http");
    assert_eq!(smuggled[3].len(), 32, "{smuggled:?}");
    assert_eq!(smuggled[4..], ["", "", ""]);
}

fn operator_paths(world: &World, image: &str) {
    assert_eq!(world.get("/metrics").body, "metrics");
    assert_eq!(request(world.port, "POST", "/chaos", "", "{}").unwrap().body, "chaos");

    let relay_port = free_port();
    let published = format!("127.0.0.1:{relay_port}:9000");
    world.start("relay", image, "relay", &["-p", &published]);
    let other = wait_for("the relay", || get(relay_port, "/"));
    assert_eq!((other.status, other.body.as_str()), (200, "app-blue"));
    for path in
        ["/metrics", "/chaos", "/chaos/", "/CHAOS", "//chaos", "/x/../chaos", "/%63haos", "/chaos;a=b"]
    {
        let answer = request(relay_port, "POST", path, "X-Forwarded-For: 127.0.0.1\r\n", "{}").unwrap();
        is_json_error(&answer, 403, "Forbidden: only for the host itself");
    }
    assert_eq!(get(relay_port, "/chaotic").unwrap().body, "app-blue");
}

/// Of a request that fails, longer than what the log of failures shows.
fn long_path() -> String {
    format!("/cut?{}", "a".repeat(5000))
}

fn logs(world: &World) {
    let failures = world.log("failures.log");
    let requests: Vec<&str> =
        failures.lines().map(|line| line.splitn(5, " | ").nth(4).unwrap_or(line)).collect();
    let long = format!("GET {}", long_path());
    assert_eq!(requests, ["GET /own-error HTTP/1.1", "GET /cut HTTP/1.1", &long[..LONGEST_REQUEST]]);
    let own_error = failures.lines().next().unwrap();
    assert!(own_error.split(" | ").nth(1).is_some_and(|what| what.contains(" error ")), "{own_error}");

    let access = world.log("access.log");
    let line = access.lines().find(|line| line.contains("/any/path")).unwrap();
    let fields: Vec<&str> = line.split(" | ").collect();
    assert_eq!(fields.len(), 5, "{line}");
    assert_eq!(fields[0].len(), "2026-11-23T14:48:48+00:00".len(), "{line}");
    assert_eq!(fields[1], "200");
    assert!(fields[2].ends_with('s') && fields[2].contains('.'), "{line}");
    assert!(fields[3].ends_with(":3000"), "{line}");
    assert_eq!(fields[4], "GET /any/path?with=query HTTP/1.1");
    assert!(!access.contains(Routes::MARKER_PATH), "the marker is not logged");
    assert!(world.log("error.log").contains("prematurely closed"), "the cut connection is logged");
    let output = world.docker.call(["logs", &world.proxy]).unwrap();
    assert!(output.contains("/any/path"), "docker logs shows the access log: {output}");
}

#[test]
fn slot_that_refuses_is_answered_by_json() {
    let manifest = seed();
    let Some(world) = World::new("refused", "nginx:latest", &manifest, &Routes::declared()) else { return };
    // The slot's name stays, but nothing listens there any more.
    let app = format!("{}-app-blue", world.docker.prefix);
    world.docker.call(["rm", "-f", &app]).unwrap();
    let pause = world.start("relay", "nginx:latest", "app-blue", &[]);
    wait_for("a refusal", || match world.get("/") {
        answer if answer.status == 502 => Ok(answer),
        answer => Err(format!("status {} through {pause}", answer.status)),
    });
    is_json_error(&world.get("/"), 502, "Bad Gateway");
}

#[test]
fn empty_routing_state_answers_503() {
    let routes = Routes { generation: "empty".into(), shares: Vec::new() };
    let Some(world) = World::new("empty", "nginx:latest", &seed(), &routes) else { return };
    assert_eq!(world.get(Routes::MARKER_PATH).body, "empty");
    is_json_error(&world.get("/"), 503, "Service Unavailable: no release is running");
    is_json_error(&world.get("/metrics"), 503, "Service Unavailable: no release is running");
}

#[test]
fn shares_split_the_requests_and_a_cookie_keeps_a_client() {
    let mut manifest = seed();
    manifest.canary.split = Split::Cookie;
    let shares = vec![Share { slot: Slot::Blue, percent: 60 }, Share { slot: Slot::Green, percent: 40 }];
    let routes = Routes { generation: "split".into(), shares };
    let Some(world) = World::new("split", "nginx:latest", &manifest, &routes) else { return };

    let fresh: Vec<Answer> = (0..200).map(|_| world.get("/")).collect();
    let green = fresh.iter().filter(|answer| answer.body == "app-green").count();
    // 80 expected, standard deviation 7: outside of these bounds once in 10^8.
    assert!((40..=120).contains(&green), "{green} of 200");

    // What cannot be delivered is handed over, which on a busy machine happens to
    // a slot that is well. Six answers of one slot by chance: one client in 20. The
    // last ones are asked: until nginx has looked up the slots for the first time, each
    // request goes to the slot that stands in for the one that is meant.
    let clients = fresh.iter().rev().take(20).filter(|first| {
        let cookie = format!("Cookie: {}\r\n", first.header("Set-Cookie")[0].split(';').next().unwrap());
        let again = |_| request(world.port, "GET", "/", &cookie, "").unwrap();
        let answers: Vec<Answer> = (0..5).map(again).collect();
        assert!(answers.iter().all(|answer| answer.header("Set-Cookie").is_empty()), "{answers:?}");
        answers.iter().all(|answer| answer.body == first.body)
    });
    let kept = clients.count();
    assert!(kept >= 12, "{kept} of 20 clients stayed with their slot");
}

/// A crash is no deploy: with `resolve`, the request under way at the moment
/// when nginx learns that the name is gone cannot be handed over.
#[rstest]
#[case::resolved_at_load("nginx:1.22", "crash-oldest", 0)]
#[case::resolved_while_running("nginx:latest", "crash-newest", 1)]
fn crashed_slot_is_taken_over(#[case] image: &str, #[case] name: &str, #[case] lost_at_most: usize) {
    let shares = vec![Share { slot: Slot::Blue, percent: 10 }, Share { slot: Slot::Green, percent: 90 }];
    let routes = Routes { generation: "split".into(), shares };
    let Some(world) = World::new(name, image, &seed(), &routes) else { return };
    world.docker.call(["kill", &format!("{}-app-green", world.docker.prefix)]).unwrap();
    let answers: Vec<Answer> =
        (0..30).map(|_| request(world.port, "POST", "/", "", "body").unwrap()).collect();
    let lost =
        answers.iter().filter(|answer| (answer.status, answer.body.as_str()) != (200, "app-blue")).count();
    assert!(lost <= lost_at_most, "{lost} of 30");
}

/// The declared health check, run where the engine runs it: in the container,
/// as its user. No release is behind the proxy, and none is asked for.
#[rstest]
#[case::debians_curl("health-curl", "PATH=/usr/sbin:/usr/bin:/bin")]
#[case::alpines_wget("health-wget", "PATH=/usr/sbin:/bin")]
fn health_check_asks_nginx_itself(#[case] name: &str, #[case] path: &str) {
    let routes = Routes { generation: "empty".into(), shares: Vec::new() };
    let Some(world) = World::new(name, "nginx:latest", &seed(), &routes) else { return };
    let stack = render::stack(&seed());
    let spec = stack.containers.iter().find(|spec| spec.role == Role::Proxy).unwrap();
    let command = &spec.health.as_ref().unwrap().command;
    let check = || {
        let inside = ["exec", "-e", path, &world.proxy].into_iter();
        world.docker.call(inside.chain(command.iter().map(String::as_str)))
    };
    check().unwrap();
    let signal = |signal| {
        let all_but_the_master = format!("kill -{signal} -1");
        world.docker.call(["exec", &world.proxy, "sh", "-c", &all_but_the_master]).unwrap();
    };
    signal("STOP");
    let refused = check().unwrap_err();
    signal("CONT");
    assert_eq!(refused.contains("curl:"), path.contains("/usr/bin"), "{refused}");
    check().unwrap();
}
