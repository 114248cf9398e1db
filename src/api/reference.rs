//! References from one declaration to another, and to Secrets.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Names the StatusPage that a declaration belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageReference {
    /// Name of the StatusPage.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of the StatusPage; the declaration's own when absent. Another namespace needs the page's grant
    /// (spec.allowedNamespaces of the StatusPage).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// Names another declaration of the same page in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalReference {
    /// Name of the declaration (metadata.name).
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Names the template that an incident begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateReference {
    /// Name of the IncidentTemplate (metadata.name), of the same namespace and page.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Texts for the placeholders of the template: `region: eu-west-1` takes the place of {{region}} in its title and its
    /// body. Every placeholder needs one; an incident that lacks one is not sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 100))]
    pub variables: BTreeMap<String, String>,
}

/// Names one key of a Secret in the declaration's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key inside the Secret; `token` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
}

impl SecretReference {
    /// The key to read: the declared one, or `token`.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or("token")
    }
}
