//! Incident templates: made and listed. The API has no way to read, change or remove a single one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::errors::ApiError;
use super::faults::Behaviour;
use super::fields::{Fields, Given};
use super::layout::Layout;
use super::pagination::ORDINARY;
use super::routes::{Answer, Call, Reply, Verb};
use super::state::PageState;
use super::words::IncidentStatus;
use super::{components, ids};

/// A template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct IncidentTemplate {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) group_id: Option<String>,
    pub(super) update_status: Option<IncidentStatus>,
    pub(super) should_tweet: bool,
    pub(super) should_send_notifications: bool,
    pub(super) component_ids: Vec<String>,
    pub(super) created_at: Timestamp,
}

fn render(page: &PageState, layout: &Layout<'_>, template: &IncidentTemplate, behaviour: &Behaviour) -> Value {
    let affected: Vec<Value> = template
        .component_ids
        .iter()
        .filter_map(|id| page.components.get(id))
        .map(|component| components::render(page, layout, component, behaviour))
        .collect();
    json!({
        "id": template.id,
        "name": template.name,
        "title": template.title,
        "body": template.body,
        "group_id": template.group_id,
        "update_status": template.update_status.map(IncidentStatus::as_str),
        "should_tweet": template.should_tweet,
        "should_send_notifications": template.should_send_notifications,
        "components": affected,
    })
}

/// The operations of templates.
pub(super) fn route(page: &mut PageState, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        ([], Verb::Get) => {
            let layout = Layout::of(page);
            call.list(
                page.templates.values().collect(),
                ORDINARY,
                |template| template.created_at,
                |template| render(page, &layout, template, call.behaviour),
            )
        }
        ([], Verb::Post) => create(page, call),
        ([], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_found()),
    }
}

fn create(page: &mut PageState, call: &Call<'_>) -> Answer {
    let mut fields = Fields::envelope(call.body, "template")?;
    let name = fields.name("name", true).unwrap_or_default();
    let title = fields.name("title", true).unwrap_or_default();
    let body = match fields.filled("body") {
        Given::Value(body) => body,
        Given::Absent | Given::Null => {
            fields.blank("body");
            String::new()
        }
    };
    let component_ids = fields.list("component_ids").value().unwrap_or_default();
    let unknown = components::unknown(page, &component_ids);
    if !unknown.is_empty() {
        fields.problem(format!("Components do not exist on this page: {}", unknown.join(", ")));
    }
    let template = IncidentTemplate {
        id: ids::identifier(),
        name,
        title,
        body,
        group_id: fields.filled("group_id").value(),
        update_status: fields.word("update_status").value(),
        should_tweet: fields.flag("should_tweet").value().unwrap_or(false),
        should_send_notifications: fields.flag("should_send_notifications").value().unwrap_or(false),
        component_ids,
        created_at: call.now,
    };
    fields.finish()?;
    let id = template.id.clone();
    page.templates.put(&id, template.clone());
    Ok(Reply::created(render(
        page,
        &Layout::of(page),
        &template,
        call.behaviour,
    )))
}
