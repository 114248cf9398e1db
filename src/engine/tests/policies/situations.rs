//! The situations: what happened before, under which policy, and what is then done to the end.

use serde_json::{Value, json};

use super::columns::{Column, declared};
use crate::api::Kind;
use crate::engine::tests::builders::{key, respecify};
use crate::engine::tests::simulation::Simulation;
use crate::engine::{READY, SYNCED, find_condition};

/// The name of the declaration that is looked at.
const NAME: &str = "object";

/// What is seen at the end.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    /// Methods of the requests for the declaration since the situation began.
    pub(super) sent: Vec<String>,
    /// The values of all objects of its identity that are on the page.
    pub(super) page: Vec<String>,
    /// Status and reason of the condition; none when the declaration is gone.
    pub(super) ready: Option<String>,
    pub(super) synced: Option<String>,
}

/// Plays a situation to the end. None when the kind cannot get into it.
pub(super) type Play = fn(&'static Column, &Value) -> Option<Seen>;

/// Every situation, by the name of its test.
pub(super) const SITUATIONS: [(&str, Play); 13] = [
    ("absent", absent),
    ("present_unowned", present_unowned),
    ("present_owned", present_owned),
    ("changed_by_hand", changed_by_hand),
    ("changed_in_the_manifest", changed_in_the_manifest),
    ("changed_what_only_a_creation_takes", changed_what_only_a_creation_takes),
    ("deleted_by_hand", deleted_by_hand),
    ("two_of_the_same_name", two_of_the_same_name),
    ("claimed_twice", claimed_twice),
    ("deleted_owned", deleted_owned),
    ("deleted_adopted", deleted_adopted),
    ("deleted_unowned", deleted_unowned),
    ("deleted_claimed_twice", deleted_claimed_twice),
];

fn absent(column: &'static Column, policy: &Value) -> Option<Seen> {
    let mut stage = Stage::new(column, NAME);
    if stage.is_page() {
        stage.remove();
    }
    stage.declare(policy);
    Some(stage.end())
}

fn present_unowned(column: &'static Column, policy: &Value) -> Option<Seen> {
    let mut stage = Stage::new(column, NAME);
    stage.put("foreign");
    stage.declare(policy);
    Some(stage.end())
}

fn present_owned(column: &'static Column, policy: &Value) -> Option<Seen> {
    let mut stage = Stage::owned(column);
    stage.begin();
    stage.write(policy, "ours");
    Some(stage.end())
}

fn changed_by_hand(column: &'static Column, policy: &Value) -> Option<Seen> {
    let mut stage = Stage::owned_under(column, policy);
    let id = stage.id(NAME);
    (column.set)(&mut stage.simulation.remote, &id, "theirs");
    Some(stage.end())
}

fn changed_in_the_manifest(column: &'static Column, policy: &Value) -> Option<Seen> {
    let mut stage = Stage::owned_under(column, policy);
    stage.write(policy, "new");
    Some(stage.end())
}

fn changed_what_only_a_creation_takes(column: &'static Column, policy: &Value) -> Option<Seen> {
    let (field, [before, after]) = column.at_creation?;
    let mut stage = Stage::new(column, NAME);
    let replaced = json!({"replacePolicy": "WhenNeeded"});
    let with = |policy: &Value, value: &'static str| {
        let mut words = replaced.clone();
        for (name, word) in policy.as_object().unwrap() {
            words[name] = word.clone();
        }
        // A switch, where it is no text.
        words[field] = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        words
    };
    stage.declare(&with(&json!({}), before));
    stage.settle();
    stage.write(&with(policy, before), "ours");
    stage.settle();
    stage.begin();
    stage.write(&with(policy, after), "ours");
    Some(stage.end())
}

fn deleted_by_hand(column: &'static Column, policy: &Value) -> Option<Seen> {
    let mut stage = Stage::owned_under(column, policy);
    stage.remove();
    Some(stage.end())
}

