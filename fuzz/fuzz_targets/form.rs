//! Requests to the local server with any body.

#![no_main]

#[path = "../../tests/it/hostile/form.rs"]
mod form;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| form::check(bytes));
