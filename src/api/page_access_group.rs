//! `PageAccessGroup`: users who may see the same parts of an audience-specific page.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{CommonSpec, Deletion, DeletionPolicy, Kind, KindSpec, ObjectStatus, Reference, ShownIdentity, shortened};

/// Users who may see the same parts of an audience-specific page. A list that is declared is owned as a whole: what is
/// not in it is taken away. A list that is absent belongs to whoever sets it.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "statuspage-operator.io",
    version = "v1alpha1",
    kind = "PageAccessGroup",
    doc = "Users who may see the same components and metrics of an audience-specific page.",
    namespaced,
    cel,
    status = "PageAccessGroupStatus",
    derive = "PartialEq",
    shortname = "spaccess",
    category = "statuspage-all",
    selectable = ".spec.pageRef.name",
    selectable = ".status.id",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Users", type_ = "integer", json_path = ".status.users"),
    printcolumn(name = "Components", type_ = "integer", json_path = ".status.components"),
    printcolumn(name = "ID", type_ = "string", json_path = ".status.id"),
    printcolumn(name = "Page", type_ = "string", json_path = ".spec.pageRef.name"),
    printcolumn(
        name = "Synced",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Synced\")].status",
        priority = 1
    ),
    printcolumn(name = "Last sync", type_ = "date", json_path = ".status.lastSyncTime", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct PageAccessGroupSpec {
    /// Fields of every declaration.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// Name of the group; metadata.name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// The group at the identity provider that this one stands for; the group is recognised by it, otherwise by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub external_identifier: Option<String>,
    /// The PageAccessUsers (by metadata.name) in the group. An empty list empties it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub users: Option<Vec<String>>,
    /// The Components (by metadata.name) that the group may see. An empty list takes all of them away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub components: Option<Vec<String>>,
    /// The Metrics (by metadata.name) that the group may see. An empty list takes all of them away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub metrics: Option<Vec<String>>,
    /// What happens to the remote group when this declaration is deleted: Delete or Orphan. Its users
    /// are kept in both cases. Default:
    /// Delete, but Orphan for an adopted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
}

impl KindSpec for PageAccessGroupSpec {
    type Object = PageAccessGroup;
    const NOUN: &'static str = "page access group";

    fn own_deletion(&self) -> Option<Deletion> {
        self.deletion_policy.map(Into::into)
    }

    fn references(&self) -> Vec<Reference<'_>> {
        let users = self.users.iter().flatten();
        let components = self.components.iter().flatten();
        let metrics = self.metrics.iter().flatten();
        Reference::items(Kind::PageAccessUser, "users", users)
            .chain(Reference::items(Kind::Component, "components", components))
            .chain(Reference::items(Kind::Metric, "metrics", metrics))
            .collect()
    }

    fn shown_identity(&self, name: &str) -> Option<ShownIdentity> {
        let Some(identifier) = &self.external_identifier else {
            return Some(ShownIdentity::named(self.name.as_deref(), name, ""));
        };
        Some(ShownIdentity {
            key: format!("external {identifier}"),
            shown: format!("`{}`", shortened(identifier)),
            pointer: "/spec/externalIdentifier",
        })
    }
}

/// What is known of the remote group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageAccessGroupStatus {
    /// Fields of every status.
    #[serde(flatten)]
    pub object: ObjectStatus,
    /// Number of users in the remote group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<i64>,
    /// Number of components that it may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<i64>,
    /// Number of metrics that it may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<i64>,
}
