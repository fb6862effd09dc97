//! Tests of the app as a whole: screens, keys, the loop, and what must never
//! happen. Tests of single rules sit beside the rules.

mod demo;
mod fixtures;
mod keys;
mod never;
mod scenes;
mod screens;
mod session;
mod truth;
mod verdicts;
mod views;
mod world;
