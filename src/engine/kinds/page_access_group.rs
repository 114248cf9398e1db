//! Page access groups (reference 2.15): the one writer of who is in a group and of what the group may see.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Rules, text, write};
use crate::api::{Kind, PageAccessGroupSpec};
use crate::engine::context::{Blocked, Context};
use crate::engine::declaration::Status;
use crate::engine::fields::{Comparison, Field};
use crate::engine::request::Request;
use crate::statuspage::{Collection, CollectionKind, ObjectKind, PageAccessGroup, Priority, Snapshot};

impl Rules for PageAccessGroupSpec {
    type Remote = PageAccessGroup;
    const COLLECTION: CollectionKind = CollectionKind::PageAccessGroups;
    const PRIORITY: Priority = Priority::Write;
    const OBJECT: Option<ObjectKind> = Some(ObjectKind::PageAccessGroup);

    fn collection(snapshot: &Snapshot) -> Option<&Collection<PageAccessGroup>> {
        snapshot.page_access_groups.as_ref()
    }

    fn id(remote: &PageAccessGroup) -> &str {
        &remote.id
    }

    fn created_at(remote: &PageAccessGroup) -> Option<Timestamp> {
        remote.created_at
    }

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

    fn fields(&self, context: &Context<'_>, remote: Option<&PageAccessGroup>) -> Result<Vec<Field>, Blocked> {
        let mut fields = vec![Field::new(
            "name",
            "name",
            json!(self.title(context)),
            remote.and_then(|remote| text(remote.name.as_deref())),
        )];
        if let Some(identifier) = &self.external_identifier {
            let observed = remote.and_then(|remote| text(remote.external_identifier.as_deref()));
            fields.push(Field::new(
                "externalIdentifier",
                "external_identifier",
                json!(identifier),
                observed,
            ));
        }
        for (name, wire, kind, names, observed) in [
            (
                "users",
                "page_access_user_ids",
                Kind::PageAccessUser,
                &self.users,
                remote.map(|remote| &remote.page_access_user_ids),
            ),
            (
                "components",
                "component_ids",
                Kind::Component,
                &self.components,
                remote.map(|remote| &remote.component_ids),
            ),
            (
                "metrics",
                "metric_ids",
                Kind::Metric,
                &self.metrics,
                remote.map(|remote| &remote.metric_ids),
            ),
        ] {
            if let Some(names) = names {
                let desired = context.references(kind, names)?;
                let observed = observed.map(|observed| json!(observed));
                fields.push(Field::new(name, wire, desired, observed).compared(Comparison::Set));
            }
        }
        Ok(fields)
    }

    fn create(&self, _context: &Context<'_>, body: Map<String, Value>) -> Result<Request, Blocked> {
        Ok(Request::CreatePageAccessGroup(Box::new(write(body)?)))
    }

    fn update(
        &self,
        _context: &Context<'_>,
        remote: &PageAccessGroup,
        body: Map<String, Value>,
    ) -> Result<Request, Blocked> {
        Ok(Request::UpdatePageAccessGroup(
            remote.id.clone(),
            Box::new(write(body)?),
        ))
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
