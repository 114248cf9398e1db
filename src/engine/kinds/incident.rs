//! Incidents: fields, and the append-only list of updates (reference 2.4 to 2.6, 3.4).
//!
//! Invariant: an update is published once. Invariant: nobody is notified by a correction.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Map, Value, json};

use super::{Rules, text, write};
use crate::api::{
    Drift, DriftPolicy, IncidentSpec, IncidentStatusName, IncidentUpdate, Journal, Kind, ManagementPolicy,
    PublishedUpdate, Reason,
};
use crate::engine::conditions::{self, whole_second};
use crate::engine::context::{Blocked, Context};
use crate::engine::converge::{Start, creation};
use crate::engine::declaration::{Declaration, ObjectKey, Status};
use crate::engine::duration::parse_duration;
use crate::engine::fields::{self, Access, Change, Comparison, Comparisons, Field};
use crate::engine::identity::{GRACE, Identity};
use crate::engine::plan::{Action, ReadWhat, State, Step};
use crate::engine::planner::{Outcome, Planner, step};
use crate::engine::record::{applied_hash, is_text_of, update_hash};
use crate::engine::request::Request;
use crate::statuspage::{
    Collection, CollectionKind, ComponentStatus, Incident, IncidentStatus, IncidentUpdate as RemoteUpdate,
    IncidentUpdateWrite, IncidentWrite, PostmortemPublish, PostmortemWrite, Priority, Snapshot,
};

/// Key of our mark in the metadata of an incident.
const MARK: &str = "statuspage-operator";
/// Under this name the hash of the component map is recorded as it is declared, by names.
const COMPONENTS_NOTED: &str = "components/declared";
const DRAFT: &str = "postmortem/draft";
const PUBLISHED: &str = "postmortem/published";

/// True when an incident or a maintenance has come to its end.
pub(in crate::engine) fn is_over(status: &IncidentStatus) -> bool {
    matches!(status.as_str(), "resolved" | "completed" | "postmortem")
}

/// True while a maintenance is running.
pub(in crate::engine) fn is_running_maintenance(incident: &Incident) -> bool {
    let status = incident.status.as_ref().map(|status| status.as_str());
    matches!(status, Some("in_progress" | "verifying"))
}

/// The declaration that an incident was created for, by its mark: namespace and name.
fn marked(remote: &Incident) -> Option<(&str, &str)> {
    let mark = remote.metadata.get(MARK)?;
    Some((mark.get("namespace")?.as_str()?, mark.get("name")?.as_str()?))
}

impl Rules for IncidentSpec {
    type Remote = Incident;
    const COLLECTION: CollectionKind = CollectionKind::Incidents;
    const PRIORITY: Priority = Priority::Incident;

    fn collection(snapshot: &Snapshot) -> Option<&Collection<Incident>> {
        snapshot.incidents.as_ref()
    }

    fn id(remote: &Incident) -> &str {
        &remote.id
    }

    fn created_at(_remote: &Incident) -> Option<Timestamp> {
        // The mark is exact; a backfilled incident is created in the past.
        None
    }

    fn handles(remote: &Incident) -> Vec<String> {
        let mark = marked(remote).map(|(namespace, name)| format!("{MARK} {namespace}/{name}"));
        mark.into_iter().chain(remote.name.clone()).collect()
    }

    fn wanted_handles(&self, context: &Context<'_>) -> Vec<String> {
        let key = &context.declaration.key;
        vec![format!("{MARK} {}/{}", key.namespace, key.name), self.title(context)]
    }

    fn title(&self, context: &Context<'_>) -> String {
        context.title(self.name.as_deref())
    }

    fn same_identity(&self, context: &Context<'_>, remote: &Incident) -> bool {
        let key = &context.declaration.key;
        match marked(remote) {
            Some((namespace, name)) if namespace == key.namespace && name == key.name => return true,
            // What was created for another declaration of this page is that one's, recorded or not.
            Some((namespace, name))
                if context
                    .index
                    .get(&ObjectKey::new(Kind::Incident, namespace, name))
                    .is_some() =>
            {
                return false;
            }
            _ => {}
        }
        if remote.name.as_deref() != Some(self.title(context).as_str()) {
            return false;
        }
        match &self.schedule {
            Some(schedule) => remote
                .scheduled_for
                .is_some_and(|start| start.as_second() == schedule.start.0.as_second()),
            None if self.backfill_date.is_some() => remote.backfilled == Some(true),
            None => remote.scheduled_for.is_none() && !remote.status.as_ref().is_some_and(is_over),
        }
    }

