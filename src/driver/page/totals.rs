//! What a driver has done, and what it has still to do.

use crate::statuspage::Budget;

/// Figures of a driver since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Passes begun.
    pub passes: u64,
    /// Plans made.
    pub plans: u64,
    /// Requests sent, failed ones included; a long list takes several.
    pub requests: u64,
    /// Lists and objects read.
    pub reads: u64,
    /// Remote writes that succeeded.
    pub writes: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Changes written to the store.
    pub store_writes: u64,
}

impl std::ops::Add for Totals {
    type Output = Totals;

    fn add(self, other: Totals) -> Totals {
        Totals {
            passes: self.passes + other.passes,
            plans: self.plans + other.plans,
            requests: self.requests + other.requests,
            reads: self.reads + other.reads,
            writes: self.writes + other.writes,
            failures: self.failures + other.failures,
            store_writes: self.store_writes + other.store_writes,
        }
    }
}

/// What a driver has still to do in the pass that is under way; nothing between passes.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// Requests that change something, as far as they are known.
    pub changes: usize,
    /// The budget that they wait for.
    pub budget: Option<Budget>,
}
