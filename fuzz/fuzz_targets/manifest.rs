//! Manifests of any text.

#![no_main]

#[path = "../../tests/it/hostile/manifest.rs"]
mod manifest;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| manifest::check(bytes));
