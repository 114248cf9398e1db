//! A whole page from nothing within sixty requests a minute: never more, incidents first, and everybody can see how
//! far it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};
use statuspage_operator::api::{GROUP, Kind, VERSION};
use statuspage_operator::clock::Clock;
use statuspage_operator::driver::{PageDriver, PageOptions, PassEnd, Store, Totals};
use statuspage_operator::engine::{ObjectKey, READY, Status, find_condition};
use statuspage_operator::server::LoggedRequest;
use statuspage_operator::store::directory::{DirectoryOptions, DirectoryStore};

use super::{PAGE, Stage, access, key};

/// What is declared: a thousand components, most of them in groups of ten, fifty incidents, twenty metrics.
struct Size {
    components: usize,
    incidents: usize,
    metrics: usize,
}

const LARGE: Size = Size {
    components: 1_000,
    incidents: 50,
    metrics: 20,
};
const IN_GROUP: usize = 10;

impl Size {
    /// Kind, name and spec of every declaration. The incidents come last, and name components from all over the page.
    fn declarations(&self) -> Vec<(Kind, String, Value)> {
        let mut all = Vec::new();
        for number in 0..self.groups() {
            all.push((Kind::ComponentGroup, format!("g{number}"), json!({})));
        }
        for number in 0..self.components {
            let mut spec = json!({"description": format!("about {number}")});
            if number / IN_GROUP < self.groups() {
                spec["groupRef"] = json!({"name": format!("g{}", number / IN_GROUP)});
            }
            all.push((Kind::Component, format!("c{number}"), spec));
        }
        for number in 0..self.metrics {
            all.push((Kind::Metric, format!("m{number}"), json!({})));
        }
        for number in 0..self.incidents {
            let mut updates = vec![json!({"status": "investigating", "body": "Looking."})];
            if number % 5 == 0 {
                updates.push(json!({"status": "identified", "body": "Found."}));
            }
            let mut spec = json!({"updates": updates});
            if let Some(component) = self.named_by(number) {
                let components = serde_json::Map::from_iter([(format!("c{component}"), json!("major_outage"))]);
                spec["components"] = Value::Object(components);
            }
            all.push((Kind::Incident, format!("i{number}"), spec));
        }
        all
    }

    /// The last fifth of the components are in no group.
    fn groups(&self) -> usize {
        self.components * 4 / 5 / IN_GROUP
    }

    /// The component that an incident names: every other one names none.
    fn named_by(&self, incident: usize) -> Option<usize> {
        (incident % 2 == 1).then(|| self.components - 1 - incident * self.components / self.incidents)
    }

    /// The names of the components that incidents wait for: those that they name, and with which their groups begin.
    fn awaited(&self) -> BTreeSet<String> {
        let named = (0..self.incidents).filter_map(|incident| self.named_by(incident));
        let first = |component: usize| match component / IN_GROUP < self.groups() {
            true => component / IN_GROUP * IN_GROUP,
            false => component,
        };
        named
            .flat_map(|component| [component, first(component)])
            .map(|component| format!("c{component}"))
            .collect()
    }

