//! `StatusPage`: the page itself, its credentials and its settings.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Deletion, DriftPolicy, KindSpec, ManagementPolicy, ObjectStatus, PolicyDefaults, SecretField, SecretReference,
};

/// Which namespaces may hold declarations of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NamespaceGrant {
    /// Only the page's own namespace.
    #[default]
    Same,
    /// Every namespace.
    All,
    /// Namespaces whose labels match.
    Selector,
}

/// Which namespaces, besides the page's own, may hold declarations of the page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.from == 'Selector') == has(self.selector)").message("selector goes with from: Selector, and only with it"))]
pub struct AllowedNamespaces {
    /// Same: only the page's own namespace. All: every namespace. Selector: those whose labels match the selector.
    pub from: NamespaceGrant,
    /// Labels of the namespaces, for from: Selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// How the Statuspage API is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiAccess {
    /// Address of the API; `https://api.statuspage.io/v1` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    #[x_kube(validation = Rule::new("self.startsWith('https://') || self.startsWith('http://')").message("api.url is an address that starts with https:// or http://"))]
    pub url: Option<String>,
    /// How far the lists of the API may be behind its objects, a duration such as 30s; twice as far for incidents. What a
    /// list does not show is not believed to be absent any sooner. Default: 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && self != ''").message("listLag is a duration such as 30s or 2m"))]
    pub list_lag: Option<String>,
    /// The Secret with the API token, in the namespace of the StatusPage.
    pub token_secret_ref: SecretReference,
}

/// How much of the page its owner may restyle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = super::schema::left_to_the_field)]
pub enum BrandingName {
    /// Colours only.
    Basic,
    /// Own markup and styles.
    Premium,
}

impl BrandingName {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Premium => "premium",
        }
    }
}

/// Colours of the page, as hexadecimal digits with or without `#`; upper and lower case are one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageColors {
    /// Background of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub body_background: Option<String>,
    /// Text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub font: Option<String>,
    /// Secondary text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub light_font: Option<String>,
    /// Operational.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub greens: Option<String>,
    /// Degraded performance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub yellows: Option<String>,
    /// Partial outage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub oranges: Option<String>,
    /// Major outage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub reds: Option<String>,
    /// Maintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub blues: Option<String>,
    /// Borders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub border: Option<String>,
    /// Graphs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub graph: Option<String>,
    /// Links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub link: Option<String>,
    /// Days without data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub no_data: Option<String>,
}

/// How the status looks inside other sites. A declared field is owned, an absent one belongs to whoever sets it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusEmbed {
    /// Corner of the other site in which it appears, such as bottom-left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub position: Option<String>,
    /// Background during an incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub incident_background_color: Option<String>,
    /// Text during an incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub incident_text_color: Option<String>,
    /// Background during a maintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub maintenance_background_color: Option<String>,
    /// Text during a maintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 7))]
    #[x_kube(validation = Rule::new("self.matches('^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$')").message("a colour is written as hexadecimal digits, such as #2fcc66"))]
    pub maintenance_text_color: Option<String>,
}

/// What is read of the page although no declaration needs it. Each costs one request per resyncInterval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// True shows the numbers of subscribers in the status.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub subscribers: bool,
}

/// Numbers of subscribers of all types, by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriberCounts {
    /// Those who are notified.
    pub active: i64,
    /// Those who have not yet confirmed.
    pub unconfirmed: i64,
    /// Those who could not be reached.
    pub quarantined: i64,
}

/// Settings of the page. A declared field is owned, an absent one belongs to whoever sets it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageSettings {
    /// Name of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// Label below statuspage.io. Changing it changes the page's public address; only where the StatusPage has a pageId.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$')").message("settings.subdomain is the label alone, without .statuspage.io"))]
    pub subdomain: Option<String>,
    /// How much of the page may be restyled: basic or premium.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branding: Option<BrandingName>,
    /// Colours of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colors: Option<PageColors>,
    /// Own domain of the page (CNAME). Changing it changes the page's public address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Address of the company's website.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Time zone, such as Etc/UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// True asks search engines to leave the page out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden_from_search: Option<bool>,
    /// True shows the page only to members of the team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewers_must_be_team_members: Option<bool>,
    /// True lets people subscribe to the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_page_subscribers: Option<bool>,
    /// True lets people subscribe to one incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_incident_subscribers: Option<bool>,
    /// True allows subscribers by e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_email_subscribers: Option<bool>,
    /// True allows subscribers by text message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_sms_subscribers: Option<bool>,
    /// True serves RSS and Atom feeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_rss_atom_feeds: Option<bool>,
    /// True allows subscribers by webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_webhook_subscribers: Option<bool>,
    /// Sender of the page's e-mails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifications_from_email: Option<String>,
    /// Footer of the page's e-mails, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifications_email_footer: Option<String>,
}

