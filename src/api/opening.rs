//! How an incident begins that names a template: the words of the template, with the incident's values in the place of
//! its placeholders.
//!
//! A placeholder is `{{name}}`, with spaces inside the braces or without; names have letters, digits, `_`, `-` and `.`,
//! and begin with a letter, a digit or `_`. Whatever else stands between braces is text. The API of Statuspage knows no
//! placeholders of its own: it stores a template as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::{IncidentSpec, IncidentStatusName, IncidentTemplateSpec, IncidentUpdate};

/// Most characters of an incident's title.
const TITLE: usize = 255;
/// Most characters of an update's text.
const BODY: usize = 25_000;

/// What a template gives an incident that does not say it itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// The title.
    pub title: String,
    /// The first post.
    pub update: IncidentUpdate,
}

/// Why a template cannot begin an incident. `Display` says what is wrong, [`OpeningError::remedy`] what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// Placeholders that the incident gives no values for.
    #[error("no value for {} of the template", braced(.0))]
    Missing(BTreeSet<String>),
    /// The text became too long.
    #[error("the {what} has {length} characters once its placeholders are filled in, at most {most} are allowed")]
    TooLong {
        /// Title or body.
        what: &'static str,
        /// Characters that it has.
        length: usize,
        /// Characters that it may have.
        most: usize,
    },
    /// The template is for another type of incident.
    #[error("the template has updateStatus {}, which {} cannot begin with", .status.as_str(), if *.maintenance { "a maintenance" } else { "an incident without a schedule" })]
    Status {
        /// The status that the template gives.
        status: IncidentStatusName,
        /// True where the incident is a maintenance.
        maintenance: bool,
    },
}

impl OpeningError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            OpeningError::Missing(names) => {
                let entries: Vec<String> = names.iter().map(|name| format!("{name}: …")).collect();
                format!("add `{}` under spec.templateRef.variables", entries.join("`, `"))
            }
            OpeningError::TooLong { .. } => "shorten the values under spec.templateRef.variables".to_owned(),
            OpeningError::Status { .. } => {
                "name another template in spec.templateRef, or say the first update in spec.updates".to_owned()
            }
        }
    }
}

fn braced(names: &BTreeSet<String>) -> String {
    let braced: Vec<String> = names.iter().map(|name| format!("{{{{{name}}}}}")).collect();
    braced.join(", ")
}

impl IncidentTemplateSpec {
    /// The names of the placeholders in title and body.
    pub fn placeholders(&self) -> BTreeSet<&str> {
        let names = [self.title.as_str(), self.body.as_str()].into_iter().flat_map(parts);
        names
            .filter_map(|part| match part {
                Part::Placeholder(name) => Some(name),
                Part::Text(_) => None,
            })
            .collect()
    }

    /// How an incident begins with this template.
    pub fn opening(&self, incident: &IncidentSpec) -> Result<Opening, OpeningError> {
        let none = BTreeMap::new();
        let variables = incident.template_ref.as_ref().map_or(&none, |named| &named.variables);
        let missing = self
            .placeholders()
            .into_iter()
            .filter(|name| !variables.contains_key(*name));
        let missing: BTreeSet<String> = missing.map(str::to_owned).collect();
        if !missing.is_empty() {
            return Err(OpeningError::Missing(missing));
        }
        let title = filled_in("title", &self.title, variables, TITLE)?;
        let body = filled_in("body", &self.body, variables, BODY)?;
        let maintenance = incident.schedule.is_some();
        let status = self.update_status.unwrap_or(match maintenance {
            true => IncidentStatusName::Scheduled,
            false => IncidentStatusName::Investigating,
        });
        if incident.updates.is_empty() && status.is_of_maintenance() != maintenance {
            return Err(OpeningError::Status { status, maintenance });
        }
        let update = IncidentUpdate {
            status,
            body,
            at: None,
            notify: self.should_send_notifications.unwrap_or(true),
        };
        Ok(Opening { title, update })
    }
}

fn filled_in(
    what: &'static str,
    text: &str,
    variables: &BTreeMap<String, String>,
    most: usize,
) -> Result<String, OpeningError> {
    let value = |part| match part {
        Part::Text(text) => text,
        Part::Placeholder(name) => variables.get(name).map_or("", String::as_str),
    };
    let text: String = parts(text).map(value).collect();
    let length = text.chars().count();
    match length > most {
        true => Err(OpeningError::TooLong { what, length, most }),
        false => Ok(text),
    }
}

