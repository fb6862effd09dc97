//! Manifests made by hand, for the tests of what is generated.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use swiftdeploy::domain::{Mode, Target};
use swiftdeploy::manifest::{
    Canary, CustomGate, EngineKind, GatePoint, Health, Manifest, MetricNames, Network, Nginx, OperatorAccess,
    PolicySection, Pull, Resources, Service, Split, Status,
};

/// What the repository's own `manifest.yaml` means, with every default.
pub fn seed() -> Manifest {
    Manifest {
        target: None,
        project: "app".into(),
        contact: "ops@localhost".into(),
        pull: Pull::Never,
        services: Service {
            name: "app".into(),
            image: "swift-deploy-1-node:latest".into(),
            port: 3000,
            version: "1.0.0".into(),
            mode: Mode::Stable,
            env: BTreeMap::new(),
            health: Health {
                path: "/healthz".into(),
                interval: Duration::from_secs(2),
                timeout: Duration::from_secs(2),
                retries: 3,
                wait: Duration::from_mins(1),
                command: None,
            },
            resources: Resources::default(),
            restart_policy: "unless-stopped".into(),
            stop_grace: Duration::from_secs(10),
            command: None,
        },
        nginx: Nginx {
            image: "nginx:latest".into(),
            port: 8080,
            proxy_timeout: Duration::from_secs(30),
            bind: Ipv4Addr::UNSPECIFIED.into(),
            drain: Duration::from_secs(10),
            operator: OperatorAccess::Host,
        },
        network: Network { name: "swiftdeploy-net".into(), driver_type: "bridge".into() },
        canary: Canary {
            image: None,
            version: None,
            steps: vec![100],
            window: Duration::from_secs(30),
            min_requests: 50,
            max_wait: Duration::from_mins(5),
            split: Split::Request,
        },
        policy: PolicySection {
            engine: None,
            image: "openpolicyagent/opa:latest".into(),
            port: 8181,
            timeout: Duration::from_millis(500),
            gates: Vec::new(),
        },
        metrics: MetricNames {
            path: "/metrics".into(),
            requests: "http_requests_total".into(),
            duration: "http_request_duration_seconds".into(),
            path_label: "path".into(),
            status_label: "status_code".into(),
        },
        status: Status { interval: Duration::from_secs(2) },
    }
}

/// A manifest that uses every optional key, with values that YAML, Compose
/// and nginx would each like to misread.
pub fn full() -> Manifest {
    let seed = seed();
    let env = [
        ("EMPTY", ""),
        ("GREETING", "it's \"fine\": {yes} # not a comment"),
        ("LINES", "one\ntwo\n"),
        ("MODE", "stable"),
        ("PRICE", "$5 or ${FIVE} or $$5"),
        ("SWITCH", "on"),
        ("TIME", "12:30:45"),
        ("WINDOWS", "C:\\temp\u{2028}\u{85}é"),
    ];
    Manifest {
        target: Some(Target::Docker),
        project: "shop".into(),
        contact: "Shop <ops@shop.example>, +49 (30) 1234".into(),
        pull: Pull::Missing,
        services: Service {
            name: "checkout".into(),
            image: "registry.example:5000/shop/checkout:2.1".into(),
            port: 8000,
            version: "2.1".into(),
            mode: Mode::Canary,
            env: env.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            health: Health {
                path: "/live".into(),
                interval: Duration::from_millis(1500),
                timeout: Duration::from_secs(1),
                retries: 5,
                wait: Duration::from_secs(90),
                command: Some(vec!["/checkout".into(), "probe".into(), "$HOME".into()]),
            },
            resources: Resources { memory: Some(512 * 1024 * 1024), milli_cpus: Some(1500) },
            restart_policy: "always".into(),
            stop_grace: Duration::from_secs(45),
            command: Some(vec!["./checkout".into()]),
        },
        nginx: Nginx {
            image: "registry.example:5000/nginx:1.28.3".into(),
            port: 8443,
            proxy_timeout: Duration::from_millis(2500),
            bind: IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
            drain: Duration::from_secs(20),
            operator: OperatorAccess::Host,
        },
        network: Network { name: "shop-net".into(), driver_type: "bridge".into() },
        canary: Canary {
            image: Some("registry.example:5000/shop/checkout:2.2-rc.1".into()),
            version: Some("2.2-rc.1".into()),
            steps: vec![10, 50, 100],
            split: Split::Cookie,
            ..seed.canary
        },
        policy: PolicySection {
            engine: Some(EngineKind::Opa),
            image: "openpolicyagent/opa:1.19.1".into(),
            port: 18181,
            timeout: Duration::from_millis(300),
            gates: vec![
                CustomGate { package: "freeze".into(), before: GatePoint::Deploy },
                CustomGate { package: "team.release".into(), before: GatePoint::PromoteCanary },
                CustomGate { package: "team.release".into(), before: GatePoint::PromoteStable },
            ],
        },
        metrics: MetricNames { path: "/internal/metrics.txt".into(), ..seed.metrics },
        status: Status { interval: Duration::from_secs(5) },
    }
}
