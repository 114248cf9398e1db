//! `OrganizationUser`: a member of the team, with a login to the management console.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{
    CommonSpec, Deletion, DeletionPolicy, Kind, KindSpec, ObjectStatus, Reference, ReplacePolicy, SecretField,
    SecretReference, ShownIdentity, SpecPath,
};

/// What a member of the team may do on one page. A role that is absent belongs to whoever sets it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.page) != has(self.pageId)").message("a permission has exactly one of page and pageId"))]
pub struct PagePermission {
    /// Name of a StatusPage in the namespace of this declaration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub page: Option<String>,
    /// Id of a page that no StatusPage of this namespace declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub page_id: Option<String>,
    /// True allows changing the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_configuration: Option<bool>,
    /// True allows managing incidents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_manager: Option<bool>,
    /// True allows managing maintenances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_manager: Option<bool>,
}

/// A member of the team. The API creates, lists and deletes members and cannot change their names; their roles on each
/// page can be changed. Needs spec.organizationId of the StatusPage; not for organizations on Atlassian accounts.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "statuspage-operator.io",
    version = "v1alpha1",
    kind = "OrganizationUser",
    doc = "A member of the team with a login to the management console, and the roles on each page. Not for organizations on Atlassian accounts.",
    namespaced,
    cel,
    status = "OrganizationUserStatus",
    derive = "PartialEq",
    shortname = "sporguser",
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
    validation = Rule::new("self.email == oldSelf.email").message("the email of a member cannot be changed: declare another OrganizationUser")
)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationUserSpec {
    /// Fields of every declaration.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// E-mail address, by which the member is recognised; case does not matter. Cannot be changed.
    #[schemars(length(min = 3, max = 320))]
    #[x_kube(validation = Rule::new("self.matches('^[^@ ]+@[^@ ]+$')").message("email is an address such as jo@example.com"))]
    pub email: String,
    /// First name. Only written when the member is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub first_name: Option<String>,
    /// Last name. Only written when the member is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub last_name: Option<String>,
    /// Secret with the first password. Only used, and needed, when the member is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretReference>,
    /// What the member may do, by page. Pages that are not listed stay as they are; the roles of a page that is taken
    /// off the list stay as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub permissions: Vec<PagePermission>,
    /// What happens to the remote member when this declaration is deleted: Delete or Orphan. Default:
    /// Delete, but Orphan for an adopted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// What to do when a declared change can only be made by deleting the remote member and creating it again: Never
    /// (default) reports it, WhenNeeded does it. Only where deletionPolicy is Delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace_policy: Option<ReplacePolicy>,
}

impl KindSpec for OrganizationUserSpec {
    type Object = OrganizationUser;
    const NOUN: &'static str = "organization user";
    const SECRETS: &'static [SecretField<Self>] = &[("passwordSecretRef", |spec| spec.password_secret_ref.as_ref())];

    fn own_deletion(&self) -> Option<Deletion> {
        self.deletion_policy.map(Into::into)
    }

    fn replace_policy(&self) -> Option<ReplacePolicy> {
        Some(self.replace_policy.unwrap_or_default())
    }

    fn references(&self) -> Vec<Reference<'_>> {
        let permissions = self.permissions.iter().enumerate();
        let pages = permissions.filter_map(|(index, permission)| {
            Some(Reference {
                kind: Kind::StatusPage,
                name: permission.page.as_deref()?,
                path: SpecPath::ItemField("permissions", index, "page"),
            })
        });
        pages.collect()
    }

    fn shown_identity(&self, _name: &str) -> Option<ShownIdentity> {
        Some(ShownIdentity::email(&self.email))
    }

    fn personal(&self) -> Vec<&str> {
        self.first_name
            .iter()
            .chain(&self.last_name)
            .map(String::as_str)
            .collect()
    }
}

/// What is known of the remote member.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationUserStatus {
    /// Fields of every status.
    #[serde(flatten)]
    pub object: ObjectStatus,
    /// Number of pages that the member may enter, where permissions are declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<i64>,
}
