//! Page access users (reference 2.14). Membership in groups is owned by the groups.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Rules, text, write};
use crate::api::PageAccessUserSpec;
use crate::engine::context::{Blocked, Context};
use crate::engine::declaration::Status;
use crate::engine::fields::{Access, Comparison, Field};
use crate::engine::request::Request;
use crate::statuspage::{Collection, CollectionKind, PageAccessUser, Priority, Snapshot};

impl Rules for PageAccessUserSpec {
    type Remote = PageAccessUser;
    const COLLECTION: CollectionKind = CollectionKind::PageAccessUsers;
    const PRIORITY: Priority = Priority::Write;

    fn collection(snapshot: &Snapshot) -> Option<&Collection<PageAccessUser>> {
        snapshot.page_access_users.as_ref()
    }

    fn id(remote: &PageAccessUser) -> &str {
        &remote.id
    }

    fn created_at(remote: &PageAccessUser) -> Option<Timestamp> {
        remote.created_at
    }

    fn handles(remote: &PageAccessUser) -> Vec<String> {
        let email = remote.email.as_deref().map(str::to_lowercase);
        email.into_iter().chain(remote.external_login.clone()).collect()
    }

    fn wanted_handles(&self, _context: &Context<'_>) -> Vec<String> {
        match (&self.email, &self.external_login) {
            (Some(email), _) => vec![email.to_lowercase()],
            (None, login) => login.iter().cloned().collect(),
        }
    }

    fn title(&self, context: &Context<'_>) -> String {
        // The address is personal data: Events and logs name the declaration.
        context.declaration.key.name.clone()
    }

    fn same_identity(&self, _context: &Context<'_>, remote: &PageAccessUser) -> bool {
        match (&self.email, &self.external_login) {
            (Some(email), _) => {
                let known = remote.email.as_deref().map(str::to_lowercase);
                known == Some(email.to_lowercase())
            }
            (None, Some(login)) => remote.external_login.as_deref() == Some(login),
            (None, None) => false,
        }
    }

    fn fields(&self, _context: &Context<'_>, remote: Option<&PageAccessUser>) -> Result<Vec<Field>, Blocked> {
        let mut fields = Vec::new();
        if let Some(email) = &self.email {
            let observed = remote.and_then(|remote| text(remote.email.as_deref()));
            fields.push(Field::new("email", "email", json!(email), observed).compared(Comparison::Caseless));
        }
        if let Some(login) = &self.external_login {
            let observed = remote.and_then(|remote| text(remote.external_login.as_deref()));
            fields.push(Field::new("externalLogin", "external_login", json!(login), observed));
        }
        if let Some(subscribe) = self.subscribe_to_components {
            fields.push(
                Field::new(
                    "subscribeToComponents",
                    "subscribe_to_components",
                    json!(subscribe),
                    None,
                )
                .access(Access::CreateOnly),
            );
        }
        Ok(fields)
    }

    fn create(&self, _context: &Context<'_>, body: Map<String, Value>) -> Result<Request, Blocked> {
        Ok(Request::CreatePageAccessUser(Box::new(write(body)?)))
    }

    fn update(
        &self,
        _context: &Context<'_>,
        remote: &PageAccessUser,
        body: Map<String, Value>,
    ) -> Result<Request, Blocked> {
        Ok(Request::UpdatePageAccessUser(remote.id.clone(), Box::new(write(body)?)))
    }

    fn observe(&self, context: &Context<'_>, remote: &PageAccessUser, status: &mut Status) {
        if let Status::PageAccessUser(status) = status {
            // The groups know their users better: their entity is what own writes bring up to date.
            let groups = match &context.world.snapshot.page_access_groups {
                Some(groups) => groups
                    .items
                    .iter()
                    .filter(|group| group.page_access_user_ids.contains(&remote.id))
                    .count(),
                None => remote.page_access_group_ids.len(),
            };
            status.groups = i64::try_from(groups).ok();
        }
    }
}
