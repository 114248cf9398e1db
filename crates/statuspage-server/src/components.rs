//! Components: what a page shows the state of.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::errors::ApiError;
use super::faults::Behaviour;
use super::fields::{Fields, Given};
use super::instants::seconds;
use super::layout::{Layout, Row};
use super::pagination::{ORDINARY, Paging};
use super::records::{Component, ComponentGroup};
use super::references;
use super::request::{Answer, Call, Reply, Verb};
use super::state::{PageState, nullable};
use super::vocabulary::ComponentStatus;

/// How long changes of status are remembered for the uptime: the longest range that may be asked for, and some.
const HISTORY_DAYS: i64 = 400;

impl Component {
    /// Takes a status; the time of change moves only when it differs.
    pub(super) fn set_status(&mut self, status: ComponentStatus, now: Timestamp) {
        if self.status == status {
            return;
        }
        self.status = status;
        self.updated_at = now;
        let oldest = now
            .checked_sub(jiff::SignedDuration::from_hours(24 * HISTORY_DAYS))
            .unwrap_or(Timestamp::MIN);
        // The entry before the oldest instant still says what held at that instant.
        let keep = self.history.iter().rposition(|(at, _)| *at <= oldest).unwrap_or(0);
        self.history.drain(..keep);
        self.history.push((now, status));
    }
}

/// A component as every reply shows it.
pub(super) fn render(page: &PageState, layout: &Layout<'_>, component: &Component, behaviour: &Behaviour) -> Value {
    json!({
        "id": component.id,
        "page_id": page.id,
        "group_id": component.group_id,
        "group": false,
        "name": component.name,
        "description": component.description,
        "position": layout.position(&component.id),
        "status": component.status.as_str(),
        "showcase": component.showcase,
        "only_show_if_degraded": component.only_show_if_degraded,
        "automation_email": behaviour.automation_email.then_some(component.automation_email.as_str()),
        "start_date": component.start_date.map(|date| date.to_string()),
        "created_at": seconds(component.created_at),
        "updated_at": seconds(component.updated_at),
    })
}

/// The row of a group among the components.
fn render_group_row(page: &PageState, layout: &Layout<'_>, group: &ComponentGroup) -> Value {
    let worst = layout
        .members(&group.id)
        .iter()
        .map(|component| component.status)
        .max()
        .unwrap_or(ComponentStatus::Operational);
    json!({
        "id": group.id,
        "page_id": page.id,
        "group_id": null,
        "group": true,
        "name": group.name,
        "description": nullable(group.description.as_deref()),
        "position": layout.position(&group.id),
        "status": worst.as_str(),
        "showcase": false,
        "only_show_if_degraded": false,
        "automation_email": null,
        "start_date": null,
        "created_at": seconds(group.created_at),
        "updated_at": seconds(group.updated_at),
    })
}

/// The operations of components.
pub(super) fn route(page: &mut PageState, verb: Verb, path: &[&str], call: &Call<'_>) -> Answer {
    match (path, verb) {
        ([], Verb::Get) => list(page, call),
        ([], Verb::Post) => create(page, call),
        ([id], Verb::Get) => read(page, id, call),
        ([id], Verb::Patch | Verb::Put) => update(page, id, call),
        ([id], Verb::Delete) => delete(page, id, call),
        ([] | [_], _) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::not_found()),
    }
}

fn list(page: &PageState, call: &Call<'_>) -> Answer {
    let layout = Layout::of(page);
    let paging = Paging {
        ceiling: call.behaviour.components_ceiling,
        ..ORDINARY
    };
    call.list(layout.rows.clone(), paging, |row| match row {
        Row::Component(component) => render(page, &layout, component, call.behaviour),
        Row::Group(group) => render_group_row(page, &layout, group),
    })
}

fn read(page: &PageState, id: &str, call: &Call<'_>) -> Answer {
    let layout = Layout::of(page);
    if let Some(component) = page.components.get(id) {
        return Ok(Reply::ok(render(page, &layout, component, call.behaviour)));
    }
    // A group is a component to the service, so its row can be read by its identifier.
    match page.groups.get(id) {
        Some(group) => Ok(Reply::ok(render_group_row(page, &layout, group))),
        None => Err(ApiError::not_found()),
    }
}

