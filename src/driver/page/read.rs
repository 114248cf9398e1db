//! Reading lists of the page, and what a failed read means.

use std::time::Duration;

use jiff::Timestamp;

use super::{PageDriver, described, organization};
use crate::api::{Kind, Reason};
use crate::driver::{Store, View};
use crate::engine::{self, Gate, Read, ReadWhat, Spec};
use crate::statuspage::{
    Client, CollectionKind, Dated, Error, ErrorClass, Page, Permit, Snapshot, Uptime, UptimeRange,
};

/// The range that the page itself shows.
fn whole_uptime() -> UptimeRange {
    UptimeRange {
        skip_related_events: true,
        ..Default::default()
    }
}

impl<S: Store> PageDriver<S> {
    pub(super) async fn read(&mut self, view: &View, client: &Client, page_id: &str, read: &Read, permit: Permit) {
        self.totals.reads += 1;
        let began = self.options.clock.now();
        let client = client.with_priority(read.priority).with_permit(permit);
        let page = client.page(page_id).in_organization(organization(view));
        match &read.what {
            ReadWhat::Collection(CollectionKind::Page) => self.read_page(view, &client).await,
            ReadWhat::Collection(kind) => match page.read(*kind).await {
                Ok(reading) => {
                    self.snapshot.store(reading.begun_at(began));
                    self.read_failures.remove(kind);
                    self.reached();
                }
                Err(error) => self.read_failed(view, Some(*kind), &error),
            },
            ReadWhat::Incident(id) => match page.incidents().get(id).await {
                Ok(incident) => {
                    self.snapshot.merge_incidents(vec![incident]);
                    self.reached();
                }
                Err(error) if error.is_not_found() => {
                    self.missing_incidents.insert(id.clone());
                }
                Err(error) => self.read_failed(view, Some(CollectionKind::Incidents), &error),
            },
            ReadWhat::IncidentSubscribers(incident) => {
                let owner = (Kind::Incident, incident.as_str(), CollectionKind::Incidents);
                let read = page.read_incident_subscribers(incident).await;
                self.part_read(view, owner, began, read, Snapshot::store_incident_subscribers);
            }
            ReadWhat::Uptime(id) => {
                let uptime = page.components().uptime(id, &whole_uptime()).await;
                self.uptime_read(view, id, began, uptime);
            }
            ReadWhat::GroupUptime(id) => {
                let uptime = page.component_groups().uptime(id, &whole_uptime()).await;
                self.uptime_read(view, id, began, uptime);
            }
            ReadWhat::UserComponents(user) => {
                let owner = (Kind::PageAccessUser, user.as_str(), CollectionKind::PageAccessUsers);
                let read = page.read_user_components(user).await;
                self.part_read(view, owner, began, read, Snapshot::store_user_components);
            }
            ReadWhat::UserMetrics(user) => {
                let owner = (Kind::PageAccessUser, user.as_str(), CollectionKind::PageAccessUsers);
                let read = page.read_user_metrics(user).await;
                self.part_read(view, owner, began, read, Snapshot::store_user_metrics);
            }
            ReadWhat::Permissions(user) => {
                let owner = (Kind::OrganizationUser, user.as_str(), CollectionKind::OrganizationUsers);
                let read = page.read_permissions(user).await;
                self.part_read(view, owner, began, read, Snapshot::store_permissions);
            }
        }
    }

    /// All pages of the token in one request: id, subdomain and settings.
    pub(super) async fn read_page(&mut self, view: &View, client: &Client) {
        let Spec::StatusPage(spec) = &*view.page.spec else {
            return;
        };
        let pages = match client.pages().list().await {
            Ok(pages) => pages.items,
            Err(error) => return self.read_failed(view, None, &error),
        };
        self.reached();
        let label = |page: &Page| {
            page.subdomain
                .as_deref()
                .unwrap_or_default()
                .trim_end_matches(".statuspage.io")
                .to_ascii_lowercase()
        };
        let found = pages.into_iter().find(|page| match (&spec.page_id, &spec.subdomain) {
            (Some(id), _) => page.id == *id,
            (None, Some(subdomain)) => label(page) == subdomain.trim_end_matches(".statuspage.io").to_ascii_lowercase(),
            (None, None) => false,
        });
        match found {
            Some(page) => {
                self.page_id = Some(page.id.clone());
                self.page_read_at = Some(self.options.clock.now());
                self.snapshot.page = Some(page);
            }
            None => {
                let wanted = match (&spec.page_id, &spec.subdomain) {
                    (Some(id), _) => format!("id {id}"),
                    (None, subdomain) => format!("subdomain {}", subdomain.as_deref().unwrap_or_default()),
                };
                let message = format!(
                    "the token sees no page with {wanted}: correct it, or use a token of a user who may see the page"
                );
                self.close(view, Reason::RemotePageNotFound, message, true);
            }
        }
    }

