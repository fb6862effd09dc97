//! The operations, a file each. Each is a list of named steps, every step
//! safe to repeat; what they share (the moves of a blue/green change, the
//! gates, the measurements) stands beside this folder.

mod audit;
mod chaos;
mod deploy;
mod init;
mod load;
mod plan;
mod policies;
mod promote_canary;
mod promote_stable;
mod rollback;
mod teardown;
mod validate;

use super::action::Action;
use super::context::Context;
use super::halt::Halt;

pub(super) use teardown::standing;

/// Runs an operation; gives the summary of what is true then.
pub(super) async fn run(context: &Context) -> Result<String, Halt> {
    match &context.action {
        Action::Init { check } => init::run(context, *check).await,
        Action::Validate => validate::run(context).await,
        Action::Plan => plan::run(context).await,
        Action::Deploy => deploy::run(context).await,
        Action::PromoteCanary => promote_canary::run(context).await,
        Action::PromoteStable => promote_stable::run(context).await,
        Action::Rollback => rollback::run(context).await,
        Action::Chaos(fault) => chaos::run(context, *fault).await,
        Action::Load(plan) => load::run(context, *plan).await,
        Action::Teardown { clean } => teardown::run(context, *clean).await,
        Action::ExportAudit { out } => audit::run(context, out.as_deref()).await,
    }
}
