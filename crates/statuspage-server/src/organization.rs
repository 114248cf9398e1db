//! The organization: its users and what each may do on which page.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::errors::ApiError;
use super::fields::{Fields, Given, read};
use super::pagination::ORDINARY;
use super::records::{Roles, User};
use super::reply::reply;
use super::request::{Answer, Call, Reply, Verb};
use super::state::State;

fn render(organization: &str, user: &User) -> Value {
    reply!(user; id, organization_id = organization, email, first_name, last_name, created_at, updated_at)
}

fn render_permissions(user: &User) -> Value {
    let pages = user
        .permissions
        .iter()
        .map(|(page, roles)| reply!(roles; page_id = page, page_configuration, incident_manager, maintenance_manager));
    json!({ "user_id": user.id, "pages": pages.collect::<Vec<_>>() })
}

/// The operations of an organization.
pub(super) fn route(state: &mut State, verb: Verb, id: &str, path: &[&str], call: &Call<'_>) -> Answer {
    if state.organization.id != id {
        return Err(ApiError::not_found());
    }
    match (path, verb) {
        (["users"], Verb::Get) => call.list(state.organization.users.values().collect(), ORDINARY, |user| {
            render(id, user)
        }),
        (["users"], Verb::Post) => create(state, call),
        (["users", user], Verb::Delete) => {
            let gone = state.organization.users.remove(user).ok_or_else(ApiError::not_found)?;
            Ok(Reply::ok(render(id, &gone)))
        }
        (["permissions", user], Verb::Get) => {
            let user = state.organization.users.get(user).ok_or_else(ApiError::not_found)?;
            Ok(Reply::ok(render_permissions(user)))
        }
        (["permissions", user], Verb::Put) => set_permissions(state, user, call),
        (["users"] | ["users" | "permissions", _], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_found()),
    }
}

fn create(state: &mut State, call: &Call<'_>) -> Answer {
    let mut fields = Fields::envelope(call.body, "user")?;
    let email = match fields.email("email") {
        Given::Value(email) => email,
        Given::Absent | Given::Null => {
            fields.blank("email");
            String::new()
        }
    };
    if !matches!(fields.filled("password"), Given::Value(_)) {
        fields.blank("password");
    }
    if state
        .organization
        .users
        .values()
        .any(|user| user.email.eq_ignore_ascii_case(&email))
    {
        fields.problem("Email has already been taken");
    }
    let user = User {
        id: state.ids.identifier(),
        email,
        first_name: fields.short("first_name").value(),
        last_name: fields.short("last_name").value(),
        created_at: call.now,
        updated_at: call.now,
        ..User::default()
    };
    fields.finish()?;
    let rendered = render(&state.organization.id, &user);
    let id = user.id.clone();
    state.organization.users.put(&id, user);
    Ok(Reply::created(rendered))
}

fn roles(map: &Map<String, Value>, fields: &mut Fields<'_>) -> Roles {
    let mut inner = Fields::of(map);
    let mut roles = Roles::default();
    read!(inner => roles; keep flag: page_configuration, incident_manager, maintenance_manager);
    if inner.finish().is_err() {
        fields.problem("Pages have an invalid role");
    }
    roles
}

/// Sets what a user may do; pages that are left out are taken away.
fn set_permissions(state: &mut State, id: &str, call: &Call<'_>) -> Answer {
    if !state.organization.users.contains(id) {
        return Err(ApiError::not_found());
    }
    let Some(Value::Object(pages)) = call.body.get("pages") else {
        return Err(ApiError::bad_request("pages is missing"));
    };
    let mut fields = Fields::of(call.body);
    let mut permissions = BTreeMap::new();
    for (page, given) in pages {
        if !state.pages.contains_key(page) {
            fields.problem(format!("Page {page} does not exist"));
        }
        match given {
            Value::Object(map) => {
                permissions.insert(page.clone(), roles(map, &mut fields));
            }
            _ => fields.problem("Pages have an invalid role"),
        }
    }
    fields.finish()?;
    let user = state.organization.users.edit(id).ok_or_else(ApiError::not_found)?;
    user.permissions = permissions;
    user.updated_at = call.now;
    Ok(Reply::ok(render_permissions(user)))
}