fn two_of_the_same_name(column: &'static Column, policy: &Value) -> Option<Seen> {
    let mut stage = Stage::new(column, NAME);
    if !stage.can_have_two() {
        return None;
    }
    stage.put("foreign");
    stage.put("another");
    stage.declare(policy);
    Some(stage.end())
}

fn claimed_twice(column: &'static Column, policy: &Value) -> Option<Seen> {
    let mut stage = Stage::claimed_by_an_older_one(column, policy)?;
    Some(stage.end())
}

fn deleted_owned(column: &'static Column, policy: &Value) -> Option<Seen> {
    let mut stage = Stage::owned_under(column, policy);
    stage.delete();
    Some(stage.end())
}

fn deleted_adopted(column: &'static Column, policy: &Value) -> Option<Seen> {
    let mut stage = Stage::new(column, NAME);
    stage.put("foreign");
    stage.declare_annotated(&json!({}), "foreign");
    stage.settle();
    stage.write(policy, "ours");
    stage.settle();
    stage.begin();
    stage.delete();
    Some(stage.end())
}

fn deleted_unowned(column: &'static Column, policy: &Value) -> Option<Seen> {
    let mut stage = Stage::new(column, NAME);
    if stage.is_page() {
        // The page that is declared is the page: there is no other that it could be mistaken for.
        return None;
    }
    stage.put("foreign");
    stage.declare(&json!({}));
    stage.settle();
    stage.begin();
    // At once, so that nothing is adopted between the two.
    stage.write(policy, "ours");
    stage.delete();
    Some(stage.end())
}

fn deleted_claimed_twice(column: &'static Column, policy: &Value) -> Option<Seen> {
    let mut stage = Stage::claimed_by_an_older_one(column, &json!({}))?;
    stage.settle();
    stage.begin();
    stage.write(policy, "ours");
    stage.delete();
    Some(stage.end())
}

struct Stage {
    column: &'static Column,
    simulation: Simulation,
    /// Requests before this one do not count.
    begun: usize,
}

impl Stage {
    /// A page with what the kind needs, for a declaration of this name.
    fn new(column: &'static Column, name: &str) -> Self {
        let mut simulation = Simulation::new((column.surroundings)(name));
        respecify(&mut simulation.page, page_spec(column, &json!({}), None));
        simulation.settle();
        Stage {
            column,
            begun: simulation.sent.len(),
            simulation,
        }
    }

    /// A page on which the object was created as declared.
    fn owned(column: &'static Column) -> Self {
        let mut stage = Stage::new(column, NAME);
        stage.declare(&json!({}));
        stage.settle();
        assert_eq!(
            (column.values)(&stage.simulation.remote),
            ["ours"],
            "{}",
            column.heading
        );
        stage
    }

    /// The same, with the policy in force since.
    fn owned_under(column: &'static Column, policy: &Value) -> Self {
        let mut stage = Stage::owned(column);
        stage.write(policy, "ours");
        stage.settle();
        stage.begin();
        stage
    }

    /// An older declaration owns the object whose id is annotated. None for a page, of which a world has one.
    fn claimed_by_an_older_one(column: &'static Column, policy: &Value) -> Option<Self> {
        let mut stage = Stage::new(column, "older");
        if stage.is_page() {
            return None;
        }
        stage
            .simulation
            .add(declared(column.kind, "older", (column.spec)("ours")));
        stage.settle();
        stage.begin();
        let id = stage.id("older");
        stage.declare_annotated(policy, &id);
        Some(stage)
    }

    fn is_page(&self) -> bool {
        self.column.kind == Kind::StatusPage
    }

    /// False when the page refuses a second object of the identity, or has one of it by its nature.
    fn can_have_two(&self) -> bool {
        let mut trial = Stage::new(self.column, NAME);
        trial.put("foreign");
        trial.declare(&json!({"adoptionPolicy": "CreateNew"}));
        trial.settle();
        (self.column.values)(&trial.simulation.remote).len() == 2
    }

    fn id(&self, name: &str) -> String {
        if self.is_page() {
            return "page".into();
        }
        self.simulation.id(self.column.kind, name)
    }

