//! The real engine with the shipped policies, on a target and with apps of the
//! test's own; a test decides what time it is.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use swiftdeploy::clock::{Clock, SharedClock, SystemClock};
use swiftdeploy::domain::stack::Role;
use swiftdeploy::domain::{Mode, Release, Slot, Target};
use swiftdeploy::engine::{Assemble, Engine, Options, Project, Session};
use swiftdeploy::history::Actor;
use swiftdeploy::manifest::Manifest;
use swiftdeploy::policy::{Decision, EmbeddedEngine, STARTERS, Verdict};
use swiftdeploy::runtime::{Health, Instance, RuntimeError, Unanswered, Waits};

use super::app::App;
use super::runtime::FakeRuntime;

/// The window of the manifest below.
pub const WINDOW: i64 = 30;

pub const MANIFEST: &str = "services:\n  name: app\n  image: shop:1\n  port: 3000\n  version: \"1.0.0\"\n  mode: canary\nnginx:\n  image: nginx:latest\n  port: 8080\n";

/// A clock that stands still until it is told to go on.
struct Told {
    wall: DateTime<Utc>,
    instant: Instant,
    passed: AtomicI64,
}

impl Told {
    fn passed(&self) -> i64 {
        self.passed.load(Ordering::SeqCst)
    }
}

impl Clock for Told {
    fn wall(&self) -> DateTime<Utc> {
        self.wall + TimeDelta::seconds(self.passed())
    }

    fn instant(&self) -> Instant {
        self.instant + Duration::from_secs(self.passed().unsigned_abs())
    }
}

struct Parts {
    runtime: Arc<FakeRuntime>,
    clock: SharedClock,
}

#[async_trait]
impl Assemble for Parts {
    async fn assemble(
        &self,
        _manifest: &Manifest,
        project: &Project,
        _target: Target,
    ) -> Result<Session, RuntimeError> {
        let timeout = Duration::from_secs(20);
        Ok(Session {
            runtime: Arc::clone(&self.runtime) as Arc<_>,
            policy: Arc::new(EmbeddedEngine::new(project.policies(), timeout, Arc::clone(&self.clock))),
        })
    }
}

/// What a proxy says that can tell which requests wait, when there are none.
pub fn nothing_unseen() -> Unanswered {
    Unanswered { waiting: Some(Waits::new()), ..Unanswered::default() }
}

/// A project with a canary in the green slot.
pub struct Stage {
    pub engine: Engine,
    pub runtime: Arc<FakeRuntime>,
    clock: Arc<Told>,
    folder: tempfile::TempDir,
}

impl Stage {
    /// With these apps as the canary, which have all run for an hour.
    pub fn with(canaries: &[&App]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("manifest.yaml");
        std::fs::write(&manifest, MANIFEST).unwrap();
        for (name, content) in STARTERS {
            let path = folder.path().join("policies").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let clock = Arc::new(Told {
            wall: DateTime::from_timestamp(1_764_061_200, 0).unwrap(),
            instant: SystemClock.instant(),
            passed: AtomicI64::new(0),
        });
        let runtime = Arc::new(FakeRuntime::default());
        runtime.tell(|told| told.unanswered = Some(nothing_unseen()));
        let assembly = Parts { runtime: Arc::clone(&runtime), clock: Arc::clone(&clock) as SharedClock };
        let engine = Engine::open(Options {
            manifest: &manifest,
            target: Target::Local,
            clock: Arc::clone(&clock) as SharedClock,
            actor: Actor("test@here".into()),
            assembly: Arc::new(assembly),
        })
        .unwrap();
        let stage = Self { engine, runtime, clock, folder };
        stage.runs(canaries, Mode::Canary, 3600);
        stage
    }

    /// These apps run in the slot of a mode now, for so many seconds.
    pub fn runs(&self, apps: &[&App], mode: Mode, seconds: i64) {
        let slot = if mode == Mode::Canary { Slot::Green } else { Slot::Blue };
        let started = self.clock.wall() - TimeDelta::seconds(seconds);
        self.runtime.tell(|told| {
            let known = told.instances.clone();
            told.instances.retain(|instance| instance.role != Role::App { slot, mode });
            for app in apps {
                let before = known.iter().find(|instance| instance.id == app.id);
                told.instances.push(Instance {
                    id: app.id.clone(),
                    service: format!("app-{slot}"),
                    role: Role::App { slot, mode },
                    release: Some(Release {
                        image: "shop:1".into(),
                        image_id: None,
                        version: "1.0.0".into(),
                        mode,
                    }),
                    health: Health::Healthy,
                    started_at: before.map_or(Some(started), |instance| instance.started_at),
                    endpoint: Some(app.address),
                    restarts: 0,
                    oom_killed: false,
                    spec: None,
                    usage: None,
                });
            }
        });
    }

    /// A file of the project is this from now on.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Time passes.
    pub fn pass(&self, seconds: i64) {
        self.clock.passed.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.wall()
    }

    /// What the gate of the canary says now.
    pub async fn ask(&self) -> Decision {
        self.engine.ask_gate("canary").await.unwrap()
    }

    /// A window in which each app serves well, and what the gate says then.
    pub async fn good_window(&self, apps: &[&App]) -> Decision {
        self.ask().await;
        for app in apps {
            app.serves(100, 0);
            app.count(|counted| counted.uptime += WINDOW.unsigned_abs());
        }
        self.pass(WINDOW);
        self.ask().await
    }
}

/// Requires a verdict for these reasons.
#[track_caller]
pub fn is(decision: &Decision, verdict: Verdict, codes: &[&str]) {
    let found: Vec<&str> = decision.violations.iter().map(|violation| violation.code.as_str()).collect();
    assert_eq!(decision.fault, None);
    assert_eq!((decision.verdict, found.as_slice()), (verdict, codes), "{:#?}", decision.reasons);
    assert_eq!(decision.allow, verdict == Verdict::Pass);
}
