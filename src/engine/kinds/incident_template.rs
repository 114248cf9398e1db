//! Incident templates. The API creates and lists them and does nothing else (reference 2.7): a difference is reported
//! and never repaired, and the end of the declaration is not the end of the template.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Rules, text, write};
use crate::api::{IncidentTemplateSpec, Kind, Reason};
use crate::engine::context::{Blocked, Context};
use crate::engine::declaration::Status;
use crate::engine::fields::{Access, Comparison, Field};
use crate::engine::request::Request;
use crate::statuspage::{Collection, CollectionKind, IncidentTemplate, ObjectKind, Priority, Snapshot};

impl Rules for IncidentTemplateSpec {
    type Remote = IncidentTemplate;
    const COLLECTION: CollectionKind = CollectionKind::IncidentTemplates;
    const PRIORITY: Priority = Priority::Write;
    const OBJECT: Option<ObjectKind> = None;
    const IN_SYNC: &'static str = "the page has this template; the Statuspage API can neither change nor delete it, so it stays when this declaration is deleted";

    fn collection(snapshot: &Snapshot) -> Option<&Collection<IncidentTemplate>> {
        snapshot.incident_templates.as_ref()
    }

    fn id(remote: &IncidentTemplate) -> &str {
        &remote.id
    }

    fn created_at(_remote: &IncidentTemplate) -> Option<Timestamp> {
        None
    }

    fn handles(remote: &IncidentTemplate) -> Vec<String> {
        remote.name.iter().cloned().collect()
    }

    fn wanted_handles(&self, context: &Context<'_>) -> Vec<String> {
        vec![self.title(context)]
    }

    fn title(&self, context: &Context<'_>) -> String {
        context.title(self.name.as_deref())
    }

    fn same_identity(&self, context: &Context<'_>, remote: &IncidentTemplate) -> bool {
        remote.name.as_deref() == Some(self.title(context).as_str())
    }

    fn fields(&self, context: &Context<'_>, remote: Option<&IncidentTemplate>) -> Result<Vec<Field>, Blocked> {
        let mut fields = Vec::new();
        let mut once = |name, wire, desired: Value, observed: Option<Value>| {
            fields.push(Field::new(name, wire, desired, observed).access(Access::Frozen));
        };
        let observed = |pick: fn(&IncidentTemplate) -> Option<&str>| remote.and_then(|remote| text(pick(remote)));
        once(
            "name",
            "name",
            json!(self.title(context)),
            observed(|remote| remote.name.as_deref()),
        );
        once(
            "title",
            "title",
            json!(self.title),
            observed(|remote| remote.title.as_deref()),
        );
        // A trailing line break is dropped by the service.
        once(
            "body",
            "body",
            json!(self.body.trim_end()),
            observed(|remote| remote.body.as_deref().map(str::trim_end)),
        );
        if let Some(status) = self.update_status {
            let observed = observed(|remote| remote.update_status.as_ref().map(|status| status.as_str()));
            once("updateStatus", "update_status", json!(status.as_str()), observed);
        }
        if let Some(group) = &self.group_id {
            once(
                "groupId",
                "group_id",
                json!(group),
                observed(|remote| remote.group_id.as_deref()),
            );
        }
        if let Some(tweet) = self.should_tweet {
            let observed = remote.map(|remote| json!(remote.should_tweet));
            once("shouldTweet", "should_tweet", json!(tweet), observed);
        }
        if let Some(notify) = self.should_send_notifications {
            let observed = remote.map(|remote| json!(remote.should_send_notifications));
            once(
                "shouldSendNotifications",
                "should_send_notifications",
                json!(notify),
                observed,
            );
        }
        if let Some(names) = &self.components {
            let observed = remote.map(|remote| {
                let ids: Vec<&str> = remote
                    .components
                    .iter()
                    .map(|component| component.id.as_str())
                    .collect();
                json!(ids)
            });
            fields.push(
                Field::new(
                    "components",
                    "component_ids",
                    context.references(Kind::Component, names)?,
                    observed,
                )
                .access(Access::Frozen)
                .compared(Comparison::Set),
            );
        }
        Ok(fields)
    }

    fn create(&self, _context: &Context<'_>, body: Map<String, Value>) -> Result<Request, Blocked> {
        Ok(Request::CreateIncidentTemplate(Box::new(write(body)?)))
    }

    fn update(
        &self,
        _context: &Context<'_>,
        _remote: &IncidentTemplate,
        _body: Map<String, Value>,
    ) -> Result<Request, Blocked> {
        let message = "the Statuspage API cannot change an incident template";
        Err(Blocked::stalled(Reason::NotHonoured, message))
    }

    fn observe(&self, _context: &Context<'_>, _remote: &IncidentTemplate, _status: &mut Status) {}
}
