//! Conditions from findings. Ready and Synced always; Reconciling and Stalled only while true (kstatus).
//!
//! Invariant: a condition's transition time moves only with its status, and nothing moves when nothing changed.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::plan::State;
use crate::api::{Drift, ObjectStatus, Reason, Status};

/// Condition type: the remote object matches the declaration of observedGeneration.
pub const READY: &str = "Ready";
/// Condition type: no declared field differs now.
pub const SYNCED: &str = "Synced";
/// Condition type: changes are on their way.
pub const RECONCILING: &str = "Reconciling";
/// Condition type: somebody has to do something.
pub const STALLED: &str = "Stalled";

const ALL_AS_DECLARED: &str = "every declared field matches";

/// The status that follows from a finding. Everything but conditions, generation, drift and sync time is kept; one that says
/// all of it already stays shared.
pub fn apply(
    status: &mut Arc<Status>,
    state: State,
    reason: Reason,
    message: &str,
    drift: Vec<Drift>,
    generation: i64,
    now: Timestamp,
) {
    if state == State::Unknown {
        return;
    }
    let ready = state == State::InSync;
    let message = shortened(message);
    let mut wanted = vec![(READY, ready, reason, Cow::Borrowed(&*message))];
    wanted.push(match (ready, drift.first()) {
        (true, None) => (SYNCED, true, Reason::Synced, ALL_AS_DECLARED.into()),
        (true, Some(first)) => {
            let message = drift_message(first, drift.len());
            (SYNCED, false, Reason::DriftDetected, message.into())
        }
        (false, _) => (SYNCED, false, reason, Cow::Borrowed(&*message)),
    });
    match state {
        State::Progressing => wanted.push((RECONCILING, true, reason, Cow::Borrowed(&*message))),
        State::Stalled => wanted.push((STALLED, true, reason, Cow::Borrowed(&*message))),
        _ => {}
    }
    let word = |value: bool| if value { "True" } else { "False" };
    let is_there = |(condition, wanted): (&Condition, &(&str, bool, Reason, Cow<'_, str>))| {
        let (kind, value, reason, message) = wanted;
        condition.type_ == *kind
            && condition.status == word(*value)
            && condition.reason == reason.as_str()
            && condition.message == *message
            && condition.observed_generation == Some(generation)
    };
    // Most of the time nothing has changed: ten thousand statuses are not made anew for that.
    let known = status.object();
    if known.observed_generation == Some(generation)
        && known.drift == drift
        && known.conditions.len() == wanted.len()
        && known.conditions.iter().zip(&wanted).all(is_there)
    {
        return;
    }
    let status = Arc::make_mut(status).object_mut();
    let previous = std::mem::take(&mut status.conditions);
    let conditions = wanted.into_iter().map(|(kind, value, reason, message)| {
        let old = previous.iter().find(|condition| condition.type_ == kind);
        let last_transition_time = match old {
            Some(old) if old.status == word(value) => old.last_transition_time.clone(),
            _ => Time(whole_second(now)),
        };
        Condition {
            type_: kind.to_owned(),
            status: word(value).to_owned(),
            reason: reason.as_str().to_owned(),
            message: message.into_owned(),
            observed_generation: Some(generation),
            last_transition_time,
        }
    });
    status.conditions = conditions.collect();
    status.observed_generation = Some(generation);
    status.drift = drift;
    if ready {
        status.last_sync_time = Some(Time(whole_second(now)));
    }
}

/// What the store says of a condition it goes on saying since the same time, whoever found it out again; and a status that
/// differs in its times alone is the stored one. So what was stored without an answer is not written once more.
pub(super) fn keep_times(status: &mut Arc<Status>, stored: &Arc<Status>) {
    if Status::is_same(status, stored) {
        return;
    }
    let synced = stored.object().last_sync_time.clone();
    let object = Arc::make_mut(status).object_mut();
    for condition in &mut object.conditions {
        if let Some(known) = find(stored.object(), &condition.type_).filter(|known| known.status == condition.status) {
            condition.last_transition_time = known.last_transition_time.clone();
        }
    }
    let found = std::mem::replace(&mut object.last_sync_time, synced.clone());
    match synced.is_some() && status == stored {
        true => *status = Arc::clone(stored),
        false => Arc::make_mut(status).object_mut().last_sync_time = found,
    }
}

/// The status of a condition, if it is there.
pub fn find<'a>(status: &'a ObjectStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

fn drift_message(first: &Drift, count: usize) -> String {
    let more = if count > 1 {
        format!(" and {} more", count - 1)
    } else {
        String::new()
    };
    let message = format!(
        "{} is {} on the page, declared as {}{more}",
        first.field, first.observed, first.desired
    );
    shortened(&message).into_owned()
}

/// Kubernetes refuses messages above 32 KiB; a terminal refuses them much earlier.
fn shortened(message: &str) -> Cow<'_, str> {
    let end = if message.len() > 1024 {
        message.char_indices().nth(1024)
    } else {
        None
    };
    match end {
        Some((end, _)) => format!("{}…", &message[..end]).into(),
        None => message.into(),
    }
}

