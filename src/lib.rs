//! Keeps an Atlassian Statuspage page equal to what is declared in YAML.

pub mod server;
