//! `Incident`: a real-time incident, a scheduled maintenance or a backfilled incident.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CommonSpec, ComponentStatusName, Deletion, DriftPolicy, IncidentDeletionPolicy, Kind, KindSpec, ObjectStatus,
    PhoneNumber, Reference, SpecPath, TemplateReference,
};

/// The statuses of an incident and of a scheduled maintenance, named as in the Statuspage API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = super::schema::left_to_the_field)]
pub enum IncidentStatusName {
    /// Real-time: the cause is being looked for.
    Investigating,
    /// Real-time: the cause is known.
    Identified,
    /// Real-time: fixed, being watched.
    Monitoring,
    /// Real-time: over.
    Resolved,
    /// Maintenance: to come.
    Scheduled,
    /// Maintenance: running.
    InProgress,
    /// Maintenance: being checked.
    Verifying,
    /// Maintenance: over.
    Completed,
}

impl IncidentStatusName {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Investigating => "investigating",
            Self::Identified => "identified",
            Self::Monitoring => "monitoring",
            Self::Resolved => "resolved",
            Self::Scheduled => "scheduled",
            Self::InProgress => "in_progress",
            Self::Verifying => "verifying",
            Self::Completed => "completed",
        }
    }

    /// True for a status of a maintenance, false for one of any other incident.
    pub fn is_of_maintenance(self) -> bool {
        match self {
            Self::Investigating | Self::Identified | Self::Monitoring | Self::Resolved => false,
            Self::Scheduled | Self::InProgress | Self::Verifying | Self::Completed => true,
        }
    }

    /// True for a status that ends an incident.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Resolved | Self::Completed)
    }
}

/// The impact shown for an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = super::schema::left_to_the_field)]
pub enum ImpactName {
    /// No impact.
    None,
    /// Maintenance.
    Maintenance,
    /// Minor.
    Minor,
    /// Major.
    Major,
    /// Critical.
    Critical,
}

impl ImpactName {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Maintenance => "maintenance",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

/// One post on the timeline of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IncidentUpdate {
    /// The incident's status from this update on. Cannot be changed.
    pub status: IncidentStatusName,
    /// The text. Changing it after publication edits the published text in place and notifies nobody. An empty text
    /// moves the status alone.
    #[schemars(length(max = 25000))]
    pub body: String,
    /// The time shown for the update; the time of publication when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// False publishes the update without telling the subscribers. Default: true.
    #[serde(default = "yes")]
    #[schemars(transform = super::schema::default_left_to_the_type)]
    pub notify: bool,
}

/// The window and the automation of a scheduled maintenance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.start < self.end").message("schedule.end must be after schedule.start"))]
pub struct Schedule {
    /// When the maintenance starts.
    pub start: Time,
    /// When the maintenance ends.
    pub end: Time,
    /// True reminds the subscribers 60 minutes before the start.
    #[serde(default)]
    pub remind_prior: bool,
    /// True (default) moves the maintenance to in_progress at its start.
    #[serde(default = "yes")]
    pub auto_start: bool,
    /// True (default) moves the maintenance to completed at its end.
    #[serde(default = "yes")]
    pub auto_complete: bool,
    /// True (default) sets the components to under_maintenance at the start and to operational at the end.
    #[serde(default = "yes")]
    pub transition_components: bool,
    /// True sets the components to operational at the end; as transitionComponents when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_components: Option<bool>,
    /// True (default) tells the subscribers when the maintenance starts by itself.
    #[serde(default = "yes")]
    pub notify_at_start: bool,
    /// True (default) tells the subscribers when the maintenance ends by itself.
    #[serde(default = "yes")]
    pub notify_at_end: bool,
}

/// The postmortem of a resolved incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostmortemSpec {
    /// The text, in Markdown.
    #[schemars(length(min = 1, max = 100000))]
    pub body: String,
    /// False keeps it a draft. Default: true.
    #[serde(default = "yes")]
    pub publish: bool,
    /// True tells the subscribers at the first publication.
    #[serde(default)]
    pub notify_subscribers: bool,
    /// True posts to X (Twitter) at the first publication.
    #[serde(default)]
    pub notify_twitter: bool,
}

/// Somebody who hears about one incident: by e-mail or by text message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.email) != has(self.sms)").message("a subscriber of an incident has exactly one of email and sms"))]
pub struct IncidentSubscriber {
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 320))]
    pub email: Option<String>,
    /// Telephone number for text messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<PhoneNumber>,
    /// True subscribes at once, without a message that asks for confirmation. Needs a paid page.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_confirmation: bool,
}

fn yes() -> bool {
    true
}

