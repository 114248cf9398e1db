//! Refusals that ask for any time to wait.

#![no_main]

#[path = "../../tests/it/hostile/in_process.rs"]
mod in_process;
#[path = "../../tests/it/hostile/retry_after.rs"]
mod retry_after;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| retry_after::check(bytes));
