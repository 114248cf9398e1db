//! Page access users (reference 2.14). Membership in groups is owned by the groups; what is granted to the user alone is
//! in no list, and has requests of its own.

use serde_json::{Value, json};

use super::table::{self, Row, row, sent_once};
use super::{Body, Recreation, Rules, Unlisted, since, write};
use crate::api::{Kind, PageAccessUserSpec, Reason, Status};
use crate::engine::context::Context;
use crate::engine::fields::{Comparison, Field};
use crate::engine::outcome::Blocked;
use crate::engine::plan::ReadWhat;
use crate::engine::request::Request;
use crate::statuspage::{PageAccessUser, Snapshot};

const COMPONENTS: &str = "component_ids";
const METRICS: &str = "metric_ids";

impl Rules for PageAccessUserSpec {
    type Remote = PageAccessUser;
    // Who was shut out must not get in again.
    const RECREATION: Recreation = Recreation::WhenAsked;
    const FIELDS: &'static [Row<Self, Self::Remote>] = &[
        row!("email", email).compared(Comparison::Caseless),
        row!("externalLogin", external_login),
        sent_once!("subscribeToComponents", subscribe_to_components),
    ];

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

    fn unlisted(&self, context: &Context<'_>, remote: &PageAccessUser) -> Vec<Unlisted> {
        let snapshot = context.world.snapshot;
        let id = &remote.id;
        let components = self
            .components
            .as_ref()
            .map(|_| Unlisted::new(ReadWhat::UserComponents(id.clone()), snapshot.user_components.get(id)));
        let metrics = self
            .metrics
            .as_ref()
            .map(|_| Unlisted::new(ReadWhat::UserMetrics(id.clone()), snapshot.user_metrics.get(id)));
        components.into_iter().chain(metrics).collect()
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

    fn fields(&self, context: &Context<'_>, remote: Option<&PageAccessUser>) -> Result<Vec<Field>, Blocked> {
        let mut fields = table::fields(Self::FIELDS, self, context, remote)?;
        let Some(remote) = remote else { return Ok(fields) };
        let snapshot = context.world.snapshot;
        for (name, wire, kind, names, granted) in [
            (
                "components",
                COMPONENTS,
                Kind::Component,
                &self.components,
                &snapshot.user_components,
            ),
            ("metrics", METRICS, Kind::Metric, &self.metrics, &snapshot.user_metrics),
        ] {
            let Some(names) = names else { continue };
            let Some(granted) = granted.get(&remote.id) else {
                return Err(Blocked::unread(format!("the {name} of the user")));
            };
            let desired = context.references(kind, names)?;
            let field = Field::new(name, wire, desired, Some(json!(granted.value)));
            fields.push(field.compared(Comparison::Set).in_a_separate_request());
        }
        Ok(fields)
    }

    fn create(&self, _context: &Context<'_>, body: Body) -> Result<Request, Blocked> {
        Ok(Request::CreatePageAccessUser(Box::new(write(body)?)))
    }

    fn update(&self, _context: &Context<'_>, remote: &PageAccessUser, mut body: Body) -> Result<Request, Blocked> {
        let id = remote.id.clone();
        if let Some(components) = body.remove(COMPONENTS) {
            return Ok(Request::GrantComponents(id, ids(components)?));
        }
        if let Some(metrics) = body.remove(METRICS) {
            return Ok(Request::GrantMetrics(id, ids(metrics)?));
        }
        Ok(Request::UpdatePageAccessUser(id, Box::new(write(body)?)))
    }

    fn describe(remote: &PageAccessUser, _snapshot: &Snapshot) -> String {
        format!("page access user{}", since(remote.created_at))
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

fn ids(list: Value) -> Result<Vec<String>, Blocked> {
    let not_ids = |error| Blocked::stalled(Reason::Invalid, format!("these are not ids: {error}"));
    serde_json::from_value(list).map_err(not_ids)
}
