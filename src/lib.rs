//! Keeps an Atlassian Statuspage page equal to what is declared in YAML.

pub mod admin;
pub mod api;
pub mod audit;
pub mod cli;
pub mod clock;
mod connections;
pub mod driver;
pub mod engine;
pub mod manifest;
pub mod operator;
pub mod server;
pub mod simulation;
pub mod statuspage;
pub mod store;