/// An incident: real-time, scheduled (with schedule) or backfilled (with backfillDate).
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "statuspage-operator.io",
    version = "v1alpha1",
    kind = "Incident",
    doc = "An incident of a page: real-time, scheduled (with schedule) or backfilled (with backfillDate).",
    namespaced,
    cel,
    status = "IncidentStatus",
    derive = "PartialEq",
    shortname = "spinc",
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
    printcolumn(name = "Impact", type_ = "string", json_path = ".status.impact"),
    printcolumn(name = "ID", type_ = "string", json_path = ".status.id"),
    printcolumn(name = "Page", type_ = "string", json_path = ".spec.pageRef.name"),
    printcolumn(
        name = "Synced",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Synced\")].status",
        priority = 1
    ),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url", priority = 1),
    printcolumn(name = "Last sync", type_ = "date", json_path = ".status.lastSyncTime", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("!(has(self.schedule) && has(self.backfillDate))").message("an incident has schedule or backfillDate, not both"),
    validation = Rule::new("has(self.schedule) == has(oldSelf.schedule) && has(self.backfillDate) == has(oldSelf.backfillDate)").message("a published incident cannot change its type: schedule and backfillDate can be neither added nor removed"),
    validation = Rule::new("has(self.templateRef) || (has(self.updates) && self.updates.size() > 0)").message("an incident has updates, or a templateRef that gives the first one"),
    validation = Rule::new("!has(oldSelf.updates) || oldSelf.updates.size() == 0 || has(self.updates)").message("updates are append-only: those that are there keep their status, their order and their place; append another update instead"),
    validation = Rule::new("!has(self.updates) || (has(self.schedule) ? self.updates.all(u, u.status in ['scheduled', 'in_progress', 'verifying', 'completed']) : self.updates.all(u, u.status in ['investigating', 'identified', 'monitoring', 'resolved']))").message("updates of a maintenance are scheduled, in_progress, verifying or completed; updates of any other incident are investigating, identified, monitoring or resolved"),
    validation = Rule::new("!has(self.backfillDate) || has(self.schedule) || has(self.updates) && self.updates.size() == 1 && self.updates[0].status == 'resolved' && !has(self.components)").message("a backfilled incident has one update with status resolved and no components")
)]
#[serde(rename_all = "camelCase")]
pub struct IncidentSpec {
    /// Fields of every declaration.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// Title of the incident. When absent, the title of the template, or metadata.name where there is no templateRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// Begins the incident with an IncidentTemplate. The template gives what the incident does not say itself when it is
    /// first sent: the title, the first post with its status and whether subscribers are told of it (where updates is
    /// empty: what is appended later comes after it), and the affected components, which keep their status. What was
    /// sent stays as it is when the template, or this field, is changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_ref: Option<TemplateReference>,
    /// The posts, oldest first. Append to the list to post: entries keep their status, their order and their place. The
    /// last status is the incident's status. May be empty when templateRef gives the first post.
    // The rule goes through all places: a rule that makes texts of the lists costs the API server too much.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Atomic, validation = Rule::new("[0,20,40,60,80,100,120,140,160,180].all(t, [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19].all(n, t + n >= oldSelf.size() || (t + n < self.size() && self[t + n].status == oldSelf[t + n].status)))").message("updates are append-only: those that are there keep their status, their order and their place; append another update instead"))]
    pub updates: Vec<IncidentUpdate>,
    /// The affected Components (by metadata.name) and the status of each. Sent together with the next update when the
    /// map changes. In a scheduled maintenance the components keep their status until the start.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 500))]
    pub components: BTreeMap<String, ComponentStatusName>,
    /// Shows this impact in place of the one that Statuspage calculates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact_override: Option<ImpactName>,
    /// Makes the incident a scheduled maintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Makes the incident a historical one, resolved at this time. Nobody is notified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("backfillDate cannot be changed"))]
    pub backfill_date: Option<Time>,
    /// The postmortem; sent once the incident is resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postmortem: Option<PostmortemSpec>,
    /// People who hear about this incident alone. Each is subscribed once while the incident is open, and unsubscribed
    /// when the entry is removed. Who unsubscribes is not subscribed again. Entries are personal data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub subscribers: Vec<IncidentSubscriber>,
    /// Deletes this declaration, never the remote incident, this long after the incident was resolved: a duration such
    /// as 72h or 30m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && self != ''").message("ttlAfterResolved is a duration such as 72h or 1h30m"))]
    pub ttl_after_resolved: Option<String>,
    /// What happens to the remote incident when this declaration is deleted: Orphan (default), Delete or Resolve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<IncidentDeletionPolicy>,
}

impl KindSpec for IncidentSpec {
    type Object = Incident;
    const NOUN: &'static str = "incident";
    const LOST_WITH_IT: Option<&'static str> = Some("its updates and its postmortem are lost");
    const RECORDED: &'static [&'static str] = &["status", "updates"];
    // A page's driftPolicy default is about configuration; an incident keeps Detect unless it says otherwise itself, so
    // that nobody fights a human who is typing in the console.
    const DRIFT_POLICY: Option<DriftPolicy> = Some(DriftPolicy::Detect);

    fn own_deletion(&self) -> Option<Deletion> {
        Some(self.deletion_policy.unwrap_or_default().into())
    }

    fn references(&self) -> Vec<Reference<'_>> {
        let template = self.template_ref.iter().map(|template| Reference {
            kind: Kind::IncidentTemplate,
            name: &template.name,
            path: SpecPath::Field("templateRef"),
        });
        let components = self.components.keys().map(|name| Reference {
            kind: Kind::Component,
            name,
            path: SpecPath::Key("components"),
        });
        template.chain(components).collect()
    }

    fn personal(&self) -> Vec<&str> {
        let numbers = self.subscribers.iter().filter_map(|subscriber| subscriber.sms.as_ref());
        numbers.map(|sms| sms.number.as_str()).collect()
    }
}

/// What is known of the remote incident.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IncidentStatus {
    /// Fields of every status.
    #[serde(flatten)]
    pub object: ObjectStatus,
    /// The incident's status on the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The incident's impact on the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<String>,
    /// When the incident was resolved or completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Time>,
    /// The published updates, in the order of spec.updates, after the one that the template gave, if it gave one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub updates: Vec<PublishedUpdate>,
}

/// One entry of spec.updates, or the first post of a template, that is on the page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishedUpdate {
    /// Id of the remote incident update.
    pub id: String,
    /// The status that it was published with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Short hash of the text and time that were written last.
    pub applied: String,
    /// True for the post that the template gave: the template may say something else by now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_template: bool,
}
