//! A list of several pages that is put aside for incidents, and comes to its end all the same.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use jiff::SignedDuration;
use serde_json::{Value, json};
use statuspage_operator::api::{Kind, REQUESTED_AT};
use statuspage_operator::clock::Clock;
use statuspage_operator::driver::{PageDriver, PageOptions, PassEnd, Trigger};
use statuspage_operator::server::Server;
use statuspage_operator::statuspage::{BudgetRegistry, Incoming, Outgoing, TransportError, TransportErrorKind};

use super::store::{MemoryStore, declare};
use super::{PAGE, access, beginning, key};
use crate::support::in_process::{self, exchange};

/// What becomes of a request for a page of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nobody answers it, and an incident is declared meanwhile.
    Hangs,
    /// The connection breaks.
    Breaks,
}

/// A page with 450 subscribers, of whom six are declared: more than it would take to look up one by one, so that all are
/// listed, in five pages.
struct Audience {
    server: Server,
    clock: Clock,
    store: MemoryStore,
    trigger: Trigger,
    /// The pages of the list that were asked for, in order.
    asked: Mutex<Vec<usize>>,
    /// What becomes of those requests, by their number; all others are answered.
    fates: Mutex<Vec<(usize, Fate)>>,
    declared: Mutex<Vec<jiff::Timestamp>>,
}

impl Audience {
    async fn new() -> Arc<Self> {
        let clock = Clock::with_the_runtime(beginning());
        let server = in_process::server(&clock, "token", PAGE).await;
        let spec = json!({"pageId": PAGE, "api": {"tokenSecretRef": {"name": "token"}}});
        let page = declare(Kind::StatusPage, "page", beginning(), spec);
        let store = MemoryStore::new(page, access("http://127.0.0.1:9", "token"));
        for number in 0..450 {
            let subscriber = json!({"subscriber": {"email": format!("{number}@example.com")}});
            let request = http::Request::post(format!("/v1/pages/{PAGE}/subscribers"))
                .header("content-type", "application/json")
                .body(Bytes::from(subscriber.to_string()))
                .unwrap();
            assert_eq!(server.console(request).await.status(), 201);
        }
        for number in 0..6 {
            let spec = json!({"email": format!("{number}@example.com"), "adoptionPolicy": "ByName"});
            store.add(declare(Kind::Subscriber, &format!("s{number}"), beginning(), spec));
        }
        Arc::new(Audience {
            server,
            clock,
            store,
            trigger: Trigger::default(),
            asked: Mutex::default(),
            fates: Mutex::default(),
            declared: Mutex::default(),
        })
    }

    fn spoil(&self, fates: impl IntoIterator<Item = (usize, Fate)>) {
        *self.fates.lock().unwrap() = fates.into_iter().collect();
    }

    /// Pages of the list asked for since the last time that this was called.
    fn asked(&self) -> Vec<usize> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn driver(self: &Arc<Self>) -> PageDriver<MemoryStore> {
        let audience = Arc::clone(self);
        let transport = move |outgoing: Outgoing| Arc::clone(&audience).carry(outgoing);
        let options = PageOptions {
            budgets: Arc::new(BudgetRegistry::new(0)),
            clock: self.clock.clone(),
            transport: Some(Arc::new(transport)),
        };
        PageDriver::new(key(Kind::StatusPage, "page"), Arc::new(self.store.clone()), options)
    }

