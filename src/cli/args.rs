//! The command line, as clap reads it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::domain::Target;
use crate::engine::{Action, ChaosFault, LoadPlan};

/// Deploy safely from one manifest: blue/green without losing a request,
/// policy gates, live metrics, chaos, rollback and a record that can be
/// proven. Without a command it opens the terminal app.
#[derive(Debug, Parser)]
#[command(name = "swiftdeploy", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 error, 2 denied by policy, 3 inconclusive, \
4 busy (another operation holds the lock), 130 cancelled.";

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(super) struct Common {
    /// The manifest
    #[arg(long, global = true, default_value = "manifest.yaml", value_name = "FILE")]
    pub(super) manifest: PathBuf,
    /// Where to run: overrides the manifest's `target`, and what is deployed
    #[arg(long, global = true, value_name = "TARGET")]
    pub(super) target: Option<TargetArg>,
    /// One JSON object per line on standard output, and nothing else there
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// No colours (also by the environment variable `NO_COLOR`)
    #[arg(long, global = true)]
    pub(super) no_color: bool,
}

/// The targets by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TargetArg {
    /// Processes on this machine, nothing to install
    Local,
    /// A Docker host
    Docker,
}

impl From<TargetArg> for Target {
    fn from(arg: TargetArg) -> Self {
        match arg {
            TargetArg::Local => Self::Local,
            TargetArg::Docker => Self::Docker,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a starter manifest and policies
    New {
        /// The folder; made when it is not there
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Generate nginx, Compose and OPA files from the manifest
    Init {
        /// Only say what would change; exit 1 if something would
        #[arg(long)]
        check: bool,
    },
    /// Five checks, each PASS or FAIL with the reason
    Validate,
    /// What deploy would do, and what the policies say now; changes nothing
    Plan,
    /// Replace what serves by what the manifest says, without losing a request
    Deploy,
    /// Let the canary take the traffic, or make its release the stable one
    Promote {
        /// What to promote to
        to: PromoteTo,
    },
    /// Back to the last good release at once; never gated
    Rollback,
    /// Live figures: traffic, errors, P99, policies
    Status {
        /// Look once and end
        #[arg(long)]
        once: bool,
        /// Time between two looks
        #[arg(long, value_parser = duration, value_name = "TIME")]
        interval: Option<Duration>,
    },
    /// Break the canary on purpose; always ends by itself
    Chaos {
        #[command(subcommand)]
        fault: ChaosArg,
    },
    /// Probe traffic through the proxy, labelled as such
    Load {
        /// Requests per second
        #[arg(long, default_value_t = 20, value_name = "N")]
        rps: u32,
        /// For how long
        #[arg(long = "for", default_value = "30s", value_parser = duration, value_name = "TIME")]
        lasting: Duration,
    },
    /// Write the audit report, or check the history's chain
    Audit {
        /// Where to write; default `audit_report.md` beside the manifest
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(subcommand)]
        command: Option<AuditCommand>,
    },
    /// Lines of a service's log
    Logs {
        /// `app-blue`, `app-green`, `nginx`, `opa`, `proxy`; default what serves
        name: Option<String>,
        /// Go on with new lines
        #[arg(short, long)]
        follow: bool,
        /// How many of the last lines
        #[arg(long, default_value_t = 100, value_name = "N")]
        tail: usize,
    },
    /// What the gates see now, series by series; or from two saved scrapes; or
    /// check one
    Metrics {
        /// The earlier scrape
        #[arg(long, value_name = "FILE", requires = "to")]
        from: Option<PathBuf>,
        /// The later scrape
        #[arg(long, value_name = "FILE", requires = "from")]
        to: Option<PathBuf>,
        /// The time between them
        #[arg(long, default_value = "30s", value_parser = duration, value_name = "TIME")]
        window: Duration,
        /// Parse one file and tell what is in it, or what is wrong with it
        #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to"])]
        check: Option<PathBuf>,
    },
    /// Ask, explain, replay and test the policies
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Remove containers, networks and volumes of this project, nothing else
    Teardown {
        /// Remove the generated files too
        #[arg(long)]
        clean: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// The whole story on the local target in a temporary folder
    Demo {
        /// Seconds of time to read after each scene in the app
        #[arg(long, value_name = "SECONDS", default_value = "4", value_parser = seconds, hide = true)]
        pace: f64,
    },
    /// What is installed and reachable, what is missing and how to get it
    Doctor,
    /// The manifest's JSON Schema, for editors
    Schema,
    /// Completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The manual page
    Man,
}

/// What can be promoted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PromoteTo {
    /// The release under test takes the traffic
    Canary,
    /// The tested release becomes the stable one
    Stable,
}

/// The faults.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum ChaosArg {
    /// Every answer takes longer
    Slow {
        /// Seconds added
        #[arg(long, default_value_t = 3.0, value_parser = seconds, value_name = "SECONDS")]
        duration: f64,
        /// How long the fault lasts
        #[arg(long = "for", default_value = "60s", value_parser = fault_life, value_name = "TIME")]
        ttl: Duration,
    },
    /// Part of the answers is a 500
    Error {
        /// 0 to 1
        #[arg(long, default_value_t = 0.5, value_parser = rate, value_name = "RATE")]
        rate: f64,
        /// How long the fault lasts
        #[arg(long = "for", default_value = "60s", value_parser = fault_life, value_name = "TIME")]
        ttl: Duration,
    },
    /// The process ends as in a crash
    Kill,
    /// No fault any more
    Recover,
}

/// What belongs to the audit.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum AuditCommand {
    /// Check the history's chain
    Verify,
}

