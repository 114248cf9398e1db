//! The page's side: reading it, and what a request does to it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Fault, Sent, Simulation};
use crate::api::Reason;
use crate::engine::{self, Action, CircuitBreaker, ReadWhat, Reply, Request, Status, Step, model, record};
use crate::statuspage::{
    Collection, CollectionKind, ComponentGroup, Dated, Identified, Object, ObjectKind, Reading, Snapshot,
};

/// A list as a request would show it now.
fn shown<T: Clone + Identified>(
    of: &Option<Collection<T>>,
    now: Timestamp,
    visible: impl Fn(&T) -> bool,
) -> Collection<T> {
    let items = of.iter().flat_map(|list| &list.items);
    Collection::read(items.filter(|item| visible(item)).cloned().collect(), now, true)
}

/// An object as a request for its id would show it.
fn object(remote: &Snapshot, kind: ObjectKind, id: &str) -> Option<Object> {
    fn of<T: Clone + Identified>(list: &Option<Collection<T>>, id: &str) -> Option<Box<T>> {
        list.as_ref()?.get(id).cloned().map(Box::new)
    }
    let row = || of(&remote.components, id);
    Some(match kind {
        ObjectKind::Component => Object::Component(row().filter(|row| !row.group)?),
        ObjectKind::ComponentGroup => {
            let row = row().filter(|row| row.group)?;
            let members = remote.components.iter().flat_map(|rows| &rows.items);
            let members = members.filter(|member| member.group_id.as_deref() == Some(id));
            Object::ComponentGroup(Box::new(ComponentGroup {
                id: row.id,
                name: row.name,
                description: row.description,
                components: members.map(|member| member.id.clone()).collect(),
                created_at: row.created_at,
                ..Default::default()
            }))
        }
        ObjectKind::Incident => Object::Incident(of(&remote.incidents, id)?),
        ObjectKind::MetricsProvider => Object::MetricsProvider(of(&remote.metrics_providers, id)?),
        ObjectKind::Metric => Object::Metric(of(&remote.metrics, id)?),
        ObjectKind::Subscriber => Object::Subscriber(of(&remote.subscribers, id)?),
        ObjectKind::PageAccessUser => Object::PageAccessUser(of(&remote.page_access_users, id)?),
        ObjectKind::PageAccessGroup => Object::PageAccessGroup(of(&remote.page_access_groups, id)?),
    })
}

