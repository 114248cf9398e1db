//! Reading lists and objects of the page.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::give_way::{Way, giving_way};
use super::{PageDriver, organization};
use crate::api::{Kind, Reason};
use crate::causes::with_causes;
use crate::driver::{Interrupt, Store, View, pages_seen};
use crate::engine::{Read, ReadWhat, Spec};
use crate::statuspage::{
    Bookmark, Client, CollectionKind, Dated, Error, ErrorClass, MeantSubscribers, Object, Page, PageHandle, Permit,
    Priority, Reading, Search, Snapshot, Trace, Uptime, UptimeRange,
};

/// So long a reply is waited for at first that is read for an incident.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
/// So often the same is read in one pass while nothing else happens.
const REREADS: u32 = 16;
/// A list of several pages that was put aside is gone on with for so long after it was begun.
const GONE_ON_WITH: SignedDuration = SignedDuration::from_mins(10);

/// The range that the page itself shows.
fn whole_uptime() -> UptimeRange {
    UptimeRange {
        skip_related_events: true,
        ..Default::default()
    }
}

/// The subscribers that are declared.
fn meant_subscribers(view: &View) -> MeantSubscribers {
    let mut meant = MeantSubscribers::default();
    for declaration in &view.declarations {
        let Spec::Subscriber(spec) = &*declaration.spec else {
            continue;
        };
        match (&spec.webhook, &spec.sms, &spec.email) {
            (Some(_), ..) => meant.webhooks = true,
            (None, Some(_), _) => meant.sms = true,
            (None, None, email) => meant.emails.extend(email.clone()),
        }
    }
    meant
}

impl<S: Store> PageDriver<S> {
    /// Reads something. What was put aside for an incident, or for the end of the process, is wanted by the next plan again,
    /// and goes on where it was left. It is as old as its first page: what was read later is taken for no newer.
    pub(super) async fn read(
        &mut self,
        view: &View,
        client: &Client,
        page_id: &str,
        read: &Read,
        permit: Permit,
        interrupt: &Interrupt,
    ) {
        self.count(|totals| totals.reads += 1);
        let now = self.options.clock.steady();
        if self.is_going_in_circles(&read.what) {
            permit.release_unused();
            return;
        }
        if self.supposed.is_some() {
            permit.release_unused();
            return self.read_supposed(read, now);
        }
        let (began, bookmark) = self.begun(&read.what, now);
        self.unanswered.asked();
        let trace = Trace::default();
        let client = client
            .with_priority(read.priority)
            .with_permit(permit)
            .with_trace(&trace)
            .with_bookmark(&bookmark);
        let page = client.page(page_id).in_organization(organization(view));
        let store = Arc::clone(&self.store);
        let patience = self.patience(read);
        let way = match read.priority {
            Priority::Incident => Way::GivesToTheEnd,
            _ => Way::GivesToAll,
        };
        let reading = self.read_what(view, &client, &page, &read.what, began);
        let result = match tokio::time::timeout(patience, giving_way(&*store, view, interrupt, way, reading)).await {
            Ok(Some(result)) => result,
            Ok(None) => return self.leave_off(&read.what, began, bookmark),
            Err(_) => {
                self.count(|totals| totals.failures += 1);
                let message = format!(
                    "no answer within {} s and an incident is waiting; retrying",
                    patience.as_secs()
                );
                tracing::info!(page = %self.key, what = ?read.what, message, "a read was put aside");
                self.leave_off(&read.what, began, bookmark);
                return self.fail_reading(&read.what, false, Reason::Unreachable, message);
            }
        };
        self.observe_clock(&trace);
        match result {
            Ok(()) => {
                self.reached();
                self.read_failures.remove(&read.what);
            }
            Err(error) => {
                self.leave_off(&read.what, began, bookmark);
                self.read_failed(view, &read.what, &error);
            }
        }
    }

    /// When a reading began, and what there is of it: that of one that was left off a short while ago, or a new one.
    fn begun(&mut self, what: &ReadWhat, now: Timestamp) -> (Timestamp, Bookmark) {
        let left = self.unfinished.remove(what);
        left.filter(|(began, _)| now.duration_since(*began) < GONE_ON_WITH)
            .unwrap_or_else(|| (now, Bookmark::default()))
    }

    /// Keeps what there is of a reading that has not come to its end.
    fn leave_off(&mut self, what: &ReadWhat, began: Timestamp, bookmark: Bookmark) {
        if !bookmark.is_empty() {
            self.unfinished.insert(what.clone(), (began, bookmark));
        }
    }

