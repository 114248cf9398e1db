//! `PageAccessUser`: somebody who may see parts of an audience-specific page.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{
    CommonSpec, Deletion, DeletionPolicy, Kind, KindSpec, ObjectStatus, Reference, ReplacePolicy, ShownIdentity,
};

/// Somebody who may see parts of an audience-specific page. Membership in a group is declared by the PageAccessGroup,
/// so that it has one writer.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "statuspage-operator.io",
    version = "v1alpha1",
    kind = "PageAccessUser",
    doc = "Somebody who may see parts of an audience-specific page. What they may see is granted through PageAccessGroups, which name their users.",
    namespaced,
    cel,
    status = "PageAccessUserStatus",
    derive = "PartialEq",
    shortname = "spuser",
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
    printcolumn(name = "Groups", type_ = "integer", json_path = ".status.groups"),
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
#[x_kube(
    validation = Rule::new("has(self.email) || has(self.externalLogin)").message("a page access user has an email, an externalLogin, or both")
)]
#[serde(rename_all = "camelCase")]
pub struct PageAccessUserSpec {
    /// Fields of every declaration.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// E-mail address, by which the user is recognised; case does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 320))]
    #[x_kube(validation = Rule::new("self.matches('^[^@ ]+@[^@ ]+$')").message("email is an address such as team@example.com"))]
    pub email: Option<String>,
    /// User id at the identity provider; recognises the user when there is no email.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub external_login: Option<String>,
    /// True subscribes the user to the components that are granted. Only used when the user is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribe_to_components: Option<bool>,
    /// The Components (by metadata.name) that the user may see in addition to those of its groups. An empty list takes
    /// all of them away. Costs a request per resyncInterval; groups cost none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub components: Option<Vec<String>>,
    /// The Metrics (by metadata.name) that the user may see in addition to those of its groups. An empty list takes all
    /// of them away. Costs a request per resyncInterval; groups cost none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub metrics: Option<Vec<String>>,
    /// What happens to the remote user when this declaration is deleted: Delete or Orphan. Default:
    /// Delete, but Orphan for an adopted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// What to do when a declared change can only be made by deleting the remote user and creating it again: Never (default)
    /// reports it, WhenNeeded does it. Only where deletionPolicy is Delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace_policy: Option<ReplacePolicy>,
}

impl KindSpec for PageAccessUserSpec {
    type Object = PageAccessUser;
    const NOUN: &'static str = "page access user";

    fn own_deletion(&self) -> Option<Deletion> {
        self.deletion_policy.map(Into::into)
    }

    fn replace_policy(&self) -> Option<ReplacePolicy> {
        Some(self.replace_policy.unwrap_or_default())
    }

    fn references(&self) -> Vec<Reference<'_>> {
        let components = self.components.iter().flatten();
        let metrics = self.metrics.iter().flatten();
        Reference::items(Kind::Component, "components", components)
            .chain(Reference::items(Kind::Metric, "metrics", metrics))
            .collect()
    }

    fn shown_identity(&self, _name: &str) -> Option<ShownIdentity> {
        match (&self.email, &self.external_login) {
            (Some(email), _) => Some(ShownIdentity::email(email)),
            (None, Some(login)) => Some(ShownIdentity {
                key: format!("login {login}"),
                shown: format!("`{login}`"),
                pointer: "/spec/externalLogin",
            }),
            (None, None) => None,
        }
    }

    fn personal(&self) -> Vec<&str> {
        self.external_login.as_deref().into_iter().collect()
    }
}

/// What is known of the remote user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageAccessUserStatus {
    /// Fields of every status.
    #[serde(flatten)]
    pub object: ObjectStatus,
    /// Number of groups that the user is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<i64>,
}
