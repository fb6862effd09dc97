//! A made-up project: its manifest, what runs of it, and its figures.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::stack::Role;
use crate::domain::{Mode, Release, Slot, Target};
use crate::engine::Reading;
use crate::manifest::{
    Canary, Health as HealthSection, Manifest, MetricNames, Network, Nginx, OperatorAccess, PolicySection,
    Pull, Resources, Service, Split, Status,
};
use crate::runtime::{EngineInfo, Health, Instance, Usage};
use crate::telemetry::{Measured, P99};
use crate::tui::backend::Header;

/// 12:04:31 on the day everything happens.
pub fn noon() -> DateTime<Utc> {
    "2026-03-04T12:04:31Z".parse().unwrap()
}

pub fn header() -> Header {
    Header {
        project: "shop".into(),
        target: Target::Docker,
        manifest: PathBuf::from("manifest.yaml"),
        version: "0.1.0".into(),
    }
}

pub fn engine_info() -> EngineInfo {
    EngineInfo {
        name: "docker".into(),
        version: "28.2".into(),
        host: "workbench".into(),
        is_local: true,
        shows_client_addresses: true,
    }
}

pub fn manifest() -> Manifest {
    Manifest {
        target: Some(Target::Docker),
        project: "shop".into(),
        contact: "ops@localhost".into(),
        pull: Pull::Never,
        services: Service {
            name: "app".into(),
            image: "swift-deploy-1-node:latest".into(),
            port: 3000,
            version: "1.1.0".into(),
            mode: Mode::Stable,
            env: BTreeMap::new(),
            health: HealthSection {
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
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
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

pub fn release(mode: Mode) -> Release {
    Release { image: "swift-deploy-1-node:latest".into(), image_id: None, version: "1.1.0".into(), mode }
}

pub fn app(slot: Slot, mode: Mode, seconds: i64) -> Instance {
    let mut instance = part(&format!("app-{slot}"), Role::App { slot, mode }, seconds, 12);
    instance.release = Some(release(mode));
    instance.endpoint = Some(([172, 18, 0, 3], 3000).into());
    instance
}

pub fn part(service: &str, role: Role, seconds: i64, mebibytes: u64) -> Instance {
    Instance {
        id: format!("id-{service}"),
        service: service.into(),
        role,
        release: None,
        health: Health::Healthy,
        started_at: Some(noon() - TimeDelta::seconds(seconds)),
        endpoint: None,
        restarts: 0,
        oom_killed: false,
        spec: None,
        usage: Some(Usage { memory: mebibytes * 1024 * 1024, cpu_percent: 1.25 }),
    }
}

pub fn reading(mode: Mode, slot: Slot, requests: u64, errors: u64, rate: f64, p99: Option<f64>) -> Reading {
    let share =
        u32::try_from(errors).map(f64::from).unwrap() / u32::try_from(requests).map(f64::from).unwrap();
    Reading {
        mode,
        slot,
        measured: Ok(Measured {
            requests,
            errors,
            error_rate: (requests > 0).then_some(share),
            request_rate: rate,
            p99: p99.map(|ms| P99 { ms, low_ms: 250.0, high_ms: Some(500.0) }),
            buckets: Vec::new(),
            resets: 0,
            vanished: 0,
            window: Duration::from_secs(30),
        }),
        passed: None,
    }
}