    /// How many of the incidents that name a component went out before it was there.
    fn sent_without_component(&self, writes: &[LoggedRequest]) -> usize {
        let creations = writes.iter().filter(|entry| entry.method == "POST");
        let incidents = creations.filter(|entry| entry.path.ends_with("/incidents"));
        let without = incidents.filter(|entry| !entry.body.contains("component_ids")).count();
        let naming_none = (0..self.incidents).filter(|incident| self.named_by(*incident).is_none());
        // One more is declared late.
        let added = without - naming_none.count() - 1;
        let silently = |entry: &&LoggedRequest| {
            let update = entry.method == "PATCH" && entry.path.contains("/incidents/");
            update && entry.body.contains("component_ids") && entry.body.contains(r#""deliver_notifications":false"#)
        };
        assert!(added <= self.incidents / 2);
        // With a second update they go in the same request.
        assert!(writes.iter().filter(silently).count() <= added);
        writes.iter().filter(silently).count()
    }

    /// Every object once, the second updates of a fifth of the incidents, and the provider of the metrics.
    fn writes(&self) -> usize {
        self.groups() + self.components + self.incidents + self.incidents.div_ceil(5) + self.metrics + 1
    }
}

/// What the StatusPage said of its backlog, whenever that was something else than before.
#[derive(Default)]
struct Told(Vec<(usize, usize)>);

impl Told {
    fn look<S: Store>(&mut self, store: &S, page: &ObjectKey) {
        let view = store.view(page).unwrap();
        let Status::StatusPage(status) = &*view.page.stored else {
            panic!("{:?}", view.page.stored)
        };
        let Some(ready) = find_condition(&status.object, READY) else {
            return;
        };
        let numbers: Vec<usize> = ready.message.split(' ').filter_map(|word| word.parse().ok()).collect();
        if let [changes, 60, minutes] = numbers[..]
            && self.0.last() != Some(&(changes, minutes))
        {
            assert!(ready.message.contains("incidents go first"), "{}", ready.message);
            self.0.push((changes, minutes));
        }
    }
}

/// One pass over the whole page. `meanwhile` is called in every second in which all wait for the budget.
async fn pass<S: Store>(
    stage: &Stage,
    store: &Arc<S>,
    driver: &mut PageDriver<S>,
    mut meanwhile: impl FnMut(),
) -> (PassEnd, Told) {
    let page = driver.key().clone();
    let mut told = Told::default();
    let mut seconds = 0;
    let mut interrupt = stage.interrupt();
    let work = driver.pass(&mut interrupt);
    let look = || {
        seconds += 1;
        if seconds % 15 == 0 {
            told.look(&**store, &page);
        }
        meanwhile();
    };
    let end = stage.while_time_goes_by(work, || 0, look).await;
    (end, told)
}

/// Builds the page in one pass, looks at what the server saw of it, and then has nothing to do. In the middle `declare`
/// adds an incident named late.
async fn build<S: Store>(stage: &Stage, size: &Size, store: Arc<S>, page: ObjectKey, declare: impl Fn()) {
    let options = PageOptions {
        budgets: stage.budgets.clone(),
        clock: Clock::Manual(stage.clock.clone()),
        transport: None,
    };
    let mut driver = PageDriver::new(page, Arc::clone(&store), options);
    let begun = stage.clock.now();
    let log = stage.server.log();
    let mut late = None;
    let meanwhile = || {
        if late.is_none() && log.writes() > size.writes() / 2 {
            late = Some((log.writes(), stage.clock.now()));
            declare();
            stage.trigger.changed();
        }
    };
    let (end, told) = pass(stage, &store, &mut driver, meanwhile).await;
    assert!(matches!(end, PassEnd::Idle(_)), "{end:?}");
    let took = stage.clock.now().duration_since(begun);
    let Totals {
        plans,
        reads,
        store_writes,
        ..
    } = driver.totals();
    println!(
        "{} writes, {} GETs ({reads} reads), {plans} plans, {store_writes} store writes in {took:#} of virtual time; told {:?}",
        log.writes(),
        log.count("GET", ""),
        told.0
    );
    // Never above the window, as the server counts; and it refused nothing.
    assert!(log.peak_per_minute() <= 60, "{}", log.peak_per_minute());
    assert_eq!(log.answered(420) + log.answered(429), 0);
    let mut writes = log.entries();
    writes.retain(|entry| entry.method != "GET");
    // Each object once. An incident does not wait a minute for the component that it names: it goes out, and the component
    // is added, silently, once it is there.
    let added = size.sent_without_component(&writes);
    assert_eq!(writes.len(), size.writes() + 1 + added);
    let total = writes.len();
    // Declared in the middle of the backlog, while nothing else may be sent: the next write, at once.
    let (before, declared) = late.unwrap();
    let late = writes.remove(before);
    assert!(
        late.path.ends_with("/incidents") && late.body.contains("late"),
        "{late:?}"
    );
    assert!(
        late.at.duration_since(declared) < SignedDuration::from_secs(2),
        "{late:?}"
    );
    incidents_go_first(size, &writes);
    // What is told falls, from nearly everything to nearly nothing, and is true: so many requests, so many minutes.
    assert!(told.0.len() >= size.writes() / 60, "{:?}", told.0);
    assert!(
        told.0.is_sorted_by(|one, next| one.0 > next.0 && one.1 >= next.1),
        "{:?}",
        told.0
    );
    // (What is in lists that are not read yet, for the sake of the incidents, is not known.)
    assert!(told.0[0].0 > size.writes() * 3 / 4, "{:?}", told.0);
    let (changes, minutes) = told.0[0];
    assert_eq!(minutes, changes.div_ceil(55), "{:?}", told.0);
    let real = usize::try_from(took.as_mins()).unwrap();
    assert!(
        (minutes - 1..=minutes + 1).contains(&real),
        "told {minutes} minutes, took {real}"
    );

    // A second pass, of a process that knows nothing, reads and writes nothing.
    let before = log.count("GET", "");
    let options = PageOptions {
        budgets: stage.budgets.clone(),
        clock: Clock::Manual(stage.clock.clone()),
        transport: None,
    };
    let mut again = PageDriver::new(driver.key().clone(), Arc::clone(&store), options);
    pass(stage, &store, &mut again, || ()).await;
    assert_eq!(log.writes(), total, "nothing is left to do");
    assert_eq!(again.totals().store_writes, 0);
    let reads = log.count("GET", "") - before;
    println!("a second pass: {reads} requests, {} plans", again.totals().plans);
    assert!(reads <= 8, "{reads}");
    assert!(log.peak_per_minute() <= 60, "{}", log.peak_per_minute());
}

/// Before the last incident only that is created which some incident waits for.
fn incidents_go_first(size: &Size, writes: &[LoggedRequest]) {
    let incidents = format!("/v1/pages/{PAGE}/incidents");
    let last = writes
        .iter()
        .rposition(|entry| entry.path.starts_with(&incidents))
        .unwrap();
    let awaited = size.awaited();
    for entry in &writes[..last] {
        if entry.path.starts_with(&incidents) || entry.path.ends_with("/component-groups") {
            continue;
        }
        let body: Value = serde_json::from_str(&entry.body).unwrap();
        let name = body["component"]["name"].as_str().unwrap();
        assert!(awaited.contains(name), "{name} went before the last incident");
    }
    // And those that wait for nothing before all others.
    let free = (0..size.incidents)
        .filter(|incident| size.named_by(*incident).is_none())
        .count();
    let first = writes
        .iter()
        .take_while(|entry| entry.path.starts_with(&incidents))
        .count();
    assert!(first >= free, "{first} of {free} incidents that wait for nothing");
}

#[tokio::test]
async fn a_thousand_components_fifty_incidents_and_twenty_metrics_from_nothing() {
    let stage = Stage::with_budget(60).await;
    for (kind, name, spec) in LARGE.declarations() {
        stage.declare(kind, &name, spec);
    }
    let store = Arc::new(stage.store.clone());
    let late = || stage.declare(Kind::Incident, "late", late());
    build(&stage, &LARGE, store, key(Kind::StatusPage, "page"), late).await;
}

#[tokio::test]
async fn a_directory_is_applied_within_the_window() {
    let size = Size {
        components: 200,
        incidents: 10,
        metrics: 5,
    };
    let stage = Stage::with_budget(60).await;
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, documents: &[Value]| {
        let documents: Vec<String> = documents.iter().map(Value::to_string).collect();
        std::fs::write(directory.path().join(name), documents.join("\n---\n")).unwrap();
    };
    let page = manifest(
        Kind::StatusPage,
        "acme",
        json!({"pageId": PAGE, "api": {"tokenSecretRef": {"name": "token"}}}),
    );
    let declared = size
        .declarations()
        .into_iter()
        .map(|(kind, name, spec)| manifest(kind, &name, spec));
    write("page.yaml", &std::iter::once(page).chain(declared).collect::<Vec<_>>());
    let access = access(&stage.origin, "token");
    let options = DirectoryOptions {
        base_url: Some(access.base_url),
        token: Some(access.token),
        ..DirectoryOptions::default()
    };
    let (store, manifests) = DirectoryStore::open(directory.path(), options).unwrap();
    assert!(manifests.problems.is_empty(), "{:?}", manifests.problems);
    let store = Arc::new(store);
    let late = || {
        write("late.yaml", &[manifest(Kind::Incident, "late", late())]);
        store.reload().unwrap();
    };
    let page = ObjectKey::new(Kind::StatusPage, "default", "acme");
    build(&stage, &size, Arc::clone(&store), page, late).await;
}

fn manifest(kind: Kind, name: &str, mut spec: Value) -> Value {
    if kind != Kind::StatusPage {
        spec["pageRef"] = json!({"name": "acme"});
    }
    let version = format!("{GROUP}/{VERSION}");
    json!({"apiVersion": version, "kind": kind.as_str(), "metadata": {"name": name}, "spec": spec})
}

fn late() -> Value {
    json!({"name": "late", "updates": [{"status": "investigating", "body": "This too."}]})
}
