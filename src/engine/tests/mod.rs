//! Tests of the whole engine: worlds made by `builders`, played by `simulation`.

mod attempts;
mod builders;
mod deletion;
mod endings;
mod evidence;
mod groups;
mod identity;
mod incidents;
mod marks;
mod metrics;
mod order;
mod page;
mod policies;
mod property;
mod replacement;
mod rules;
mod simulation;
mod speed;
mod story;
mod templates;
mod unsubscribed;