    fn is_attempt(&self, context: &Context<'_>, remote: &Incident) -> bool {
        let uid = remote
            .metadata
            .get(MARK)
            .and_then(|mark| mark.get("uid"))
            .and_then(Value::as_str);
        uid == Some(&context.declaration.uid)
    }

    fn fields(&self, context: &Context<'_>, remote: Option<&Incident>) -> Result<Vec<Field>, Blocked> {
        let mut fields = vec![Field::new(
            "name",
            "name",
            json!(self.title(context)),
            remote.and_then(|remote| text(remote.name.as_deref())),
        )];
        if let Some(impact) = self.impact_override {
            let observed =
                remote.and_then(|remote| text(remote.impact_override.as_ref().map(|impact| impact.as_str())));
            fields.push(Field::new(
                "impactOverride",
                "impact_override",
                json!(impact.as_str()),
                observed,
            ));
        }
        if let Some(date) = &self.backfill_date {
            fields.push(Field::new("backfillDate", "backfill_date", json!(date.0), None).access(Access::CreateOnly));
        }
        if let Some(schedule) = &self.schedule {
            for (name, wire, at, observed) in [
                (
                    "schedule.start",
                    "scheduled_for",
                    schedule.start.0,
                    remote.map(|remote| remote.scheduled_for),
                ),
                (
                    "schedule.end",
                    "scheduled_until",
                    schedule.end.0,
                    remote.map(|remote| remote.scheduled_until),
                ),
            ] {
                fields.push(
                    Field::new(name, wire, json!(at), observed.map(|at| json!(at))).compared(Comparison::Instant),
                );
            }
            let components = !self.components.is_empty();
            for (name, wire, wanted, observed) in [
                (
                    "schedule.remindPrior",
                    "scheduled_remind_prior",
                    schedule.remind_prior,
                    remote.map(|remote| remote.scheduled_remind_prior),
                ),
                (
                    "schedule.autoStart",
                    "scheduled_auto_in_progress",
                    schedule.auto_start,
                    remote.map(|remote| remote.scheduled_auto_in_progress),
                ),
                (
                    "schedule.autoComplete",
                    "scheduled_auto_completed",
                    schedule.auto_complete,
                    remote.map(|remote| remote.scheduled_auto_completed),
                ),
                (
                    "schedule.transitionComponents",
                    "auto_transition_to_maintenance_state",
                    schedule.transition_components && components,
                    remote.map(|remote| remote.auto_transition_to_maintenance_state),
                ),
                (
                    "schedule.transitionComponents.end",
                    "auto_transition_to_operational_state",
                    schedule.transition_components && components,
                    remote.map(|remote| remote.auto_transition_to_operational_state),
                ),
                (
                    "schedule.notifyAtStart",
                    "auto_transition_deliver_notifications_at_start",
                    schedule.notify_at_start,
                    remote.map(|remote| remote.auto_transition_deliver_notifications_at_start),
                ),
                (
                    "schedule.notifyAtEnd",
                    "auto_transition_deliver_notifications_at_end",
                    schedule.notify_at_end,
                    remote.map(|remote| remote.auto_transition_deliver_notifications_at_end),
                ),
            ] {
                fields.push(Field::new(
                    name,
                    wire,
                    json!(wanted),
                    observed.map(|value| json!(value)),
                ));
            }
        }
        if !self.components.is_empty() {
            let noted = Field::new(COMPONENTS_NOTED, "", json!(self.components), None).access(Access::Noted);
            let applied = &context.declaration.status.object().applied;
            let over = remote.is_some_and(|remote| remote.status.as_ref().is_some_and(is_over));
            // What is over needs its components no more: they may be gone, or be others of the same name.
            if !(over && applied.get(COMPONENTS_NOTED) == Some(&fields::hash(&noted.desired))) {
                let mut map = Map::new();
                for (name, status) in &self.components {
                    map.insert(
                        context.reference(Kind::Component, name)?.to_owned(),
                        json!(status.as_str()),
                    );
                }
                let desired = Value::Object(map);
                // An incident that was taken over and shows these very statuses has been told of them.
                let told = applied.contains_key("components");
                let shown = remote
                    .filter(|_| !told)
                    .map(shown_statuses)
                    .filter(|shown| *shown == desired);
                let field = Field::new("components", "components", desired, shown.clone());
                fields.push(if shown.is_some() {
                    field
                } else {
                    field.access(Access::WriteOnly)
                });
            }
            fields.push(noted);
        }
        Ok(fields)
    }

