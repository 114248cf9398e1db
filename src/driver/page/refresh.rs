//! What a driver looks at before it plans: the store, and how the page is reached.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{PageDriver, PageOptions, Seen, organization};
use crate::api::{Kind, Reason};
use crate::causes::with_causes;
use crate::driver::{Access, Observer, Store, View};
use crate::engine::{self, CircuitBreaker, Declaration, ObjectKey, Plan, REQUEST_LIFE, SealKey, Spec};
use crate::statuspage::{Client, CollectionKind, Error, Lag, Snapshot};

/// Which remote page is meant: with another one, nothing that was known is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    base_url: String,
    page: Option<String>,
    subdomain: Option<String>,
    organization: Option<String>,
}

impl<S: Store> PageDriver<S> {
    /// Looks at the store, adds what is known but not stored yet, and takes the page's address and token.
    pub(super) fn refresh_view(&mut self) -> Option<View> {
        let mut view = self.store.view(&self.key)?;
        let now = self.options.clock.steady();
        self.aim(&view);
        if self.shows_earlier_requests_at().is_some_and(|at| now >= at) {
            // As if everybody had asked for it now.
            self.took_over = None;
            self.seen.values_mut().for_each(|seen| seen.at = now);
        }
        self.connect(&view, now);
        for declaration in view.declarations.iter_mut().chain(std::iter::once(&mut view.page)) {
            self.add_unsaved(declaration);
            self.note(declaration, now);
        }
        engine::fill_templates(&mut view.declarations, &self.snapshot);
        self.heed_templates(&view, now);
        self.first_view.get_or_insert(now);
        let all = || view.declarations.iter().chain(std::iter::once(&view.page));
        // Everything in the view was just seen: with more than that something is gone.
        if self.seen.len() > view.declarations.len() + 1 {
            let uids: HashSet<&str> = all().map(|declaration| declaration.uid.as_str()).collect();
            self.seen.retain(|uid, _| uids.contains(uid.as_str()));
            self.contest.retain(|key| view.get(key).is_some());
        }
        self.failures.retain(|key, _| view.get(key).is_some());
        self.unsaved.retain(|key, _| view.get(key).is_some());
        #[cfg(test)]
        crate::simulation::bugs::distort_view(&mut view);
        Some(view)
    }

    /// When everything shows on the page that the process before this one can have sent.
    pub(super) fn shows_earlier_requests_at(&self) -> Option<Timestamp> {
        let lag = self.snapshot.lag_of(CollectionKind::Components);
        let lag = SignedDuration::try_from(lag).unwrap_or(SignedDuration::MAX);
        let after = |at: Timestamp, by| at.saturating_add(by).unwrap_or(Timestamp::MAX);
        Some(after(after(self.took_over?, REQUEST_LIFE), lag))
    }

    /// Drops what was read of single objects that no declaration records: who writes records first what it has found. Who
    /// only looks records nothing, and keeps it. That something was not there is kept for a while: an object that a declaration
    /// had before is asked for as long as a list may still show it, and not in every pass.
    pub(super) fn forget_unrecorded(&mut self, view: &View) {
        if self.snapshot.examined.is_empty() {
            return;
        }
        let all = view.declarations.iter().chain(std::iter::once(&view.page));
        let ids: HashSet<&str> = all.filter_map(Declaration::recorded_id).collect();
        let recently = engine::proofs_hold_from(self.options.clock.steady());
        self.snapshot.examined_only(|id, examined| {
            ids.contains(id) || examined.missing.is_some_and(|missing| missing.last >= recently)
        });
    }

    /// A template that was edited a moment ago gives the incidents that begin with it another chance.
    fn heed_templates(&mut self, view: &View, now: Timestamp) {
        if self.failures.is_empty() {
            return;
        }
        for incident in &view.declarations {
            let Spec::Incident(spec) = &*incident.spec else {
                continue;
            };
            let Some(named) = &spec.template_ref else { continue };
            let key = ObjectKey::new(Kind::IncidentTemplate, incident.key.namespace.clone(), &named.name);
            let edited = view.get(&key).is_some_and(|template| template.spec_seen == now);
            if edited && incident.recorded_id().is_none() {
                self.give_another_chance(&incident.key, None, &[]);
            }
        }
    }

