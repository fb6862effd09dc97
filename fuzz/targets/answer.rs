//! Searches for an input that [`swiftdeploy_fuzz::answer`] does not survive.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| swiftdeploy_fuzz::answer::check(input));
