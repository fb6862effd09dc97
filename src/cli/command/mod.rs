//! The commands that are more than one action, a file each.

pub(super) mod app;
pub(super) mod audit;
pub(super) mod demo;
pub(super) mod doctor;
pub(super) mod logs;
pub(super) mod metrics;
pub(super) mod new;
pub(super) mod operation;
pub(super) mod policy;
pub(super) mod reference;
pub(super) mod status;
