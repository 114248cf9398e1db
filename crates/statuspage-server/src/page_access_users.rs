//! Page access users: people who may see parts of an audience-specific page.

use serde_json::Value;

use super::errors::ApiError;
use super::fields::{Fields, Given, read};
use super::records::PageAccessUser;
use super::reply::reply;
use super::request::{Call, Reply};
use super::resource::{PageView, Resource};
use super::state::PageState;

/// Whether two address the same person; nobody has no address.
fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_some() && one.map(str::to_lowercase) == other.map(str::to_lowercase)
}

impl Resource for PageAccessUser {
    const ENVELOPE: &'static str = "page_access_user";
    type Rest = ();

    fn new(page: &PageState, call: &Call<'_>) -> Self {
        Self {
            id: page.ids.identifier(),
            created_at: call.now,
            ..Self::default()
        }
    }

    fn read(&mut self, page: &PageState, fields: &mut Fields<'_>, call: &Call<'_>) {
        read!(fields => self; store email: email; store short: external_login);
        let groups = fields.list("page_access_group_ids");
        if matches!(&groups, Given::Value(groups) if groups.iter().any(|group| !page.access_groups.contains(group))) {
            fields.problem("Page access groups do not exist on this page");
        }
        groups.or_default(&mut self.group_ids);
        if self.email.is_none() && self.external_login.is_none() {
            fields.blank("email");
        }
        let mut others = page.access_users.values().filter(|other| other.id != self.id);
        if others.any(|other| is_same(other.email.as_deref(), self.email.as_deref())) {
            match page.access_users.contains(&self.id) {
                true => fields.problem("Email has already been taken"),
                // With a status of its own, unless something else is wrong.
                false => fields.conflict("Email has already been taken"),
            }
        }
        self.updated_at = call.now;
    }

    fn written(_page: &mut PageState, _id: &str, _rest: ()) {}

    /// The only creation that is answered with 200.
    fn made(shown: Value) -> Reply {
        Reply::ok(shown)
    }

    fn gone(_shown: Value) -> Reply {
        Reply::no_content()
    }

    fn render(&self, view: &PageView<'_>) -> Value {
        reply! { self;
            id, page_id = view.page.id, email, external_login, page_access_group_id = self.group_ids.first(),
            page_access_group_ids = self.group_ids, created_at, updated_at,
        }
    }

    fn listed<'a>(page: &'a PageState, call: &Call<'_>) -> Result<Vec<&'a Self>, ApiError> {
        let wanted = call.parameter("email");
        let users = page.access_users.values();
        Ok(users
            .filter(|user| wanted.is_none() || is_same(wanted, user.email.as_deref()))
            .collect())
    }
}