/// A page of Atlassian Statuspage. It is never created or deleted on Statuspage.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "statuspage-operator.io",
    version = "v1alpha1",
    kind = "StatusPage",
    doc = "A page of Atlassian Statuspage: its credentials, its settings and the defaults of its declarations. Never created nor deleted remotely.",
    namespaced,
    cel,
    status = "StatusPageStatus",
    derive = "PartialEq",
    shortname = "spage",
    category = "statuspage-all",
    selectable = ".spec.pageId",
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
    printcolumn(name = "Managed", type_ = "integer", json_path = ".status.managed"),
    printcolumn(name = "Pending", type_ = "integer", json_path = ".status.pending"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url", priority = 1),
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
    validation = Rule::new("has(self.pageId) != has(self.subdomain)").message("a StatusPage has exactly one of pageId and subdomain"),
    validation = Rule::new("has(self.pageId) == has(oldSelf.pageId) && (!has(self.pageId) || self.pageId == oldSelf.pageId) && (!has(self.subdomain) || self.subdomain == oldSelf.subdomain)").message("pageId and subdomain cannot be changed: create another StatusPage"),
    validation = Rule::new("!has(self.settings) || !has(self.settings.subdomain) || has(self.pageId)").message("settings.subdomain needs pageId: a page that is found by its subdomain would be lost")
)]
#[serde(rename_all = "camelCase")]
pub struct StatusPageSpec {
    /// Id of the page: the 12 characters in the address of its management console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self == '' || self.matches('^[a-zA-Z0-9_-]+$')").message("pageId is the id alone, the 12 characters after /pages/ in the address of the management console"))]
    pub page_id: Option<String>,
    /// Subdomain of the page, without .statuspage.io.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?([.]statuspage[.]io)?$')").message("subdomain is the label before .statuspage.io, such as acme; a page at a domain of its own is found by pageId"))]
    pub subdomain: Option<String>,
    /// Id of the organization that owns the page; needed for OrganizationUsers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub organization_id: Option<String>,
    /// How the Statuspage API is reached.
    pub api: ApiAccess,
    /// Settings of the page to own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<PageSettings>,
    /// How the status looks inside other sites; costs one more request per resyncInterval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_embed: Option<StatusEmbed>,
    /// What is read of the page although no declaration needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<Observation>,
    /// How often the page is read again although nothing changed; a duration such as 5m. Default: 5m, at least 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && self != ''").message("resyncInterval is a duration such as 5m or 1h30m"))]
    pub resync_interval: Option<String>,
    /// Which other namespaces may hold declarations of this page. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,
    /// Default policies of all declarations of this page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<PolicyDefaults>,
    /// How many remote objects may be deleted within ten minutes without the annotation
    /// statuspage-operator.io/allow-deletes. Default: 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub deletion_cap: Option<i64>,
    /// Full (default): write the declared settings. ObserveOnly: only read the page; its declarations still follow
    /// their own policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_policy: Option<ManagementPolicy>,
    /// What to do when somebody changed a declared setting on the page: Correct (default), Detect, Ignore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_policy: Option<DriftPolicy>,
    /// True stops everything for this page and all its declarations.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

impl KindSpec for StatusPageSpec {
    type Object = StatusPage;
    const NOUN: &'static str = "page";
    const SECRETS: &'static [SecretField<Self>] = &[("tokenSecretRef", |spec| Some(&spec.api.token_secret_ref))];
    const RECORDED: &'static [&'static str] = &["recentDeletions"];

    fn own_deletion(&self) -> Option<Deletion> {
        Some(Deletion::Orphan)
    }
}

/// What is known of the remote page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusPageStatus {
    /// Fields of every status.
    #[serde(flatten)]
    pub object: ObjectStatus,
    /// The worst status of the page's components.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Number of declarations of this page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<i64>,
    /// Number of declarations whose remote object is not as declared yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<i64>,
    /// Numbers of subscribers, with spec.observe.subscribers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribers: Option<SubscriberCounts>,
    /// When remote objects were deleted within the last ten minutes, for spec.deletionCap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub recent_deletions: Vec<Time>,
}
