//! The order in which the steps of a plan are performed.

use super::plan::{Action, Step};
use crate::api::Kind;
use crate::statuspage::Priority;

/// Puts steps into their order: what needs no request, then what is most urgent, then what others wait for.
pub(super) fn sort(steps: &mut [Step]) {
    let rank = |step: &Step| match step.action {
        Action::RecordId(_) | Action::AddFinalizer | Action::RemoveFinalizer | Action::Leave | Action::Prune => 0,
        _ => 1,
    };
    // An incident that can be sent now goes before what another one waits for.
    let awaited = |step: &Step| step.priority == Priority::Incident && step.key.kind != Kind::Incident;
    steps.sort_by_key(|step| (rank(step), step.priority, awaited(step), kind_rank(step)));
}

/// What others wait for comes first; deletions go the other way round.
fn kind_rank(step: &Step) -> i8 {
    let rank = match step.key.kind {
        Kind::StatusPage => 0,
        Kind::ComponentGroup => 1,
        Kind::Component => 2,
        Kind::MetricsProvider => 3,
        Kind::Metric => 4,
        Kind::Incident => 5,
        Kind::IncidentTemplate => 6,
        Kind::PageAccessUser => 7,
        Kind::PageAccessGroup => 8,
        Kind::OrganizationUser => 9,
        Kind::Subscriber => 10,
    };
    if step.action.is_deletion() { -rank } else { rank }
}