/// The group that a request names; `null` may also be spelled as a text.
fn group(page: &PageState, fields: &mut Fields<'_>) -> Given<String> {
    match fields.filled("group_id") {
        Given::Value(text) if text == "null" => Given::Null,
        Given::Value(id) if !page.groups.contains(&id) => {
            fields.problem("Group does not exist on this page");
            Given::Absent
        }
        other => other,
    }
}

fn status(fields: &mut Fields<'_>) -> Given<ComponentStatus> {
    match fields.word::<ComponentStatus>("status") {
        Given::Null => Given::Value(ComponentStatus::Operational),
        other => other,
    }
}

fn start_date(fields: &mut Fields<'_>) -> Given<Date> {
    match fields.text("start_date") {
        Given::Value(text) => match text.parse::<Date>() {
            Ok(date) => Given::Value(date),
            Err(_) => {
                fields.problem("Start date is invalid");
                Given::Absent
            }
        },
        Given::Null => Given::Null,
        Given::Absent => Given::Absent,
    }
}

fn create(page: &mut PageState, call: &Call<'_>) -> Answer {
    let mut fields = Fields::envelope(call.body, "component")?;
    let name = fields.name("name", true);
    let description = fields.text("description").value();
    let group_id = group(page, &mut fields).value();
    let status = status(&mut fields).value().unwrap_or(ComponentStatus::Operational);
    let showcase = fields.flag("showcase").value().unwrap_or(false);
    let only_show_if_degraded = fields.flag("only_show_if_degraded").value().unwrap_or(false);
    let start_date = start_date(&mut fields);
    fields.finish()?;
    let today = call.now.to_zoned(page.document()?.zone()).date();
    let id = page.ids.identifier();
    let component = Component {
        id: id.clone(),
        name: name.unwrap_or_default(),
        description,
        group_id,
        status,
        showcase,
        only_show_if_degraded: only_show_if_degraded && call.behaviour.only_show_if_degraded,
        automation_email: format!("component+{}@notifications.statuspage.io", page.ids.token()),
        start_date: match start_date {
            Given::Value(date) => Some(date),
            Given::Null => None,
            Given::Absent => showcase.then_some(today),
        },
        order: page.next_order(),
        history: vec![(call.now, status)],
        created_at: call.now,
        updated_at: call.now,
    };
    page.components.put(&id, component);
    shown(page, &id, call).map(Reply::created)
}

fn shown(page: &PageState, id: &str, call: &Call<'_>) -> Result<Value, ApiError> {
    let component = page.components.get(id).ok_or_else(ApiError::not_found)?;
    Ok(render(page, &Layout::of(page), component, call.behaviour))
}

fn update(page: &mut PageState, id: &str, call: &Call<'_>) -> Answer {
    let mut component = page.components.get(id).ok_or_else(ApiError::not_found)?.clone();
    let mut fields = Fields::envelope(call.body, "component")?;
    if let Some(name) = fields.name("name", false) {
        component.name = name;
    }
    fields.text("description").store(&mut component.description);
    let group = group(page, &mut fields);
    let status = status(&mut fields);
    fields.flag("showcase").keep(&mut component.showcase);
    let only_show = fields.flag("only_show_if_degraded");
    if call.behaviour.only_show_if_degraded {
        only_show.keep(&mut component.only_show_if_degraded);
    }
    start_date(&mut fields).store(&mut component.start_date);
    fields.finish()?;
    let left = component.group_id.clone();
    group.store(&mut component.group_id);
    if component.group_id != left {
        component.order = page.next_order();
    }
    if let Given::Value(status) = status {
        component.set_status(status, call.now);
    }
    component.updated_at = call.now;
    page.components.put(id, component);
    references::drop_empty_groups(page);
    shown(page, id, call).map(Reply::ok)
}

fn delete(page: &mut PageState, id: &str, _call: &Call<'_>) -> Answer {
    page.components.remove(id).ok_or_else(ApiError::not_found)?;
    references::forget_component(page, id);
    Ok(Reply::no_content())
}