    /// Somebody else makes an object of the declared identity.
    fn put(&mut self, id: &str) {
        let id = if self.is_page() { "page" } else { id };
        (self.column.put)(&mut self.simulation.remote, id);
    }

    fn remove(&mut self) {
        let id = if self.is_page() { "page".into() } else { self.id(NAME) };
        (self.column.remove)(&mut self.simulation.remote, &id);
    }

    fn declare(&mut self, policy: &Value) {
        self.add(policy, None);
    }

    fn declare_annotated(&mut self, policy: &Value, id: &str) {
        self.add(policy, Some(id.to_owned()));
    }

    fn add(&mut self, policy: &Value, id: Option<String>) {
        if !self.is_page() {
            let mut declaration = declared(self.column.kind, NAME, (self.column.spec)("ours"));
            declaration.id_annotation = id;
            self.simulation.add(declaration);
        }
        self.write(policy, "ours");
    }

    /// Gives the declaration a value and a policy, the page the policy's defaults.
    fn write(&mut self, policy: &Value, value: &str) {
        let page = &mut self.simulation.page;
        respecify(page, page_spec(self.column, policy, Some(value)));
        page.generation += 1;
        if !self.is_page() {
            let mut spec = (self.column.spec)(value);
            own_policy(&mut spec, policy);
            self.simulation.respecify(self.column.kind, NAME, spec);
        }
    }

    fn delete(&mut self) {
        if self.is_page() {
            self.simulation.page.deleting = true;
        } else {
            self.simulation.delete(self.column.kind, NAME);
        }
    }

    fn settle(&mut self) {
        self.simulation.settle();
    }

    /// From here on requests count.
    fn begin(&mut self) {
        self.begun = self.simulation.sent.len();
    }

    /// What is seen once nothing moves any more.
    fn end(&mut self) -> Seen {
        self.settle();
        let simulation = &self.simulation;
        let key = key(self.column.kind, NAME);
        let page = self.is_page();
        let declaration = if page {
            Some(&simulation.page).filter(|page| !page.deleting || page.finalizer)
        } else {
            simulation
                .declarations
                .iter()
                .find(|declaration| declaration.key == key)
        };
        let sent = &simulation.sent[self.begun..];
        for other in sent.iter().filter(|sent| !page && sent.key != key) {
            // The members of a group are its matter as well.
            assert_eq!(
                self.column.kind,
                Kind::ComponentGroup,
                "{}: {}",
                other.key,
                other.summary
            );
        }
        let condition = |kind: &str| {
            let found = find_condition(declaration?.status.object(), kind)?;
            Some(format!("{} {}", found.status, found.reason))
        };
        let mut values = (self.column.values)(&simulation.remote);
        values.sort();
        Seen {
            sent: sent
                .iter()
                .filter(|sent| page || sent.key == key)
                .map(|sent| sent.action.request().unwrap().method().to_owned())
                .collect(),
            page: values,
            ready: condition(READY),
            synced: condition(SYNCED),
        }
    }
}

/// The spec of the page: the policy's defaults, and the value where the page itself is looked at.
fn page_spec(column: &Column, policy: &Value, value: Option<&str>) -> Value {
    let mut spec = json!({
        "pageId": "page", "organizationId": "org", "api": {"tokenSecretRef": {"name": "token"}},
    });
    if column.kind == Kind::StatusPage
        && let Some(value) = value
    {
        spec = (column.spec)(value);
        own_policy(&mut spec, policy);
    }
    if let Some(defaults) = policy.get("defaults") {
        spec["defaults"] = defaults.clone();
    }
    if let Some(page) = policy.get("page").and_then(Value::as_object) {
        for (name, value) in page {
            spec[name] = value.clone();
        }
    }
    spec
}

fn own_policy(spec: &mut Value, policy: &Value) {
    for (name, value) in policy.as_object().unwrap() {
        if !matches!(name.as_str(), "defaults" | "page") {
            spec[name] = value.clone();
        }
    }
}
