//! What the OpenAPI document says about this family.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::admin::openapi::{Access, Operation, Parameter};

/// Something that happened.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
struct EventDocument {
    /// Its id.
    message_id: String,
    /// Kind and operation, such as `incident.publish`.
    event_type: String,
    /// When it happened, in UTC without a zone.
    generated: String,
    /// What is known of it, by name.
    traits: Vec<TraitDocument>,
    /// The change itself, without secrets.
    raw: Value,
}

/// One thing that is known of an event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Trait")]
struct TraitDocument {
    /// Its name.
    name: String,
    /// `string`, `integer`, `float` or `datetime`.
    r#type: String,
    /// Its value as text.
    value: String,
}

/// A trait that events of a type have.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TraitDescription")]
struct TraitDescription {
    /// Its name.
    name: String,
    /// `string`, `integer`, `float` or `datetime`.
    r#type: String,
}

fn filters() -> Vec<Parameter> {
    let text = |name, description| Parameter::query(name, description).repeated();
    vec![
        text(
            "q.field",
            "A trait, or `event_type`, `message_id`, `start_timestamp`, `end_timestamp`, `all_tenants`; a filter has \
             a field and a value, and all must hold",
        ),
        text("q.op", "`eq` (when left out), `ne`, `lt`, `le`, `ge`, `gt`"),
        text("q.value", "The value"),
        text("q.type", "`string` (when left out), `integer`, `float`, `datetime`"),
        Parameter::query("limit", "Events at most: 100 when left out, never more than 1000").integer(1),
        text("sort", "`generated` or `message_id`, `:asc` or `:desc` behind it"),
        Parameter::query("marker", "Id of the last event of the part before"),
        Parameter::query(
            "follow",
            "`true` for a stream of server-sent events instead, from now on or after the marker",
        )
        .boolean(),
    ]
}

/// All operations of the family.
pub(super) fn operations() -> Vec<Operation> {
    let event_type = || Parameter::path("event_type", "A type of events");
    let name = || Parameter::path("trait_name", "Name of a trait");
    vec![
        Operation::get("/", "Versions of the event API, as its clients look for them")
            .answers_anything(200, "One version"),
        Operation::get("/v2/capabilities", "What the event API can do").answers_anything(200, "Always the same"),
        Operation::get("/v2/event_types", "The types of events that there are")
            .describe("For administrators, of the events of their namespaces.")
            .access(Access::Required)
            .answers::<Vec<String>>(200, "Their names"),
        Operation::get(
            "/v2/event_types/{event_type}/traits",
            "The traits that events of a type have",
        )
        .describe("For administrators, of the events of their namespaces.")
        .access(Access::Required)
        .parameters(vec![event_type()])
        .answers::<Vec<TraitDescription>>(200, "Their names and types"),
        Operation::get(
            "/v2/event_types/{event_type}/traits/{trait_name}",
            "The values of a trait",
        )
        .describe("For administrators, of the events of their namespaces.")
        .access(Access::Required)
        .parameters(vec![event_type(), name()])
        .answers::<Vec<TraitDocument>>(200, "One for each event, 10000 at most"),
        Operation::get("/v2/events", "What happened")
            .describe("Events of the caller's namespaces, the oldest first unless sorted otherwise.")
            .access(Access::Required)
            .parameters(filters())
            .answers::<Vec<EventDocument>>(200, "The events; with `follow` a stream of them")
            .answers_text(200, "text/event-stream", "The events; with `follow` a stream of them"),
        Operation::get("/v2/events/{message_id}", "One event")
            .access(Access::Required)
            .parameters(vec![Parameter::path("message_id", "Its id")])
            .answers::<EventDocument>(200, "The event"),
    ]
}
