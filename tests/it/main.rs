//! Integration tests: one binary, a module per topic.

// Marked as test code so that the lints which forbid panics let helpers of tests panic too.
#[cfg(test)]
mod admin;
#[cfg(test)]
mod adopt;
#[cfg(test)]
mod api_coverage;
#[cfg(test)]
mod chart;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod client;
#[cfg(test)]
mod control_plane;
#[cfg(test)]
mod definitions;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod events;
#[cfg(test)]
mod every_kind;
#[cfg(test)]
mod export;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod incident;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod manifest;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod release;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod server;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod support;
