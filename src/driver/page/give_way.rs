//! A request that hangs gives way to an incident.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use crate::driver::{Interrupt, Store, View};
use crate::engine::{Declaration, Spec};

/// A reply that is not there so long after an incident was declared keeps the incident waiting no longer.
const GRACE: Duration = Duration::from_secs(1);

/// What a request is worth when something more urgent comes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is waited for, however long it takes: an incident itself.
    Keeps,
    /// It is read for an incident: only the end of the process comes before it.
    GivesToTheEnd,
    /// It changes something, so that the end of the process waits for it; an incident does not.
    GivesToIncidents,
    /// It only reads: it can be begun again at any time.
    GivesToAll,
}

/// Waits for the reply to a request; none when the request was put aside for an incident that was declared or changed
/// since `view`, or for the end of the process. Whether a request that was put aside is carried out is not known.
pub(super) async fn giving_way<S: Store, T>(
    store: &S,
    view: &View,
    interrupt: &Interrupt,
    way: Way,
    request: impl Future<Output = T>,
) -> Option<T> {
    tokio::pin!(request);
    if way == Way::Keeps {
        return Some(request.await);
    }
    let mut changes = interrupt.clone();
    loop {
        tokio::select! {
            biased;
            reply = &mut request => return Some(reply),
            () = changes.wait() => {}
        }
        if changes.stopped() {
            return match way {
                Way::GivesToAll | Way::GivesToTheEnd => None,
                Way::Keeps | Way::GivesToIncidents => Some(request.await),
            };
        }
        changes.acknowledge();
        if way != Way::GivesToTheEnd && has_new_incident(store, view) {
            break;
        }
    }
    tokio::select! {
        biased;
        reply = &mut request => Some(reply),
        () = tokio::time::sleep(GRACE) => None,
    }
}

/// True when the store has an incident, or another generation of one, that the view has not.
fn has_new_incident<S: Store>(store: &S, view: &View) -> bool {
    fn incidents(view: &View) -> impl Iterator<Item = (&str, i64)> {
        let is_incident = |one: &&Declaration| matches!(&*one.spec, Spec::Incident(_));
        let declarations = view.declarations.iter().filter(is_incident);
        declarations.map(|one| (one.uid.as_str(), one.generation))
    }
    let known: BTreeSet<_> = incidents(view).collect();
    store
        .view(&view.page.key)
        .is_some_and(|now| incidents(&now).any(|incident| !known.contains(&incident)))
}
