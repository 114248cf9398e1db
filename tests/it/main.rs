//! Integration tests: one binary, a module per topic.

mod cli;
mod definitions;
mod manifest;
mod rules;