    fn create(&self, context: &Context<'_>, body: Map<String, Value>) -> Result<Request, Blocked> {
        let Some(first) = self.updates.first() else {
            return Err(Blocked::stalled(
                Reason::Invalid,
                "an incident needs at least one update",
            ));
        };
        let key = &context.declaration.key;
        let mark = json!({"uid": context.declaration.uid, "namespace": key.namespace, "name": key.name});
        let backfilled = self.backfill_date.is_some();
        let incident = IncidentWrite {
            status: Some(wire_status(first.status)),
            body: Some(first.body.clone()),
            deliver_notifications: Some(first.notify && !backfilled),
            metadata: Some(Map::from_iter([(MARK.to_owned(), mark)])),
            backfilled: backfilled.then_some(true),
            ..self.incident_write(body, first.status)?
        };
        Ok(Request::CreateIncident(Box::new(incident)))
    }

    fn update(&self, _context: &Context<'_>, remote: &Incident, body: Map<String, Value>) -> Result<Request, Blocked> {
        let last = self
            .updates
            .last()
            .map_or(IncidentStatusName::Investigating, |update| update.status);
        let incident = IncidentWrite {
            deliver_notifications: Some(false),
            ..self.incident_write(body, last)?
        };
        Ok(Request::UpdateIncident(remote.id.clone(), Box::new(incident)))
    }

    fn observe(&self, _context: &Context<'_>, remote: &Incident, status: &mut Status) {
        if let Status::Incident(status) = status {
            status.status = remote.status.as_ref().map(ToString::to_string);
            status.impact = remote.impact.as_ref().map(ToString::to_string);
            status.resolved_at = remote.resolved_at.map(|at| Time(whole_second(at)));
            status.object.url.clone_from(&remote.shortlink);
        }
    }
}

impl IncidentSpec {
    /// The request body. The status map would apply at once, so that a maintenance to come names its components only;
    /// the statuses follow with the update that starts it.
    fn incident_write(&self, body: Map<String, Value>, phase: IncidentStatusName) -> Result<IncidentWrite, Blocked> {
        let mut incident: IncidentWrite = write(body)?;
        let Some(map) = incident.components.take() else {
            return Ok(incident);
        };
        incident.component_ids = Some(map.keys().cloned().collect());
        let automatic = self
            .schedule
            .as_ref()
            .is_some_and(|schedule| schedule.transition_components);
        incident.components = match phase {
            IncidentStatusName::Scheduled => None,
            IncidentStatusName::InProgress | IncidentStatusName::Verifying if automatic => {
                Some(all(&map, &ComponentStatus::UnderMaintenance))
            }
            IncidentStatusName::Completed if automatic => Some(all(&map, &ComponentStatus::Operational)),
            _ => Some(map),
        };
        Ok(incident)
    }
}

/// The statuses of an incident's components as the page shows them, by id.
fn shown_statuses(remote: &Incident) -> Value {
    let status = |component: &crate::statuspage::Component| {
        (
            component.id.clone(),
            json!(component.status.as_ref().map(|status| status.as_str())),
        )
    };
    Value::Object(remote.components.iter().map(status).collect())
}

fn all(map: &BTreeMap<String, ComponentStatus>, status: &ComponentStatus) -> BTreeMap<String, ComponentStatus> {
    map.keys().map(|id| (id.clone(), status.clone())).collect()
}

