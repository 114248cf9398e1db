//! Page access users: people who may see parts of an audience-specific page.

use serde_json::{Value, json};

use super::access_grants::{self, Granted};
use super::errors::ApiError;
use super::fields::{Fields, Given};
use super::instants::seconds;
use super::pagination::ORDINARY;
use super::records::PageAccessUser;
use super::request::{Answer, Call, Reply, Verb};
use super::state::PageState;

impl PageAccessUser {
    fn grants(&mut self, granted: Granted) -> &mut Vec<String> {
        match granted {
            Granted::Components => &mut self.component_ids,
            Granted::Metrics => &mut self.metric_ids,
        }
    }
}

fn render(page: &PageState, user: &PageAccessUser) -> Value {
    json!({
        "id": user.id,
        "page_id": page.id,
        "email": user.email,
        "external_login": user.external_login,
        "page_access_group_id": user.group_ids.first(),
        "page_access_group_ids": user.group_ids,
        "created_at": seconds(user.created_at),
        "updated_at": seconds(user.updated_at),
    })
}

/// The operations of page access users.
pub(super) fn route(page: &mut PageState, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        ([], Verb::Get) => list(page, call),
        ([], Verb::Post) => create(page, call),
        ([id], Verb::Get) => Ok(Reply::ok(render(page, find(page, id)?))),
        ([id], Verb::Patch | Verb::Put) => update(page, id, call),
        ([id], Verb::Delete) => {
            page.access_users.remove(id).ok_or_else(ApiError::not_found)?;
            Ok(Reply::no_content())
        }
        ([] | [_], _) => Err(ApiError::method_not_allowed()),
        ([id, segment, rest @ ..], _) => {
            let granted = Granted::of(segment).ok_or_else(ApiError::not_found)?;
            let mut user = find(page, id)?.clone();
            let present = user.grants(granted).clone();
            let (present, made) = match (rest, verb) {
                ([], Verb::Get) => return access_grants::list(page, granted, &present, call),
                ([], _) => access_grants::changed(page, granted, present, verb, call)?,
                ([one], Verb::Delete) => (access_grants::without(present, one)?, false),
                ([_], _) => return Err(ApiError::method_not_allowed()),
                _ => return Err(ApiError::not_found()),
            };
            *user.grants(granted) = present;
            user.updated_at = call.now;
            let rendered = render(page, &user);
            page.access_users.put(id, user);
            Ok(if made {
                Reply::created(rendered)
            } else {
                Reply::ok(rendered)
            })
        }
    }
}

fn find<'a>(page: &'a PageState, id: &str) -> Result<&'a PageAccessUser, ApiError> {
    page.access_users.get(id).ok_or_else(ApiError::not_found)
}

fn list(page: &PageState, call: &Call<'_>) -> Answer {
    let email = call.parameter("email").map(str::to_lowercase);
    let found: Vec<&PageAccessUser> = page
        .access_users
        .values()
        .filter(|user| email.is_none() || user.email.as_ref().map(|known| known.to_lowercase()) == email)
        .collect();
    call.list(found, ORDINARY, |user| render(page, user))
}

fn read(page: &PageState, fields: &mut Fields<'_>, user: &mut PageAccessUser) {
    fields.email("email").store(&mut user.email);
    fields.short("external_login").store(&mut user.external_login);
    match fields.list("page_access_group_ids") {
        Given::Absent => {}
        Given::Null => user.group_ids = Vec::new(),
        Given::Value(groups) => {
            if groups.iter().any(|group| !page.access_groups.contains(group)) {
                fields.problem("Page access groups do not exist on this page");
            }
            user.group_ids = groups;
        }
    }
    if user.email.is_none() && user.external_login.is_none() {
        fields.blank("email");
    }
}

fn is_taken(page: &PageState, user: &PageAccessUser) -> bool {
    let Some(email) = user.email.as_ref().map(|email| email.to_lowercase()) else {
        return false;
    };
    page.access_users
        .values()
        .any(|other| other.id != user.id && other.email.as_ref().is_some_and(|known| known.to_lowercase() == email))
}

fn create(page: &mut PageState, call: &Call<'_>) -> Answer {
    let mut fields = Fields::envelope(call.body, "page_access_user")?;
    let mut user = PageAccessUser {
        id: page.ids.identifier(),
        email: None,
        external_login: None,
        group_ids: Vec::new(),
        component_ids: Vec::new(),
        metric_ids: Vec::new(),
        created_at: call.now,
        updated_at: call.now,
    };
    read(page, &mut fields, &mut user);
    fields.finish()?;
    if is_taken(page, &user) {
        return Err(ApiError::conflict("Email has already been taken"));
    }
    let rendered = render(page, &user);
    let id = user.id.clone();
    page.access_users.put(&id, user);
    // The only creation that is answered with 200.
    Ok(Reply::ok(rendered))
}

fn update(page: &mut PageState, id: &str, call: &Call<'_>) -> Answer {
    let mut user = find(page, id)?.clone();
    let mut fields = Fields::envelope(call.body, "page_access_user")?;
    read(page, &mut fields, &mut user);
    if is_taken(page, &user) {
        fields.problem("Email has already been taken");
    }
    fields.finish()?;
    user.updated_at = call.now;
    let rendered = render(page, &user);
    page.access_users.put(id, user);
    Ok(Reply::ok(rendered))
}
