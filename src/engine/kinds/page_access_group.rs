//! Page access groups (reference 2.15): the one writer of who is in a group and of what the group may see.

use super::table::{Row, declared, row};
use super::{Body, Rules, quoted, since, write};
use crate::api::{Kind, PageAccessGroupSpec, Status};
use crate::engine::context::Context;
use crate::engine::fields::Comparison;
use crate::engine::outcome::Blocked;
use crate::engine::request::Request;
use crate::statuspage::{PageAccessGroup, Snapshot};

impl Rules for PageAccessGroupSpec {
    type Remote = PageAccessGroup;
    const FIELDS: &'static [Row<Self, Self::Remote>] = &[
        row!("name", name, |spec, context, _| declared(Some(spec.title(context)))),
        row!("externalIdentifier", external_identifier),
        row!("users", page_access_user_ids, |spec, context, _| {
            context.references_if(Kind::PageAccessUser, &spec.users)
        })
        .compared(Comparison::Set),
        row!("components", component_ids, |spec, context, _| {
            context.references_if(Kind::Component, &spec.components)
        })
        .compared(Comparison::Set),
        row!("metrics", metric_ids, |spec, context, _| context
            .references_if(Kind::Metric, &spec.metrics))
        .compared(Comparison::Set),
    ];

    fn handles(remote: &PageAccessGroup) -> Vec<String> {
        let identifier = remote.external_identifier.iter().cloned();
        identifier.chain(remote.name.clone()).collect()
    }

    fn wanted_handles(&self, context: &Context<'_>) -> Vec<String> {
        let identifier = self.external_identifier.iter().cloned();
        identifier.chain([self.title(context)]).collect()
    }

    fn title(&self, context: &Context<'_>) -> String {
        context.title(self.name.as_deref())
    }

    fn same_identity(&self, context: &Context<'_>, remote: &PageAccessGroup) -> bool {
        let known = remote.external_identifier.as_deref().filter(|known| !known.is_empty());
        match (self.external_identifier.as_deref(), known) {
            (Some(declared), Some(known)) => declared == known,
            // A group without an identifier may be the one that is to get it.
            _ => remote.name.as_deref() == Some(self.title(context).as_str()),
        }
    }

    fn create(&self, _context: &Context<'_>, body: Body) -> Result<Request, Blocked> {
        Ok(Request::CreatePageAccessGroup(Box::new(write(body)?)))
    }

    fn update(&self, _context: &Context<'_>, remote: &PageAccessGroup, body: Body) -> Result<Request, Blocked> {
        Ok(Request::UpdatePageAccessGroup(
            remote.id.clone(),
            Box::new(write(body)?),
        ))
    }

    fn describe(remote: &PageAccessGroup, _snapshot: &Snapshot) -> String {
        format!("{}{}", quoted(&remote.name), since(remote.created_at))
    }

    fn observe(&self, _context: &Context<'_>, remote: &PageAccessGroup, status: &mut Status) {
        if let Status::PageAccessGroup(status) = status {
            let count = |list: &[String]| i64::try_from(list.len()).ok();
            status.users = count(&remote.page_access_user_ids);
            status.components = count(&remote.component_ids);
            status.metrics = count(&remote.metric_ids);
        }
    }
}
