//! What a driver looks at before it plans: the store, and how the page is reached.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{PageDriver, PageOptions, described};
use crate::api::Reason;
use crate::driver::{Access, Store, View};
use crate::engine::{Gate, ObjectKey};
use crate::statuspage::{Client, Error, Snapshot};

impl<S: Store> PageDriver<S> {
    /// Looks at the store, adds what is known but not stored yet, and takes the page's address and token.
    pub(super) fn look(&mut self) -> Option<View> {
        let mut view = self.store.view(&self.key)?;
        let now = self.options.clock.now();
        let mut uids = BTreeSet::new();
        for declaration in view.declarations.iter_mut().chain(std::iter::once(&mut view.page)) {
            uids.insert(declaration.uid.clone());
            let entry = self
                .seen
                .entry(declaration.uid.clone())
                .or_insert_with(|| (declaration.requested_at.clone(), now));
            if entry.0 != declaration.requested_at {
                *entry = (declaration.requested_at.clone(), now);
                self.failures.remove(&declaration.key);
            }
            declaration.seen = entry.1;
            if let Some(known) = self.knowledge.get(&declaration.key) {
                if known.status == declaration.status && known.id_annotation == declaration.id_annotation {
                    // The store has caught up: from now on its word counts, changes by people included.
                    self.knowledge.remove(&declaration.key);
                } else if known.uid == declaration.uid {
                    declaration.status.clone_from(&known.status);
                    declaration.id_annotation.clone_from(&known.id_annotation);
                } else {
                    self.knowledge.remove(&declaration.key);
                }
            }
        }
        self.seen.retain(|uid, _| uids.contains(uid));
        let keys: BTreeSet<&ObjectKey> = view
            .declarations
            .iter()
            .map(|declaration| &declaration.key)
            .chain(std::iter::once(&self.key))
            .collect();
        self.failures.retain(|key, _| keys.contains(key));
        self.knowledge.retain(|key, _| keys.contains(key));
        self.connect(&view, now);
        Some(view)
    }

    pub(super) fn connect(&mut self, view: &View, now: Timestamp) {
        let access = match &view.access {
            Ok(access) => access,
            Err((reason, message)) => {
                self.totals.requests = self.totals().requests;
                self.client = None;
                self.gate = Some(Gate {
                    reason: *reason,
                    message: message.clone(),
                    stalled: true,
                    until: None,
                });
                return;
            }
        };
        let fingerprint = format!("{} {}", access.base_url, access.token.fingerprint());
        if self.client.as_ref().is_none_or(|(known, _)| *known != fingerprint) {
            // Another token or address: everything known about the connection is void.
            self.gate = None;
            self.gate_attempts = 0;
            self.failures.clear();
            self.read_failures.clear();
            if self.base_url.as_ref() != Some(&access.base_url) {
                // Another service: nothing that was read is true there.
                self.base_url = Some(access.base_url.clone());
                self.page_id = None;
                self.page_read_at = None;
                self.snapshot = Snapshot::default();
                self.missing_incidents.clear();
            }
            self.totals.requests = self.totals().requests;
            match client_for(&self.options, access) {
                Ok(client) => self.client = Some((fingerprint, client)),
                Err(error) => {
                    let message = described(&error);
                    self.client = None;
                    self.gate = Some(Gate {
                        reason: Reason::Invalid,
                        message,
                        stalled: true,
                        until: None,
                    });
                }
            }
        }
        if self
            .gate
            .as_ref()
            .is_some_and(|gate| gate.until.is_some_and(|until| now >= until))
        {
            self.gate = None;
        }
    }

    pub(super) fn connection(&self) -> Option<(Client, String)> {
        let (_, client) = self.client.as_ref()?;
        let page = self.page_id.clone().unwrap_or_else(|| self.key.to_string());
        Some((client.for_page(&page), page))
    }
}

fn client_for(options: &PageOptions, access: &Access) -> Result<Client, Error> {
    let budget = options.budgets.budget(&access.token, &access.base_url);
    Client::builder(access.base_url.clone(), access.token.clone())
        .budget(budget)
        .build()
}
