//! The rules that every written status keeps.

use crate::engine::{Declaration, READY, RECONCILING, STALLED, SYNCED, Status};

/// Fails unless a status that is written keeps the rules of kstatus and says something new.
pub(super) fn examine(declaration: &Declaration, status: &Status) {
    let (object, before) = (status.object(), declaration.stored.object());
    let of = |kind: &'static str| {
        object
            .conditions
            .iter()
            .filter(move |condition| condition.type_ == kind)
    };
    if !object.conditions.is_empty() {
        for kind in [READY, SYNCED] {
            assert_eq!(of(kind).count(), 1, "{}: {kind} always, once", declaration.key);
        }
        for kind in [RECONCILING, STALLED] {
            assert!(of(kind).count() <= 1);
            assert!(
                of(kind).all(|condition| condition.status == "True"),
                "{}: {kind} only while true",
                declaration.key
            );
        }
        assert!(of(RECONCILING).count() + of(STALLED).count() <= 1);
        let ready = of(READY).next().unwrap();
        if ready.status == "True" {
            assert_eq!(of(RECONCILING).count() + of(STALLED).count(), 0, "{}", declaration.key);
            assert!(object.id.is_some(), "{} is ready without an id", declaration.key);
            assert!(object.last_sync_time.is_some());
        }
        for condition in &object.conditions {
            assert_eq!(condition.observed_generation, object.observed_generation);
            assert!(!condition.reason.is_empty());
            let old = before.conditions.iter().find(|old| old.type_ == condition.type_);
            if let Some(old) = old.filter(|old| old.status == condition.status) {
                assert_eq!(
                    old.last_transition_time, condition.last_transition_time,
                    "{}: {} moved without a transition",
                    declaration.key, condition.type_
                );
            }
        }
        assert!(
            object
                .observed_generation
                .is_none_or(|seen| seen <= declaration.generation)
        );
    }
    let mut without_sync = status.clone();
    without_sync
        .object_mut()
        .last_sync_time
        .clone_from(&before.last_sync_time);
    assert!(
        without_sync != *declaration.stored,
        "{}: only lastSyncTime changed",
        declaration.key
    );
}