    fn carry(self: Arc<Self>, outgoing: Outgoing) -> BoxFuture<'static, Result<Incoming, TransportError>> {
        Box::pin(async move {
            let is_list = outgoing.method == "GET" && outgoing.url.path().ends_with("/subscribers");
            let page = outgoing.url.query_pairs().find(|(name, _)| name == "page");
            let fate = page.filter(|_| is_list).and_then(|(_, page)| {
                let mut asked = self.asked.lock().unwrap();
                asked.push(page.parse().unwrap());
                let fates = self.fates.lock().unwrap();
                fates
                    .iter()
                    .find(|(number, _)| *number == asked.len() - 1)
                    .map(|(_, fate)| *fate)
            });
            match fate {
                None => exchange(self.server.clone(), outgoing).await,
                Some(Fate::Hangs) => {
                    self.declare_incident();
                    std::future::pending().await
                }
                Some(Fate::Breaks) => Err(TransportError::new(
                    TransportErrorKind::Broken,
                    "connection reset by peer",
                )),
            }
        })
    }

    fn declare_incident(&self) {
        let mut declared = self.declared.lock().unwrap();
        let spec = json!({"updates": [{"status": "investigating", "body": "Looking."}]});
        let name = format!("down{}", declared.len());
        self.store.add(declare(Kind::Incident, &name, self.clock.now(), spec));
        declared.push(self.clock.now());
        self.trigger.changed();
    }

    /// Passes until nothing is left to do for two minutes.
    async fn settle(&self, driver: &mut PageDriver<MemoryStore>) {
        loop {
            let PassEnd::Idle(wake) = driver.pass(&mut self.trigger.interrupt()).await else {
                panic!("it was stopped")
            };
            let pause = wake.map_or(SignedDuration::MAX, |wake| wake.duration_since(self.clock.steady()));
            if pause > SignedDuration::from_mins(2) {
                return;
            }
            tokio::time::sleep(pause.try_into().unwrap_or_default()).await;
        }
    }

    /// Each incident once, within two seconds of its declaration.
    fn incidents_went_out(&self) {
        let sent = self.server.log().entries();
        let sent = sent
            .iter()
            .filter(|entry| entry.method == "POST" && entry.path.ends_with("/incidents"));
        let sent: Vec<_> = sent.map(|entry| entry.at).collect();
        let declared = self.declared.lock().unwrap();
        assert_eq!(sent.len(), declared.len());
        for (sent, declared) in sent.iter().zip(&*declared) {
            let delay = sent.duration_since(*declared);
            assert!(delay < SignedDuration::from_secs(2), "{delay:#}");
        }
    }

    fn all_are_adopted(&self) {
        let ids: BTreeSet<_> = (0..6)
            .filter_map(|number| {
                self.store
                    .get(&key(Kind::Subscriber, &format!("s{number}")))?
                    .id_annotation
            })
            .collect();
        assert_eq!(ids.len(), 6);
        let writes = self.server.log().entries();
        let subscribed = writes
            .iter()
            .filter(|entry| entry.method == "POST" && entry.path.ends_with("/subscribers"));
        assert_eq!(subscribed.count(), 0);
    }

    /// The owner wants everything to be read again.
    fn ask(&self, value: &str) {
        self.store.edit(&key(Kind::StatusPage, "page"), |page| {
            page.annotations.insert(REQUESTED_AT.to_owned(), value.to_owned());
            page.requested_at = Some(value.to_owned());
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_incidents_put_aside_goes_on_where_it_was_left() {
    let audience = Audience::new().await;
    // Every page but the first is put aside once, the last one three times.
    audience.spoil([1, 3, 5, 7, 8, 9].map(|number| (number, Fate::Hangs)));
    audience.settle(&mut audience.driver()).await;
    assert_eq!(
        audience.asked(),
        [0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4],
        "five pages, and six of them twice"
    );
    audience.incidents_went_out();
    audience.all_are_adopted();
}

#[tokio::test(start_paused = true)]
async fn a_list_of_which_a_page_fails_goes_on_with_that_page() {
    let audience = Audience::new().await;
    audience.spoil([2, 3, 5].map(|number| (number, Fate::Breaks)));
    audience.settle(&mut audience.driver()).await;
    assert_eq!(audience.asked(), [0, 1, 2, 2, 2, 3, 3, 4]);
    audience.all_are_adopted();
}

#[tokio::test(start_paused = true)]
async fn what_was_read_too_long_ago_is_read_again() {
    let audience = Audience::new().await;
    // Tried again after longer and longer pauses.
    audience.spoil((1..14).map(|number| (number, Fate::Breaks)));
    let mut driver = audience.driver();
    for _ in 0..20 {
        audience.settle(&mut driver).await;
        tokio::time::sleep(Duration::from_mins(5)).await;
    }
    let asked = audience.asked();
    let again: Vec<usize> = (1..asked.len()).filter(|number| asked[*number] == 0).collect();
    assert!(!again.is_empty() && asked[1] == 1 && asked[2] == 1, "{asked:?}");
    audience.all_are_adopted();
}

#[tokio::test(start_paused = true)]
async fn pages_from_before_and_after_a_change_of_ours_are_not_put_together() {
    let audience = Audience::new().await;
    let mut driver = audience.driver();
    audience.settle(&mut driver).await;
    assert_eq!(audience.asked(), [0, 1, 2, 3, 4]);
    let removed = audience.store.get(&key(Kind::Subscriber, "s0")).unwrap();
    assert!(removed.finalizer || removed.id_annotation.is_some());
    // Somebody is taken from the first page while the third one is on its way.
    audience.store.edit(&key(Kind::Subscriber, "s0"), |subscriber| {
        let Value::Object(mut spec) = json!({"email": "0@example.com", "adoptionPolicy": "ByName"}) else {
            return;
        };
        spec.insert("deletionPolicy".to_owned(), "Delete".into());
        subscriber.spec = declare(Kind::Subscriber, "s0", beginning(), Value::Object(spec)).spec;
    });
    audience.settle(&mut driver).await;
    audience.asked();
    audience.ask("now");
    audience.spoil([(2, Fate::Hangs)]);
    let deletes = async {
        while audience.declared.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        audience.store.delete(&key(Kind::Subscriber, "s0"));
    };
    tokio::join!(audience.settle(&mut driver), deletes);
    assert_eq!(audience.asked(), [0, 1, 2, 0, 1, 2, 3, 4]);
    audience.incidents_went_out();
    let deleted = audience.server.log().entries();
    let deleted = deleted
        .iter()
        .filter(|entry| entry.method == "DELETE" && entry.path.contains("/subscribers/"));
    assert_eq!(deleted.count(), 1);
}