/// A piece of a text of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'t> {
    Text(&'t str),
    Placeholder(&'t str),
}

/// The pieces of a text, one after the other.
fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, after)) = placeholder(rest) {
            rest = after;
            return Some(Part::Placeholder(name));
        }
        let end = rest.char_indices().map(|(at, _)| at);
        let end = end.skip(1).find(|at| placeholder(&rest[*at..]).is_some());
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        Some(Part::Text(part))
    })
}

/// The name of the placeholder that a text begins with, and what comes after it.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix("{{")?.trim_start_matches(' ');
    let inner = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let (name, after) = inside.split_at(inside.find(|letter| !inner(letter))?);
    let begins = name.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    let after = after.trim_start_matches(' ').strip_prefix("}}")?;
    begins.then_some((name, after))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn template(title: &str, body: &str) -> IncidentTemplateSpec {
        IncidentTemplateSpec {
            title: title.to_owned(),
            body: body.to_owned(),
            ..Default::default()
        }
    }

    fn incident(mut spec: Value, variables: Value) -> IncidentSpec {
        spec["pageRef"] = json!({"name": "page"});
        spec["templateRef"] = json!({"name": "template", "variables": variables});
        serde_json::from_value(spec).unwrap()
    }

    fn body(text: &str, variables: Value) -> String {
        let opening = template("Title", text).opening(&incident(json!({}), variables));
        opening.unwrap().update.body
    }

    #[test]
    fn placeholders_are_replaced_once_and_what_is_none_stays() {
        let variables = json!({"a": "1", "b.c-d_e": "{{a}}", "é": "2"});
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{{a}}", "1"),
            ("x{{a}}y{{ a }}z", "x1y1z"),
            // What a value says is text.
            ("{{b.c-d_e}}", "{{a}}"),
            ("{{{a}}} {{a}}", "{1} 1"),
            ("{{é}}", "2"),
            (
                "{a} {{}} {{ }} {{.Values.a}} {{a b}} {{#a}} {{a",
                "{a} {{}} {{ }} {{.Values.a}} {{a b}} {{#a}} {{a",
            ),
            ("{{-a}} {{ {{a}} }}", "{{-a}} {{ 1 }}"),
            ("{{{{a}}", "{{1"),
            ("{{a}}{{a}}", "11"),
            ("{{\na}}", "{{\na}}"),
        ] {
            assert_eq!(body(text, variables.clone()), expected, "{text}");
        }
    }

    #[test]
    fn every_placeholder_needs_a_value() {
        let template = template("{{region}} down", "{{what}} in {{region}}, {{eta}}");
        let error = template
            .opening(&incident(json!({}), json!({"region": "eu"})))
            .unwrap_err();
        assert_eq!(error.to_string(), "no value for {{eta}}, {{what}} of the template");
        assert_eq!(
            error.remedy(),
            "add `eta: …`, `what: …` under spec.templateRef.variables"
        );
        assert_eq!(template.placeholders(), BTreeSet::from(["eta", "region", "what"]));
    }

    #[test]
    fn an_empty_value_is_one() {
        assert_eq!(body("a{{b}}c", json!({"b": ""})), "ac");
    }

    #[test]
    fn what_becomes_too_long_is_an_error() {
        let template = template("{{a}}", "Body");
        let error = template
            .opening(&incident(json!({}), json!({"a": "é".repeat(256)})))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the title has 256 characters once its placeholders are filled in, at most 255 are allowed"
        );
        assert!(
            template
                .opening(&incident(json!({}), json!({"a": "é".repeat(255)})))
                .is_ok()
        );
    }

    #[test]
    fn the_status_fits_the_type_of_the_incident() {
        let maintenance = json!({"schedule": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"}});
        let none = json!({});
        let opening = |status: Option<IncidentStatusName>, spec: &Value| {
            let template = IncidentTemplateSpec {
                update_status: status,
                ..template("Title", "Body")
            };
            template.opening(&incident(spec.clone(), json!({})))
        };
        let status = |status, spec| opening(status, spec).unwrap().update.status.as_str();
        assert_eq!(status(None, &none), "investigating");
        assert_eq!(status(None, &maintenance), "scheduled");
        assert_eq!(status(Some(IncidentStatusName::Identified), &none), "identified");
        assert_eq!(
            status(Some(IncidentStatusName::InProgress), &maintenance),
            "in_progress"
        );
        let error = opening(Some(IncidentStatusName::Scheduled), &none).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the template has updateStatus scheduled, which an incident without a schedule cannot begin with"
        );
        let own = json!({"updates": [{"status": "investigating", "body": "Own"}]});
        assert!(
            opening(Some(IncidentStatusName::Scheduled), &own).is_ok(),
            "it is not used"
        );
    }
}