fn wire_status(name: IncidentStatusName) -> IncidentStatus {
    match name {
        IncidentStatusName::Investigating => IncidentStatus::Investigating,
        IncidentStatusName::Identified => IncidentStatus::Identified,
        IncidentStatusName::Monitoring => IncidentStatus::Monitoring,
        IncidentStatusName::Resolved => IncidentStatus::Resolved,
        IncidentStatusName::Scheduled => IncidentStatus::Scheduled,
        IncidentStatusName::InProgress => IncidentStatus::InProgress,
        IncidentStatusName::Verifying => IncidentStatus::Verifying,
        IncidentStatusName::Completed => IncidentStatus::Completed,
    }
}

/// Plans what an incident calls for: creation, the next update, corrections, fields, postmortem, pruning.
pub(in crate::engine) fn converge<'a>(planner: &mut Planner<'a>, declaration: &'a Declaration, spec: &IncidentSpec) {
    let context = planner.context(declaration);
    if let Some(Identity::BeyondList { id }) = planner.identities.get(&declaration.key) {
        beyond_list(planner, declaration, spec, id);
        return;
    }
    match planner.start(declaration) {
        Start::Stopped => {}
        Start::Create { beside } => {
            let planned = spec.fields(&context, None).and_then(|fields| {
                let found = fields::creation(&fields);
                spec.create(&context, found.body.clone())
                    .map(|request| (request, found))
            });
            match planned {
                Ok((request, found)) => {
                    let summary = format!("create incident {:?}", spec.title(&context));
                    let step = creation(declaration, request, found, Priority::Incident, summary, beside);
                    planner.begin_creation(declaration, step);
                }
                Err(blocked) => planner.record(declaration, Outcome::blocked(declaration, blocked)),
            }
        }
        Start::Here { id, adopted } => {
            let lookup = planner.index.lookup(Kind::Incident);
            let snapshot = planner.world.snapshot;
            if let Some(remote) = lookup.and_then(|lookup| lookup.get::<IncidentSpec>(snapshot, &id)) {
                here(planner, &context, spec, remote, adopted);
            }
        }
    }
}

/// An incident older than the list: read it only when something can still happen to it.
fn beyond_list<'a>(planner: &mut Planner<'a>, declaration: &'a Declaration, spec: &IncidentSpec, id: &str) {
    let Status::Incident(status) = &declaration.status else {
        return;
    };
    let over = status
        .status
        .as_deref()
        .is_some_and(|word| is_over(&IncidentStatus::from(word)));
    let ready = conditions::find(&status.object, conditions::READY)
        .is_some_and(|ready| ready.status == "True" && ready.observed_generation == Some(declaration.generation));
    if over && ready {
        prune_in_time(planner, declaration, spec, status.resolved_at.as_ref().map(|at| at.0));
    } else {
        let changed = status.object.observed_generation != Some(declaration.generation);
        let priority = if changed { Priority::Incident } else { Priority::Read };
        planner.read(ReadWhat::Incident(id.to_owned()), priority);
    }
}