    /// Looks at one declaration again: what this process did since the plan, and what others did, is in it.
    pub(super) fn refresh_declaration(&mut self, key: &ObjectKey) -> Option<Declaration> {
        let mut declaration = self.store.declaration(&self.key, key)?;
        self.add_unsaved(&mut declaration);
        self.note(&mut declaration, self.options.clock.steady());
        Some(declaration)
    }

    /// Adds what is known but not stored yet.
    fn add_unsaved(&mut self, declaration: &mut Declaration) {
        let Some(known) = self.unsaved.get(&declaration.key) else {
            return;
        };
        let stored = known.status == declaration.status && known.id_annotation == declaration.id_annotation;
        if stored || known.uid != declaration.uid {
            // The store has caught up, or it is about another object: its word counts, changes by people included.
            self.unsaved.remove(&declaration.key);
        } else {
            declaration.status.clone_from(&known.status);
            declaration.id_annotation.clone_from(&known.id_annotation);
        }
    }

    /// Where nothing is left to write the store says the same as we do, or somebody else has said it: from here on its word
    /// counts.
    pub(super) fn forget_what_is_stored(&mut self, plan: &Plan) {
        if self.unsaved.is_empty() {
            return;
        }
        let told: HashSet<&ObjectKey> = plan.findings.iter().map(|finding| &finding.key).collect();
        let unsaved = plan.statuses.iter().map(|(key, _)| key);
        let open: HashSet<&ObjectKey> = unsaved.chain(plan.steps.iter().map(|step| &step.key)).collect();
        self.unsaved.retain(|key, _| !told.contains(key) || open.contains(key));
    }

    /// Dates what is new about a declaration, and gives it another chance when its owner has touched it.
    fn note(&mut self, declaration: &mut Declaration, now: Timestamp) {
        let fresh = self.first_view.is_some();
        if !self.seen.contains_key(&declaration.uid) {
            let seen = Seen {
                requested_at: declaration.requested_at.clone(),
                generation: declaration.generation,
                at: now,
                spec_at: now,
                fresh,
                attempt: None,
            };
            self.seen.insert(declaration.uid.clone(), seen);
        }
        let Some(seen) = self.seen.get_mut(&declaration.uid) else {
            return;
        };
        let asked = seen.requested_at != declaration.requested_at;
        let edited = seen.generation != declaration.generation;
        if asked {
            seen.requested_at.clone_from(&declaration.requested_at);
            seen.at = now;
        }
        if edited {
            seen.spec_at = now;
        }
        seen.generation = declaration.generation;
        let attempt = declaration
            .status
            .object()
            .journal
            .as_ref()
            .map(|journal| &journal.attempt);
        seen.attempt = match (seen.attempt.take(), attempt) {
            (Some((known, at)), Some(attempt)) if known == *attempt => Some((known, at)),
            (_, Some(attempt)) => Some((attempt.clone(), now)),
            (_, None) => None,
        };
        declaration.seen = seen.at;
        declaration.spec_seen = seen.spec_at;
        declaration.fresh |= seen.fresh;
        declaration.attempt_seen = seen.attempt.as_ref().map(|(_, at)| *at);
        if asked || edited {
            let is_page = declaration.key.kind == Kind::StatusPage;
            let lists = match is_page {
                true => CollectionKind::ALL.to_vec(),
                false => vec![engine::list_of(declaration.key.kind)],
            };
            let id = declaration.recorded_id().map(str::to_owned);
            self.give_another_chance(&declaration.key, id.as_deref(), &lists);
            if is_page
                && self
                    .circuit_breaker
                    .as_ref()
                    .is_some_and(|circuit_breaker| circuit_breaker.until.is_some())
            {
                self.circuit_breaker = None;
            }
        }
    }

