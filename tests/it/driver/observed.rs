//! What is told of a driver while it works, for metrics; and a token that is replaced while nothing else happens.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use statuspage_operator::api::Kind;
use statuspage_operator::driver::{Observer, StoreError, Totals};
use statuspage_operator::engine::ObjectKey;
use statuspage_operator::statuspage::{EndedRequest, RequestObserver, RequestOutcome};

use super::{Stage, access};

/// Keeps all that it is told.
#[derive(Debug, Default)]
struct Notes {
    requests: Mutex<Vec<EndedRequest>>,
    totals: Mutex<Vec<Totals>>,
    passes: Mutex<u32>,
    stored: Mutex<u32>,
    arrived: Mutex<Vec<(Kind, Duration)>>,
}

impl RequestObserver for Notes {
    fn request_ended(&self, request: &EndedRequest) {
        self.requests.lock().unwrap().push(*request);
    }
}

impl Observer for Notes {
    fn counted(&self, _page: &ObjectKey, totals: Totals) {
        self.totals.lock().unwrap().push(totals);
    }

    fn passed(&self, _page: &ObjectKey, _took: Duration) {
        *self.passes.lock().unwrap() += 1;
    }

    fn stored(&self, result: &Result<(), StoreError>, _took: Duration) {
        assert_eq!(*result, Ok(()));
        *self.stored.lock().unwrap() += 1;
    }

    fn reached_page(&self, kind: Kind, took: Duration) {
        self.arrived.lock().unwrap().push((kind, took));
    }
}

#[tokio::test]
async fn figures_move_with_each_request_and_what_arrives_is_timed() {
    let stage = Stage::new().await;
    stage.declare(Kind::Component, "there-before", json!({}));
    let notes = Arc::new(Notes::default());
    let driver = stage.driver().observed_by(Arc::clone(&notes) as _);
    let mut driver = stage.settle(driver).await;
    assert_eq!(*notes.arrived.lock().unwrap(), [], "since when that waits nobody knows");

    stage.advance(SignedDuration::from_secs(1));
    stage.declare(Kind::Component, "api", json!({}));
    notes.requests.lock().unwrap().clear();
    notes.totals.lock().unwrap().clear();
    stage.pass(&mut driver).await.unwrap();
    let requests = notes.requests.lock().unwrap().clone();
    let create = requests.iter().find(|request| request.operation == "create component");
    assert_eq!(create.map(|request| request.outcome), Some(RequestOutcome::Success));
    let arrived: Vec<Kind> = notes.arrived.lock().unwrap().iter().map(|(kind, _)| *kind).collect();
    assert_eq!(arrived, [Kind::Component]);
    let totals = notes.totals.lock().unwrap().clone();
    assert_eq!(totals.last(), Some(&driver.totals()));
    let writes: Vec<u64> = totals.iter().map(|totals| totals.writes).collect();
    assert!(writes.first() < writes.last(), "told while the pass ran: {writes:?}");
    assert_eq!(u64::from(*notes.passes.lock().unwrap()), driver.totals().passes);
    assert_eq!(u64::from(*notes.stored.lock().unwrap()), driver.totals().store_writes);

    // An edit is timed as well, a pass with nothing to do tells nothing of the kind.
    stage.advance(SignedDuration::from_secs(1));
    let api = super::key(Kind::Component, "api");
    stage.store.respecify(&api, json!({"description": "The API"}));
    stage.pass(&mut driver).await.unwrap();
    stage.pass(&mut driver).await.unwrap();
    assert_eq!(notes.arrived.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_new_token_that_is_refused_is_noticed_on_an_idle_page() {
    let stage = Stage::new().await;
    stage.declare(Kind::Component, "api", json!({}));
    let mut driver = stage.settle(stage.driver()).await;
    stage.assert_synced(Kind::StatusPage, "page");

    stage.advance(SignedDuration::from_secs(1));
    stage.store.state().access = Ok(access(&stage.origin, "wrong"));
    stage.pass(&mut driver).await.unwrap();
    assert_eq!(stage.reason(Kind::StatusPage, "page"), "Unauthorized");

    stage.store.state().access = Ok(access(&stage.origin, "another"));
    stage.settle(driver).await;
    stage.assert_synced(Kind::StatusPage, "page");
}
