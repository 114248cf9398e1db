//! Components. Membership in a group is owned here, never by the group (reference 3.3).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Rules, Unlisted, text, write};
use crate::api::{ComponentSpec, Kind};
use crate::engine::context::{Blocked, Context};
use crate::engine::declaration::{ObjectKey, Status};
use crate::engine::fields::Field;
use crate::engine::plan::ReadWhat;
use crate::engine::request::Request;
use crate::statuspage::{Collection, CollectionKind, Component, ObjectKind, Priority, Snapshot};

impl Rules for ComponentSpec {
    type Remote = Component;
    const COLLECTION: CollectionKind = CollectionKind::Components;
    const PRIORITY: Priority = Priority::Write;
    const OBJECT: Option<ObjectKind> = Some(ObjectKind::Component);

    fn collection(snapshot: &Snapshot) -> Option<&Collection<Component>> {
        snapshot.components.as_ref()
    }

    fn belongs(remote: &Component) -> bool {
        !remote.group
    }

    fn id(remote: &Component) -> &str {
        &remote.id
    }

    fn created_at(remote: &Component) -> Option<Timestamp> {
        remote.created_at
    }

    fn handles(remote: &Component) -> Vec<String> {
        remote.name.iter().cloned().collect()
    }

    fn wanted_handles(&self, context: &Context<'_>) -> Vec<String> {
        vec![self.title(context)]
    }

    fn also_needs(&self) -> Option<CollectionKind> {
        // Whether an incident or a maintenance covers the component.
        self.status.map(|_| CollectionKind::Incidents)
    }

    fn unlisted(&self, context: &Context<'_>, remote: &Component) -> Vec<Unlisted> {
        let shown = remote.showcase != Some(false);
        let observe = self.observe.as_ref().filter(|_| shown);
        context.uptime_to_read(observe, ReadWhat::Uptime(remote.id.clone()), &remote.id)
    }

    fn title(&self, context: &Context<'_>) -> String {
        context.title(self.name.as_deref())
    }

    fn same_identity(&self, context: &Context<'_>, remote: &Component) -> bool {
        if remote.name.as_deref() != Some(self.title(context).as_str()) {
            return false;
        }
        match &self.group_ref {
            // A component is recognised by its name inside its group; one that was created before its group, or
            // has left it, is recognised outside of any.
            Some(group) => {
                let key = ObjectKey::new(
                    Kind::ComponentGroup,
                    context.declaration.key.namespace.clone(),
                    &group.name,
                );
                remote.group_id.is_none() || remote.group_id.as_deref() == context.claims.present(&key)
            }
            None => true,
        }
    }

    fn fields(&self, context: &Context<'_>, remote: Option<&Component>) -> Result<Vec<Field>, Blocked> {
        let mut fields = vec![Field::new(
            "name",
            "name",
            json!(self.title(context)),
            remote.and_then(|remote| text(remote.name.as_deref())),
        )];
        if let Some(description) = &self.description {
            let observed = remote.and_then(|remote| text(remote.description.as_deref()));
            fields.push(Field::new("description", "description", json!(description), observed));
        }
        if let Some(group_id) = self.desired_group(context, remote)? {
            let observed = remote.and_then(|remote| text(remote.group_id.as_deref()));
            fields.push(Field::new("groupRef", "group_id", group_id, observed));
        }
        if let Some(status) = self.status
            // An incident that is open and a maintenance in progress own the status of their components (design 5a).
            && !context.index.is_covered(&context.declaration.key, remote.map(|remote| remote.id.as_str()))
        {
            let observed = remote.and_then(|remote| text(remote.status.as_ref().map(|status| status.as_str())));
            fields.push(Field::new("status", "status", json!(status.as_str()), observed));
        }
        if let Some(showcase) = self.showcase {
            let observed = remote.map(|remote| json!(remote.showcase));
            fields.push(Field::new("showcase", "showcase", json!(showcase), observed));
        }
        if let Some(only) = self.only_show_if_degraded {
            let observed = remote.map(|remote| json!(remote.only_show_if_degraded));
            fields.push(Field::new(
                "onlyShowIfDegraded",
                "only_show_if_degraded",
                json!(only),
                observed,
            ));
        }
        if let Some(start_date) = &self.start_date {
            let observed = remote.and_then(|remote| text(remote.start_date.as_deref()));
            fields.push(Field::new("startDate", "start_date", json!(start_date), observed));
        }
        Ok(fields)
    }

    fn create(&self, _context: &Context<'_>, body: Map<String, Value>) -> Result<Request, Blocked> {
        Ok(Request::CreateComponent(write(body)?))
    }

    fn update(&self, _context: &Context<'_>, remote: &Component, body: Map<String, Value>) -> Result<Request, Blocked> {
        Ok(Request::UpdateComponent(remote.id.clone(), write(body)?))
    }

    fn observe(&self, context: &Context<'_>, remote: &Component, status: &mut Status) {
        if let Status::Component(status) = status {
            status.status = remote.status.as_ref().map(ToString::to_string);
            status.uptime = context.uptime(self.observe.as_ref(), &remote.id, status.uptime.take());
            status.group_id = match &self.group_ref {
                Some(group) => {
                    let key = ObjectKey::new(
                        Kind::ComponentGroup,
                        context.declaration.key.namespace.clone(),
                        &group.name,
                    );
                    let ours = context.claims.present(&key);
                    remote
                        .group_id
                        .clone()
                        .filter(|id| Some(id.as_str()) == ours)
                        .or(status.group_id.take())
                }
                // Left by the manifest but not on the page yet: still to be left.
                None => status
                    .group_id
                    .take()
                    .filter(|left| remote.group_id.as_ref() == Some(left)),
            };
        }
    }
}

impl ComponentSpec {
    /// The group id to write: a group's, null to leave the group that was set here before, or none when the field is
    /// not owned. A group appears with its first member, so the first one does not wait for it.
    fn desired_group(&self, context: &Context<'_>, remote: Option<&Component>) -> Result<Option<Value>, Blocked> {
        let Some(group) = &self.group_ref else {
            let Status::Component(status) = &*context.declaration.status else {
                return Ok(None);
            };
            let still_in_ours =
                status.group_id.is_some() && remote.is_some_and(|remote| remote.group_id == status.group_id);
            return Ok(still_in_ours.then_some(Value::Null));
        };
        let blocked = match context.reference(Kind::ComponentGroup, &group.name) {
            Ok(id) => return Ok(Some(json!(id))),
            Err(blocked) => blocked,
        };
        let namespace = &context.declaration.key.namespace;
        let key = ObjectKey::new(Kind::ComponentGroup, namespace.clone(), &group.name);
        let group_can_come = context
            .index
            .get(&key)
            .is_some_and(|group| !group.deleting && !context.held(group) && context.claims.is_to_create(&key));
        let first = context.first_member(namespace, &group.name);
        let is_first = first.is_some_and(|first| first.key == context.declaration.key);
        if remote.is_none() && group_can_come && is_first {
            return Ok(None);
        }
        Err(blocked)
    }
}
