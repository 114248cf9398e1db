//! `Subscriber`: somebody who is told about incidents.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{CommonSpec, Deletion, DeletionPolicy, Kind, KindSpec, ObjectStatus, Reference, ShownIdentity};

/// A telephone number for text messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhoneNumber {
    /// Country as two capital letters (ISO 3166), such as US.
    #[schemars(length(min = 2, max = 2))]
    pub country: String,
    /// The number inside the country.
    #[schemars(length(min = 3, max = 32))]
    pub number: String,
}

/// An address that receives the page's events as POST requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookEndpoint {
    /// The address.
    #[schemars(length(min = 8, max = 2048))]
    #[x_kube(validation = Rule::new("self.startsWith('https://') || self.startsWith('http://')").message("endpoint is an address that starts with https:// or http://"))]
    pub endpoint: String,
    /// Whom to write to when the endpoint fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 320))]
    pub email: Option<String>,
}

/// A subscriber of the page. Declare machines and team mailboxes: people subscribe by themselves and are never touched.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "statuspage-operator.io",
    version = "v1alpha1",
    kind = "Subscriber",
    doc = "A subscriber of a page. Declare machines and team mailboxes: people subscribe by themselves and are never touched.",
    namespaced,
    cel,
    status = "SubscriberStatus",
    derive = "PartialEq",
    shortname = "spsub",
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
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
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
    validation = Rule::new("(has(self.email) ? 1 : 0) + (has(self.sms) ? 1 : 0) + (has(self.webhook) ? 1 : 0) == 1").message("a subscriber has exactly one of email, sms and webhook"),
    validation = Rule::new("has(self.email) == has(oldSelf.email) && has(self.sms) == has(oldSelf.sms) && has(self.webhook) == has(oldSelf.webhook) && (!has(self.email) || self.email == oldSelf.email) && (!has(self.sms) || self.sms == oldSelf.sms) && (!has(self.webhook) || self.webhook == oldSelf.webhook)").message("the address of a subscriber cannot be changed: declare another subscriber")
)]
#[serde(rename_all = "camelCase")]
pub struct SubscriberSpec {
    /// Fields of every declaration.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 320))]
    #[x_kube(validation = Rule::new("self.matches('^[^@ ]+@[^@ ]+$')").message("email is an address such as team@example.com"))]
    pub email: Option<String>,
    /// Telephone number for text messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<PhoneNumber>,
    /// Webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookEndpoint>,
    /// The Components (by metadata.name) to hear about; all of the page when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub components: Vec<String>,
    /// True subscribes at once, without a message that asks for confirmation. Needs a paid page.
    #[serde(default)]
    pub skip_confirmation: bool,
    /// True does not notify the subscriber when the declaration is deleted.
    #[serde(default)]
    pub skip_unsubscription_notification: bool,
    /// What happens to the remote subscriber when this declaration is deleted: Delete or Orphan. Default: Delete, but
    /// Orphan for an adopted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
}

impl KindSpec for SubscriberSpec {
    type Object = Subscriber;
    const NOUN: &'static str = "subscriber";
    const URLS_ARE_PERSONAL: bool = true;

    fn own_deletion(&self) -> Option<Deletion> {
        self.deletion_policy.map(Into::into)
    }

    fn references(&self) -> Vec<Reference<'_>> {
        Reference::items(Kind::Component, "components", &self.components).collect()
    }

    fn shown_identity(&self, _name: &str) -> Option<ShownIdentity> {
        if let Some(email) = &self.email {
            return Some(ShownIdentity::email(email));
        }
        let (key, shown, pointer) = match (&self.sms, &self.webhook) {
            (Some(sms), _) => {
                let digits: String = sms.number.chars().filter(char::is_ascii_digit).collect();
                (format!("sms {} {digits}", sms.country), &sms.number, "/spec/sms")
            }
            (None, Some(webhook)) => {
                let endpoint = &webhook.endpoint;
                (format!("webhook {endpoint}"), endpoint, "/spec/webhook/endpoint")
            }
            (None, None) => return None,
        };
        let shown = format!("`{shown}`");
        Some(ShownIdentity { key, shown, pointer })
    }

    fn personal(&self) -> Vec<&str> {
        let number = self.sms.iter().map(|sms| sms.number.as_str());
        let endpoint = self.webhook.iter().map(|webhook| webhook.endpoint.as_str());
        number.chain(endpoint).collect()
    }
}

/// What is known of the remote subscriber.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriberStatus {
    /// Fields of every status.
    #[serde(flatten)]
    pub object: ObjectStatus,
    /// active, unconfirmed or quarantined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}