impl Simulation {
    pub(in crate::engine::tests) fn read(&mut self, what: &ReadWhat) {
        self.reads += 1;
        let (now, remote, known) = (self.now, &self.remote, &mut self.known);
        let newest = now.saturating_sub(self.lag).unwrap();
        let visible = |at: Option<Timestamp>| at.is_none_or(|at| at <= newest);
        let kind = match what {
            ReadWhat::Collection(kind) => *kind,
            ReadWhat::Permissions(user) => {
                let value = remote.permissions.get(user).map(|known| known.value.clone());
                let value = value.unwrap_or_default();
                known.permissions.insert(user.to_owned(), Dated { value, read_at: now });
                return;
            }
            ReadWhat::UserComponents(user) => {
                let value = remote.user_components.get(user).map(|known| known.value.clone());
                let value = value.unwrap_or_default();
                known
                    .user_components
                    .insert(user.to_owned(), Dated { value, read_at: now });
                return;
            }
            ReadWhat::UserMetrics(user) => {
                let value = remote.user_metrics.get(user).map(|known| known.value.clone());
                let value = value.unwrap_or_default();
                known
                    .user_metrics
                    .insert(user.to_owned(), Dated { value, read_at: now });
                return;
            }
            ReadWhat::IncidentSubscribers(incident) => {
                let value = remote.incident_subscribers.get(incident);
                let value = value.map(|known| known.value.clone()).unwrap_or_default();
                known
                    .incident_subscribers
                    .insert(incident.to_owned(), Dated { value, read_at: now });
                return;
            }
            // The simulated page has none of these.
            ReadWhat::Uptime(_) | ReadWhat::GroupUptime(_) => return,
            // Its lists are never cut.
            ReadWhat::Search(_) => return,
            ReadWhat::Object(kind, id) => {
                match object(remote, *kind, id) {
                    Some(object) => known.found(object, now),
                    None => known.not_found(*kind, id, now),
                }
                return;
            }
        };
        match kind {
            CollectionKind::Page => {
                known.page.clone_from(&remote.page);
                self.page_read_at = Some(now);
                if remote.page.is_none() {
                    self.circuit_breaker = Some(CircuitBreaker {
                        reason: Reason::RemotePageNotFound,
                        message: "the token sees no such page".into(),
                        stalled: true,
                        lets_incidents_pass: false,
                        until: None,
                    });
                }
            }
            CollectionKind::Components => {
                known.store(Reading::Components(shown(&remote.components, now, |item| {
                    visible(item.created_at)
                })));
            }
            CollectionKind::Incidents => {
                known.store(Reading::Incidents(shown(&remote.incidents, now, |item| {
                    visible(item.created_at)
                })));
            }
            CollectionKind::MetricsProviders => {
                known.store(Reading::MetricsProviders(shown(
                    &remote.metrics_providers,
                    now,
                    |item| visible(item.created_at),
                )));
            }
            CollectionKind::Metrics => {
                known.store(Reading::Metrics(shown(&remote.metrics, now, |item| {
                    visible(item.created_at)
                })));
            }
            CollectionKind::Subscribers => {
                known.store(Reading::Subscribers(shown(&remote.subscribers, now, |item| {
                    visible(item.created_at)
                })));
            }
            CollectionKind::Unsubscribed => {
                known.store(Reading::Unsubscribed(shown(&remote.unsubscribed, now, |_| true)))
            }
            CollectionKind::IncidentTemplates => {
                // Templates do not tell when they were created: these are shown at once.
                known.store(Reading::IncidentTemplates(shown(
                    &remote.incident_templates,
                    now,
                    |_| true,
                )));
            }
            CollectionKind::PageAccessUsers => {
                known.store(Reading::PageAccessUsers(shown(
                    &remote.page_access_users,
                    now,
                    |item| visible(item.created_at),
                )));
            }
            CollectionKind::PageAccessGroups => {
                known.store(Reading::PageAccessGroups(shown(
                    &remote.page_access_groups,
                    now,
                    |item| visible(item.created_at),
                )));
            }
            CollectionKind::OrganizationUsers => {
                known.store(Reading::OrganizationUsers(shown(
                    &remote.organization_users,
                    now,
                    |item| visible(item.created_at),
                )));
            }
            CollectionKind::StatusEmbed => known.status_embed.clone_from(&remote.status_embed),
            CollectionKind::SubscriberCounts => known.subscriber_counts.clone_from(&remote.subscriber_counts),
        }
    }

    pub(super) fn perform(&mut self, step: &Step) {
        let request = step.action.request().unwrap().clone();
        let at = |simulation: &Self| {
            simulation
                .declarations
                .iter()
                .position(|declaration| declaration.key == step.key)
        };
        if let Some(index) = at(self)
            && !self.declarations[index].finalizer
            && !self.declarations[index].deleting
        {
            if !self.store(|| format!("{} finalizer", step.key)) {
                return;
            }
            self.declarations[index].finalizer = true;
        }
        if step.action.is_journalled() {
            let index = at(self).unwrap();
            let journal = step.journal(format!("attempt-{}", self.effects), self.now).unwrap();
            if !self.store(|| format!("{} journal", step.key)) {
                return;
            }
            let declaration = &mut self.declarations[index];
            declaration.status_mut().object_mut().journal = Some(journal);
            declaration.stored = std::sync::Arc::clone(&declaration.status);
        }
        let fault = self.fault(|| format!("{} {} {request:?}", step.key, step.summary));
        match fault {
            Some(Fault::Crash) => self.crashed = true,
            Some(Fault::LostRequest) => self.ambiguous(step, &request),
            Some(Fault::LostReply) => {
                if self.refusal(&request).is_none() {
                    self.carry_out(step, &request);
                }
                self.ambiguous(step, &request);
            }
            None => self.answered(step, &request),
        }
    }

    /// Why the page does not take a request: terminal or not, and the reason.
    fn refusal(&self, request: &Request) -> Option<(bool, Reason)> {
        let told = self.refuse.as_ref().and_then(|refuse| refuse(request));
        told.or_else(|| is_taken(&self.remote, request).then_some((true, Reason::Rejected)))
    }