    pub(super) fn reached(&mut self) {
        self.gate_attempts = 0;
    }

    pub(super) fn read_failed(&mut self, view: &View, kind: Option<CollectionKind>, error: &Error) {
        self.totals.failures += 1;
        match (error.class(), kind) {
            // The client has paused the budget of the token.
            (ErrorClass::Throttled { .. }, _) => {}
            (ErrorClass::Unauthorized, _) => self.close(view, Reason::Unauthorized, described(error), true),
            (ErrorClass::NotFound, Some(kind)) if !kind.is_on_every_page() => {
                self.read_refused(kind, Reason::RemoteNotFound, described(error));
            }
            (ErrorClass::NotFound, _) => {
                // The list of a page is never missing unless the page is.
                self.page_id = None;
                self.snapshot = Snapshot::default();
                self.close(view, Reason::RemotePageNotFound, described(error), true);
            }
            (ErrorClass::Terminal, Some(kind)) => {
                self.read_refused(kind, Reason::Rejected, described(error));
            }
            (ErrorClass::Terminal, None) => self.close(view, Reason::Rejected, described(error), true),
            (ErrorClass::Transient | ErrorClass::Ambiguous, _) => {
                self.close(view, Reason::Unreachable, described(error), false);
            }
        }
    }

    /// Stores what belongs to one object: a kind, an id, and the list that the object is in.
    fn part_read<T>(
        &mut self,
        view: &View,
        owner: (Kind, &str, CollectionKind),
        began: Timestamp,
        read: Result<Dated<T>, Error>,
        store: fn(&mut Snapshot, &str, Dated<T>),
    ) {
        let (kind, id, list) = owner;
        match read {
            Ok(part) => {
                let part = Dated { read_at: began, ..part };
                store(&mut self.snapshot, id, part);
                self.reached();
            }
            Err(error) => self.part_failed(view, kind, id, list, &error),
        }
    }

    /// What belongs to one object cannot be read: a matter of its declaration, not of the whole list.
    fn part_failed(&mut self, view: &View, kind: Kind, id: &str, list: CollectionKind, error: &Error) {
        let mut declarations = view.declarations.iter();
        let owner = declarations
            .find(|declaration| declaration.key.kind == kind && declaration.recorded_id() == Some(id))
            .map(|declaration| &declaration.key);
        match (error.class(), owner) {
            (ErrorClass::NotFound, owner) => {
                self.totals.failures += 1;
                if let Some(key) = owner {
                    self.fail(view, key, false, Reason::RemoteDeleted, described(error));
                }
                self.snapshot.forget(list);
            }
            (ErrorClass::Terminal, Some(key)) => {
                self.totals.failures += 1;
                self.fail(view, key, true, Reason::Rejected, described(error));
            }
            _ => self.read_failed(view, Some(list), error),
        }
    }

    /// An uptime that the page does not show is known too: it stops nothing.
    fn uptime_read(&mut self, view: &View, id: &str, read_at: Timestamp, uptime: Result<Uptime, Error>) {
        let value = match uptime {
            Ok(uptime) => Some(uptime),
            Err(error) if matches!(error.class(), ErrorClass::NotFound | ErrorClass::Terminal) => {
                tracing::debug!(id, %error, "the page shows no uptime");
                None
            }
            Err(error) => return self.read_failed(view, Some(CollectionKind::Components), &error),
        };
        self.snapshot.store_uptime(id, Dated { value, read_at });
        self.reached();
    }

    /// One list cannot be read, the others can.
    pub(super) fn read_refused(&mut self, kind: CollectionKind, reason: Reason, message: String) {
        let attempts = self.read_failures.get(&kind).map_or(0, |failure| failure.attempts) + 1;
        let failure = self.failure(true, reason, message, attempts, 0);
        self.read_failures.insert(kind, failure);
    }

    /// Sends nothing to the page until a pause is over, longer each time.
    pub(super) fn close(&mut self, view: &View, reason: Reason, message: String, stalled: bool) {
        self.gate_attempts += 1;
        let now = self.options.clock.now();
        let spec = match &*view.page.spec {
            Spec::StatusPage(spec) => Some(&**spec),
            _ => None,
        };
        // One probe an interval for what people have to mend, backoff for what passes.
        let until = if stalled {
            now.saturating_add(engine::resync_interval(spec))
                .unwrap_or(Timestamp::MAX)
        } else {
            let interval = engine::resync_interval(spec);
            let pause = Duration::from_secs(1_u64 << self.gate_attempts.saturating_sub(1).min(8)).min(interval);
            now.saturating_add(pause.mul_f64(1.0 + self.jitter() / 10.0))
                .unwrap_or(Timestamp::MAX)
        };
        self.gate = Some(Gate {
            reason,
            message,
            stalled,
            until: Some(until),
        });
    }
}
