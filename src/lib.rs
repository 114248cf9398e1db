//! Keeps an Atlassian Statuspage page equal to what is declared in YAML.

pub mod admin;
pub mod api;
pub mod audit;
mod backoff;
mod causes;
pub mod cli;
pub mod driver;
pub mod engine;
pub mod manifest;
pub mod operator;
pub mod simulation;
pub mod store;

pub use statuspage_client as statuspage;
pub use statuspage_clock as clock;
pub use statuspage_server as server;
