//! The engine: a pure function from a world (declarations, snapshot, policies, time) to a plan.
//!
//! It knows no runtime, clock, randomness, HTTP or Kubernetes client; all of that enters as data through [`World`] and
//! leaves as data through [`Plan`].
//!
//! Way of the data: [`Declaration`]s, filled in from templates ([`fill_templates`]), and a snapshot make a [`World`], of which
//! `planner` makes a plan in stages. `identity` finds the remote object of each declaration. `page`, `converge`, `deletion` and
//! `replacement` return a `report` of what each of them calls for: the rules in `kinds` map it to wire fields, `fields`
//! compares, `object` turns differences into [`Step`]s. `draft` is the one place where reports are put together; `deletion` caps
//! what is deleted, `backlog` puts first what incidents wait for, `order` sorts, `statuses` and `conditions` tell the owner.
//! The driver performs steps, folds what came back with [`record`] and plans again.

mod applied;
mod attempt;
mod backlog;
mod candidates;
mod census;
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
mod index;
mod journal;
mod kinds;
mod lists;
mod lookup;
mod mark;
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
mod pursuit;
mod record;
mod replacement;
mod report;
mod request;
mod rules;
mod seal;
mod statuses;
mod summary;
mod table;
mod template;
mod unsubscribed;
mod world;

pub use crate::api::{Deletion, Spec, Status};
pub use applied::{AppliedName, OneShot};
pub use attempt::{REQUEST_LIFE, SEND_WITHIN, attempt_is_over};
pub use candidates::{Candidate, candidates, description, kind_of, worth_declaring};
pub use claims::Claims;
pub use conditions::{READY, RECONCILING, STALLED, SYNCED, apply as apply_conditions, find as find_condition};
pub use declaration::{Declaration, ObjectKey, Policies};
pub use deletion::LEAVE_AFTER;
pub use evidence::proofs_hold_from;
pub use failure::{Failure, forget_settled};
pub use fields::Change;
pub use kinds::{Misplaced, declared_settings, misplaced};
pub use lists::{list_of, object_kind};
pub use observation::totals as subscriber_totals;
pub use plan::Applied;
pub use plan::{Action, Backlog, Finding, Plan, Read, ReadWhat, State, Step};
pub use planner::plan;
pub use pursuit::FRESH;
pub use record::{Reply, record, undone};
pub use request::{Publication, Request};
pub use rules::IN_SYNC;
pub use seal::{Seal, SealKey, hash};
pub use summary::{Summary, Verb};
pub use template::fill_templates;
pub use world::{CircuitBreaker, Claimant, DELETION_WINDOW, Surroundings, World, resync_interval};

#[cfg(test)]
mod tests;
