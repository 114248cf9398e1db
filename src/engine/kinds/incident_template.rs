//! Incident templates. The API creates and lists them and does nothing else (reference 2.7): a difference is reported
//! and never repaired, and the end of the declaration is not the end of the template.

use serde_json::json;

use super::table::{Row, declared, row};
use super::{Body, Rules, quoted, write};
use crate::api::{IncidentTemplateSpec, Kind, Reason, Status};
use crate::engine::context::Context;
use crate::engine::fields::Comparison;
use crate::engine::outcome::Blocked;
use crate::engine::request::Request;
use crate::statuspage::{IncidentTemplate, Snapshot};

impl Rules for IncidentTemplateSpec {
    type Remote = IncidentTemplate;
    const IN_SYNC: &'static str = "the page has this template; the Statuspage API can neither change nor delete it, so it stays when this declaration is deleted";
    const FIELDS: &'static [Row<Self, Self::Remote>] = &[
        row!("name", name, |spec, context, _| declared(Some(spec.title(context)))).frozen(),
        row!("title", title, |spec, _, _| declared(Some(&spec.title))).frozen(),
        // A trailing line break is dropped by the service.
        row!(
            "body",
            "body",
            |spec, _, _| declared(Some(spec.body.trim_end())),
            |remote| json!(remote.body.as_deref().map(str::trim_end))
        )
        .frozen(),
        row!("updateStatus", update_status).frozen(),
        row!("groupId", group_id).frozen(),
        row!("shouldTweet", should_tweet).frozen(),
        row!("shouldSendNotifications", should_send_notifications).frozen(),
        row!(
            "components",
            "component_ids",
            |spec, context, _| context.references_if(Kind::Component, &spec.components),
            |remote| remote
                .components
                .iter()
                .map(|component| component.id.as_str())
                .collect()
        )
        .frozen()
        .compared(Comparison::Set),
    ];

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

    fn create(&self, _context: &Context<'_>, body: Body) -> Result<Request, Blocked> {
        Ok(Request::CreateIncidentTemplate(Box::new(write(body)?)))
    }

    fn update(&self, _context: &Context<'_>, _remote: &IncidentTemplate, _body: Body) -> Result<Request, Blocked> {
        let message = "the Statuspage API cannot change an incident template";
        Err(Blocked::stalled(Reason::NotHonoured, message))
    }

    fn describe(remote: &IncidentTemplate, _snapshot: &Snapshot) -> String {
        format!("{}, title {}", quoted(&remote.name), quoted(&remote.title))
    }

    fn is_worth_declaring(_remote: &IncidentTemplate) -> bool {
        true
    }

    fn observe(&self, _context: &Context<'_>, _remote: &IncidentTemplate, _status: &mut Status) {}
}
