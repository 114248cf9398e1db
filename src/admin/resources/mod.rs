//! What is managed, and whether it is as declared.
//!
//! Invariant: everything here is cut down to what the caller may read before it is counted, filtered or shown.

mod answers;
mod source;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use answers::{list_parameters, one, pages, resources};
pub use source::StoreSource;

use super::caller::Caller;
use crate::api::{Drift, Kind, ObjectStatus};
use crate::engine::{self, ObjectKey, READY, RECONCILING, SYNCED};
use crate::statuspage::BudgetStats;

/// Where the list of managed resources comes from.
pub trait ResourceSource: Send + Sync + 'static {
    /// Everything that is managed now.
    fn inventory(&self) -> Inventory;
}

/// Everything that is managed at one time.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// All declarations, the pages among them.
    pub resources: Vec<Resource>,
    /// The budgets of the pages' tokens, by namespace and name of the page.
    pub budgets: BTreeMap<(String, String), RequestBudget>,
}

/// One declaration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resource {
    /// Its namespace.
    pub namespace: String,
    /// Its kind, as in manifests.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Namespace and name of the StatusPage that it names, with a slash between; empty when that cannot be read.
    pub page: String,
    /// Id of the object on the page; null until it is known.
    pub remote_id: Option<String>,
    /// True when the object on the page was seen to be as declared.
    pub ready: bool,
    /// True when no declared field differs now.
    pub synced: bool,
    /// Why it is ready or not: one of the documented reasons; null before the first look.
    pub reason: Option<String>,
    /// The same as a sentence.
    pub message: Option<String>,
    /// Declared fields that have another value on the page.
    pub drift: Vec<Drift>,
    /// True when something is still to be done for it.
    pub pending: bool,
    /// True once its owner deleted it.
    pub deleting: bool,
    /// When the object on the page was last seen to match.
    pub last_sync: Option<String>,
    /// When it became what it is: when one of its conditions changed last.
    pub since: Option<String>,
}

/// A page with what is declared for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManagedPage {
    /// The StatusPage itself.
    #[serde(flatten)]
    pub resource: Resource,
    /// Declarations of this page that the caller may see, the StatusPage included.
    pub declarations: usize,
    /// Those for which something is still to be done.
    pub pending_changes: usize,
    /// The requests that its token may make; null before the page was reached for, and from a replica that does not act.
    pub budget: Option<RequestBudget>,
}

/// The requests that a token may make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestBudget {
    /// Requests in any 60 seconds; 0 is no limit.
    pub limit: usize,
    /// Requests of the last 60 seconds.
    pub used: usize,
    /// Requests that could be made now; null without a limit.
    pub remaining: Option<usize>,
    /// Requests waiting for their turn.
    pub waiting: usize,
}

impl Resource {
    /// A declaration by what its status says; without a page when not even that can be read.
    pub fn of(
        key: &ObjectKey,
        page: Option<&ObjectKey>,
        status: &ObjectStatus,
        generation: i64,
        deleting: bool,
    ) -> Self {
        let condition = |kind| engine::find_condition(status, kind);
        // What a status says about an older declaration says nothing about this one.
        let current = status.observed_generation == Some(generation);
        let is_true = |kind| condition(kind).is_some_and(|condition| condition.status == "True");
        let ready = condition(READY);
        Resource {
            namespace: key.namespace.clone(),
            kind: key.kind.to_string(),
            name: key.name.clone(),
            page: page.map_or(String::new(), |page| format!("{}/{}", page.namespace, page.name)),
            remote_id: status.id.clone(),
            ready: current && is_true(READY),
            synced: current && is_true(SYNCED),
            reason: ready.map(|condition| condition.reason.clone()),
            message: ready.map(|condition| condition.message.clone()),
            drift: status.drift.clone(),
            pending: !current || deleting || is_true(RECONCILING) || status.journal.is_some(),
            deleting,
            last_sync: status.last_sync_time.as_ref().map(|time| time.0.to_string()),
            since: (status.conditions.iter())
                .map(|condition| condition.last_transition_time.0)
                .max()
                .map(|at| at.to_string()),
        }
    }
}

impl From<BudgetStats> for RequestBudget {
    fn from(stats: BudgetStats) -> Self {
        RequestBudget {
            limit: stats.limit,
            used: stats.used,
            remaining: (stats.limit > 0).then_some(stats.remaining),
            waiting: stats.waiting,
        }
    }
}

impl Inventory {
    /// The part that a caller may see, in the order of namespace, kind and name.
    pub fn seen_by(mut self, caller: &Caller) -> Inventory {
        self.resources
            .retain(|resource| caller.may_read(&resource.namespace, &resource.kind, &resource.page));
        self.resources.sort_by(|left, right| {
            (&left.namespace, &left.kind, &left.name).cmp(&(&right.namespace, &right.kind, &right.name))
        });
        self.budgets.retain(|(namespace, name), _| {
            caller.may_read(namespace, Kind::StatusPage.as_str(), &format!("{namespace}/{name}"))
        });
        self
    }

    /// The pages with the sums of what is declared for them here.
    pub fn pages(&self) -> Vec<ManagedPage> {
        let mut sums: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for resource in &self.resources {
            let sum = sums.entry(&resource.page).or_default();
            sum.0 += 1;
            sum.1 += usize::from(resource.pending);
        }
        self.resources
            .iter()
            .filter(|resource| resource.kind == Kind::StatusPage.as_str())
            .map(|page| {
                let (declarations, pending_changes) = sums.get(page.page.as_str()).copied().unwrap_or_default();
                let budget = self.budgets.get(&(page.namespace.clone(), page.name.clone()));
                ManagedPage {
                    resource: page.clone(),
                    declarations,
                    pending_changes,
                    budget: budget.copied(),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;

    #[test]
    fn nothing_remains_of_a_budget_without_a_limit() {
        let stats = |limit| BudgetStats {
            limit,
            remaining: if limit == 0 { usize::MAX } else { 3 },
            ..BudgetStats::default()
        };
        assert_eq!(RequestBudget::from(stats(60)).remaining, Some(3));
        let unlimited = serde_json::to_value(RequestBudget::from(stats(0))).unwrap();
        assert_eq!(unlimited["remaining"], serde_json::Value::Null);
    }

    #[test]
    fn since_moves_with_the_last_transition() {
        let condition = |kind: &str, at: &str| Condition {
            type_: kind.to_owned(),
            status: "True".to_owned(),
            reason: "Synced".to_owned(),
            message: String::new(),
            observed_generation: None,
            last_transition_time: Time(at.parse().unwrap()),
        };
        let status = |conditions: Vec<Condition>| ObjectStatus {
            conditions,
            ..ObjectStatus::default()
        };
        let key = ObjectKey::new(Kind::Component, "a", "web");
        let since = |conditions| Resource::of(&key, None, &status(conditions), 1, false).since;
        assert_eq!(since(Vec::new()), None);
        let ready = condition(READY, "2024-03-01T10:00:00Z");
        assert_eq!(since(vec![ready.clone()]).as_deref(), Some("2024-03-01T10:00:00Z"));
        // It stays Ready while another condition comes and goes.
        let synced = condition(SYNCED, "2024-03-02T10:00:00Z");
        assert_eq!(since(vec![synced, ready]).as_deref(), Some("2024-03-02T10:00:00Z"));
    }
}
