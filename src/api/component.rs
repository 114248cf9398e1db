//! `Component`: one row of the page.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CommonSpec, Deletion, DeletionPolicy, Kind, KindSpec, LocalReference, ObjectStatus, Reference, ShownIdentity,
};

/// The five statuses of a component, named as in the Statuspage API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = super::schema::left_to_the_field)]
pub enum ComponentStatusName {
    /// Works.
    Operational,
    /// Being worked on as planned.
    UnderMaintenance,
    /// Works slowly or in part.
    DegradedPerformance,
    /// Fails for some.
    PartialOutage,
    /// Fails for all.
    MajorOutage,
}

impl ComponentStatusName {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operational => "operational",
            Self::UnderMaintenance => "under_maintenance",
            Self::DegradedPerformance => "degraded_performance",
            Self::PartialOutage => "partial_outage",
            Self::MajorOutage => "major_outage",
        }
    }
}

/// A component of a status page: a service or a part of one that customers see.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "statuspage-operator.io",
    version = "v1alpha1",
    kind = "Component",
    doc = "A component of a page: a service or a part of one that customers see.",
    namespaced,
    cel,
    status = "ComponentStatus",
    derive = "PartialEq",
    shortname = "spcomp",
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
    printcolumn(name = "Status", type_ = "string", json_path = ".status.status"),
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
pub struct ComponentSpec {
    /// Fields of every declaration.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// Name that visitors see; metadata.name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// Text below the name. Absent: whoever writes it on the page owns it. An empty text clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The ComponentGroup that shows this component. Absent: not owned, unless it was set here before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_ref: Option<LocalReference>,
    /// The component's status. Leave it out to let incidents, people and automation set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ComponentStatusName>,
    /// True shows the uptime of the last 90 days on the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub showcase: Option<bool>,
    /// True shows the component only while it is not operational. Needs a feature of the page's plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_show_if_degraded: Option<bool>,
    /// First day of the uptime shown, as YYYY-MM-DD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), extend("format" = "date"))]
    pub start_date: Option<String>,
    /// What is read of the component although nothing needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<ComponentObservation>,
    /// What happens to the remote component when this declaration is deleted: Delete or Orphan. Default: Delete, but
    /// Orphan for an adopted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
}

/// What is read of a component or a group although no field needs it. Each costs one request an hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentObservation {
    /// True shows the uptime in the status. The page must show it too: see showcase.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uptime: bool,
}

/// The uptime that the page shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Uptime {
    /// Share of the time in which it was up, in per cent, with up to three decimals.
    pub percentage: f64,
    /// First day of the range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

impl KindSpec for ComponentSpec {
    type Object = Component;
    const NOUN: &'static str = "component";
    const LOST_WITH_IT: Option<&'static str> = Some("its uptime history is lost");
    const RECORDED: &'static [&'static str] = &["groupId"];

    fn own_deletion(&self) -> Option<Deletion> {
        self.deletion_policy.map(Into::into)
    }

    fn references(&self) -> Vec<Reference<'_>> {
        Reference::field(Kind::ComponentGroup, "groupRef", &self.group_ref)
    }

    fn shown_names(&self) -> Vec<&str> {
        self.name.as_deref().into_iter().collect()
    }

    fn shown_identity(&self, name: &str) -> Option<ShownIdentity> {
        let group = self.group_ref.as_ref().map(|group| group.name.as_str());
        let within = group.unwrap_or_default();
        Some(ShownIdentity::named(self.name.as_deref(), name, within))
    }
}

/// What is known of the remote component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    /// Fields of every status.
    #[serde(flatten)]
    pub object: ObjectStatus,
    /// The component's status on the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Id of the group that this declaration put the component in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// The uptime that the page shows, with spec.observe.uptime. Absent while the page shows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime: Option<Uptime>,
}
