//! The engine: a pure function from a world (declarations, snapshot, policies, time) to a plan.
//!
//! It knows no runtime, clock, randomness, HTTP or Kubernetes client; all of that enters as data through [`World`] and
//! leaves as data through [`Plan`].
//!
//! Way of the data: [`Declaration`]s, filled in from templates ([`fill_templates`]), and a snapshot make a [`World`]; `identity` finds the remote object of each
//! declaration, the rules in `kinds` map it to wire fields, `fields` compares, `converge` turns differences into
//! [`Step`]s, `deletion` ends what was deleted, `backlog` puts first what incidents wait for, `conditions` tells the
//! owner. The driver performs steps, folds what came back with [`record`] and plans again.

mod applied;
mod backlog;
mod candidates;
mod claims;
mod conditions;
mod context;
mod converge;
mod declaration;
mod deletion;
mod draft;
mod evidence;
mod failure;
mod fields;
mod identity;
mod journal;
mod kinds;
mod lookup;
mod metric_data;
pub mod model;
mod object;
mod observation;
mod one_shot;
mod order;
mod outcome;
mod page;
mod plan;
mod planner;
mod record;
mod replacement;
mod report;
mod request;
mod seal;
mod statuses;
mod summary;
mod template;
mod unsubscribed;
mod world;

pub use applied::{Applied, AppliedName, OneShot};
pub use candidates::{Candidate, candidates, kind_of};
pub use claims::{Claimant, Claims};
pub use conditions::{READY, RECONCILING, STALLED, SYNCED, apply as apply_conditions, find as find_condition};
pub use declaration::{Declaration, Deletion, ObjectKey, Policies, Spec, Status};
pub use deletion::LEAVE_AFTER;
pub use evidence::{FRESH, REQUEST_LIFE, SEND_WITHIN, attempt_is_over, proofs_hold_from};
pub use failure::{Failure, forget_settled};
pub use fields::{Change, hash};
pub use kinds::{IN_SYNC, Misplaced, declared_settings, list_of, misplaced, object_kind};
pub use observation::totals as subscriber_totals;
pub use plan::{Action, Backlog, Finding, Plan, Read, ReadWhat, State, Step};
pub use planner::plan;
pub use record::{Reply, record, undone};
pub use request::{Publication, Request};
pub use seal::{Seal, SealKey};
pub use summary::{Summary, Verb};
pub use template::fill_templates;
pub use world::{CircuitBreaker, DELETION_WINDOW, Surroundings, World, resync_interval};

#[cfg(test)]
mod tests;