fn here<'a>(planner: &mut Planner<'a>, context: &Context<'a>, spec: &IncidentSpec, remote: &Incident, adopted: bool) {
    let declaration = context.declaration;
    let policies = context.policies();
    let mut outcome = Outcome::new(
        declaration,
        State::InSync,
        Reason::Synced,
        "the page shows what is declared",
    );
    planner.take(declaration, &remote.id, adopted, &mut outcome.status);
    spec.observe(context, remote, &mut outcome.status);
    if !bind_updates(planner, spec, remote, &mut outcome) {
        planner.record(declaration, outcome);
        return;
    }
    let compared = spec
        .fields(context, Some(remote))
        .map(|fields| fields::compare(&fields, &outcome.status.object().applied, policies.drift));
    let found = match compared {
        Ok(found) => found,
        Err(blocked) => {
            (outcome.state, outcome.reason, outcome.message) = (blocked.state, blocked.reason, blocked.message);
            planner.record(declaration, outcome);
            return;
        }
    };
    let Status::Incident(status) = &outcome.status else {
        return;
    };
    let published = status.updates.clone();
    let write_allowed = policies.management == ManagementPolicy::Full;
    if let (Some(next), true) = (spec.updates.get(published.len()), write_allowed) {
        publish(planner, context, spec, remote, outcome, found, published.len(), next);
        return;
    }
    if let (Some(_), false) = (spec.updates.get(published.len()), write_allowed) {
        outcome.state = State::Stalled;
        outcome.reason = Reason::ObserveOnly;
        outcome.message = format!(
            "{} of {} updates are not on the page; managementPolicy is ObserveOnly: nothing is written",
            spec.updates.len() - published.len(),
            spec.updates.len()
        );
        planner.record(declaration, outcome);
        return;
    }
    let title = format!("incident {:?}", spec.title(context));
    let mut drift = Vec::new();
    let correction = corrections(spec, remote, &published, policies.drift, &mut drift);
    let follow_up = correction.or_else(|| postmortem(declaration, spec, remote));
    outcome.drift = drift;
    let fields_drift = found.drift.clone();
    match follow_up {
        Some(follow_up) if found.body.is_empty() && write_allowed => {
            let FollowUp { request, summary, .. } = follow_up;
            outcome.drift.extend(fields_drift);
            outcome.state = State::Progressing;
            outcome.reason = Reason::Progressing;
            outcome.message = format!("will {summary}");
            let mut follow = step(declaration, Action::Update(request), Priority::Incident, summary);
            follow.changes.extend(follow_up.change);
            follow.applied = follow_up
                .applied
                .map(|(name, hash)| (declaration.key.clone(), name.to_owned(), hash))
                .into_iter()
                .collect();
            planner.plan.steps.push(follow);
            planner.record(declaration, outcome);
        }
        _ => {
            let own_drift = std::mem::take(&mut outcome.drift);
            let found = Comparisons {
                drift: own_drift.into_iter().chain(fields_drift).collect(),
                ..found
            };
            let request = |body| spec.update(context, remote, body);
            let settled = planner.settle(
                context,
                outcome,
                found,
                policies.management,
                Priority::Incident,
                request,
                &title,
            );
            if settled && remote.status.as_ref().is_some_and(is_over) {
                prune_in_time(planner, declaration, spec, remote.resolved_at);
            }
        }
    }
}

/// Binds declared updates to remote ones: after a creation whose record was lost, after an adoption, and after a
/// publication whose reply was lost. False while that cannot be told yet.
fn bind_updates(planner: &mut Planner<'_>, spec: &IncidentSpec, remote: &Incident, outcome: &mut Outcome) -> bool {
    let Status::Incident(status) = &mut outcome.status else {
        return false;
    };
    let mut bound = false;
    if status.updates.is_empty() {
        status.updates = align(&spec.updates, remote);
        bound = !status.updates.is_empty();
    }
    if bound {
        // Recorded before anything is published on top of it: see the journal below.
        outcome.state = State::Progressing;
        outcome.reason = Reason::Progressing;
        outcome.message = "bound the declared updates to the published ones".into();
        return false;
    }
    let Some(journal) = status.object.journal.clone() else {
        return true;
    };
    let Some(index) = journal
        .operation
        .strip_prefix("update/")
        .and_then(|index| index.parse::<usize>().ok())
    else {
        return true;
    };
    if status.updates.len() > index {
        status.object.journal = None;
        return true;
    }
    let read_at = planner.world.snapshot.read_at(CollectionKind::Incidents);
    bind_earlier(&mut status.updates, index, spec, &journal, remote);
    if let Some(update) = spec.updates.get(index)
        && let Some(attempt) = attempt_of(update, &journal, remote, &status.updates)
    {
        let applied = if is_text_of(update, attempt) {
            applied_hash(update, Some(attempt))
        } else {
            String::new()
        };
        status.updates.push(PublishedUpdate {
            id: attempt.id.clone(),
            applied,
        });
        status.object.journal = None;
        // The next update is published only after this one is recorded: the record of a publication counts on those
        // before it.
        outcome.state = State::Progressing;
        outcome.reason = Reason::Progressing;
        outcome.message = format!("found update {} published", index + 1);
        return false;
    }
    let settled = journal.at.0.saturating_add(GRACE).unwrap_or(Timestamp::MAX);
    if read_at.is_some_and(|read_at| read_at >= settled) {
        status.object.journal = None;
        return true;
    }
    outcome.state = State::Progressing;
    outcome.reason = Reason::Progressing;
    outcome.message = "an earlier attempt to publish an update was interrupted; looking whether it succeeded".into();
    if planner.world.now >= settled || read_at.is_none_or(|read_at| read_at < journal.at.0) {
        planner.read(ReadWhat::Collection(CollectionKind::Incidents), Priority::Incident);
    } else {
        planner.plan.wake_at(settled);
    }
    false
}

