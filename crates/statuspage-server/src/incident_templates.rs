//! Incident templates: made and listed. The documented API has no way to read, change or remove a single one; some
//! clients try all the same, so a switch serves them.

use serde_json::Value;

use super::fields::{Fields, Given, read};
use super::records::IncidentTemplate;
use super::reply::reply;
use super::request::Call;
use super::resource::{PageView, Resource};
use super::state::PageState;

impl Resource for IncidentTemplate {
    const ENVELOPE: &'static str = "template";
    type Rest = ();

    fn new(page: &PageState, call: &Call<'_>) -> Self {
        Self {
            id: page.ids.identifier(),
            created_at: call.now,
            ..Self::default()
        }
    }

    fn read(&mut self, page: &PageState, fields: &mut Fields<'_>, _call: &Call<'_>) {
        fields.named("name", &mut self.name);
        fields.named("title", &mut self.title);
        match fields.filled("body") {
            Given::Value(body) => self.body = body,
            Given::Absent if !self.body.is_empty() => {}
            Given::Absent | Given::Null => fields.blank("body"),
        }
        if let Given::Value(list) = fields.list("component_ids") {
            fields.check_known("Components", &page.components, &list);
            self.component_ids = list;
        }
        read! { fields => self;
            store filled: group_id;
            store word: update_status;
            keep flag: should_tweet, should_send_notifications;
        }
    }

    fn written(_page: &mut PageState, _id: &str, _rest: ()) {}

    fn render(&self, view: &PageView<'_>) -> Value {
        reply! { self;
            id, name, title, body, group_id, update_status, should_tweet, should_send_notifications,
            components = view.components(&self.component_ids),
        }
    }
}
