//! `ComponentGroup`: a heading over some components.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{
    CommonSpec, ComponentObservation, Deletion, DeletionPolicy, KindSpec, ObjectStatus, ShownIdentity, Uptime,
};

/// A group of components. Its members name it in their groupRef; the remote group appears with its first member and
/// disappears with its last one.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "statuspage-operator.io",
    version = "v1alpha1",
    kind = "ComponentGroup",
    doc = "A heading over some components of a page. Its members name it in their groupRef.",
    namespaced,
    cel,
    status = "ComponentGroupStatus",
    derive = "PartialEq",
    shortname = "spgroup",
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
    printcolumn(name = "Members", type_ = "integer", json_path = ".status.members"),
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
pub struct ComponentGroupSpec {
    /// Fields of every declaration.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// Name that visitors see; metadata.name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// Text below the name. Absent: not owned. An empty text clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What is read of the group although nothing needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<ComponentObservation>,
    /// What happens to the remote group when this declaration is deleted: Delete or Orphan. Its components are kept in
    /// both cases. Default: Delete, but Orphan for an adopted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
}

impl KindSpec for ComponentGroupSpec {
    type Object = ComponentGroup;
    const NOUN: &'static str = "component group";
    const LOST_WITH_IT: Option<&'static str> = Some("its components stay");

    fn own_deletion(&self) -> Option<Deletion> {
        self.deletion_policy.map(Into::into)
    }

    fn shown_names(&self) -> Vec<&str> {
        self.name.as_deref().into_iter().collect()
    }

    fn shown_identity(&self, name: &str) -> Option<ShownIdentity> {
        Some(ShownIdentity::named(self.name.as_deref(), name, ""))
    }
}

/// What is known of the remote group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentGroupStatus {
    /// Fields of every status.
    #[serde(flatten)]
    pub object: ObjectStatus,
    /// Number of components in the remote group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<i64>,
    /// The uptime that the page shows, with spec.observe.uptime. Absent while the page shows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime: Option<Uptime>,
}