/// Binds the updates before the one that was interrupted. All of them are on the page for certain, but the record of
/// the last ones may have been lost with the process.
fn bind_earlier(
    known: &mut Vec<PublishedUpdate>,
    index: usize,
    spec: &IncidentSpec,
    journal: &Journal,
    remote: &Incident,
) {
    while let (true, Some(update)) = (known.len() < index, spec.updates.get(known.len())) {
        let earlier = || {
            let newest_first = remote.incident_updates.iter();
            newest_first
                .skip_while(|candidate| journal.after.as_ref().is_some_and(|after| candidate.id != *after))
                .filter(|candidate| !known.iter().any(|known| known.id == candidate.id))
        };
        let found = earlier()
            .filter(|candidate| is_text_of(update, candidate))
            .last()
            .or_else(|| earlier().filter(|candidate| same_phase(update, candidate)).last());
        let applied = match found {
            Some(shown) if is_text_of(update, shown) => applied_hash(update, found),
            _ => String::new(),
        };
        let id = found.map(|shown| shown.id.clone()).unwrap_or_default();
        known.push(PublishedUpdate { id, applied });
    }
}

/// The remote update that an interrupted publication left, among those newer than the newest one before it: the one
/// with the declared text; else, because the text may have been edited since, one of the same status. Rather a text
/// corrected that somebody else wrote in that moment than subscribers told twice.
fn attempt_of<'r>(
    update: &IncidentUpdate,
    journal: &Journal,
    remote: &'r Incident,
    known: &[PublishedUpdate],
) -> Option<&'r RemoteUpdate> {
    let newer = || {
        remote
            .incident_updates
            .iter()
            .take_while(|candidate| Some(&candidate.id) != journal.after.as_ref())
            .filter(|candidate| !known.iter().any(|known| known.id == candidate.id))
    };
    newer()
        .find(|candidate| is_text_of(update, candidate))
        .or_else(|| newer().find(|candidate| same_phase(update, candidate)))
}

fn same_text(update: &IncidentUpdate, remote: &RemoteUpdate) -> bool {
    remote.body.as_deref().unwrap_or_default().trim_end() == update.body.trim_end()
}

fn same_phase(update: &IncidentUpdate, remote: &RemoteUpdate) -> bool {
    remote.status.as_ref().map(|status| status.as_str()) == Some(update.status.as_str())
}

/// Pairs declared updates with remote ones, oldest first: by text, else by status where the text was edited. Never
/// pairs past a gap, so that what is left over is what was not published.
fn align(declared: &[IncidentUpdate], remote: &Incident) -> Vec<PublishedUpdate> {
    let mut rest: Vec<&RemoteUpdate> = remote.incident_updates.iter().rev().collect();
    let mut published = Vec::new();
    for (index, update) in declared.iter().enumerate() {
        let by_text = rest.iter().position(|candidate| is_text_of(update, candidate));
        let later = &declared[index + 1..];
        let edited = || {
            rest.iter().position(|candidate| {
                same_phase(update, candidate) && !later.iter().any(|other| same_text(other, candidate))
            })
        };
        let Some(position) = by_text.or_else(edited) else { break };
        let applied = if by_text.is_some() {
            applied_hash(update, Some(rest[position]))
        } else {
            String::new()
        };
        published.push(PublishedUpdate {
            id: rest[position].id.clone(),
            applied,
        });
        rest.drain(..=position);
    }
    published
}

