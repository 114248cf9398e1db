//! The places where declarations live: each implements [`crate::driver::Store`].

pub mod kubernetes;
