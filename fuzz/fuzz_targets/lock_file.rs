//! Directories with any lock file.

#![no_main]

#[path = "../../tests/it/hostile/lock_file.rs"]
mod lock_file;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lock_file::check(bytes));
