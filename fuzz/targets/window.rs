//! Searches for an input that [`swiftdeploy_fuzz::window`] does not survive.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| swiftdeploy_fuzz::window::check(input));
