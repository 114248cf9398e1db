//! Incidents: fields, and the append-only list of updates (reference 2.4 to 2.6, 3.4).
//!
//! Invariant: an update is published once. Invariant: nobody is notified by a correction.
//!
//! Here are the rules; `converge` plans, `updates` publishes and binds, `corrections` mends what is published,
//! `subscribers` keeps who hears about one incident alone.

mod converge;
mod corrections;
mod subscribers;
mod updates;

pub(in crate::engine) use converge::converge;
pub use updates::{Misplaced, misplaced};

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::table::{self, Row, declared, row, sent_once};
use super::{Body, Recreation, Rules, quoted, since, write};
use crate::api::{
    IncidentSpec, IncidentStatusName, IncidentTemplateSpec, IncidentUpdate, Kind, Reason, Schedule, Status,
};
use crate::engine::conditions::whole_second;
use crate::engine::context::Context;
use crate::engine::declaration::{Declaration, ObjectKey};
use crate::engine::fields::{Access, Comparison, Field};
use crate::engine::mark::{self, mark_of};
use crate::engine::outcome::Blocked;
use crate::engine::plan::ReadWhat;
use crate::engine::record::is_text_of;
use crate::engine::request::Request;
use crate::engine::template;
use crate::statuspage::{
    CollectionKind, ComponentStatus, Incident, IncidentStatus, IncidentView, IncidentWrite, Priority, Search, Snapshot,
};

/// Under this name the hash of the component map is recorded as it is declared, by names.
const COMPONENTS_NOTED: &str = "components/declared";

/// What to do about a component that an incident affects.
enum Affected<'a> {
    /// It is on the page with this id.
    Here(&'a str),
    /// It will be in a moment, or has to be declared first.
    Awaited(Blocked),
    /// It is not, and the incident goes without it; whether it is being created, so that it is added later.
    Unavailable { coming: bool },
}

/// An incident waits for the components that are being created for so long at most.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

