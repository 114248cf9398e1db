//! A directory and a page, without processes and sockets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use statuspage_operator::clock::Clock;
use statuspage_operator::driver::{
    Conclusion, Expectation, Happening, PageDriver, PageOptions, PendingRecord, Recorder, RemoteWrite, Settling,
    Trigger,
};
use statuspage_operator::engine::{Action, Declaration, ObjectKey, Step};
use statuspage_operator::server::Server;
use statuspage_operator::statuspage::{BaseUrl, BudgetRegistry, Outgoing, Token};
use statuspage_operator::store::directory::{DirectoryOptions, DirectoryStore};

use super::super::Directory;
use super::scenario::{Deed, Sketch};
use crate::support::in_process::{self, exchange};

const PAGE: &str = "page00000001";
const TOKEN: &str = "contract-token";

/// A remote write, announced or sent; ids of what does not exist yet are replaced by who makes it.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) key: ObjectKey,
    pub(super) content: String,
    pub(super) summary: String,
    pub(super) outcome: &'static str,
    created: Option<String>,
    pub(super) at: tokio::time::Instant,
}

impl PartialEq for Sent {
    fn eq(&self, other: &Self) -> bool {
        // The order of a map's entries is that of ids, which are not known before.
        let parts = |one: &Sent| {
            let parts = one.content.split([',', '(', ')', '[', ']', '{', '}']);
            let mut parts: Vec<String> = parts.map(|part| part.trim().to_owned()).collect();
            parts.sort_unstable();
            parts
        };
        self.key == other.key && parts(self) == parts(other)
    }
}

fn sent(key: &ObjectKey, uid: Option<&str>, step: &Step) -> Sent {
    let request = format!("{:?}", step.action.request());
    let action = format!("{:?}", step.action);
    let kind = action.split(['(', ' ']).next().unwrap_or_default();
    // What is not sent is not compared, nor shown.
    let fields = request.replace("Some(", "(");
    let fields: Vec<&str> = fields.split(", ").filter(|field| !field.ends_with(": None")).collect();
    let mut content = format!("{kind} {}", fields.join(", "));
    if let Some(uid) = uid {
        content = content.replace(uid, &format!("<uid of {key}>"));
    }
    Sent {
        key: key.clone(),
        content,
        summary: step.summary.to_string(),
        outcome: "planned",
        created: None,
        at: tokio::time::Instant::now(),
    }
}

