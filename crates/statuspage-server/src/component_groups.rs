//! Component groups. A group lives through its members: it cannot be made or left empty.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::errors::ApiError;
use super::fields::{Fields, Given};
use super::instants::seconds;
use super::layout::Layout;
use super::pagination::ORDINARY;
use super::records::ComponentGroup;
use super::references::{drop_empty_groups, unknown_components};
use super::request::{Answer, Call, Reply, Verb};
use super::state::PageState;

fn render(page: &PageState, layout: &Layout<'_>, group: &ComponentGroup) -> Value {
    json!({
        "id": group.id,
        "page_id": page.id,
        "name": group.name,
        "description": group.description,
        "components": layout.members(&group.id).iter().map(|component| component.id.as_str()).collect::<Vec<_>>(),
        "position": layout.position(&group.id),
        "created_at": seconds(group.created_at),
        "updated_at": seconds(group.updated_at),
    })
}

/// The operations of groups.
pub(super) fn route(page: &mut PageState, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        ([], Verb::Get) => list(page, call),
        ([], Verb::Post) => create(page, call),
        ([id], Verb::Get) => shown(page, id).map(Reply::ok),
        ([id], Verb::Patch | Verb::Put) => update(page, id, call),
        ([id], Verb::Delete) => delete(page, id),
        ([] | [_], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_found()),
    }
}

fn shown(page: &PageState, id: &str) -> Result<Value, ApiError> {
    let group = page.groups.get(id).ok_or_else(ApiError::not_found)?;
    Ok(render(page, &Layout::of(page), group))
}

fn list(page: &PageState, call: &Call<'_>) -> Answer {
    let layout = Layout::of(page);
    let mut groups: Vec<&ComponentGroup> = page.groups.values().collect();
    groups.sort_by_key(|group| group.order);
    call.list(groups, ORDINARY, |group| render(page, &layout, group))
}

/// What both writing operations require: a name and the whole list of members.
struct Write {
    name: String,
    description: Given<String>,
    members: Vec<String>,
}

fn read_write(page: &PageState, call: &Call<'_>) -> Result<Write, ApiError> {
    let mut fields = Fields::envelope(call.body, "component_group")?;
    let name = fields.name("name", true);
    let mut description = fields.text("description");
    if description.is_absent() {
        // The published schema puts the description beside the envelope, clients put it inside.
        description = Fields::of(call.body).text("description");
    }
    let members = match fields.list("components") {
        Given::Value(members) if !members.is_empty() => members,
        _ => {
            fields.blank("components");
            Vec::new()
        }
    };
    let unknown = unknown_components(page, &members);
    if !unknown.is_empty() {
        fields.problem(format!("Components do not exist on this page: {}", unknown.join(", ")));
    }
    fields.finish()?;
    Ok(Write {
        name: name.unwrap_or_default(),
        description,
        members,
    })
}

fn create(page: &mut PageState, call: &Call<'_>) -> Answer {
    let write = read_write(page, call)?;
    let id = page.ids.identifier();
    let group = ComponentGroup {
        id: id.clone(),
        name: write.name,
        description: write.description.value(),
        order: page.next_order(),
        created_at: call.now,
        updated_at: call.now,
    };
    page.groups.put(&id, group);
    set_members(page, &id, &write.members);
    shown(page, &id).map(Reply::created)
}

fn update(page: &mut PageState, id: &str, call: &Call<'_>) -> Answer {
    let mut group = page.groups.get(id).ok_or_else(ApiError::not_found)?.clone();
    let write = read_write(page, call)?;
    group.name = write.name;
    write.description.store(&mut group.description);
    group.updated_at = call.now;
    page.groups.put(id, group);
    set_members(page, id, &write.members);
    shown(page, id).map(Reply::ok)
}

fn delete(page: &mut PageState, id: &str) -> Answer {
    let last = shown(page, id)?;
    set_members(page, id, &[]);
    page.groups.remove(id);
    Ok(Reply::ok(last))
}

/// Makes exactly these components the members. The order of the list means nothing: newcomers are appended in the order
/// in which they stood on the page, those left out go to the end of the page.
fn set_members(page: &mut PageState, group: &str, members: &[String]) {
    let wanted: HashSet<&str> = members.iter().map(String::as_str).collect();
    let mut moving: Vec<(i64, String, bool)> = page
        .components
        .values()
        .filter_map(|component| {
            let inside = component.group_id.as_deref() == Some(group);
            let wanted = wanted.contains(component.id.as_str());
            (inside != wanted).then(|| (component.order, component.id.clone(), wanted))
        })
        .collect();
    moving.sort();
    for (_, id, joins) in moving {
        let order = page.next_order();
        if let Some(component) = page.components.edit(&id) {
            component.group_id = joins.then(|| group.to_owned());
            component.order = order;
        }
    }
    drop_empty_groups(page);
}