/// What can be done with the policies.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum PolicyCommand {
    /// Ask a gate now
    Ask {
        /// `infra`, `canary` or a gate of your own
        gate: String,
    },
    /// A decision with every rule, fact and limit
    ///
    /// Asks a gate and tells where its answer comes from: the file and line of
    /// the rule behind the verdict, each comparison and each violation, the
    /// fact that was observed, and the key of data.json that holds the limit.
    /// With --seq it explains a decision of the history, as it was recorded.
    Explain {
        /// `infra`, `canary` or a gate of your own
        #[arg(required_unless_present = "seq")]
        gate: Option<String>,
        /// The decision with this number in the history, in place of a new one
        #[arg(long, value_name = "N", conflicts_with = "gate")]
        seq: Option<u64>,
    },
    /// Which recorded decisions would be answered otherwise now
    ///
    /// Asks every decision of the history again, with the facts as they were
    /// recorded, and lists those whose verdict or cause would be another one.
    /// Decisions that had no answer then (the engine was down, late, stale) are
    /// counted apart. Nothing is recorded.
    ///
    /// Exit codes: 0 when all of the history was replayed, whatever changed;
    /// 1 when part of it cannot be read or its chain is broken; with --check
    /// also 1 when an answer would change.
    Replay(ReplayArgs),
    /// Run the Rego tests in policies/
    Test,
}

/// How the history is replayed.
#[derive(Debug, Clone, Args)]
pub(super) struct ReplayArgs {
    /// Limits from this file, in place of the policies' data.json
    #[arg(long, value_name = "FILE")]
    pub(super) data: Option<PathBuf>,
    /// The policies in this folder, in place of policies/
    #[arg(long, value_name = "DIR")]
    pub(super) policies: Option<PathBuf>,
    /// Who is asked. An OPA must have loaded the same policies
    #[arg(long, value_name = "ENGINE", default_value = "embedded")]
    pub(super) engine: EngineArg,
    /// Where the OPA is; default the manifest's `policy.port` on this machine
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) at: Option<SocketAddr>,
    /// Exit 1 if an answer would change
    #[arg(long)]
    pub(super) check: bool,
}

/// The policy engines by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum EngineArg {
    /// In this process
    Embedded,
    /// A running Open Policy Agent
    Opa,
}

impl Command {
    /// The engine's action, for the commands that are one.
    pub(super) fn action(&self) -> Option<Action> {
        Some(match self {
            Self::Init { check } => Action::Init { check: *check },
            Self::Validate => Action::Validate,
            Self::Plan => Action::Plan,
            Self::Deploy => Action::Deploy,
            Self::Promote { to: PromoteTo::Canary } => Action::PromoteCanary,
            Self::Promote { to: PromoteTo::Stable } => Action::PromoteStable,
            Self::Rollback => Action::Rollback,
            Self::Chaos { fault } => Action::Chaos(fault.fault()),
            Self::Load { rps, lasting } => Action::Load(LoadPlan { rps: *rps, lasting: *lasting }),
            Self::Teardown { clean, .. } => Action::Teardown { clean: *clean },
            Self::Audit { out, command: None } => Action::ExportAudit { out: out.clone() },
            Self::New { .. }
            | Self::Status { .. }
            | Self::Audit { command: Some(AuditCommand::Verify), .. }
            | Self::Logs { .. }
            | Self::Metrics { .. }
            | Self::Policy { .. }
            | Self::Demo { .. }
            | Self::Doctor
            | Self::Schema
            | Self::Completions { .. }
            | Self::Man => return None,
        })
    }
}

impl ChaosArg {
    const fn fault(&self) -> ChaosFault {
        match self {
            Self::Slow { duration, ttl } => ChaosFault::Slow { duration: *duration, ttl: *ttl },
            Self::Error { rate, ttl } => ChaosFault::Error { rate: *rate, ttl: *ttl },
            Self::Kill => ChaosFault::Kill,
            Self::Recover => ChaosFault::Recover,
        }
    }
}

/// The longest life of a fault.
const LONGEST_FAULT: Duration = Duration::from_mins(10);

/// A time with its unit; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 =
        number.trim().parse().map_err(|_| format!("{text:?} is no time; write 30s, 5m or 500ms"))?;
    let seconds = match unit {
        "" | "s" => number,
        "ms" => number / 1e3,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(format!("{unit:?} is no unit of time; use ms, s, m or h")),
    };
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|time| !time.is_zero() && *time <= Duration::from_hours(24))
        .ok_or_else(|| format!("{text:?} is not between 1ms and 24h"))
}

fn fault_life(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|time| {
        if time <= LONGEST_FAULT { Ok(time) } else { Err("a fault lasts 10m at most".into()) }
    })
}

fn rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate| (0.0..=1.0).contains(rate))
        .ok_or_else(|| format!("{text:?} is not between 0 and 1"))
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds| (0.0..=60.0).contains(seconds))
        .ok_or_else(|| format!("{text:?} is not between 0 and 60 seconds"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[rstest]
    #[case::bare("30", Some(30_000))]
    #[case::seconds("30s", Some(30_000))]
    #[case::minutes("5m", Some(300_000))]
    #[case::millis("500ms", Some(500))]
    #[case::fraction("1.5s", Some(1_500))]
    #[case::word("soon", None)]
    #[case::unit("3 weeks", None)]
    #[case::zero("0", None)]
    #[case::negative("-3s", None)]
    #[case::beyond("48h", None)]
    fn times_have_units(#[case] text: &str, #[case] millis: Option<u64>) {
        assert_eq!(duration(text).ok(), millis.map(Duration::from_millis));
    }

    #[test]
    fn a_rate_is_a_part() {
        assert_eq!(rate("0.9"), Ok(0.9));
        assert!(rate("1.1").is_err() && rate("-0.1").is_err() && rate("NaN").is_err());
    }
}