/// Puts names in the place of the ids of what is created, and orders by object: what is sent for one object keeps its
/// order, the order of the objects says nothing.
fn name_created(sent: &mut [Sent]) {
    sent.sort_by(|one, other| one.key.cmp(&other.key));
    let mut made: Vec<(String, String)> = Vec::new();
    for one in sent.iter() {
        if let Some(id) = &one.created {
            let count = made
                .iter()
                .filter(|(_, name)| name.contains(&one.key.to_string()))
                .count();
            made.push((id.clone(), format!("<{} {count}>", one.key)));
        }
    }
    for one in sent.iter_mut() {
        for (id, name) in &made {
            one.content = one.content.replace(id, name);
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Record {
    sent: Arc<Mutex<Vec<Sent>>>,
}

struct Open {
    record: Record,
    number: usize,
}

impl Recorder for Record {
    fn begin(&self, effect: RemoteWrite<'_>) -> Box<dyn PendingRecord> {
        let mut all = self.sent.lock().unwrap();
        all.push(sent(&effect.step.key, Some(&effect.declaration.uid), effect.step));
        Box::new(Open {
            record: self.clone(),
            number: all.len() - 1,
        })
    }

    fn expect(
        &self,
        _page: &ObjectKey,
        _page_id: Option<&str>,
        _declaration: &Declaration,
        _happening: Happening<'_>,
    ) -> Option<Box<dyn Expectation>> {
        None
    }
}

impl PendingRecord for Open {
    fn conclude(self: Box<Self>, conclusion: Conclusion<'_>) {
        let mut all = self.record.sent.lock().unwrap();
        let one = &mut all[self.number];
        one.outcome = conclusion.outcome;
        one.created = conclusion.created.map(str::to_owned);
        if let Some(error) = conclusion.error {
            one.summary.push_str(&format!(" ({error})"));
        }
    }
}

pub(super) struct Stage {
    server: Server,
    directory: Directory,
    clock: Clock,
    budgets: Arc<BudgetRegistry>,
}

impl Stage {
    pub(super) async fn open() -> Stage {
        let beginning: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let clock = Clock::with_the_runtime(beginning);
        let server = in_process::server(&clock, TOKEN, PAGE).await;
        Stage {
            server,
            directory: Directory::empty(),
            clock,
            budgets: Arc::new(BudgetRegistry::new(0)),
        }
    }

    fn store(&self, read_only: bool) -> Arc<DirectoryStore> {
        let options = DirectoryOptions {
            base_url: Some(BaseUrl::parse("http://127.0.0.1:9/v1", true).unwrap()),
            token: Some(Token::new(TOKEN.to_owned()).unwrap()),
            read_only,
            clock: self.clock.clone(),
            ..DirectoryOptions::default()
        };
        let (store, manifests) = DirectoryStore::open(self.directory.path(), options).unwrap();
        let problems: Vec<_> = manifests.problems.iter().filter(|problem| problem.is_error()).collect();
        assert!(problems.is_empty(), "{problems:#?}\n{}", self.manifests());
        Arc::new(store)
    }

    fn driver(&self, store: Arc<DirectoryStore>) -> PageDriver<DirectoryStore> {
        let server = self.server.clone();
        let transport = move |outgoing: Outgoing| exchange(server.clone(), outgoing);
        let options = PageOptions {
            budgets: Arc::clone(&self.budgets),
            clock: self.clock.clone(),
            transport: Some(Arc::new(transport)),
        };
        let page = store.pages().remove(0);
        PageDriver::new(page, store, options)
    }

    /// What plan shows.
    pub(super) async fn plan(&self) -> (Vec<Sent>, Vec<String>) {
        let before = self.writes();
        let mut driver = self.driver(self.store(true));
        let (view, shown) = driver.foresee().await.unwrap();
        assert_eq!(self.writes(), before, "a plan writes nothing");
        let all = view.declarations.iter().chain([&view.page]);
        let uids: BTreeMap<&ObjectKey, &str> = all.map(|one| (&one.key, one.uid.as_str())).collect();
        let mut steps: Vec<Sent> = shown
            .steps
            .iter()
            .enumerate()
            .map(|(number, step)| {
                let created = matches!(step.action, Action::Create(_) | Action::Provide(_));
                Sent {
                    created: created.then(|| format!("(new-{number})")),
                    ..sent(&step.key, uids.get(&step.key).copied(), step)
                }
            })
            .collect();
        name_created(&mut steps);
        let findings = shown.findings.iter().map(|finding| format!("{finding:?}")).collect();
        (steps, findings)
    }

    /// What apply sends, and how things stand afterwards.
    pub(super) async fn apply(&self) -> (Vec<Sent>, Vec<String>) {
        let record = Record::default();
        let store = self.store(false);
        let mut driver = self.driver(Arc::clone(&store)).recorded_by(Arc::new(record.clone()));
        let trigger = Trigger::default();
        let mut interrupt = trigger.interrupt();
        let mut settling = Settling::begin(driver.now(), Duration::from_secs(3600));
        loop {
            let end = driver.pass(&mut interrupt).await;
            let Some(pause) = settling.pause(&mut driver, end) else {
                break;
            };
            tokio::time::sleep(pause).await;
        }
        store.record().unwrap();
        let (_, plan) = driver.current().unwrap();
        let mut all = record.sent.lock().unwrap().clone();
        name_created(&mut all);
        (
            all,
            plan.findings.iter().map(|finding| format!("{finding:?}")).collect(),
        )
    }

    /// Requests that changed something.
    pub(super) fn writes(&self) -> usize {
        self.server.log().writes()
    }

    pub(super) fn manifests(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("all.yaml")).unwrap_or_default()
    }

    /// Takes away how the objects stand, of which nothing may depend.
    pub(super) fn lose_reports(&self, really: bool) {
        let path = self.directory.report_path();
        if really && path.exists() {
            std::fs::remove_file(path).unwrap();
        }
    }

    pub(super) async fn pass_time(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// Writes the manifests of a directory.
    pub(super) async fn declare(&self, sketch: &Sketch) {
        let mut ids = BTreeMap::new();
        for list in ["components", "component-groups", "incidents", "metrics", "subscribers"] {
            for row in self.rows(list).await {
                let name = ["name", "email"].iter().find_map(|field| row[*field].as_str());
                if let (Some(name), Some(id)) = (name, row["id"].as_str()) {
                    if list == "components" && row["group"] == json!(true) {
                        continue;
                    }
                    ids.insert((list, name.to_owned()), id.to_owned());
                }
            }
        }
        let documents = sketch.documents(PAGE, &|list, name| ids.get(&(list, name.to_owned())).cloned());
        let text: String = documents.iter().map(|document| format!("---\n{document}\n")).collect();
        self.directory.write("all.yaml", &text);
    }

    async fn rows(&self, list: &str) -> Vec<Value> {
        match self
            .call("GET", &format!("{list}?per_page=100&limit=100"), &Value::Null)
            .await
        {
            Value::Array(rows) => rows,
            other => panic!("{list}: {other}"),
        }
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = match body {
            Value::Null => Bytes::new(),
            body => body.to_string().into(),
        };
        let request = http::Request::builder()
            .method(method)
            .uri(format!("/v1/pages/{PAGE}/{path}"))
            .header("content-type", "application/json")
            .body(body)
            .unwrap();
        let response = self.server.console(request).await;
        serde_json::from_slice(response.body()).unwrap_or(Value::Null)
    }

    /// Does something as a person would. What the page refuses does not happen.
    pub(super) async fn console(&self, deed: &Deed) {
        let rows = match deed.list {
            "" => Vec::new(),
            list => self.rows(list).await,
        };
        if deed.method == "GROUP" {
            // A group is made of a component that is there.
            let free: Vec<&Value> = rows
                .iter()
                .filter(|row| row["group"] == json!(false) && row["group_id"].is_null())
                .collect();
            if let Some(member) = free.get(deed.which % free.len().max(1)) {
                let mut body = deed.body.clone();
                body["component_group"]["components"] = json!([member["id"]]);
                self.call("POST", deed.path, &body).await;
            }
            return;
        }
        let path = match (deed.path.contains("{}"), rows.len()) {
            (true, 0) => return,
            (true, count) => deed
                .path
                .replace("{}", rows[deed.which % count]["id"].as_str().unwrap()),
            (false, _) => deed.path.to_owned(),
        };
        self.call(deed.method, path.trim_end_matches('/'), &deed.body).await;
    }
}