impl Rules for IncidentSpec {
    type Remote = Incident;
    // One that somebody deleted must not be announced again.
    const RECREATION: Recreation = Recreation::WhenAsked;
    const PRIORITY: Priority = Priority::Incident;
    const FIELDS: &'static [Row<Self, Self::Remote>] = &[
        row!("name", name, |spec, context, _| declared(Some(spec.title(context)))),
        row!("impactOverride", impact_override),
        sent_once!("backfillDate", "backfill_date", |spec, _, _| {
            declared(spec.backfill_date.as_ref().map(|date| date.0))
        }),
        row!("schedule.start", scheduled_for, |spec, _, _| scheduled(
            spec,
            |schedule| schedule.start.0
        ))
        .compared(Comparison::Instant),
        row!("schedule.end", scheduled_until, |spec, _, _| scheduled(
            spec,
            |schedule| schedule.end.0
        ))
        .compared(Comparison::Instant),
        row!("schedule.remindPrior", scheduled_remind_prior, |spec, _, _| {
            scheduled(spec, |schedule| schedule.remind_prior)
        }),
        row!("schedule.autoStart", scheduled_auto_in_progress, |spec, _, _| {
            scheduled(spec, |schedule| schedule.auto_start)
        }),
        row!("schedule.autoComplete", scheduled_auto_completed, |spec, _, _| {
            scheduled(spec, |schedule| schedule.auto_complete)
        }),
        row!(
            "schedule.transitionComponents",
            auto_transition_to_maintenance_state,
            |spec, context, remote| spec.moved(context, remote, |schedule| schedule.transition_components)
        ),
        row!(
            "schedule.restoreComponents",
            auto_transition_to_operational_state,
            |spec, context, remote| spec.moved(context, remote, restores)
        ),
        row!(
            "schedule.notifyAtStart",
            auto_transition_deliver_notifications_at_start,
            |spec, _, _| scheduled(spec, |schedule| schedule.notify_at_start)
        ),
        row!(
            "schedule.notifyAtEnd",
            auto_transition_deliver_notifications_at_end,
            |spec, _, _| scheduled(spec, |schedule| schedule.notify_at_end)
        ),
        sent_once!("components", "component_ids", |spec, context, remote| match remote {
            None => spec.components_of_template(context),
            Some(_) => Ok(None),
        }),
    ];

    fn created_at(_remote: &Incident) -> Option<Timestamp> {
        // The mark is exact; a backfilled incident is created in the past.
        None
    }

    fn handles(remote: &Incident) -> Vec<String> {
        let mark = mark_of(remote).map(|mark| mark::handle(mark.namespace, mark.name));
        mark.into_iter().chain(remote.name.clone()).collect()
    }

    fn wanted_handles(&self, context: &Context<'_>) -> Vec<String> {
        let key = &context.declaration.key;
        vec![mark::handle(&key.namespace, &key.name), self.title(context)]
    }

    fn title(&self, context: &Context<'_>) -> String {
        context.title(self.name.as_deref())
    }

    fn same_identity(&self, context: &Context<'_>, remote: &Incident) -> bool {
        let over = remote.status.as_ref().is_some_and(IncidentStatus::is_over);
        // An incident of the past is this one if it shows all that is declared, and its record may have been lost: names
        // and texts are used again.
        let tells_this = || {
            let shown = |update: &IncidentUpdate| remote.incident_updates.iter().any(|one| is_text_of(update, one));
            !context.declaration.fresh && self.updates.iter().all(shown)
        };
        match mark_of(remote) {
            Some(mark) if mark.is_from(context.declaration) => return true,
            Some(mark) if mark.names(context.declaration) => return !over || tells_this(),
            // What was created for another declaration of this page is that one's, recorded or not, until it lets go.
            Some(mark)
                if context
                    .index
                    .get(&ObjectKey::new(Kind::Incident, mark.namespace, mark.name))
                    .is_some_and(|other| !other.lets_go(context.world.page_spec())) =>
            {
                return false;
            }
            _ => {}
        }
        let untitled = self.name.is_none() && self.template_ref.is_some();
        if untitled || remote.name.as_deref() != Some(self.title(context).as_str()) {
            return false;
        }
        match &self.schedule {
            Some(schedule) => remote
                .scheduled_for
                .is_some_and(|start| start.as_second() == schedule.start.0.as_second()),
            None if self.backfill_date.is_some() => remote.backfilled == Some(true) || over && tells_this(),
            None => remote.scheduled_for.is_none() && (!over || tells_this()),
        }
    }

    fn searches(&self, context: &Context<'_>) -> Vec<Search> {
        let by_name = Search::Incidents(self.title(context));
        let views: &[IncidentView] = match (&self.schedule, &self.backfill_date) {
            (Some(_), _) => &[IncidentView::Scheduled, IncidentView::ActiveMaintenance],
            (None, Some(_)) => &[],
            (None, None) => &[IncidentView::Unresolved],
        };
        let views = views.iter().map(|view| Search::IncidentView(*view));
        std::iter::once(by_name).chain(views).collect()
    }

    fn adoptable(&self, context: &Context<'_>, remote: &Incident) -> bool {
        let over = remote.status.as_ref().is_some_and(IncidentStatus::is_over);
        // A new outage may have the name and the words of an old one. What is declared as over is no new outage, nor what
        // has a time of its own.
        let last = self.updates.last();
        let ended = last.is_some_and(|update| IncidentStatus::from(update.status.as_str()).is_over());
        let of_the_past = ended || self.schedule.is_some() || self.backfill_date.is_some();
        match mark_of(remote) {
            Some(mark) => mark.is_of(context.declaration) && (!over || of_the_past),
            None => !over,
        }
    }

    fn is_named_by(&self, context: &Context<'_>, remote: &Incident) -> bool {
        mark_of(remote).is_some_and(|mark| mark.names(context.declaration))
    }

    fn is_attempt(&self, context: &Context<'_>, remote: &Incident) -> bool {
        mark_of(remote).is_some_and(|mark| mark.is_from(context.declaration))
    }

    fn fields(&self, context: &Context<'_>, remote: Option<&Incident>) -> Result<Vec<Field>, Blocked> {
        let mut fields = table::fields(Self::FIELDS, self, context, remote)?;
        if !self.components.is_empty() {
            let noted = Field::new(COMPONENTS_NOTED, "", json!(self.components), None).access(Access::Noted);
            let applied = &context.declaration.status.object().applied;
            let over = remote.is_some_and(|remote| remote.status.as_ref().is_some_and(IncidentStatus::is_over));
            // What is over needs its components no more: they may be gone, or be others of the same name.
            let recorded = applied.get(COMPONENTS_NOTED);
            if !(over && recorded.is_some_and(|recorded| context.seal().is(recorded, &noted.desired))) {
                let mut map = Map::new();
                for (name, status) in &self.components {
                    match self.affected(context, name, remote.is_some()) {
                        Affected::Here(id) => map.insert(id.to_owned(), json!(status.as_str())),
                        Affected::Awaited(blocked) => return Err(blocked),
                        Affected::Unavailable { .. } => continue,
                    };
                }
                if !map.is_empty() {
                    fields.push(self.components_field(context, remote, map, over));
                }
            }
            fields.push(noted);
        }
        Ok(fields)
    }

    fn create(&self, context: &Context<'_>, body: Body) -> Result<Request, Blocked> {
        let Some(first) = self.updates.first() else {
            return Err(Blocked::stalled(
                Reason::Invalid,
                "an incident needs at least one update",
            ));
        };
        let backfilled = self.backfill_date.is_some();
        let incident = IncidentWrite {
            status: Some(wire_status(first.status)),
            body: text_of(first),
            deliver_notifications: Some(first.notify && !backfilled),
            metadata: Some(mark::metadata(context.declaration, None, 1)),
            backfilled: backfilled.then_some(true),
            ..self.incident_write(body, first.status)?
        };
        Ok(Request::CreateIncident(Box::new(incident)))
    }

    fn update(&self, _context: &Context<'_>, remote: &Incident, body: Body) -> Result<Request, Blocked> {
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

    fn describe(remote: &Incident, _snapshot: &Snapshot) -> String {
        let status = remote.status.as_ref().map(|status| format!(", {status}"));
        let status = status.unwrap_or_default();
        format!("{}{status}{}", quoted(&remote.name), since(remote.created_at))
    }

    fn is_worth_declaring(remote: &Incident) -> bool {
        !remote.status.as_ref().is_some_and(IncidentStatus::is_over)
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
    /// The names of the components that an incident affects which is about to be sent: its own, else its template's.
    pub(in crate::engine) fn affects<'s>(&'s self, context: &Context<'s>) -> Vec<&'s str> {
        let given =
            |template: &'s IncidentTemplateSpec| template.components.iter().flatten().map(String::as_str).collect();
        match template::template(context, self) {
            Ok(Some(template)) if self.components.is_empty() => given(template),
            _ => self.components.keys().map(String::as_str).collect(),
        }
    }

    /// What a schedule says of how its components move. Without components there is nothing to move, and those that
    /// others set are theirs.
    fn moved(
        &self,
        context: &Context<'_>,
        remote: Option<&Incident>,
        pick: fn(&Schedule) -> bool,
    ) -> Result<Option<Value>, Blocked> {
        if self.components.is_empty() && (remote.is_some() || self.components_of_template(context)?.is_none()) {
            return Ok(None);
        }
        scheduled(self, pick)
    }

    /// The ids of the components that the template of an incident gives, where the incident names none itself. They keep
    /// their status: a template says nothing of it.
    fn components_of_template(&self, context: &Context<'_>) -> Result<Option<Value>, Blocked> {
        if self.template_ref.is_none() || !self.components.is_empty() || self.backfill_date.is_some() {
            return Ok(None);
        }
        let mut ids = Vec::new();
        for name in self.affects(context) {
            match self.affected(context, name, false) {
                Affected::Here(id) => ids.push(json!(id)),
                Affected::Awaited(blocked) => return Err(blocked),
                Affected::Unavailable { .. } => {}
            }
        }
        Ok((!ids.is_empty()).then_some(Value::Array(ids)))
    }

    /// Where a component stands that the incident affects. An incident that is on the page waits for nothing.
    fn affected<'a>(&self, context: &Context<'a>, name: &str, is_on_page: bool) -> Affected<'a> {
        let blocked = match context.reference(Kind::Component, name) {
            Ok(id) => return Affected::Here(id),
            Err(blocked) => blocked,
        };
        let key = ObjectKey::new(Kind::Component, context.declaration.key.namespace.clone(), name);
        if let Some(id) = context.claims.present(&key) {
            // It was there when it was seen last, and an incident does not wait for more.
            return Affected::Here(id);
        }
        let world = context.world;
        let Some(component) = context.index.get(&key) else {
            return if is_on_page {
                Affected::Unavailable { coming: false }
            } else {
                Affected::Awaited(blocked)
            };
        };
        let unread = world.snapshot.components.is_none()
            && world
                .unreadable(&ReadWhat::Collection(CollectionKind::Components))
                .is_none();
        let coming = unread || context.claims.is_to_create(&key) && !context.held(component);
        let patient = world.now.duration_since(context.declaration.seen) < PATIENCE;
        match coming && patient && !is_on_page {
            true => Affected::Awaited(blocked),
            false => Affected::Unavailable { coming },
        }
    }

    /// The declared components that the incident went out without, and whether they are being created.
    fn left_out(&self, context: &Context<'_>) -> Vec<(&str, bool)> {
        let left_out = |name: &'_ str| match self.affected(context, name, true) {
            Affected::Here(_) => None,
            Affected::Awaited(_) => Some(true),
            Affected::Unavailable { coming } => Some(coming),
        };
        let names = self.components.keys().map(String::as_str);
        names.filter_map(|name| Some((name, left_out(name)?))).collect()
    }

    /// The map of components, beside what the page shows: before it was told that it is so already, and while the incident
    /// is open whether somebody has changed it.
    fn components_field(
        &self,
        context: &Context<'_>,
        remote: Option<&Incident>,
        map: Map<String, Value>,
        over: bool,
    ) -> Field {
        let applied = &context.declaration.status.object().applied;
        let told = applied.get("components");
        let Some(remote) = remote else {
            return Field::new("components", "components", Value::Object(map), None).access(Access::WriteOnly);
        };
        let shown = told.is_none() && self.shows(&map, remote);
        let desired = Value::Object(map);
        if shown {
            let observed = Some(desired.clone());
            return Field::new("components", "components", desired, observed);
        }
        let was_told = told.is_some_and(|told| context.seal().is(told, &desired));
        if was_told && !over && self.schedule.is_none() {
            let observed = self.observed_statuses(context, &desired);
            return Field::new("components", "components", desired, Some(observed));
        }
        Field::new("components", "components", desired, None).access(Access::WriteOnly)
    }

    /// The statuses of the declared components on the page. What another incident or a maintenance decides about too is
    /// no difference.
    fn observed_statuses(&self, context: &Context<'_>, desired: &Value) -> Value {
        let mut observed = desired.as_object().cloned().unwrap_or_default();
        for name in self.components.keys() {
            let namespace = &context.declaration.key.namespace;
            let Ok(id) = context.reference(Kind::Component, name) else {
                continue;
            };
            if context.index.times_mapped(namespace, name) > 1 || context.index.is_shared(id) {
                continue;
            }
            let row = context.world.snapshot.components.as_ref().and_then(|rows| rows.get(id));
            if let Some(status) = row.and_then(|row| row.status.as_ref()) {
                observed.insert(id.to_owned(), json!(status.as_str()));
            }
        }
        Value::Object(observed)
    }

    /// True when the page shows the declared statuses, by id, so that an adopted incident needs not be told
    /// of them. Of a maintenance to come only the components are told.
    fn shows(&self, declared: &Map<String, Value>, remote: &Incident) -> bool {
        let announced = self
            .updates
            .last()
            .is_some_and(|update| update.status == IncidentStatusName::Scheduled);
        let shown = shown_statuses(remote);
        if announced {
            shown.len() == declared.len() && shown.keys().all(|id| declared.contains_key(id))
        } else {
            shown == *declared
        }
    }

    /// The request body. The status map would apply at once, so that a maintenance to come names its components only;
    /// the statuses follow with the update that starts it.
    fn incident_write(&self, body: Body, phase: IncidentStatusName) -> Result<IncidentWrite, Blocked> {
        let mut incident: IncidentWrite = write(body)?;
        let Some(map) = incident.components.take() else {
            return Ok(incident);
        };
        incident.component_ids = Some(map.keys().cloned().collect());
        incident.components = match self.moves_to(phase) {
            _ if phase == IncidentStatusName::Scheduled => None,
            Some(status) => Some(all(&map, &status)),
            None => Some(map),
        };
        Ok(incident)
    }

    /// The status that a maintenance gives its components in a phase, if it moves them.
    fn moves_to(&self, phase: IncidentStatusName) -> Option<ComponentStatus> {
        let schedule = self.schedule.as_ref()?;
        match phase {
            IncidentStatusName::InProgress | IncidentStatusName::Verifying => schedule
                .transition_components
                .then_some(ComponentStatus::UnderMaintenance),
            IncidentStatusName::Completed => restores(schedule).then_some(ComponentStatus::Operational),
            _ => None,
        }
    }
}

/// The field of the manifest that an update of the incident is written in.
fn place(declaration: &Declaration, index: usize) -> String {
    match (declaration.opened_by_template, index) {
        (true, 0) => "templateRef".to_owned(),
        (true, _) => format!("updates[{}]", index - 1),
        (false, _) => format!("updates[{index}]"),
    }
}

/// What the schedule says, if there is one.
fn scheduled<T: Serialize>(spec: &IncidentSpec, pick: fn(&Schedule) -> T) -> Result<Option<Value>, Blocked> {
    declared(spec.schedule.as_ref().map(pick))
}

/// True when the components are to be operational at the end.
fn restores(schedule: &Schedule) -> bool {
    schedule.restore_components.unwrap_or(schedule.transition_components)
}

/// The text to publish; none where the status alone moves.
fn text_of(update: &IncidentUpdate) -> Option<String> {
    Some(update.body.clone()).filter(|body| !body.is_empty())
}

/// The statuses of an incident's components as the page shows them, by id.
fn shown_statuses(remote: &Incident) -> Map<String, Value> {
    let status = |component: &crate::statuspage::Component| {
        (
            component.id.clone(),
            json!(component.status.as_ref().map(|status| status.as_str())),
        )
    };
    remote.components.iter().map(status).collect()
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
