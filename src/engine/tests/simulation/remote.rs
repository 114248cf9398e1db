//! The page's side: reading it, and what a request does to it.

use jiff::Timestamp;

use super::{Fault, Sent, Simulation};
use crate::api::Reason;
use crate::engine::{self, Action, Gate, ReadWhat, Reply, Request, Step, model, record};
use crate::statuspage::{Collection, CollectionKind, Dated, Snapshot};

/// A list as a request would show it now.
fn shown<T: Clone>(of: &Option<Collection<T>>, now: Timestamp, visible: impl Fn(&T) -> bool) -> Option<Collection<T>> {
    of.as_ref().map(|list| Collection {
        items: list.items.iter().filter(|item| visible(item)).cloned().collect(),
        read_at: now,
        complete: true,
    })
}

impl Simulation {
    pub(super) fn read(&mut self, what: &ReadWhat) {
        self.reads += 1;
        let (now, remote, known) = (self.now, &self.remote, &mut self.known);
        let newest = now.saturating_sub(self.lag).unwrap();
        let visible = |at: Option<Timestamp>| at.is_none_or(|at| at <= newest);
        let kind = match what {
            ReadWhat::Collection(kind) => *kind,
            ReadWhat::Permissions(user) => {
                let value = remote.permissions.get(user).map(|known| known.value.clone());
                let value = value.unwrap_or_default();
                known.store_permissions(user, Dated { value, read_at: now });
                return;
            }
            ReadWhat::UserComponents(user) => {
                let value = remote.user_components.get(user).map(|known| known.value.clone());
                let value = value.unwrap_or_default();
                known.store_user_components(user, Dated { value, read_at: now });
                return;
            }
            ReadWhat::UserMetrics(user) => {
                let value = remote.user_metrics.get(user).map(|known| known.value.clone());
                let value = value.unwrap_or_default();
                known.store_user_metrics(user, Dated { value, read_at: now });
                return;
            }
            // The simulated page has none of these.
            ReadWhat::IncidentSubscribers(_) | ReadWhat::Uptime(_) | ReadWhat::GroupUptime(_) => return,
            ReadWhat::Incident(id) => {
                match remote.incidents.as_ref().unwrap().get(id).cloned() {
                    Some(incident) => known.merge_incidents(vec![incident]),
                    None => {
                        self.missing.insert(id.clone());
                    }
                }
                return;
            }
        };
        match kind {
            CollectionKind::Page => {
                known.page.clone_from(&remote.page);
                self.page_read_at = Some(now);
                if remote.page.is_none() {
                    self.gate = Some(Gate {
                        reason: Reason::RemotePageNotFound,
                        message: "the token sees no such page".into(),
                        stalled: true,
                        until: None,
                    });
                }
            }
            CollectionKind::Components => {
                known.components = shown(&remote.components, now, |item| visible(item.created_at));
            }
            CollectionKind::Incidents => {
                known.incidents = shown(&remote.incidents, now, |item| visible(item.created_at));
            }
            CollectionKind::MetricsProviders => {
                known.metrics_providers = shown(&remote.metrics_providers, now, |item| visible(item.created_at));
            }
            CollectionKind::Metrics => {
                known.metrics = shown(&remote.metrics, now, |item| visible(item.created_at));
            }
            CollectionKind::Subscribers => {
                known.subscribers = shown(&remote.subscribers, now, |item| visible(item.created_at));
            }
            CollectionKind::Unsubscribed => known.unsubscribed = shown(&remote.unsubscribed, now, |_| true),
            CollectionKind::IncidentTemplates => {
                // Templates do not tell when they were created: these are shown at once.
                known.incident_templates = shown(&remote.incident_templates, now, |_| true);
            }
            CollectionKind::PageAccessUsers => {
                known.page_access_users = shown(&remote.page_access_users, now, |item| visible(item.created_at));
            }
            CollectionKind::PageAccessGroups => {
                known.page_access_groups = shown(&remote.page_access_groups, now, |item| visible(item.created_at));
            }
            CollectionKind::OrganizationUsers => {
                known.organization_users = shown(&remote.organization_users, now, |item| visible(item.created_at));
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
            std::sync::Arc::make_mut(&mut declaration.stored).object_mut().journal = Some(journal.clone());
            declaration.status.object_mut().journal = Some(journal);
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
            summary: step.summary.clone(),
        });
        (reply, id)
    }

    fn answered(&mut self, step: &Step, request: &Request) {
        if let Some((terminal, reason)) = self.refusal(request) {
            if step.action.is_journalled() {
                for declaration in &mut self.declarations {
                    if declaration.key == step.key {
                        let journal = &mut declaration.status.object_mut().journal;
                        *journal = journal.take().and_then(engine::undone);
                    }
                }
            }
            self.fail(&step.key, terminal, reason, "refused");
            return;
        }
        let (reply, id) = self.carry_out(step, request);
        // The driver folds the reply into what it knows.
        let known_incident = match request {
            Request::UpdateIncident(id, _) | Request::UpdateIncidentUpdate(id, ..) => Some(id),
            _ => None,
        };
        match known_incident {
            Some(id) => {
                let incident = self.remote.incidents.as_ref().unwrap().get(id).cloned();
                if let Some(incident) = incident {
                    self.known.put_incident(incident);
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
        if step.action.is_deletion() {
            self.deletions += 1;
        }
        if matches!(step.action, Action::Update(_)) {
            self.last_update = Some(step.clone());
        }
        for declaration in self.declarations.iter_mut().chain(std::iter::once(&mut self.page)) {
            record(declaration, step, &reply);
        }
        if let (Action::Create(_), engine::Reply::Created(id, _)) = (&step.action, &reply)
            && self.store(|| format!("{} record {id}", step.key))
        {
            self.annotate(&step.key, Some(id.clone()));
        }
    }

    fn ambiguous(&mut self, step: &Step, request: &Request) {
        self.known.forget(request.collection());
        if step.action.is_repeatable() {
            self.fail(&step.key, false, Reason::Unreachable, "lost");
        }
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
