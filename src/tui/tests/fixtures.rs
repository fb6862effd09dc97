//! A made-up project and its moments, and a state that goes through them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crossterm::event::KeyCode;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;

use crate::clock::SystemClock;
use crate::domain::stack::Role;
use crate::domain::{Mode, Release, Routes, Share, Slot, Target};
use crate::engine::{
    Action, ChangedDecision, ChaosStatus, Connection, Event, GateView, GeneratedState, Live, OperationEvent,
    OperationId, Outcome, Reading, ReplayBy, ReplayOptions, Replayed, Sample, StateEvent, StepResult, replay,
};
use crate::manifest::{
    Canary, Health as HealthSection, Manifest, MetricNames, Network, Nginx, OperatorAccess, PolicySection,
    Pull, Resources, Service, Split, Status,
};
use crate::policy::explain::{Explanation, LimitAt, Place, Trace};
use crate::policy::replay::{Change, Side};
use crate::policy::{CheckLine, Decision, EngineId, Fault, Verdict, Violation};
use crate::runtime::{EngineInfo, Health, Instance, Usage};
use crate::telemetry::{Measured, P99};
use crate::tui::backend::Header;
use crate::tui::effect::Effect;
use crate::tui::keymap::Chord;
use crate::tui::message::{Message, TerminalMessage};
use crate::tui::moment::Now;
use crate::tui::state::State;
use crate::tui::theme::ThemeName;
use crate::tui::update::update;
use crate::tui::view;

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

/// A state and the time that goes by in it.
pub struct World {
    pub state: State,
    pub now: Now,
}

impl World {
    /// Before anything is known.
    pub fn new() -> Self {
        Self::with_theme(ThemeName::Dark)
    }

    pub fn with_theme(theme: ThemeName) -> Self {
        let instant = SystemClock::shared().instant();
        let now = Now { wall: noon().fixed_offset(), instant };
        Self { state: State::new(header(), theme, (120, 36), now), now }
    }

    /// Connected, with a manifest, nothing deployed.
    pub fn connected() -> Self {
        let mut world = Self::new();
        world.watch(StateEvent::Connection(Connection::Up(engine_info())));
        world.watch(StateEvent::Manifest(Ok(Box::new(manifest()))));
        world.watch(StateEvent::Generated(GeneratedState::UpToDate));
        world.watch(StateEvent::Instances(Vec::new()));
        world
    }

    /// Stable serves.
    pub fn stable() -> Self {
        let mut world = Self::connected();
        world.watch(StateEvent::Instances(vec![
            app(Slot::Blue, Mode::Stable, 11_000),
            part("nginx", Role::Proxy, 11_100, 9),
            part("opa", Role::Policy, 11_100, 10),
        ]));
        world.watch(StateEvent::Live(Live {
            slot: Some(Slot::Blue),
            release: Some(release(Mode::Stable)),
            other: None,
            routes: Some(Routes::all_to(Slot::Blue, "g1")),
            drift: None,
        }));
        world.watch(StateEvent::Gates(vec![passing_infra(), not_asked("canary", "promote stable")]));
        for step in 0..40 {
            let rate = 30.0 + f64::from(step % 8);
            let reading = reading(Mode::Stable, Slot::Blue, 1000, 0, rate, Some(42.0));
            world.look(vec![reading]);
        }
        world
    }