#[expect(
    clippy::too_many_arguments,
    reason = "one update is published together with every other change"
)]
fn publish<'a>(
    planner: &mut Planner<'a>,
    context: &Context<'a>,
    spec: &IncidentSpec,
    remote: &Incident,
    mut outcome: Outcome,
    found: Comparisons,
    index: usize,
    next: &IncidentUpdate,
) {
    let declaration = context.declaration;
    let mut body = found.body;
    if spec.schedule.is_some()
        && next.status != IncidentStatusName::Scheduled
        && let Ok(fields) = spec.fields(context, Some(remote))
        && let Some(components) = fields.into_iter().find(|field| field.name == "components")
    {
        // Starting or ending a maintenance by hand moves its components in the same request.
        body.insert(components.wire.to_owned(), components.desired);
    }
    match spec.incident_write(body, next.status) {
        Ok(incident) => {
            let incident = IncidentWrite {
                status: Some(wire_status(next.status)),
                body: Some(next.body.clone()),
                deliver_notifications: Some(next.notify),
                ..incident
            };
            let summary = format!("publish update {} of incident {:?}", index + 1, spec.title(context));
            outcome.state = State::Progressing;
            outcome.reason = Reason::Progressing;
            outcome.message = format!("will {summary}");
            let mut changes = found.changes;
            let field = format!("updates[{index}]");
            changes.push(Change {
                field,
                from: None,
                to: json!({"status": next.status, "body": next.body}),
            });
            planner.plan.steps.push(Step {
                key: declaration.key.clone(),
                action: Action::Publish {
                    request: Request::UpdateIncident(remote.id.clone(), Box::new(incident)),
                    index,
                    after: remote.incident_updates.first().map(|update| update.id.clone()),
                },
                priority: Priority::Incident,
                summary,
                changes,
                applied: found
                    .applied
                    .into_iter()
                    .map(|(name, hash)| (declaration.key.clone(), name, hash))
                    .collect(),
                beside: Vec::new(),
            });
        }
        Err(blocked) => {
            (outcome.state, outcome.reason, outcome.message) = (blocked.state, blocked.reason, blocked.message);
        }
    }
    planner.record(declaration, outcome);
}

