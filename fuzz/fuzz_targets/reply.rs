//! Replies of any bytes, to every operation of the client.

#![no_main]

#[path = "../../tests/it/client/every_operation.rs"]
mod every_operation;
#[path = "../../tests/it/hostile/in_process.rs"]
mod in_process;
#[path = "../../tests/it/hostile/reply.rs"]
mod reply;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reply::check(bytes));