    /// How long a reply is waited for. What is read for an incident is put aside soon, and waited for twice as long each time:
    /// the incident may be able to go without it.
    fn patience(&self, read: &Read) -> Duration {
        let failed = self.read_failures.get(&read.what).map_or(0, |failure| failure.attempts);
        match read.priority {
            Priority::Incident => FIRST_PATIENCE.saturating_mul(1 << failed.min(6)),
            _ => Duration::MAX,
        }
    }

    /// True when the same was read again and again in one pass, and nothing came of it: no loop of ours may burn the
    /// budget of a token.
    fn is_going_in_circles(&mut self, what: &ReadWhat) -> bool {
        let times = self.rereads.entry(what.clone()).or_default();
        *times += 1;
        if *times <= REREADS {
            return false;
        }
        *times = 0;
        tracing::warn!(page = %self.key, ?what, "read again and again without progress; pausing");
        let message = "it was read again and again without progress".to_owned();
        self.fail_reading(what, false, Reason::Progressing, message);
        true
    }

    async fn read_what(
        &mut self,
        view: &View,
        client: &Client,
        page: &PageHandle,
        what: &ReadWhat,
        began: Timestamp,
    ) -> Result<(), Error> {
        match what {
            ReadWhat::Collection(CollectionKind::Page) => self.read_page(view, client).await?,
            ReadWhat::Collection(CollectionKind::Subscribers) => {
                let read = page.read_subscribers(&meant_subscribers(view), began).await?;
                self.snapshot.store(Reading::Subscribers(read));
            }
            ReadWhat::Collection(kind) => {
                let reading = page.read(*kind, began).await?;
                self.snapshot.store(reading);
            }
            ReadWhat::Search(search) => {
                let complete = match search {
                    Search::Incidents(words) => {
                        let found = page.incidents().search(words).await?;
                        self.snapshot.merge_incidents(found.items, began);
                        found.complete
                    }
                    Search::IncidentView(view) => {
                        let found = page.incidents().view(*view).await?;
                        self.snapshot.merge_incidents(found.items, began);
                        found.complete
                    }
                    Search::Subscribers(words) => {
                        let found = page.subscribers().search(words).await?;
                        self.snapshot.merge_subscribers(found.items, began);
                        found.complete
                    }
                };
                // Pages that do not fit together show what is there, and not what is absent.
                if complete {
                    self.snapshot.searched(search.clone(), began);
                }
            }
            ReadWhat::Object(kind, id) => match page.read_object(*kind, id).await {
                // A group is answered under the address of components too, and is none.
                Ok(Object::Component(row)) if row.group => self.snapshot.not_found(*kind, id, began),
                Ok(object) => self.snapshot.found(object, began),
                Err(error) if error.is_not_found() => self.snapshot.not_found(*kind, id, began),
                Err(error) => return Err(error),
            },
            ReadWhat::IncidentSubscribers(incident) => {
                let read = page.incidents().subscribers(incident).list().await;
                let (owner, read) = ((Kind::Incident, incident), read.map(|read| read.items));
                self.part_read(view, owner, began, read, |known| &mut known.incident_subscribers)?;
            }
            ReadWhat::Uptime(id) => {
                let uptime = page.components().uptime(id, &whole_uptime()).await;
                self.uptime_read(id, began, uptime)?;
            }
            ReadWhat::GroupUptime(id) => {
                let uptime = page.component_groups().uptime(id, &whole_uptime()).await;
                self.uptime_read(id, began, uptime)?;
            }
            ReadWhat::UserComponents(user) => {
                let read = page.page_access_users().components(user).ids().await;
                let owner = (Kind::PageAccessUser, user);
                self.part_read(view, owner, began, read, |known| &mut known.user_components)?;
            }
            ReadWhat::UserMetrics(user) => {
                let read = page.page_access_users().metrics(user).ids().await;
                let owner = (Kind::PageAccessUser, user);
                self.part_read(view, owner, began, read, |known| &mut known.user_metrics)?;
            }
            ReadWhat::Permissions(user) => {
                let read = async { page.own_organization()?.permissions(user).await }.await;
                let owner = (Kind::OrganizationUser, user);
                self.part_read(view, owner, began, read, |known| &mut known.permissions)?;
            }
        }
        Ok(())
    }

