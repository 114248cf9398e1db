//! What the OpenAPI document says about this contract.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::query::{HIGHEST_LIMIT, MOST_FILTERS, MOST_SORTS};
use crate::admin::caller::Verb;
use crate::admin::openapi::{Operation, Parameter};
use crate::audit::{AuditEvent, TraitType, WrittenTrait};

/// A trait that events of a type have.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TraitDescription")]
struct TraitDescription {
    /// Its name.
    name: String,
    /// The type of its values.
    r#type: TraitType,
}

fn filters() -> Vec<Parameter> {
    let limit = i64::from(HIGHEST_LIMIT);
    vec![
        Parameter::query(
            "q.field",
            "A trait, or `event_type`, `message_id`, `start_timestamp`, `end_timestamp`, `all_tenants`; a filter has \
             a field and a value, and all must hold",
        )
        .repeated(MOST_FILTERS),
        Parameter::query("q.op", "How it compares: `eq` when left out")
            .choice(["eq", "ne", "lt", "le", "gt", "ge"])
            .repeated(MOST_FILTERS),
        Parameter::query("q.value", "The value").repeated(MOST_FILTERS),
        Parameter::query("q.type", "Of which type: `string` when left out")
            .choice(["string", "integer", "float", "datetime"])
            .repeated(MOST_FILTERS),
        Parameter::query("limit", "Events at most: 100 when left out; more are not given at once")
            .integer(1, Some(limit)),
        Parameter::query("sort", "A key, and its direction behind it; the first one counts most")
            .pattern("^(generated|message_id)(:(asc|desc)?)?$")
            .repeated(MOST_SORTS),
        Parameter::query("marker", "Id of the last event of the part before"),
        Parameter::query(
            "follow",
            "`true` for a stream of server-sent events instead, from now on or after the marker",
        )
        .choice(["true", "false"]),
    ]
}

/// All operations of the contract.
pub(super) fn operations() -> Vec<Operation> {
    let event_type = || Parameter::path("event_type", "A type of events");
    let name = || Parameter::path("trait_name", "Name of a trait");
    let of_types = |path, summary| {
        Operation::get(path, summary)
            .describe("For administrators, of the events of their namespaces.")
            .needs(Verb::Events)
    };
    vec![
        Operation::get("/", "Versions of the event API, as its clients look for them")
            .answers::<Value>(200, "One version"),
        Operation::get("/v2/capabilities", "What the event API can do")
            .answers::<Value>(200, "Always the same")
            .in_xml(),
        of_types("/v2/event_types", "The types of events that there are")
            .answers::<Vec<String>>(200, "Their names")
            .in_xml(),
        of_types(
            "/v2/event_types/{event_type}/traits",
            "The traits that events of a type have",
        )
        .parameters(vec![event_type()])
        .answers::<Vec<TraitDescription>>(200, "Their names and types")
        .in_xml(),
        of_types(
            "/v2/event_types/{event_type}/traits/{trait_name}",
            "The values of a trait",
        )
        .parameters(vec![event_type(), name()])
        .answers::<Vec<WrittenTrait>>(200, "One for each event, 10000 at most")
        .in_xml(),
        Operation::get("/v2/events", "What happened")
            .describe("Events that the caller may see, the oldest first unless sorted otherwise.")
            .needs(Verb::Events)
            .parameters(filters())
            .answers::<Vec<AuditEvent>>(200, "The events; with `follow` a stream of them")
            .in_xml()
            .answers_text(200, "text/event-stream", "The events; with `follow` a stream of them"),
        Operation::get("/v2/events/{message_id}", "One event")
            .needs(Verb::Events)
            .parameters(vec![Parameter::path("message_id", "Its id")])
            .answers::<AuditEvent>(200, "The event")
            .in_xml(),
    ]
}
