//! The oracles: each watches a run for one promise, and has a name.
//!
//! They judge what happened on the page and in the store, and know nothing of how the engine decides.

mod ending;
mod remote;
mod store;
mod telling;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::Value;

use super::trace::Entry;
use crate::engine::Declaration;

/// The oracle of promise 8.
pub(super) const NO_SECRET: &str = "no secret in any output";

/// A promise that a run broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The oracle that found it.
    pub oracle: &'static str,
    /// When, since the beginning of the run.
    pub at: Duration,
    /// What it saw.
    pub detail: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} at {:.3} s: {}",
            self.oracle,
            self.at.as_secs_f64(),
            self.detail
        )
    }
}

/// What there is when a run ends.
#[derive(Debug, Default)]
pub(super) struct Ending {
    pub(super) declarations: Vec<Declaration>,
    pub(super) components: Vec<Value>,
    pub(super) incidents: Vec<Value>,
    pub(super) subscribers: Vec<Value>,
}

/// Watches for one promise.
pub(super) trait Oracle: Send + std::fmt::Debug {
    fn name(&self) -> &'static str;

    /// What is wrong about what has just happened.
    fn hear(&mut self, entry: &Entry) -> Option<String>;

    /// What is wrong about what there is in the end.
    fn close(&mut self, _ending: &Ending) -> Vec<String> {
        Vec::new()
    }
}

/// All oracles.
#[derive(Debug)]
pub(super) struct Court {
    oracles: Vec<Box<dyn Oracle>>,
    found: Vec<Violation>,
}

impl Court {
    /// For a run with this window. Rivals, who know nothing of each other, write over each other's statuses: what they say
    /// of times is not judged.
    pub(super) fn new(limit: u32, skews: &[i64], rivals: bool) -> Self {
        let mut oracles: Vec<Box<dyn Oracle>> = vec![
            Box::new(remote::OneObject::default()),
            Box::new(remote::ForeignUntouched::default()),
            Box::new(remote::Window::of(limit, skews)),
            Box::new(remote::BoundedRequests::default()),
            Box::new(telling::ToldOnce::default()),
            Box::new(telling::EndedStaysEnded::default()),
            Box::new(telling::InTime::of(limit)),
            Box::new(store::NoSecret),
            Box::new(ending::Converged::default()),
            Box::new(ending::Quiet::default()),
        ];
        if !rivals {
            oracles.push(Box::new(store::Kstatus));
            oracles.push(Box::new(store::NoIdleWrite::default()));
        }
        Court {
            oracles,
            found: Vec::new(),
        }
    }

    pub(super) fn hear(&mut self, entry: &Entry) {
        for oracle in &mut self.oracles {
            if let Some(detail) = oracle.hear(entry) {
                self.found.push(Violation {
                    oracle: oracle.name(),
                    at: entry.at,
                    detail,
                });
            }
        }
    }

    pub(super) fn has_found(&self) -> bool {
        !self.found.is_empty()
    }

    pub(super) fn close(&mut self, at: Duration, ending: &Ending) -> Vec<Violation> {
        for oracle in &mut self.oracles {
            let oracle_name = oracle.name();
            self.found
                .extend(oracle.close(ending).into_iter().map(|detail| Violation {
                    oracle: oracle_name,
                    at,
                    detail,
                }));
        }
        std::mem::take(&mut self.found)
    }
}

fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value.get(field).and_then(Value::as_str)
}
