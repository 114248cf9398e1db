//! Incident templates: made and listed. The documented API has no way to read, change or remove a single one; some
//! clients try all the same, so a switch serves them.

use serde_json::{Value, json};

use super::components;
use super::errors::ApiError;
use super::faults::Behaviour;
use super::fields::{Fields, Given};
use super::layout::Layout;
use super::pagination::ORDINARY;
use super::records::IncidentTemplate;
use super::references::unknown_components;
use super::request::{Answer, Call, Reply, Verb};
use super::state::PageState;
use super::vocabulary::IncidentStatus;

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
            call.list(page.templates.values().collect(), ORDINARY, |template| {
                render(page, &layout, template, call.behaviour)
            })
        }
        ([], Verb::Post) => create(page, call),
        ([id], _) if call.behaviour.template_items => item(page, verb, id, call),
        ([], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_found()),
    }
}

fn item(page: &mut PageState, verb: Verb, id: &str, call: &Call<'_>) -> Answer {
    let mut template = page.templates.get(id).ok_or_else(ApiError::not_found)?.clone();
    match verb {
        Verb::Get => {}
        Verb::Patch | Verb::Put => {
            let mut fields = Fields::envelope(call.body, "template")?;
            read(page, &mut fields, &mut template, false);
            fields.finish()?;
            page.templates.put(id, template.clone());
        }
        Verb::Delete => {
            page.templates.remove(id);
        }
        _ => return Err(ApiError::method_not_allowed()),
    }
    Ok(Reply::ok(render(page, &Layout::of(page), &template, call.behaviour)))
}

fn read(page: &PageState, fields: &mut Fields<'_>, template: &mut IncidentTemplate, new: bool) {
    for (key, target) in [("name", &mut template.name), ("title", &mut template.title)] {
        if let Some(text) = fields.name(key, new) {
            *target = text;
        }
    }
    match fields.filled("body") {
        Given::Value(body) => template.body = body,
        Given::Absent if !new => {}
        Given::Absent | Given::Null => fields.blank("body"),
    }
    if let Given::Value(list) = fields.list("component_ids") {
        let unknown = unknown_components(page, &list);
        if !unknown.is_empty() {
            fields.problem(format!("Components do not exist on this page: {}", unknown.join(", ")));
        }
        template.component_ids = list;
    }
    fields.filled("group_id").store(&mut template.group_id);
    fields.word("update_status").store(&mut template.update_status);
    fields.flag("should_tweet").keep(&mut template.should_tweet);
    fields
        .flag("should_send_notifications")
        .keep(&mut template.should_send_notifications);
}

fn create(page: &mut PageState, call: &Call<'_>) -> Answer {
    let mut fields = Fields::envelope(call.body, "template")?;
    let mut template = IncidentTemplate {
        id: page.ids.identifier(),
        name: String::new(),
        title: String::new(),
        body: String::new(),
        group_id: None,
        update_status: None,
        should_tweet: false,
        should_send_notifications: false,
        component_ids: Vec::new(),
        created_at: call.now,
    };
    read(page, &mut fields, &mut template, true);
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
