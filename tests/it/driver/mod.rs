//! The driver between a store in memory and the local Statuspage over real connections.

mod beside;
mod crashes;
mod drift;
mod failures;
mod figures;
mod long_lists;
mod observed;
mod pages;
mod people;
mod pressure;
mod recorded;
mod store;
mod takeover;
mod time;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use statuspage_operator::api::{Kind, Reason};
use statuspage_operator::audit::AuditLog;
use statuspage_operator::clock::Clock;
use statuspage_operator::driver::{Access, Interrupt, PageDriver, PageOptions, PassEnd, Trigger};
use statuspage_operator::engine::{ObjectKey, READY, find_condition};
use statuspage_operator::server::{Effect, ManualClock, PageSeed, Server, ServerOptions};
use statuspage_operator::statuspage::{BaseUrl, BudgetRegistry, Token};

use store::{MemoryStore, declare};

pub(super) const PAGE: &str = "page00000001";
/// Another page of the same account.
pub(super) const OTHER_PAGE: &str = "page00000002";

fn beginning() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// A server, a store and what is needed to make drivers.
struct Stage {
    server: Server,
    origin: String,
    server_clock: ManualClock,
    clock: ManualClock,
    store: MemoryStore,
    budgets: Arc<BudgetRegistry>,
    trigger: Trigger,
    /// Where the drivers record what they do.
    log: Option<AuditLog>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

fn key(kind: Kind, name: &str) -> ObjectKey {
    ObjectKey::new(kind, "team", name)
}

fn access(origin: &str, token: &str) -> Access {
    Access {
        base_url: BaseUrl::parse(&format!("{origin}/v1"), true).unwrap(),
        token: Token::new(token.to_owned()).unwrap(),
    }
}

impl Stage {
    async fn new() -> Self {
        Self::with_budget(0).await
    }

