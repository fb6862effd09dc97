//! Searches for an input that [`swiftdeploy_fuzz::manifest`] does not survive.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| swiftdeploy_fuzz::manifest::check(input));