/// A request that brings an incident nearer to its declaration, one at a time.
struct FollowUp {
    request: Request,
    summary: String,
    /// What it changes, so that a page that does not keep it is noticed.
    change: Option<Change>,
    /// What is recorded once it succeeded.
    applied: Option<(&'static str, String)>,
}

/// The first published update whose text or time is to be corrected; differences that others made are drift.
fn corrections(
    spec: &IncidentSpec,
    remote: &Incident,
    published: &[PublishedUpdate],
    policy: DriftPolicy,
    drift: &mut Vec<Drift>,
) -> Option<FollowUp> {
    let mut correction = None;
    for (index, (update, known)) in spec.updates.iter().zip(published).enumerate() {
        let Some(current) = remote
            .incident_updates
            .iter()
            .find(|candidate| candidate.id == known.id)
        else {
            continue;
        };
        let body_differs = !same_text(update, current);
        let time_differs = update.at.as_ref().is_some_and(|at| {
            current
                .display_at
                .is_none_or(|shown| shown.as_second() != at.0.as_second())
        });
        if !body_differs && !time_differs {
            continue;
        }
        // A declared time is set right after the publication, a text is corrected when the declaration changed; what
        // differs after that was changed by somebody else.
        let declared_anew = known.applied != update_hash(update);
        let field = format!("updates[{index}].{}", if body_differs { "body" } else { "at" });
        if !declared_anew && policy != DriftPolicy::Ignore {
            let at = |at: Option<Timestamp>| at.map_or_else(|| "null".to_owned(), |at| format!("\"{at}\""));
            let (desired, observed) = if body_differs {
                let shown = current.body.as_deref().unwrap_or_default();
                (shortened(&update.body), shortened(shown))
            } else {
                (at(update.at.as_ref().map(|at| at.0)), at(current.display_at))
            };
            drift.push(Drift {
                field: field.clone(),
                desired,
                observed,
            });
        }
        if correction.is_none() && (declared_anew || policy == DriftPolicy::Correct) {
            let write = IncidentUpdateWrite {
                body: body_differs.then(|| update.body.clone()),
                display_at: update.at.as_ref().filter(|_| time_differs).map(|at| at.0),
                deliver_notifications: Some(false),
                wants_twitter_update: None,
            };
            let request = Request::UpdateIncidentUpdate(remote.id.clone(), known.id.clone(), write);
            correction = Some(FollowUp {
                request,
                summary: format!("correct update {} of incident {}", index + 1, remote.id),
                change: Some(Change {
                    field,
                    from: Some(json!(current.body)),
                    to: json!([update.body, update.at]),
                }),
                applied: None,
            });
        }
    }
    if let (Some(last), Some(current)) = (spec.updates.last(), &remote.status)
        && published.len() == spec.updates.len()
        && phase(current.as_str()) != phase(last.status.as_str())
        && !(spec.schedule.is_some() && phase(current.as_str()) > phase(last.status.as_str()))
    {
        if policy != DriftPolicy::Ignore {
            drift.push(Drift {
                field: "updates".into(),
                desired: format!("{:?}", last.status.as_str()),
                observed: format!("{:?}", current.as_str()),
            });
        }
        if correction.is_none() && policy == DriftPolicy::Correct {
            let write = IncidentWrite {
                status: Some(wire_status(last.status)),
                deliver_notifications: Some(false),
                ..Default::default()
            };
            let request = Request::UpdateIncident(remote.id.clone(), Box::new(write));
            correction = Some(FollowUp {
                request,
                summary: format!("set incident {} back to {}", remote.id, last.status.as_str()),
                change: Some(Change {
                    field: "updates".into(),
                    from: Some(json!(current.as_str())),
                    to: json!(last.status.as_str()),
                }),
                applied: None,
            });
        }
    }
    correction
}

/// A maintenance moves forward by itself; an incident whose postmortem is published stays resolved.
fn phase(status: &str) -> u8 {
    match status {
        "investigating" | "scheduled" => 0,
        "identified" | "in_progress" => 1,
        "monitoring" | "verifying" => 2,
        _ => 3,
    }
}

fn postmortem(declaration: &Declaration, spec: &IncidentSpec, remote: &Incident) -> Option<FollowUp> {
    let declared = spec.postmortem.as_ref()?;
    if !remote.status.as_ref().is_some_and(is_over) {
        return None;
    }
    let applied = &declaration.status.object().applied;
    let hash = fields::hash(&json!(declared.body.trim_end()));
    let shown = remote.postmortem_body.as_deref().map(str::trim_end) == Some(declared.body.trim_end())
        && remote.postmortem_published_at.is_some();
    let title = format!("postmortem of incident {}", remote.id);
    if declared.publish && shown {
        return None;
    }
    if applied.get(DRAFT) != Some(&hash) {
        let write = PostmortemWrite {
            body_draft: Some(declared.body.clone()),
        };
        let request = Request::WritePostmortem(remote.id.clone(), write);
        return Some(FollowUp {
            request,
            summary: format!("write the {title}"),
            change: None,
            applied: Some((DRAFT, hash)),
        });
    }
    if declared.publish && applied.get(PUBLISHED) != Some(&hash) {
        // Only the first publication is announced; a later one corrects the text.
        let first = remote.postmortem_published_at.is_none() && !applied.contains_key(PUBLISHED);
        let publish = PostmortemPublish {
            notify_subscribers: Some(first && declared.notify_subscribers),
            notify_twitter: Some(first && declared.notify_twitter),
            custom_tweet: None,
        };
        let request = Request::PublishPostmortem(remote.id.clone(), publish);
        return Some(FollowUp {
            request,
            summary: format!("publish the {title}"),
            change: None,
            applied: Some((PUBLISHED, hash)),
        });
    }
    if !declared.publish && remote.postmortem_published_at.is_some() && applied.contains_key(PUBLISHED) {
        return Some(FollowUp {
            request: Request::RevertPostmortem(remote.id.clone()),
            summary: format!("take back the {title}"),
            change: Some(Change {
                field: "postmortem.publish".into(),
                from: Some(json!(true)),
                to: json!(false),
            }),
            // It was announced once and is not announced again when it is published again.
            applied: Some((PUBLISHED, String::new())),
        });
    }
    None
}

/// Deletes the declaration of an incident that ended long enough ago.
fn prune_in_time<'a>(
    planner: &mut Planner<'a>,
    declaration: &'a Declaration,
    spec: &IncidentSpec,
    resolved_at: Option<Timestamp>,
) {
    let Some(ttl) = spec.ttl_after_resolved.as_deref().and_then(parse_duration) else {
        return;
    };
    let Some(resolved_at) = resolved_at else { return };
    let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
    let due = resolved_at.saturating_add(ttl).unwrap_or(Timestamp::MAX);
    if planner.world.now >= due {
        planner.plan.steps.push(step(
            declaration,
            Action::Prune,
            Priority::Write,
            "prune: ttlAfterResolved is over",
        ));
    } else {
        planner.plan.wake_at(due);
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