/// Kubernetes keeps times in whole seconds: a fraction would come back as a difference.
pub(crate) fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn nothing_moves_when_nothing_changed() {
        let mut status = Arc::new(Status::empty(Kind::Component));
        apply(&mut status, State::InSync, Reason::Synced, "ok", vec![], 1, at(10));
        let first = status.clone();
        apply(&mut status, State::InSync, Reason::Synced, "ok", vec![], 1, at(99));
        assert_eq!(status, first);
    }

    #[test]
    fn what_is_stored_already_keeps_its_times() {
        let said = |state, message: &str, second| {
            let mut status = Arc::new(Status::empty(Kind::Component));
            apply(&mut status, state, Reason::Synced, message, vec![], 1, at(second));
            status
        };
        let stored = said(State::InSync, "ok", 10);
        let mut again = said(State::InSync, "ok", 20);
        keep_times(&mut again, &stored);
        assert_eq!(again, stored, "stored without an answer");
        let mut other = said(State::InSync, "still ok", 20);
        keep_times(&mut other, &stored);
        let ready = find(other.object(), READY).unwrap();
        assert_eq!((&*ready.message, ready.last_transition_time.0), ("still ok", at(10)));
        assert_eq!(
            other.object().last_sync_time,
            Some(Time(at(20))),
            "it moves with another change"
        );
        let mut turned = said(State::Progressing, "on it", 20);
        keep_times(&mut turned, &stored);
        assert_eq!(turned, said(State::Progressing, "on it", 20), "Ready has turned");
    }

    #[test]
    fn abnormal_conditions_are_there_only_while_true() {
        let mut status = Arc::new(Status::empty(Kind::Component));
        apply(&mut status, State::Stalled, Reason::Rejected, "no", vec![], 1, at(10));
        assert!(find(status.object(), STALLED).is_some());
        apply(
            &mut status,
            State::Progressing,
            Reason::Progressing,
            "on it",
            vec![],
            2,
            at(11),
        );
        assert!(find(status.object(), STALLED).is_none());
        assert!(find(status.object(), RECONCILING).is_some());
        assert_eq!(
            find(status.object(), READY).unwrap().last_transition_time.0,
            at(10),
            "Ready stayed False"
        );
        apply(&mut status, State::InSync, Reason::Synced, "ok", vec![], 2, at(12));
        assert_eq!(status.object().conditions.len(), 2);
        assert_eq!(find(status.object(), READY).unwrap().last_transition_time.0, at(12));
    }

    #[test]
    fn detected_drift_leaves_ready_and_turns_synced_off() {
        let mut status = Arc::new(Status::empty(Kind::Component));
        let drift = vec![Drift {
            field: "name".into(),
            desired: "\"a\"".into(),
            observed: "\"b\"".into(),
        }];
        apply(&mut status, State::InSync, Reason::Synced, "ok", drift, 1, at(10));
        assert_eq!(find(status.object(), READY).unwrap().status, "True");
        let synced = find(status.object(), SYNCED).unwrap();
        assert_eq!(
            (synced.status.as_str(), synced.reason.as_str()),
            ("False", "DriftDetected")
        );
        assert!(synced.message.contains("name"));
    }

    fn drift(field: &str) -> Drift {
        Drift {
            field: field.into(),
            desired: "\"a\"".into(),
            observed: "\"b\"".into(),
        }
    }

    #[test]
    fn whatever_changes_is_written() {
        let mut status = Arc::new(Status::empty(Kind::Component));
        apply(
            &mut status,
            State::Progressing,
            Reason::Progressing,
            "on it",
            vec![],
            1,
            at(10),
        );
        let first = status.clone();
        let after = |state, reason, message, drift, generation| {
            let mut status = first.clone();
            apply(&mut status, state, reason, message, drift, generation, at(99));
            status
        };
        let (state, reason) = (State::Progressing, Reason::Progressing);
        assert_eq!(after(state, reason, "on it", vec![], 1), first);
        let other = [
            after(state, reason, "still on it", vec![], 1),
            after(state, Reason::Unreachable, "on it", vec![], 1),
            after(State::Stalled, reason, "on it", vec![], 1),
            after(state, reason, "on it", vec![drift("name")], 1),
            after(state, reason, "on it", vec![], 2),
        ];
        for (number, status) in other.iter().enumerate() {
            assert_ne!(*status, first, "{number}");
            let ready = find(status.object(), READY).unwrap();
            assert_eq!(ready.last_transition_time.0, at(10), "Ready stayed False");
        }
        assert_eq!(find(other[0].object(), READY).unwrap().message, "still on it");
        assert_eq!(find(other[1].object(), READY).unwrap().reason, "Unreachable");
        assert_eq!(find(other[4].object(), READY).unwrap().observed_generation, Some(2));
    }

    #[test]
    fn a_message_is_cut_where_nobody_reads_on() {
        for (length, shown) in [(1, 1), (1023, 1023), (1024, 1024), (1025, 1025), (5000, 1025)] {
            let mut status = Arc::new(Status::empty(Kind::Component));
            apply(
                &mut status,
                State::Stalled,
                Reason::Rejected,
                &"é".repeat(length),
                vec![],
                1,
                at(10),
            );
            let message = &find(status.object(), READY).unwrap().message;
            assert_eq!(message.chars().count(), shown);
            assert_eq!(message.ends_with('…'), length > 1024);
        }
    }

    #[test]
    fn of_several_differences_the_first_is_told_and_the_others_are_counted() {
        for (count, more) in [(1, ""), (2, " and 1 more"), (3, " and 2 more")] {
            let mut status = Arc::new(Status::empty(Kind::Component));
            let differences = (0..count).map(|number| drift(&format!("field{number}"))).collect();
            apply(&mut status, State::InSync, Reason::Synced, "ok", differences, 1, at(10));
            let message = &find(status.object(), SYNCED).unwrap().message;
            assert_eq!(
                *message,
                format!("field0 is \"b\" on the page, declared as \"a\"{more}")
            );
        }
    }
}
