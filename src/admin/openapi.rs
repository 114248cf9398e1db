//! The description of the API: OpenAPI 3.1, out of the table of routes and the types of the answers.

use std::collections::BTreeMap;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::caller::Verb;
use super::contracts::Contract;

/// Who is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody; credentials are not looked at.
    Open,
    /// Anybody; callers with credentials see more.
    Optional,
    /// Callers with credentials.
    Required,
}

/// One method of one resource.
#[derive(Debug)]
pub struct Operation {
    /// Its path, parameters in braces.
    pub path: &'static str,
    access: Access,
    /// What a credential must be good for.
    verb: Option<Verb>,
    summary: &'static str,
    description: Option<&'static str>,
    parameters: Vec<Parameter>,
    answers: Vec<Answer>,
    /// True where everything in JSON is there in XML too.
    in_xml: bool,
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

#[derive(Debug)]
struct Answer {
    status: u16,
    description: &'static str,
    content: Option<(&'static str, SchemaOf)>,
}

const JSON: &str = "application/json";
const XML: &str = "application/xml";

/// A parameter of an operation.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    place: &'static str,
    description: &'static str,
    schema: Value,
}

impl Parameter {
    pub(super) fn path(name: &'static str, description: &'static str) -> Self {
        Parameter {
            name,
            place: "path",
            description,
            schema: json!({"type": "string"}),
        }
    }

    pub(super) fn query(name: &'static str, description: &'static str) -> Self {
        Parameter {
            place: "query",
            ..Parameter::path(name, description)
        }
    }

    /// The same as a whole number from `least` on, up to `greatest` if there is such a bound.
    pub(super) fn integer(mut self, least: i64, greatest: Option<i64>) -> Self {
        self.schema = json!({"type": "integer", "minimum": least});
        if let Some(greatest) = greatest {
            self.schema["maximum"] = json!(greatest);
        }
        self
    }

    /// The same as one of these words.
    pub(super) fn choice(mut self, words: impl IntoIterator<Item = &'static str>) -> Self {
        self.schema["enum"] = words.into_iter().collect();
        self
    }

    /// The same as a text of this form.
    pub(super) fn pattern(mut self, pattern: &'static str) -> Self {
        self.schema["pattern"] = pattern.into();
        self
    }

    /// The same as a list: the parameter may be repeated so many times.
    pub(super) fn repeated(mut self, most: usize) -> Self {
        self.schema = json!({"type": "array", "items": self.schema, "maxItems": most});
        self
    }
}

impl Operation {
    /// A GET that is open to everybody.
    pub(super) fn get(path: &'static str, summary: &'static str) -> Self {
        Operation {
            path,
            access: Access::Open,
            verb: None,
            summary,
            description: None,
            parameters: Vec::new(),
            answers: Vec::new(),
            in_xml: false,
        }
    }

    pub(super) fn describe(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    pub(super) fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// For callers with a credential that is good for this.
    pub(super) fn needs(mut self, verb: Verb) -> Self {
        self.verb = Some(verb);
        self.access(Access::Required)
    }

    pub(super) fn parameters(mut self, parameters: Vec<Parameter>) -> Self {
        self.parameters = parameters;
        self
    }

    /// Says what it answers in JSON.
    pub(super) fn answers<T: JsonSchema>(self, status: u16, description: &'static str) -> Self {
        self.answer(
            status,
            description,
            Some((JSON, |generator| generator.subschema_for::<T>())),
        )
    }

    /// Says that it answers in text of this kind.
    pub(super) fn answers_text(self, status: u16, kind: &'static str, description: &'static str) -> Self {
        self.answer(
            status,
            description,
            Some((kind, |generator| generator.subschema_for::<String>())),
        )
    }

    pub(super) fn answers_nothing(self, status: u16, description: &'static str) -> Self {
        self.answer(status, description, None)
    }

    /// Says that what it answers in JSON is there in XML too.
    pub(super) fn in_xml(mut self) -> Self {
        self.in_xml = true;
        self
    }

    fn answer(mut self, status: u16, description: &'static str, content: Option<(&'static str, SchemaOf)>) -> Self {
        self.answers.push(Answer {
            status,
            description,
            content,
        });
        self
    }