    fn carry_out(&mut self, step: &Step, request: &Request) -> (Reply, String) {
        self.next_id += 1;
        let id = format!("id{}", self.next_id);
        let reply = model::perform(&mut self.remote, request, &id, self.now);
        if let Some(keep) = &self.keep {
            keep(&mut self.remote);
        }
        let uid = self
            .declarations
            .iter()
            .find(|declaration| declaration.key == step.key)
            .map_or_else(String::new, |declaration| declaration.uid.clone());
        self.sent.push(Sent {
            key: step.key.clone(),
            uid,
            action: step.action.clone(),
            summary: step.summary.to_string(),
        });
        (reply, id)
    }

    fn answered(&mut self, step: &Step, request: &Request) {
        if let Some((terminal, reason)) = self.refusal(request) {
            if step.action.is_journalled() {
                for declaration in &mut self.declarations {
                    if declaration.key == step.key {
                        let journal = &mut declaration.status_mut().object_mut().journal;
                        *journal = journal.take().and_then(engine::undone);
                    }
                }
            }
            self.fail(&step.key, terminal, reason, "refused");
            return;
        }
        let planned = self.filled();
        let (reply, id) = self.carry_out(step, request);
        // The driver folds the reply into what it knows.
        let known_incident = match request {
            Request::UpdateIncident(id, _) | Request::UpdateIncidentUpdate(id, ..) => Some(id),
            _ => None,
        };
        self.known.time = self.now;
        match known_incident {
            Some(id) => {
                let incident = self.remote.incidents.as_ref().unwrap().get(id).cloned();
                if let Some(incident) = incident {
                    self.known.put(incident);
                }
            }
            None => {
                model::perform(&mut self.known, request, &id, self.now);
                if let Some(keep) = &self.keep {
                    keep(&mut self.known);
                }
            }
        }
        self.failures.remove(&step.key);
        if let (true, Status::StatusPage(page)) = (step.action.is_deletion(), self.page.status_mut()) {
            page.recent_deletions.push(Time(self.now));
            self.page.stored = std::sync::Arc::clone(&self.page.status);
        }
        if matches!(step.action, Action::Update(_)) {
            self.last_update = Some(step.clone());
        }
        for declaration in self.declarations.iter_mut().chain(std::iter::once(&mut self.page)) {
            // Recorded of what was planned, of which the store knows no more than the status.
            let mut after = declaration.clone();
            if let Some(planned) = planned.iter().find(|planned| planned.key == declaration.key) {
                after.spec.clone_from(&planned.spec);
                after.opened_by_template = planned.opened_by_template;
            }
            record(&mut after, step, &reply);
            declaration.status = after.status;
            declaration.id_annotation = after.id_annotation;
        }
        if let (Action::Create(_), engine::Reply::Created(id, _)) = (&step.action, &reply)
            && self.store(|| format!("{} record {id}", step.key))
        {
            self.annotate(&step.key, Some(id.clone()));
        }
    }

    fn ambiguous(&mut self, step: &Step, request: &Request) {
        let declared = self.declarations.iter().find(|declaration| declaration.key == step.key);
        let id = declared
            .and_then(|declaration| declaration.recorded_id())
            .map(str::to_owned);
        match (id, engine::object_kind(step.key.kind), &step.action) {
            (_, _, Action::Create(_) | Action::Provide(_) | Action::Replace(_)) => {}
            (Some(id), Some(kind), _) => self.known.doubt(kind, &id),
            _ => self.known.forget(request.collection()),
        }
        self.fail(&step.key, false, Reason::Unreachable, "lost");
    }
}

/// True for a creation with an address that somebody on the page has already.
fn is_taken(remote: &Snapshot, request: &Request) -> bool {
    fn same(one: Option<&String>, other: Option<&String>) -> bool {
        one.is_some() && one.map(|text| text.to_lowercase()) == other.map(|text| text.to_lowercase())
    }
    match request {
        Request::CreateSubscriber(write) => {
            let mut known = remote.subscribers.iter().flat_map(|list| &list.items);
            known.any(|known| same(write.email.as_ref(), known.email.as_ref()) && known.endpoint == write.endpoint)
        }
        Request::CreatePageAccessUser(write) => {
            let mut known = remote.page_access_users.iter().flat_map(|list| &list.items);
            known.any(|known| same(write.email.as_ref(), known.email.as_ref()))
        }
        Request::CreateOrganizationUser(write) => {
            let mut known = remote.organization_users.iter().flat_map(|list| &list.items);
            known.any(|known| same(write.email.as_ref(), known.email.as_ref()))
        }
        _ => false,
    }
}
