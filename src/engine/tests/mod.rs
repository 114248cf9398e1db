//! Tests of the whole engine: worlds made by `builders`, played by `simulation`.

mod builders;
mod consent;
mod deletion;
mod groups;
mod identity;
mod incidents;
mod metrics;
mod page;
mod policies;
mod property;
mod replacement;
mod simulation;
mod speed;
mod templates;
