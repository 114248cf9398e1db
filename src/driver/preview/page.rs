//! The page as it would be after what is foreseen: answers readings from what was read of the real page, and writes with
//! what the page would answer.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{NEW, is_new};
use crate::engine::{Failure, Read, ReadWhat, Reply, Request, Step, model};
use crate::statuspage::{Addressed, CollectionKind, Dated, Page, Snapshot};

/// A page that was read, to which nothing happens but what a driver sends.
#[derive(Debug)]
pub(in crate::driver) struct SupposedPage {
    known: Snapshot,
    /// What cannot be read of the real page.
    unreadable: BTreeMap<ReadWhat, Failure>,
    /// What was asked for and has to be read of the real page first.
    unknown: Vec<Read>,
    /// What was sent.
    steps: Vec<Step>,
}

/// The answer to a reading.
#[derive(Debug)]
pub(in crate::driver) enum Answer {
    /// The page, of those that the token sees.
    Page(Box<Page>),
    /// It is in the snapshot.
    Taken,
    /// It cannot be read of the real page either.
    Unreadable(Failure),
    /// It has to be read of the real page first.
    Unknown,
}

impl SupposedPage {
    pub(in crate::driver) fn new(known: Snapshot, unreadable: BTreeMap<ReadWhat, Failure>) -> Self {
        SupposedPage {
            known,
            unreadable,
            unknown: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// What has to be read of the real page before more can be foreseen.
    pub(in crate::driver) fn unknown(&self) -> &[Read] {
        &self.unknown
    }

    /// What has to be read first, and what was sent.
    pub(in crate::driver) fn into_parts(self) -> (Vec<Read>, Vec<Step>) {
        (self.unknown, self.steps)
    }

    /// Does what a step asks for, in what is known of the page and in what the driver knows.
    pub(in crate::driver) fn perform(&mut self, seen: &mut Snapshot, step: &Step, request: &Request) -> Reply {
        let new_id = format!("{NEW}{})", self.steps.len());
        self.steps.push(step.clone());
        self.known.time = seen.time;
        let reply = model::perform(&mut self.known, request, &new_id, seen.time);
        model::perform(seen, request, &new_id, seen.time);
        reply
    }

    /// Reads something, into what the driver knows.
    pub(in crate::driver) fn answer(&mut self, seen: &mut Snapshot, read: &Read, began: Timestamp) -> Answer {
        if let Some(failure) = self.unreadable.get(&read.what) {
            return Answer::Unreadable(failure.clone());
        }
        if let ReadWhat::Collection(CollectionKind::Page) = read.what
            && let Some(page) = &self.known.page
        {
            return Answer::Page(Box::new(page.clone()));
        }
        if self.take(seen, &read.what, began).is_some() {
            return Answer::Taken;
        }
        if !is_new(&read.what) {
            self.unknown.push(read.clone());
        }
        Answer::Unknown
    }

    fn take(&self, seen: &mut Snapshot, what: &ReadWhat, began: Timestamp) -> Option<()> {
        /// Takes over what is known of one object beside its list, as read now.
        fn again<T: Clone>(
            known: &BTreeMap<String, Dated<T>>,
            seen: &mut BTreeMap<String, Dated<T>>,
            id: &str,
            read_at: Timestamp,
        ) -> Option<()> {
            let value = known.get(id)?.value.clone();
            seen.insert(id.to_owned(), Dated { value, read_at });
            Some(())
        }
        let known = &self.known;
        match what {
            ReadWhat::Collection(list) => seen.store(known.read_again(*list, began)?),
            ReadWhat::Search(search) => return seen.search_again(known, search, began).then_some(()),
            ReadWhat::Object(kind, id) => match known.addressed(*kind, id) {
                Addressed::Shown(object) => seen.found(object, began),
                Addressed::Gone => seen.not_found(*kind, id, began),
                Addressed::Unknown => return None,
            },
            ReadWhat::Permissions(id) => again(&known.permissions, &mut seen.permissions, id, began)?,
            ReadWhat::UserComponents(id) => again(&known.user_components, &mut seen.user_components, id, began)?,
            ReadWhat::UserMetrics(id) => again(&known.user_metrics, &mut seen.user_metrics, id, began)?,
            ReadWhat::IncidentSubscribers(id) => {
                again(&known.incident_subscribers, &mut seen.incident_subscribers, id, began)?;
            }
            // What was created a moment ago has no uptime to speak of.
            ReadWhat::Uptime(id) | ReadWhat::GroupUptime(id) => match is_new(what) {
                true => {
                    let nothing = Dated {
                        value: None,
                        read_at: began,
                    };
                    seen.uptimes.insert(id.clone(), nothing);
                }
                false => again(&known.uptimes, &mut seen.uptimes, id, began)?,
            },
        }
        Some(())
    }
}
