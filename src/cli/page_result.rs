//! How a page stands after it was worked on.

use std::sync::Arc;

use crate::driver::{PageDriver, Totals, View};
use crate::engine::{self, Declaration, Finding, ObjectKey, State};
use crate::store::directory::DirectoryStore;

/// How a page stands after its passes.
pub(super) struct PageResult {
    pub(super) key: ObjectKey,
    pub(super) address: Option<String>,
    pub(super) findings: Vec<Finding>,
    pub(super) totals: Totals,
    pub(super) stopped: bool,
    /// Why what was sent last, or is to be sent, cannot be recorded, if that is so.
    pub(super) unrecorded: Option<String>,
    /// What was looked at last.
    pub(super) view: Option<View>,
    /// The statuses that follow from it and are not stored yet.
    pub(super) statuses: Vec<(ObjectKey, Arc<engine::Status>)>,
}

impl PageResult {
    /// How a page stands, as the next plan sees it.
    pub(super) fn of(driver: &mut PageDriver<DirectoryStore>, stopped: bool) -> PageResult {
        let (address, findings, view, statuses) = match driver.current() {
            Some((view, plan)) => {
                let address = match &*view.page.status {
                    engine::Status::StatusPage(status) => status.object.url.clone(),
                    _ => None,
                };
                (address, plan.findings, Some(view), plan.statuses)
            }
            None => (None, Vec::new(), None, Vec::new()),
        };
        PageResult {
            key: driver.key().clone(),
            address,
            findings,
            totals: driver.totals(),
            stopped,
            unrecorded: driver.unrecorded().map(str::to_owned),
            view,
            statuses,
        }
    }

    /// A declaration as it is known now: what could not be recorded is in it, too.
    pub(super) fn declaration(&self, key: &ObjectKey) -> Option<Declaration> {
        let mut declaration = self.view.as_ref()?.get(key)?.clone();
        if let Some((_, status)) = self.statuses.iter().find(|(of, _)| of == key) {
            declaration.status.clone_from(status);
        }
        Some(declaration)
    }

    /// The findings that a person has to look at.
    pub(super) fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| !matches!(finding.state, State::InSync | State::Suspended))
    }
}
