//! How objects of each kind are recognised, what of them is compared, and what their statuses say: a table for each question,
//! with a row for each case of a kind.

mod recognised;
mod related;
mod written;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{ask_as, recorded};
use crate::api::Kind;
use crate::engine::context::Context;
use crate::engine::fields::Field;
use crate::engine::outcome::Blocked;
use crate::engine::rules::Rules;
use crate::engine::tests::builders::{declare, start};
use crate::engine::tests::simulation::Simulation;
use crate::engine::{ReadWhat, Spec, Status};
use crate::statuspage::{Collection, CollectionKind, Snapshot};

/// What the rules of a kind say of the first object in their list.
struct Seen {
    same: bool,
    /// Whether the object would be looked up at all.
    found: bool,
    created: bool,
    also_needs: Option<CollectionKind>,
    unlisted: Vec<ReadWhat>,
    here: Result<Vec<Field>, Blocked>,
    new: Result<Vec<Field>, Blocked>,
    replaceable: Result<(), Blocked>,
    status: Status,
}

fn see<K: Rules>(rules: &K, context: &Context<'_>) -> Option<Seen> {
    let list = K::collection(context.world.snapshot)?;
    let remote = list.items.iter().find(|remote| K::belongs(remote))?;
    let wanted = rules.wanted_handles(context);
    let mut status = (*context.declaration.status).clone();
    rules.observe(context, remote, &mut status);
    Some(Seen {
        same: rules.same_identity(context, remote),
        found: K::handles(remote).iter().any(|handle| wanted.contains(handle)),
        created: K::created_at(remote).is_some(),
        also_needs: rules.also_needs(),
        unlisted: rules
            .unlisted(context, remote)
            .into_iter()
            .map(|one| one.what)
            .collect(),
        here: rules.fields(context, Some(remote)),
        new: rules.fields(context, None),
        replaceable: rules.replaceable(context, remote),
        status,
    })
}

/// The same for the declaration `it`.
fn seen(simulation: &Simulation, kind: Kind) -> Option<Seen> {
    ask_as(simulation, kind, "it", |context| match &*context.declaration.spec {
        Spec::Component(spec) => see(&**spec, context),
        Spec::ComponentGroup(spec) => see(&**spec, context),
        Spec::Incident(spec) => see(&**spec, context),
        Spec::MetricsProvider(spec) => see(&**spec, context),
        Spec::Metric(spec) => see(&**spec, context),
        Spec::Subscriber(spec) => see(&**spec, context),
        Spec::IncidentTemplate(spec) => see(&**spec, context),
        Spec::PageAccessUser(spec) => see(&**spec, context),
        Spec::PageAccessGroup(spec) => see(&**spec, context),
        Spec::OrganizationUser(spec) => see(&**spec, context),
        Spec::StatusPage(_) | Spec::Removed(_) => None,
    })
}

fn rows<T: DeserializeOwned>(rows: &[Value]) -> Option<Collection<T>> {
    let rows = rows.iter().map(|row| serde_json::from_value(row.clone()).unwrap());
    let mut list = Collection::read(rows.collect(), start(), true);
    list.looks.push(start());
    Some(list)
}

fn show(known: &mut Snapshot, kind: Kind, shown: &[Value]) {
    match kind {
        Kind::Component | Kind::ComponentGroup => known.components = rows(shown),
        Kind::Incident => known.incidents = rows(shown),
        Kind::MetricsProvider => known.metrics_providers = rows(shown),
        Kind::Metric => known.metrics = rows(shown),
        Kind::Subscriber => known.subscribers = rows(shown),
        Kind::IncidentTemplate => known.incident_templates = rows(shown),
        Kind::PageAccessUser => known.page_access_users = rows(shown),
        Kind::PageAccessGroup => known.page_access_groups = rows(shown),
        Kind::OrganizationUser => known.organization_users = rows(shown),
        Kind::StatusPage => {}
    }
}

/// The declaration `it`, beside one object on the page and others that are declared and on the page too.
fn world(kind: Kind, spec: &Value, remote: &Value) -> Simulation {
    let mut simulation = Simulation::new(vec![declare(kind, "it", spec.clone())]);
    simulation.known = simulation.remote.clone();
    for (kind, name, id) in [
        (Kind::ComponentGroup, "core", "g"),
        (Kind::Component, "api", "c"),
        (Kind::MetricsProvider, "provider", "p"),
        (Kind::PageAccessUser, "user", "u"),
    ] {
        simulation.declarations.push(recorded(kind, name, id));
    }
    let mut metric = declare(Kind::Metric, "latency", json!({"providerRef": {"name": "provider"}}));
    metric.status_mut().object_mut().id = Some("m".to_owned());
    simulation.declarations.push(metric);
    show(&mut simulation.known, kind, std::slice::from_ref(remote));
    // What is recorded is there.
    let components = simulation.known.components.as_mut().unwrap();
    let more = [
        json!({"id": "c", "name": "other"}),
        json!({"id": "g", "name": "Others", "group": true}),
    ];
    components
        .items
        .extend(more.into_iter().map(|row| serde_json::from_value(row).unwrap()));
    let providers = simulation.known.metrics_providers.as_mut().unwrap();
    let provider = json!({"id": "p", "type": "Pingdom", "metric_base_uri": "x"});
    providers.items.push(serde_json::from_value(provider).unwrap());
    let metrics = simulation.known.metrics.as_mut().unwrap();
    metrics
        .items
        .push(serde_json::from_value(json!({"id": "m", "name": "other", "metrics_provider_id": "p"})).unwrap());
    let users = simulation.known.page_access_users.as_mut().unwrap();
    users
        .items
        .push(serde_json::from_value(json!({"id": "u", "email": "jo@example.com"})).unwrap());
    simulation
}

/// Fields in lines: name, value here, value there.
fn lines(fields: &[Field]) -> Vec<String> {
    let line = |field: &Field| {
        let observed = field.observed.as_ref().map_or("-".to_owned(), Value::to_string);
        format!("{} {} {observed}", field.name, field.desired)
    };
    fields.iter().map(line).collect()
}
