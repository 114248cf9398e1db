//! `MetricsProvider`: where the values of metrics come from.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CommonSpec, Deletion, DeletionPolicy, KindSpec, ObjectStatus, ReplacePolicy, SecretField, SecretReference,
};

/// The provider types of the Statuspage API. `Self` takes values that are sent to the page; the others are asked by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProviderTypeName {
    /// Values are sent to the page.
    #[default]
    #[serde(rename = "Self")]
    SelfProvided,
    /// Pingdom.
    Pingdom,
    /// New Relic.
    NewRelic,
    /// Librato.
    Librato,
    /// Datadog.
    Datadog,
}

impl ProviderTypeName {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SelfProvided => "Self",
            Self::Pingdom => "Pingdom",
            Self::NewRelic => "NewRelic",
            Self::Librato => "Librato",
            Self::Datadog => "Datadog",
        }
    }
}

/// A provider of metric values. Its credentials come from Secrets and are sent only when it is created.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "statuspage-operator.io",
    version = "v1alpha1",
    kind = "MetricsProvider",
    doc = "Where the values of a page's metrics come from.",
    namespaced,
    cel,
    status = "MetricsProviderStatus",
    derive = "PartialEq",
    shortname = "spprov",
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
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
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
    validation = Rule::new("self.type != 'Self' || !has(self.apiKeySecretRef) && !has(self.apiTokenSecretRef) && !has(self.applicationKeySecretRef) && !has(self.passwordSecretRef) && !has(self.email) && !has(self.metricBaseUri)").message("a provider of type Self takes no credentials and no metricBaseUri"),
    validation = Rule::new("self.type != 'Datadog' || has(self.apiKeySecretRef) && has(self.applicationKeySecretRef)").message("a Datadog provider needs apiKeySecretRef and applicationKeySecretRef"),
    validation = Rule::new("self.type != 'NewRelic' || has(self.apiKeySecretRef)").message("a NewRelic provider needs apiKeySecretRef"),
    validation = Rule::new("self.type != 'Librato' || has(self.email) && has(self.apiTokenSecretRef)").message("a Librato provider needs email and apiTokenSecretRef"),
    validation = Rule::new("self.type != 'Pingdom' || has(self.apiTokenSecretRef) || (has(self.email) && has(self.passwordSecretRef) && has(self.applicationKeySecretRef))").message("a Pingdom provider needs apiTokenSecretRef, or email, passwordSecretRef and applicationKeySecretRef")
)]
#[serde(rename_all = "camelCase")]
pub struct MetricsProviderSpec {
    /// Fields of every declaration.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// Type of the provider: Self, Pingdom, NewRelic, Librato or Datadog. Cannot be changed.
    #[serde(rename = "type")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("the type of a provider cannot be changed: declare another provider"))]
    pub provider_type: ProviderTypeName,
    /// Address of the provider's API, for NewRelic and Datadog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub metric_base_uri: Option<String>,
    /// Account, for Librato and older Pingdom accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub email: Option<String>,
    /// Secret with the password, for older Pingdom accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretReference>,
    /// Secret with the API key, for Datadog and NewRelic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_secret_ref: Option<SecretReference>,
    /// Secret with the API token, for Librato and Pingdom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_token_secret_ref: Option<SecretReference>,
    /// Secret with the application key, for Datadog and older Pingdom accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_key_secret_ref: Option<SecretReference>,
    /// What happens to the remote provider and its metrics when this declaration is deleted: Delete or Orphan.
    /// Default: Delete, but Orphan for an adopted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// What to do when a declared change, such as another key in a Secret, can only be made by deleting the remote
    /// provider and creating it again: Never (default) reports it, WhenNeeded does it. Only where deletionPolicy is
    /// Delete, and where every metric of the provider is declared with replacePolicy: WhenNeeded, because they are
    /// deleted and created with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace_policy: Option<ReplacePolicy>,
}

impl KindSpec for MetricsProviderSpec {
    type Object = MetricsProvider;
    const NOUN: &'static str = "metrics provider";
    const SECRETS: &'static [SecretField<Self>] = &[
        ("passwordSecretRef", |spec| spec.password_secret_ref.as_ref()),
        ("apiKeySecretRef", |spec| spec.api_key_secret_ref.as_ref()),
        ("apiTokenSecretRef", |spec| spec.api_token_secret_ref.as_ref()),
        ("applicationKeySecretRef", |spec| {
            spec.application_key_secret_ref.as_ref()
        }),
    ];
    const LOST_WITH_IT: Option<&'static str> = Some("its metrics and their data are lost");

    fn own_deletion(&self) -> Option<Deletion> {
        self.deletion_policy.map(Into::into)
    }

    fn replace_policy(&self) -> Option<ReplacePolicy> {
        Some(self.replace_policy.unwrap_or_default())
    }
}

/// What is known of the remote provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsProviderStatus {
    /// Fields of every status.
    #[serde(flatten)]
    pub object: ObjectStatus,
    /// True while Statuspage has turned the provider off, as it does when the provider fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}