    /// Drops all that is known when the declaration means another page, address or organization than before.
    fn aim(&mut self, view: &View) {
        let (Spec::StatusPage(spec), Ok(access)) = (&*view.page.spec, &view.access) else {
            return;
        };
        self.snapshot.lag = spec
            .api
            .list_lag
            .as_deref()
            .and_then(crate::api::parse_duration)
            .map_or_else(Lag::default, Lag::of_lists);
        let target = Target {
            base_url: access.base_url.to_string(),
            page: spec.page_id.clone(),
            subdomain: spec.subdomain.clone(),
            organization: organization(view),
        };
        if self.target.as_ref() == Some(&target) {
            return;
        }
        if self.target.is_some() {
            tracing::info!(page = %self.key, "the StatusPage means another page now: everything known is forgotten");
            self.forget();
        }
        // An id that is given needs not be found first.
        self.page_id.clone_from(&spec.page_id);
        self.target = Some(target);
    }

    fn forget(&mut self) {
        let lag = self.snapshot.lag;
        self.snapshot = Snapshot::default();
        self.snapshot.lag = lag;
        self.page_id = None;
        self.page_read_at = None;
        self.circuit_breaker = None;
        self.failed_probes = 0;
        self.silence = 0;
        self.ever_reached = false;
        self.failures.clear();
        self.read_failures.clear();
        self.unfinished.clear();
        self.last_updates.clear();
        for seen in self.seen.values_mut() {
            seen.fresh = false;
        }
    }

    fn connect(&mut self, view: &View, now: Timestamp) {
        let access = match &view.access {
            Ok(access) => access,
            Err((reason, message)) => {
                self.totals.requests = self.totals().requests;
                self.client = None;
                self.circuit_breaker = Some(CircuitBreaker {
                    reason: *reason,
                    message: message.clone(),
                    stalled: true,
                    lets_incidents_pass: false,
                    until: None,
                });
                return;
            }
        };
        let fingerprint = format!("{} {}", access.base_url, access.token.fingerprint());
        if self.client.as_ref().is_none_or(|(known, _)| *known != fingerprint) {
            // Another token or address: everything known about the connection is void.
            self.circuit_breaker = None;
            self.failed_probes = 0;
            self.failures.clear();
            self.read_failures.clear();
            self.unfinished.clear();
            self.totals.requests = self.totals().requests;
            // Whether it is accepted shows at once, not when the page is read next.
            if let (Some(_), Some(page)) = (self.page_read_at, self.seen.get_mut(&view.page.uid)) {
                page.at = now;
            }
            self.seal_key = Some(SealKey::of_token(&access.token));
            let observer = self.observer.clone();
            match client_for(&self.options, access, observer) {
                Ok(client) => self.client = Some((fingerprint, client)),
                Err(error) => {
                    self.client = None;
                    self.circuit_breaker = Some(CircuitBreaker {
                        reason: Reason::Invalid,
                        message: with_causes(&error),
                        stalled: true,
                        lets_incidents_pass: false,
                        until: None,
                    });
                }
            }
        }
        let over = |circuit_breaker: &CircuitBreaker| circuit_breaker.until.is_some_and(|until| now >= until);
        if self.circuit_breaker.as_ref().is_some_and(over) {
            self.circuit_breaker = None;
        }
    }

    /// The client for this page, and the id of the page, or what stands for it until that is known.
    pub(super) fn connection(&self) -> Option<(Client, String)> {
        let (_, client) = self.client.as_ref()?;
        let page = self.page_id.clone().unwrap_or_else(|| self.key.to_string());
        Some((client.for_page(&page), page))
    }
}

fn client_for(options: &PageOptions, access: &Access, observer: Option<Arc<dyn Observer>>) -> Result<Client, Error> {
    let mut builder = access.client(&options.budgets);
    if let Some(observer) = observer {
        builder = builder.observer(observer);
    }
    if let Some(transport) = &options.transport {
        builder = builder.transport(Arc::clone(transport));
    }
    builder.build()
}
