//! Components: what a page shows the state of.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::errors::ApiError;
use super::fields::{Fields, Given, read};
use super::layout::Row;
use super::pagination::{ORDINARY, Paging};
use super::records::{Component, ComponentGroup};
use super::references;
use super::reply::reply;
use super::request::{Answer, Call, Reply};
use super::resource::{self, PageView, Resource};
use super::state::PageState;
use super::vocabulary::ComponentStatus;

/// How long changes of status are remembered for the uptime: the longest range that may be asked for, and some.
const HISTORY_DAYS: i64 = 400;

impl Component {
    /// Takes a status; the time of change moves only when it differs.
    pub(super) fn set_status(&mut self, status: ComponentStatus, now: Timestamp) {
        if self.status == status && !self.history.is_empty() {
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

impl Resource for Component {
    const ENVELOPE: &'static str = "component";
    type Rest = ();

    fn new(page: &PageState, call: &Call<'_>) -> Self {
        Self {
            id: page.ids.identifier(),
            automation_email: format!("component+{}@notifications.statuspage.io", page.ids.token()),
            order: page.next_order(),
            created_at: call.now,
            ..Self::default()
        }
    }

    fn read(&mut self, page: &PageState, fields: &mut Fields<'_>, call: &Call<'_>) {
        fields.named("name", &mut self.name);
        fields.text("description").store(&mut self.description);
        let group = group(page, fields);
        let status = match fields.word("status") {
            Given::Null => ComponentStatus::Operational,
            given => given.value().unwrap_or(self.status),
        };
        read!(fields => self; keep flag: showcase);
        let only_show = fields.flag("only_show_if_degraded");
        if call.behaviour.only_show_if_degraded {
            only_show.keep(&mut self.only_show_if_degraded);
        }
        let start_date = fields.text("start_date").and_then(|text| match text.parse::<Date>() {
            Ok(date) => Given::Value(date),
            Err(_) => fields.invalid("start_date"),
        });
        // Whose uptime is shown from the beginning has begun today.
        let began = self.history.is_empty() && self.showcase && start_date.is_absent();
        match page.document() {
            Ok(document) if began => self.start_date = Some(call.now.to_zoned(document.zone()).date()),
            _ => start_date.store(&mut self.start_date),
        }
        let left = self.group_id.clone();
        group.store(&mut self.group_id);
        if self.group_id != left {
            self.order = page.next_order();
        }
        self.set_status(status, call.now);
        self.updated_at = call.now;
    }

    fn written(page: &mut PageState, _id: &str, _rest: ()) {
        references::drop_empty_groups(page);
    }

    fn removed(page: &mut PageState, id: &str) {
        references::forget_component(page, id);
    }

    fn gone(_shown: Value) -> Reply {
        Reply::no_content()
    }

    fn render(&self, view: &PageView<'_>) -> Value {
        reply! { self;
            id, page_id = view.page.id, group_id, group = false, name, description,
            position = view.layout().position(&self.id), status, showcase, only_show_if_degraded,
            automation_email = view.behaviour.automation_email.then_some(&self.automation_email),
            start_date, created_at, updated_at,
        }
    }
}

/// The row of a group among the components.
fn group_row(view: &PageView<'_>, group: &ComponentGroup) -> Value {
    reply! { group;
        id, page_id = view.page.id, group_id = Value::Null, group = true, name, description,
        position = view.layout().position(&group.id), status = view.layout().worst(&group.id), showcase = false,
        only_show_if_degraded = false, automation_email = Value::Null, start_date = Value::Null, created_at, updated_at,
    }
}

/// All components, the groups among them.
pub(super) fn list(page: &PageState, call: &Call<'_>) -> Answer {
    let view = PageView::of(page, call);
    let paging = Paging {
        ceiling: call.behaviour.components_ceiling,
        ..ORDINARY
    };
    call.list(view.layout().rows.clone(), paging, |row| match row {
        Row::Component(component) => component.render(&view),
        Row::Group(group) => group_row(&view, group),
    })
}

/// One component. A group is a component to the service, so its row can be read by its identifier.
pub(super) fn read(page: &PageState, id: &str, call: &Call<'_>) -> Result<Value, ApiError> {
    match page.groups.get(id) {
        Some(group) if !page.components.contains(id) => Ok(group_row(&PageView::of(page, call), group)),
        _ => resource::shown::<Component>(page, id, call),
    }
}

/// The group that a request names; `null` may also be spelled as a text.
fn group(page: &PageState, fields: &mut Fields<'_>) -> Given<String> {
    fields.filled("group_id").and_then(|id| match id.as_str() {
        "null" => Given::Null,
        _ if page.groups.contains(&id) => Given::Value(id),
        _ => {
            fields.problem("Group does not exist on this page");
            Given::Absent
        }
    })
}
