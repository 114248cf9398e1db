//! `IncidentTemplate`: a text that people begin an incident with.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{CommonSpec, Deletion, IncidentStatusName, Kind, KindSpec, ObjectStatus, Reference, ShownIdentity};

/// A text that people begin an incident or a maintenance with. The API creates and lists templates, nothing else: a
/// difference is reported and never written, and deleting the declaration always leaves the template on the page.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "statuspage-operator.io",
    version = "v1alpha1",
    kind = "IncidentTemplate",
    doc = "A text that people begin an incident or a maintenance of a page with. The Statuspage API can only create and list templates: a change is reported and not written, and deleting the declaration leaves the template.",
    namespaced,
    cel,
    status = "IncidentTemplateStatus",
    derive = "PartialEq",
    shortname = "sptemplate",
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
    printcolumn(name = "Title", type_ = "string", json_path = ".spec.title"),
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
pub struct IncidentTemplateSpec {
    /// Fields of every declaration.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// Name in the list of templates; metadata.name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// Title of an incident that begins with the template. {{region}} is a placeholder for the value of region that an
    /// Incident gives in templateRef.variables; the page stores it as it is.
    #[schemars(length(min = 1, max = 255))]
    pub title: String,
    /// Text of the first post of an incident that begins with the template. It may have placeholders as title does.
    #[schemars(length(min = 1, max = 25_000))]
    pub body: String,
    /// Status that the template proposes. Without one an incident begins with investigating, a maintenance with scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_status: Option<IncidentStatusName>,
    /// True proposes to tweet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub should_tweet: Option<bool>,
    /// True proposes to notify subscribers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub should_send_notifications: Option<bool>,
    /// Id of the group of templates; groups are made in the console only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub group_id: Option<String>,
    /// The Components (by metadata.name) that the template proposes. They keep their status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub components: Option<Vec<String>>,
}

impl KindSpec for IncidentTemplateSpec {
    type Object = IncidentTemplate;
    const NOUN: &'static str = "incident template";

    /// There is no way to delete a template.
    fn own_deletion(&self) -> Option<Deletion> {
        Some(Deletion::Orphan)
    }

    fn references(&self) -> Vec<Reference<'_>> {
        Reference::items(Kind::Component, "components", self.components.iter().flatten()).collect()
    }

    fn shown_names(&self) -> Vec<&str> {
        self.name.iter().chain([&self.title]).map(String::as_str).collect()
    }

    fn shown_identity(&self, name: &str) -> Option<ShownIdentity> {
        Some(ShownIdentity::named(self.name.as_deref(), name, ""))
    }
}

/// What is known of the remote template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IncidentTemplateStatus {
    /// Fields of every status.
    #[serde(flatten)]
    pub object: ObjectStatus,
}