    /// Takes note of what the clock of the remote service shows.
    pub(super) fn observe_clock(&mut self, trace: &Trace) {
        let ids = trace.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(date) = ids.date.filter(|_| !ids.cached) {
            self.remote_clock.observe(date, self.options.clock.steady());
        }
    }

    /// All pages of the token in one request: id, subdomain and settings.
    async fn read_page(&mut self, view: &View, client: &Client) -> Result<(), Error> {
        let Spec::StatusPage(spec) = &*view.page.spec else {
            return Ok(());
        };
        let mut pages = client.pages().list().await?.items;
        self.reached();
        let label = |page: &Page| {
            page.subdomain
                .as_deref()
                .unwrap_or_default()
                .trim_end_matches(".statuspage.io")
                .to_ascii_lowercase()
        };
        let found = pages.iter().position(|page| match (&spec.page_id, &spec.subdomain) {
            (Some(id), _) => page.id == *id,
            (None, Some(subdomain)) => label(page) == subdomain.trim_end_matches(".statuspage.io").to_ascii_lowercase(),
            (None, None) => false,
        });
        // Found by its id it is the page that is meant; a subdomain may be given to another one.
        let known = view.page.recorded_id().filter(|_| spec.page_id.is_none());
        match found.map(|found| pages.swap_remove(found)) {
            Some(page) if known.is_some_and(|known| known != page.id) => {
                self.page_missed = self.page_missed.saturating_add(1);
                let (subdomain, known) = (label(&page), known.unwrap_or_default());
                let message = format!(
                    "subdomain {subdomain} is page {} now, and what is recorded is of page {known}: nothing is sent to a \
                     page that may not be meant; write pageId: {} or pageId: {known} in place of subdomain",
                    page.id, page.id
                );
                self.close(view, Reason::RemotePageNotFound, message, true);
            }
            Some(page) => self.take_page(page),
            None => {
                self.page_missed = self.page_missed.saturating_add(1);
                let wanted = match (&spec.page_id, &spec.subdomain) {
                    (Some(id), _) => format!("id {id}"),
                    (None, subdomain) => format!("subdomain {}", subdomain.as_deref().unwrap_or_default()),
                };
                let message = format!(
                    "the token sees no page with {wanted}, {}: correct it, or use a token of a user who may see the page",
                    pages_seen(&pages)
                );
                self.close(view, Reason::RemotePageNotFound, message, true);
            }
        }
        Ok(())
    }

    /// Takes the page of those that the token sees.
    pub(super) fn take_page(&mut self, page: Page) {
        self.page_missed = 0;
        self.page_id = Some(page.id.clone());
        self.page_read_at = Some(self.options.clock.steady());
        self.snapshot.page = Some(page);
    }

    /// Stores what belongs to one object. What cannot be read of it is a matter of its declaration alone.
    fn part_read<T>(
        &mut self,
        view: &View,
        (kind, id): (Kind, &String),
        read_at: Timestamp,
        read: Result<T, Error>,
        parts: fn(&mut Snapshot) -> &mut BTreeMap<String, Dated<T>>,
    ) -> Result<(), Error> {
        match read {
            Ok(value) => {
                parts(&mut self.snapshot).insert(id.clone(), Dated { value, read_at });
                Ok(())
            }
            Err(error) if matches!(error.class(), ErrorClass::NotFound | ErrorClass::Terminal) => {
                self.count(|totals| totals.failures += 1);
                self.reached();
                let mut declarations = view.declarations.iter();
                let owner = declarations
                    .find(|declaration| declaration.key.kind == kind && declaration.recorded_id() == Some(id.as_str()));
                let terminal = error.class() == ErrorClass::Terminal;
                let reason = if terminal {
                    Reason::Rejected
                } else {
                    Reason::RemoteDeleted
                };
                if let Some(owner) = owner {
                    self.fail(view, &owner.key, terminal, reason, with_causes(&error));
                }
                self.doubt(kind, id);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// An uptime that the page does not show is known too: it stops nothing.
    fn uptime_read(&mut self, id: &str, read_at: Timestamp, uptime: Result<Uptime, Error>) -> Result<(), Error> {
        let value = match uptime {
            Ok(uptime) => Some(uptime),
            Err(error) if matches!(error.class(), ErrorClass::NotFound | ErrorClass::Terminal) => {
                tracing::debug!(id, %error, "the page shows no uptime");
                None
            }
            Err(error) => return Err(error),
        };
        self.snapshot.uptimes.insert(id.to_owned(), Dated { value, read_at });
        Ok(())
    }
}