    /// A canary gets a quarter of the traffic, fails, and a fault is active.
    pub fn failing_canary() -> Self {
        let mut world = Self::stable();
        let mut declared = manifest();
        declared.services.mode = Mode::Canary;
        declared.canary.steps = vec![25, 100];
        world.watch(StateEvent::Manifest(Ok(Box::new(declared))));
        let mut green = app(Slot::Green, Mode::Canary, 40);
        green.restarts = 2;
        world.watch(StateEvent::Instances(vec![
            app(Slot::Blue, Mode::Stable, 11_000),
            green,
            part("nginx", Role::Proxy, 11_100, 9),
            part("opa", Role::Policy, 11_100, 10),
        ]));
        world.watch(StateEvent::Live(Live {
            slot: Some(Slot::Blue),
            release: Some(release(Mode::Stable)),
            other: Some(release(Mode::Canary)),
            routes: Some(Routes {
                generation: "g2".into(),
                shares: vec![
                    Share { slot: Slot::Blue, percent: 75 },
                    Share { slot: Slot::Green, percent: 25 },
                ],
            }),
            drift: None,
        }));
        for step in 0..24_u32 {
            let errors = u64::from(step.saturating_sub(8)) * 10;
            let p99 = 200.0 + f64::from(step) * 10.0;
            world.look(vec![
                reading(Mode::Stable, Slot::Blue, 903, 0, 114.2, Some(41.0)),
                reading(Mode::Canary, Slot::Green, 301, errors, 38.1, Some(p99)),
            ]);
        }
        world.watch(StateEvent::Gates(vec![passing_infra(), failing_canary_gate()]));
        world.watch(StateEvent::Chaos(Some(ChaosStatus {
            fault: "error".into(),
            detail: "error rate 0.5".into(),
            slot: Slot::Green,
            until: Some(world.now.wall.to_utc() + TimeDelta::seconds(60)),
        })));
        world.pass(Duration::from_secs(18));
        world
    }