    /// A stage whose drivers send at most so many requests a minute, and whose server takes no more.
    async fn with_budget(limit: usize) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server_clock = ManualClock::new(beginning());
        let server = Server::open(ServerOptions {
            tokens: vec!["token".to_owned(), "another".to_owned()],
            pages: [(PAGE, "Acme"), (OTHER_PAGE, "Other")]
                .map(|(id, name)| PageSeed {
                    id: Some(id.to_owned()),
                    name: name.to_owned(),
                })
                .into(),
            clock: Clock::Manual(server_clock.clone()),
            rate_limit: u32::try_from(limit).unwrap(),
            ..ServerOptions::default()
        })
        .await
        .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = server.clone();
        tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            serving.serve(listener, shutdown).await.unwrap();
        });
        let spec = json!({"pageId": PAGE, "api": {"tokenSecretRef": {"name": "token"}}});
        let store = MemoryStore::new(
            declare(Kind::StatusPage, "page", beginning(), spec),
            access(&origin, "token"),
        );
        Stage {
            server,
            origin,
            server_clock,
            clock: ManualClock::new(beginning()),
            store,
            budgets: Arc::new(BudgetRegistry::new(limit)),
            trigger: Trigger::default(),
            log: None,
            _stop: stop,
        }
    }

    fn declare(&self, kind: Kind, name: &str, spec: Value) {
        self.store.add(declare(kind, name, self.clock.now(), spec));
    }

    fn driver(&self) -> PageDriver<MemoryStore> {
        let options = PageOptions {
            budgets: self.budgets.clone(),
            clock: Clock::Manual(self.clock.clone()),
            transport: None,
        };
        let driver = PageDriver::new(key(Kind::StatusPage, "page"), Arc::new(self.store.clone()), options);
        match &self.log {
            Some(log) => driver.recorded_by(Arc::new(log.clone())),
            None => driver,
        }
    }

    fn interrupt(&self) -> Interrupt {
        self.trigger.interrupt()
    }

    fn advance(&self, by: SignedDuration) {
        self.clock.advance(by.unsigned_abs());
        self.server_clock.advance(by.unsigned_abs());
    }

    /// One pass. None when the process ended in the middle: then the driver is not to be used any more.
    async fn pass(&self, driver: &mut PageDriver<MemoryStore>) -> Option<PassEnd> {
        let mut interrupt = self.interrupt();
        tokio::select! {
            end = driver.pass(&mut interrupt) => Some(end),
            () = self.store.crashed.notified() => None,
        }
    }

    /// Passes, with time going by and a new driver after each crash, until a resync finds nothing to do.
    async fn settle(&self, mut driver: PageDriver<MemoryStore>) -> PageDriver<MemoryStore> {
        for _ in 0..200 {
            let before = (self.store.state().writes.len(), self.server.log().writes());
            let Some(end) = self.pass(&mut driver).await else {
                self.store.state().crash = None;
                driver = self.driver();
                continue;
            };
            let quiet = before == (self.store.state().writes.len(), self.server.log().writes());
            let PassEnd::Idle(wake) = end else { panic!("{end:?}") };
            let now = self.clock.now();
            let wait = wake.map_or(SignedDuration::from_secs(300), |wake| now.duration_until(wake));
            if quiet && wait > SignedDuration::from_secs(200) {
                return driver;
            }
            self.advance(wait.max(SignedDuration::from_secs(1)));
        }
        panic!("does not settle: {:#?}", self.store.state().writes);
    }

    /// Makes the server do wrong at the request with this number, counted from zero; those before it go well.
    fn spoil_request(&self, number: usize, effect: Effect) {
        let faults = self.server.faults();
        let times = u32::try_from(number).unwrap();
        if times > 0 {
            faults.next(times, "", "", Effect::Delay(std::time::Duration::ZERO));
        }
        faults.next(1, "", "", effect);
    }

    /// Reason of the Ready condition.
    fn reason(&self, kind: Kind, name: &str) -> String {
        let declaration = self.store.get(&key(kind, name)).unwrap();
        find_condition(declaration.stored.object(), READY).map_or_else(String::new, |ready| ready.reason.clone())
    }

    fn assert_synced(&self, kind: Kind, name: &str) {
        assert_eq!(self.reason(kind, name), Reason::Synced.as_str(), "{kind} {name}");
    }

    /// What is on the page, by another client.
    async fn list(&self, what: &str) -> Vec<Value> {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let address = format!("{}/v1/pages/{PAGE}/{what}?limit=1000&per_page=1000", self.origin);
        let reply = client
            .get(address)
            .header("Authorization", "OAuth another")
            .send()
            .await
            .unwrap();
        reply.json().await.unwrap()
    }

    /// Everything on the page without what differs from run to run.
    async fn content(&self) -> Value {
        let mut names = BTreeMap::new();
        let components = self.list("components").await;
        for row in &components {
            names.insert(row["id"].as_str().unwrap().to_owned(), row["name"].clone());
        }
        let named = |id: &Value| id.as_str().and_then(|id| names.get(id).cloned()).unwrap_or(Value::Null);
        let mut rows: Vec<Value> = components
            .iter()
            .map(|row| {
                json!([
                    row["name"],
                    row["status"],
                    row["description"],
                    row["group"],
                    named(&row["group_id"])
                ])
            })
            .collect();
        rows.sort_by_key(Value::to_string);
        let mut incidents: Vec<Value> = self
            .list("incidents")
            .await
            .iter()
            .map(|row| {
                let updates = row["incident_updates"].as_array().unwrap();
                let bodies: Vec<Value> = updates
                    .iter()
                    .map(|update| json!([update["status"], update["body"]]))
                    .collect();
                json!([row["name"], row["status"], bodies])
            })
            .collect();
        incidents.sort_by_key(Value::to_string);
        let of = |rows: Vec<Value>, field: &str| {
            let mut values: Vec<Value> = rows.iter().map(|row| row[field].clone()).collect();
            values.sort_by_key(Value::to_string);
            values
        };
        json!({
            "components": rows,
            "incidents": incidents,
            "metrics": of(self.list("metrics").await, "name"),
            "providers": of(self.list("metrics_providers").await, "type"),
            "subscribers": of(self.list("subscribers").await, "email"),
        })
    }

    /// A believable page: a group of two, a single component, an incident of two updates, a metric with data, a
    /// subscriber.
    fn declare_everything(&self) {
        self.declare(Kind::ComponentGroup, "core", json!({"description": "Core"}));
        for name in ["api", "web"] {
            self.declare(Kind::Component, name, json!({"groupRef": {"name": "core"}}));
        }
        self.declare(
            Kind::Component,
            "mail",
            json!({"description": "Mail", "status": "operational"}),
        );
        let updates = json!([
            {"status": "investigating", "body": "Looking"},
            {"status": "resolved", "body": "Over"}
        ]);
        self.declare(
            Kind::Incident,
            "down",
            json!({"updates": updates, "components": {"api": "operational"}}),
        );
        self.declare(
            Kind::Metric,
            "latency",
            json!({"suffix": "ms", "data": [{"ago": "10m", "value": 3.0}]}),
        );
        self.declare(Kind::Subscriber, "team", json!({"email": "team@example.com"}));
    }
}