    fn to_json(&self, generator: &mut SchemaGenerator) -> Value {
        let parameters: Vec<Value> = self
            .parameters
            .iter()
            .map(|parameter| {
                json!({
                    "name": parameter.name,
                    "in": parameter.place,
                    "description": parameter.description,
                    "required": parameter.place == "path",
                    "schema": parameter.schema,
                })
            })
            .collect();
        let contract = Contract::of(self.path);
        let mut responses = Map::new();
        let content = |response: &mut Value, kind: &str, schema: Schema| {
            response["content"][kind] = json!({"schema": schema});
            if self.in_xml && kind == JSON {
                response["content"][XML] = json!({"schema": true});
            }
        };
        for answer in &self.answers {
            // One status may be answered in several forms.
            let response = responses
                .entry(answer.status.to_string())
                .or_insert_with(|| json!({"description": answer.description}));
            if let Some((kind, schema)) = answer.content {
                content(response, kind, schema(generator));
            }
        }
        let mut failure = |name: &str, description: &str| {
            let mut response = json!({"description": description});
            content(&mut response, JSON, contract.error_schema(generator));
            responses.insert(name.to_owned(), response);
        };
        if self.access != Access::Open {
            failure("401", "No credentials, or wrong ones");
        }
        if self.verb.is_some() {
            failure("403", "The credential is not good for this");
        }
        if self.in_xml {
            failure("406", "None of the forms that are accepted");
        }
        failure("default", "Any failure");
        let mut operation = json!({
            "operationId": operation_id(self.path),
            "summary": self.summary,
            "tags": [tag(contract)],
            "parameters": parameters,
            "responses": responses,
            "security": security(self.access, self.verb),
        });
        let verb = self.verb.map(|verb| format!("Needs the verb `{verb}`."));
        let description: Vec<&str> = self.description.into_iter().chain(verb.as_deref()).collect();
        if !description.is_empty() {
            operation["description"] = json!(description.join(" "));
        }
        operation
    }
}

fn tag(contract: Contract) -> &'static str {
    match contract {
        Contract::Insights => "resources",
        Contract::Webitel => "process",
        Contract::Panko => "events",
        Contract::Plain => "probes",
    }
}

fn operation_id(path: &str) -> String {
    let words: Vec<&str> = path
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    format!("get_{}", words.join("_"))
}

/// The ways to show who asks; each with the verb that the credential must be good for.
fn security(access: Access, verb: Option<Verb>) -> Value {
    let verbs: Vec<&str> = verb.map(Verb::as_str).into_iter().collect();
    let ways = json!([
        {"bearer": verbs},
        {"accessKey": verbs, "accessToken": verbs},
        {"authToken": verbs},
        {"gatewayIdentity": verbs, "gatewaySecret": verbs},
    ]);
    match (access, ways) {
        (Access::Open, _) => json!([]),
        (Access::Optional, Value::Array(mut ways)) => {
            ways.push(json!({}));
            Value::Array(ways)
        }
        (_, ways) => ways,
    }
}

/// The whole document as JSON.
pub fn document(operations: &[Operation]) -> String {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths: BTreeMap<&str, Value> = BTreeMap::new();
    for operation in operations {
        paths.insert(operation.path, json!({"get": operation.to_json(&mut generator)}));
    }
    let header = |name: &str| json!({"type": "apiKey", "in": "header", "name": name});
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "statuspage-operator",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What runs, what is managed and whether it is as declared, and what happened.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [
            {"name": "resources", "description": "What runs and what is managed"},
            {"name": "process", "description": "Health of the process"},
            {"name": "events", "description": "What happened"},
            {"name": "probes", "description": "Probes, metrics, this document"},
        ],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer",
                           "description": "A token of Kubernetes, or of an access key"},
                "accessKey": header("X-Key"),
                "accessToken": header("X-Access-Token"),
                "authToken": header("X-Auth-Token"),
                "gatewayIdentity": header("x-rh-identity"),
                "gatewaySecret": header(super::identity::GATEWAY_SECRET_HEADER),
            },
        },
    });
    document.to_string()
}
