//! What may be written to the store, and what is said there.

use std::time::Duration;

use super::Oracle;
use crate::driver::StoreChange;
use crate::engine::{READY, RECONCILING, STALLED, Status, find_condition};
use crate::simulation::log::TOKEN;
use crate::simulation::trace::{Entry, Fact, Life};

/// Promise 9: what kstatus, and with it Flux, Argo CD and `kubectl wait`, relies on.
#[derive(Debug)]
pub(super) struct Kstatus;

impl Oracle for Kstatus {
    fn name(&self) -> &'static str {
        "every status keeps the rules of kstatus"
    }

    fn hear(&mut self, entry: &Entry) -> Option<String> {
        let Fact::Stored {
            change: StoreChange::Status(status),
            before: Some(before),
            key,
            done: true,
            ..
        } = &entry.fact
        else {
            return None;
        };
        let object = status.object();
        let problem = |what: &str| Some(format!("{key}: {what}"));
        let Some(ready) = find_condition(object, READY) else {
            return problem("a status without Ready");
        };
        if object.observed_generation.is_none_or(|seen| seen > before.generation) {
            return problem("observedGeneration is missing or ahead of the generation");
        }
        for condition in &object.conditions {
            if condition.observed_generation != object.observed_generation {
                return Some(format!("{key}: {} speaks of another generation", condition.type_));
            }
            if [RECONCILING, STALLED].contains(&condition.type_.as_str()) && condition.status != "True" {
                return Some(format!("{key}: {} is there and not True", condition.type_));
            }
            let was = find_condition(before.stored.object(), &condition.type_);
            if was.is_some_and(|was| {
                was.status == condition.status && was.last_transition_time != condition.last_transition_time
            }) {
                return Some(format!(
                    "{key}: {} did not change, its lastTransitionTime did",
                    condition.type_
                ));
            }
        }
        let reconciling = find_condition(object, RECONCILING).is_some();
        let stalled = find_condition(object, STALLED).is_some();
        match (ready.status.as_str(), reconciling, stalled) {
            (_, true, true) => problem("both Reconciling and Stalled"),
            ("True", true, _) | ("True", _, true) => problem("Ready, and Reconciling or Stalled as well"),
            ("False" | "Unknown", false, false) if !["Suspended", "NoMembers"].contains(&ready.reason.as_str()) => {
                Some(format!(
                    "{key}: not Ready ({}), and neither Reconciling nor Stalled",
                    ready.reason
                ))
            }
            _ => None,
        }
    }
}

/// Promise 4: what has not changed is not written.
#[derive(Debug, Default)]
pub(super) struct NoIdleWrite {
    disturbed: Option<Duration>,
}

/// A lost reply, a crash or a person leaves doubts for so long: then a request may turn out to have been needless.
const DOUBTS: Duration = Duration::from_secs(400);

fn without_times(status: &Status) -> Status {
    let mut status = status.clone();
    let object = status.object_mut();
    object.last_sync_time = None;
    for condition in &mut object.conditions {
        condition.last_transition_time =
            k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH);
    }
    status
}

impl Oracle for NoIdleWrite {
    fn name(&self) -> &'static str {
        "nothing is written that has not changed"
    }

    fn hear(&mut self, entry: &Entry) -> Option<String> {
        match &entry.fact {
            Fact::Weather { .. } | Fact::Person { .. } | Fact::Restored { .. } => self.disturbed = Some(entry.at),
            Fact::Process { what, .. } if *what != Life::Leads => self.disturbed = Some(entry.at),
            Fact::Stored {
                change: StoreChange::Status(status),
                before: Some(before),
                key,
                done: true,
                ..
            } if without_times(status) == without_times(&before.stored) => {
                return Some(format!("{key}: a status in which only times changed"));
            }
            Fact::CarriedOut {
                request,
                number,
                status: 200..=299,
                answer,
                before,
            } if request.method == "PATCH" => {
                let calm = self.disturbed.is_some_and(|last| entry.at > last + DOUBTS);
                let mut was = before.first()?.clone();
                let mut is = answer.clone();
                for row in [&mut was, &mut is] {
                    row.as_object_mut()?.remove("updated_at");
                }
                return (calm && was == is).then(|| format!("request {number} changes nothing: {request}"));
            }
            _ => {}
        }
        None
    }
}

/// Promise 8: secrets stay secret.
#[derive(Debug)]
pub(super) struct NoSecret;

impl Oracle for NoSecret {
    fn name(&self) -> &'static str {
        super::NO_SECRET
    }

    fn hear(&mut self, entry: &Entry) -> Option<String> {
        let told = match &entry.fact {
            Fact::Stored {
                change: StoreChange::Status(status),
                ..
            } => status.to_json().map(|json| json.to_string()).unwrap_or_default(),
            Fact::Told { note, reason, .. } => format!("{reason} {note}"),
            _ => return None,
        };
        told.contains(TOKEN)
            .then(|| "the token shows in a status or an Event".to_owned())
    }
}
