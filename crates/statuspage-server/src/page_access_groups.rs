//! Page access groups: sets of page access users who may see the same parts of a page.

use serde_json::{Value, json};

use super::access_grants::{self, Granted};
use super::components;
use super::errors::ApiError;
use super::fields::{Fields, Given};
use super::instants::seconds;
use super::layout::Layout;
use super::pagination::ORDINARY;
use super::records::PageAccessGroup;
use super::request::{Answer, Call, Reply, Verb};
use super::state::PageState;

fn render(page: &PageState, group: &PageAccessGroup) -> Value {
    let members: Vec<&str> = page
        .access_users
        .values()
        .filter(|user| user.group_ids.contains(&group.id))
        .map(|user| user.id.as_str())
        .collect();
    json!({
        "id": group.id,
        "page_id": page.id,
        "name": group.name,
        "page_access_user_ids": members,
        "external_identifier": group.external_identifier,
        "metric_ids": group.metric_ids,
        "component_ids": group.component_ids,
        "created_at": seconds(group.created_at),
        "updated_at": seconds(group.updated_at),
    })
}

/// The operations of page access groups.
pub(super) fn route(page: &mut PageState, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        ([], Verb::Get) => call.list(page.access_groups.values().collect(), ORDINARY, |group| {
            render(page, group)
        }),
        ([], Verb::Post) => create(page, call),
        ([id], Verb::Get) => Ok(Reply::ok(render(page, find(page, id)?))),
        ([id], Verb::Patch | Verb::Put) => update(page, id, call),
        ([id], Verb::Delete) => {
            let last = render(page, find(page, id)?);
            set_members(page, id, &[]);
            page.access_groups.remove(id);
            Ok(Reply::ok(last))
        }
        ([id, "components"], Verb::Get) => {
            access_grants::list(page, Granted::Components, &find(page, id)?.component_ids, call)
        }
        ([id, "components"], _) => {
            let present = find(page, id)?.component_ids.clone();
            let (present, made) = access_grants::changed(page, Granted::Components, present, verb, call)?;
            let rendered = set_components(page, id, present, call)?;
            Ok(if made {
                Reply::created(rendered)
            } else {
                Reply::ok(rendered)
            })
        }
        ([id, "components", component], Verb::Delete) => {
            let present = access_grants::without(find(page, id)?.component_ids.clone(), component)?;
            set_components(page, id, present, call).map(Reply::ok)
        }
        ([] | [_] | [_, "components", _], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_found()),
    }
}

fn find<'a>(page: &'a PageState, id: &str) -> Result<&'a PageAccessGroup, ApiError> {
    page.access_groups.get(id).ok_or_else(ApiError::not_found)
}

fn set_components(page: &mut PageState, id: &str, list: Vec<String>, call: &Call<'_>) -> Result<Value, ApiError> {
    let group = page.access_groups.edit(id).ok_or_else(ApiError::not_found)?;
    group.component_ids = list;
    group.updated_at = call.now;
    Ok(render(page, find(page, id)?))
}

/// Reads a group and, when they are named, its members.
fn read(page: &PageState, fields: &mut Fields<'_>, group: &mut PageAccessGroup) -> Option<Vec<String>> {
    fields
        .short("external_identifier")
        .store(&mut group.external_identifier);
    for (granted, target) in [
        (Granted::Components, &mut group.component_ids),
        (Granted::Metrics, &mut group.metric_ids),
    ] {
        match fields.list(granted.key()) {
            Given::Absent => {}
            Given::Null => target.clear(),
            Given::Value(list) => {
                access_grants::check(page, granted, &list, fields);
                *target = list;
            }
        }
    }
    let members = match fields.list("page_access_user_ids") {
        Given::Absent => return None,
        Given::Null => Vec::new(),
        Given::Value(members) => members,
    };
    if members.iter().any(|member| !page.access_users.contains(member)) {
        fields.problem("Page access users do not exist on this page");
    }
    Some(members)
}

fn set_members(page: &mut PageState, group: &str, members: &[String]) {
    for id in page.access_users.ids() {
        let inside = page
            .access_users
            .get(&id)
            .is_some_and(|user| user.group_ids.iter().any(|known| known == group));
        let wanted = members.contains(&id);
        if inside != wanted
            && let Some(user) = page.access_users.edit(&id)
        {
            user.group_ids.retain(|known| known != group);
            if wanted {
                user.group_ids.push(group.to_owned());
            }
        }
    }
}

fn create(page: &mut PageState, call: &Call<'_>) -> Answer {
    let mut fields = Fields::envelope(call.body, "page_access_group")?;
    let mut group = PageAccessGroup {
        id: page.ids.identifier(),
        name: fields.name("name", true).unwrap_or_default(),
        external_identifier: None,
        component_ids: Vec::new(),
        metric_ids: Vec::new(),
        created_at: call.now,
        updated_at: call.now,
    };
    let members = read(page, &mut fields, &mut group);
    fields.finish()?;
    let id = group.id.clone();
    page.access_groups.put(&id, group);
    set_members(page, &id, &members.unwrap_or_default());
    Ok(Reply::created(render(page, find(page, &id)?)))
}

fn update(page: &mut PageState, id: &str, call: &Call<'_>) -> Answer {
    let mut group = find(page, id)?.clone();
    let mut fields = Fields::envelope(call.body, "page_access_group")?;
    if let Some(name) = fields.name("name", false) {
        group.name = name;
    }
    let members = read(page, &mut fields, &mut group);
    fields.finish()?;
    group.updated_at = call.now;
    page.access_groups.put(id, group);
    if let Some(members) = members {
        set_members(page, id, &members);
    }
    Ok(Reply::ok(render(page, find(page, id)?)))
}

/// Who is named from the side of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Users,
    Groups,
}

/// The operations below a component: POST grants it to those listed, DELETE takes it from everybody.
pub(super) fn of_component(
    page: &mut PageState,
    component: &str,
    holder: Holder,
    verb: Verb,
    call: &Call<'_>,
) -> Answer {
    if !page.components.contains(component) {
        return Err(ApiError::not_found());
    }
    let mut fields = Fields::of(call.body);
    let key = match holder {
        Holder::Users => "page_access_user_ids",
        Holder::Groups => "page_access_group_ids",
    };
    let named = match verb {
        Verb::Post => fields.list(key).value().unwrap_or_default(),
        Verb::Delete => Vec::new(),
        _ => return Err(ApiError::method_not_allowed()),
    };
    let known = |id: &String| match holder {
        Holder::Users => page.access_users.contains(id),
        Holder::Groups => page.access_groups.contains(id),
    };
    if !named.iter().all(known) {
        fields.problem(format!("{} do not exist on this page", super::fields::human(key)));
    }
    fields.finish()?;
    let concerned = match (verb, holder) {
        (Verb::Post, _) => named,
        (_, Holder::Users) => page.access_users.ids(),
        (_, Holder::Groups) => page.access_groups.ids(),
    };
    for id in concerned {
        let list = match holder {
            Holder::Users => page.access_users.edit(&id).map(|user| &mut user.component_ids),
            Holder::Groups => page.access_groups.edit(&id).map(|group| &mut group.component_ids),
        };
        if let Some(list) = list {
            list.retain(|known| known != component);
            if verb == Verb::Post {
                list.push(component.to_owned());
            }
        }
    }
    let body = page
        .components
        .get(component)
        .map(|found| components::render(page, &Layout::of(page), found, call.behaviour))
        .ok_or_else(ApiError::not_found)?;
    Ok(if verb == Verb::Post {
        Reply::created(body)
    } else {
        Reply::ok(body)
    })
}