    /// Time goes by.
    pub fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.wall += TimeDelta::from_std(time).unwrap();
        self.tell(Message::Ticked);
    }

    pub fn tell(&mut self, message: Message) -> Vec<Effect> {
        update(&mut self.state, message, self.now)
    }

    pub fn watch(&mut self, event: StateEvent) -> Vec<Effect> {
        self.tell(Message::Engine(Event::State(event)))
    }

    pub fn operation(&mut self, event: OperationEvent) -> Vec<Effect> {
        self.tell(Message::Engine(Event::Operation(event)))
    }

    /// A look at the service, two seconds after the last one.
    fn look(&mut self, readings: Vec<Reading>) {
        let taken_at = self.state.watch.sample.as_ref().map_or_else(
            || noon() - TimeDelta::seconds(600),
            |sample| sample.taken_at + TimeDelta::seconds(2),
        );
        self.watch(StateEvent::Sample(Box::new(Sample {
            taken_at,
            mode: Mode::Stable,
            readings,
            samples_needed: 50,
            window: Duration::from_secs(30),
        })));
    }

    pub fn look_at(&mut self, readings: Vec<Reading>) {
        self.look(readings);
    }

    pub fn begin(&mut self, id: &str, action: Action) {
        self.operation(OperationEvent::Started { id: OperationId(id.into()), action });
    }

    pub fn step(&mut self, id: &str, step: usize, name: &str, detail: &str, millis: u64) {
        self.step_as(id, step, name, detail, millis, StepResult::Ok);
    }

    pub fn step_as(
        &mut self,
        id: &str,
        step: usize,
        name: &str,
        detail: &str,
        millis: u64,
        result: StepResult,
    ) {
        let id = OperationId(id.into());
        self.operation(OperationEvent::StepStarted { id: id.clone(), step, name: name.into() });
        let elapsed = Duration::from_millis(millis);
        self.pass(elapsed);
        self.operation(OperationEvent::StepFinished {
            id,
            step,
            name: name.into(),
            result,
            elapsed,
            detail: detail.into(),
        });
    }

    pub fn finish(&mut self, id: &str, action: Action, outcome: Outcome, millis: u64) -> Vec<Effect> {
        let elapsed = Duration::from_millis(millis);
        self.operation(OperationEvent::Finished { id: OperationId(id.into()), action, outcome, elapsed })
    }

    /// A deploy that waits for health.
    pub fn deploy_running(&mut self) {
        let id = OperationId("op-1".into());
        self.begin("op-1", Action::Deploy);
        self.step("op-1", 0, "init", "4 files as they should be", 12);
        self.step("op-1", 1, "validate", "5 of 5 checks pass", 420);
        self.step("op-1", 2, "gate infra", "PASS", 1);
        self.step("op-1", 3, "start app-blue", "swift-deploy-1-node:latest", 1240);
        self.operation(OperationEvent::StepStarted { id: id.clone(), step: 4, name: "wait healthy".into() });
        self.pass(Duration::from_millis(3300));
        self.operation(OperationEvent::StepProgress {
            id,
            step: 4,
            detail: "3 of 60 s".into(),
            fraction: Some(0.05),
        });
    }

    pub fn key(&mut self, code: KeyCode) -> Vec<Effect> {
        self.tell(Message::Terminal(TerminalMessage::Key(Chord { code, ctrl: false })))
    }

    pub fn ctrl(&mut self, c: char) -> Vec<Effect> {
        self.tell(Message::Terminal(TerminalMessage::Key(Chord { code: KeyCode::Char(c), ctrl: true })))
    }

    /// Types characters; returns the effects of the last one.
    pub fn keys(&mut self, typed: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for c in typed.chars() {
            effects = self.key(KeyCode::Char(c));
        }
        effects
    }

    /// Draws, and tells the state what was measured, as the loop does.
    pub fn draw(&mut self, width: u16, height: u16) -> TestBackend {
        self.tell(Message::Terminal(TerminalMessage::Resized { width, height }));
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let mut measured = view::Measured::default();
        terminal.draw(|frame| measured = view::draw(&self.state, frame)).unwrap();
        self.tell(Message::Terminal(TerminalMessage::Drawn(measured)));
        terminal.backend().clone()
    }

    /// What is on the screen, as one text.
    pub fn text(&mut self, width: u16, height: u16) -> String {
        self.draw(width, height).to_string()
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

fn decision(gate: &str, verdict: Verdict, checks: Vec<CheckLine>, reasons: Vec<String>) -> Decision {
    Decision {
        gate: gate.into(),
        allow: verdict == Verdict::Pass,
        verdict,
        violations: Vec::new(),
        reasons,
        checks,
        fault: None,
        engine: EngineId {
            name: "opa".into(),
            version: Some("1.19.1".into()),
            at: "http://127.0.0.1:8181".into(),
        },
        revision: "3f9c2ab41d07".into(),
        input: json!({"facts": {"error_rate": 0.52, "p99_latency_ms": 430, "requests": 301}}),
        result: json!({"allow": verdict == Verdict::Pass}),
        took: Duration::from_micros(800),
    }
}

fn check(
    fact: &str,
    observed: serde_json::Value,
    must: &str,
    limit: serde_json::Value,
    unit: &str,
    ok: bool,
) -> CheckLine {
    CheckLine { fact: fact.into(), observed, must: must.into(), limit, unit: unit.into(), ok }
}

pub fn passing_infra() -> GateView {
    let checks = vec![
        check("disk_free_gb", json!(80.1), ">=", json!(10), "GB", true),
        check("cpu_load", json!(0.4), "<=", json!(2.0), "", true),
    ];
    let reasons = vec!["disk_free_gb 80.1 GB is at least 10 GB".into(), "cpu_load 0.4 is at most 2".into()];
    GateView {
        gate: "infra".into(),
        blocks: "deploy".into(),
        decision: Some(decision("infra", Verdict::Pass, checks, reasons)),
    }
}

pub fn failing_canary_gate() -> GateView {
    let checks = vec![
        check("error_rate", json!(0.52), "<=", json!(0.01), "", false),
        check("p99_latency_ms", json!(430), "<=", json!(500), "ms", true),
    ];
    let reason = "error rate 52 % over the last 30 s is above the limit of 1 %".to_owned();
    let mut decision = decision("canary", Verdict::Fail, checks, vec![reason.clone()]);
    decision.violations.push(Violation {
        code: "error_rate_high".into(),
        message: reason,
        observed: json!(0.52),
        limit: json!(0.01),
    });
    GateView { gate: "canary".into(), blocks: "promote stable".into(), decision: Some(decision) }
}

pub fn inconclusive_canary_gate() -> GateView {
    let checks = vec![check("error_rate", json!(null), "<=", json!(0.01), "", false)];
    let mut decision = decision("canary", Verdict::Inconclusive, checks, Vec::new());
    decision.violations.push(Violation {
        code: "too_few_requests".into(),
        message: "12 requests in the last 30 s, 50 are needed".into(),
        observed: json!(12),
        limit: json!(50),
    });
    decision.result = json!({"waiting_helps": true, "sample": {"seen": 12, "needed": 50}});
    GateView { gate: "canary".into(), blocks: "promote stable".into(), decision: Some(decision) }
}

pub fn opa_down() -> GateView {
    let mut decision = decision("infra", Verdict::Fail, Vec::new(), Vec::new());
    decision.fault = Some(Fault::NotRunning { at: "http://127.0.0.1:8181".into() });
    decision.revision = String::new();
    GateView { gate: "infra".into(), blocks: "deploy".into(), decision: Some(decision) }
}

/// An engine that decides by what is no longer on disk.
pub fn opa_stale() -> GateView {
    let mut view = opa_down();
    let fault =
        Fault::Stale { reason: "policies/infra.rego on disk is not what the engine has loaded".into() };
    if let Some(decision) = &mut view.decision {
        decision.fault = Some(fault);
        decision.revision = "3f9c2ab41d07".into();
    }
    view
}

fn not_asked(gate: &str, blocks: &str) -> GateView {
    GateView { gate: gate.into(), blocks: blocks.into(), decision: None }
}

/// Where the failing canary's decision comes from.
pub fn explanation() -> Explanation {
    let place =
        |line, rule: &str| Some(Place { file: "policies/canary.rego".into(), line, rule: Some(rule.into()) });
    let trace = |name: &str, fact: &str, line, rule| Trace {
        name: name.into(),
        rule: place(line, rule),
        fact: Some(fact.into()),
        source: Some("app-green".into()),
        limit: Some(LimitAt::Data { key: format!("thresholds.{fact}") }),
    };
    Explanation {
        rule: place(71, "verdict"),
        checks: vec![
            trace("error_rate", "error_rate", 118, "checks"),
            Trace { rule: None, ..trace("p99_latency_ms", "p99_latency_ms", 119, "checks") },
        ],
        violations: vec![trace("error_rate_high", "error_rate", 320, "too_many_errors")],
        revision: "3f9c2ab41d07".into(),
        note: None,
    }
}

/// A replay that found one change among 812 decisions.
pub fn replay_report() -> Replayed {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in crate::policy::STARTERS {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let options = ReplayOptions {
        root: folder.path().to_owned(),
        policies: folder.path().to_owned(),
        data: None,
        by: ReplayBy::Embedded,
        timeout: Duration::from_secs(20),
    };
    let mut report = replay(&options, &SystemClock::shared(), &mut |_| Ok(())).unwrap();
    report.decisions = 812;
    report.same = 800;
    report.reworded = 8;
    report.changed = 1;
    report.transitions = BTreeMap::from([("PASS -> FAIL".to_owned(), 1)]);
    let down = "policy engine not running: nothing answers at 127.0.0.1:8181";
    report.no_answer_then = BTreeMap::from([(down.to_owned(), 3)]);
    report.revision = "3f9c2ab41d07".into();
    report.elapsed = Duration::from_millis(48);
    let side = |verdict, codes: &[&str], reason: &str| Side {
        verdict,
        violations: codes.iter().map(|code| (*code).to_owned()).collect(),
        reasons: vec![reason.into()],
        fault: None,
    };
    let change = Change {
        then: side(Verdict::Pass, &[], "error rate 0.6 % is at or below the limit of 1 %"),
        now: side(Verdict::Fail, &["error_rate_high"], "error rate 0.6 % is above the limit of 0.5 %"),
        differs: vec!["verdict PASS -> FAIL".into(), "limit of error_rate 0.01 -> 0.005".into()],
    };
    let changed = ChangedDecision {
        seq: 412,
        timestamp: noon(),
        operation_id: "op-7".into(),
        gate: "canary".into(),
        revision: "0a1b2c3d4e5f".into(),
        change,
    };
    Replayed { report, changes: vec![changed], unreadable: None }
}
