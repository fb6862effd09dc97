//! The words of the field that every other folder speaks: plain data, no I/O,
//! no clock. Nothing here knows any other folder.

pub mod figure;
mod mode;
mod release;
mod routes;
mod slot;
pub mod stack;
mod target;

pub use mode::Mode;
pub use release::Release;
pub use routes::{Routes, Share};
pub use slot::Slot;
pub use target::Target;
