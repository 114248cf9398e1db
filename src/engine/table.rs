//! Tables of fields: which word of a manifest is which word of the API, and how the two are compared.

use serde::Serialize;
use serde_json::{Value, json};

use super::context::Context;
use super::fields::{Access, Comparison, Field};
use super::outcome::Blocked;

/// The value that a declaration wants, as the API takes it; none for what it does not own. The remote object is there
/// unless it is to be created.
pub(super) type Declared<S, R> = fn(&S, &Context<'_>, Option<&R>) -> Result<Option<Value>, Blocked>;

/// A field of a manifest's spec `S` beside that of its remote object `R`.
pub(super) struct Row<S, R> {
    pub(super) name: &'static str,
    pub(super) wire: &'static str,
    pub(super) declared: Declared<S, R>,
    /// None for what the API never returns.
    pub(super) observed: Option<fn(&R) -> Value>,
    pub(super) comparison: Comparison,
    pub(super) access: Access,
    pub(super) secret: bool,
}

impl<S, R> Row<S, R> {
    pub(super) const fn new(
        name: &'static str,
        wire: &'static str,
        declared: Declared<S, R>,
        observed: fn(&R) -> Value,
    ) -> Self {
        Row {
            name,
            wire,
            declared,
            observed: Some(observed),
            comparison: Comparison::Plain,
            access: Access::ReadWrite,
            secret: false,
        }
    }

    /// A field that is only read when the object is created, and never returned.
    pub(super) const fn sent_once(name: &'static str, wire: &'static str, declared: Declared<S, R>) -> Self {
        Row {
            name,
            wire,
            declared,
            observed: None,
            comparison: Comparison::Plain,
            access: Access::CreateOnly,
            secret: false,
        }
    }

    pub(super) const fn compared(mut self, comparison: Comparison) -> Self {
        self.comparison = comparison;
        self
    }

    /// Only read when the object is created, and returned.
    pub(super) const fn frozen(mut self) -> Self {
        self.access = Access::Frozen;
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// A row of the table of a kind. Where the wire has the name of the spec's field the field is enough; otherwise a
/// function tells what is declared, and another one what is observed.
macro_rules! row {
    ($name:literal, $field:ident) => {
        row!($name, $field, |spec, _, _| {
            $crate::engine::table::declared(spec.$field.as_ref())
        })
    };
    ($name:literal, $field:ident, $declared:expr) => {
        row!($name, stringify!($field), $declared, |remote| serde_json::json!(
            remote.$field
        ))
    };
    ($name:literal, $wire:expr, $declared:expr, $observed:expr) => {
        $crate::engine::table::Row::<Self, <Self as Rules>::Remote>::new($name, $wire, $declared, $observed)
    };
}

/// A row of what is only read when the object is created, and never returned.
macro_rules! sent_once {
    ($name:literal, $field:ident) => {
        sent_once!($name, stringify!($field), |spec, _, _| {
            $crate::engine::table::declared(spec.$field.as_ref())
        })
    };
    ($name:literal, $wire:expr, $declared:expr) => {
        $crate::engine::table::Row::<Self, <Self as Rules>::Remote>::sent_once($name, $wire, $declared)
    };
}

pub(super) use {row, sent_once};

/// A declared value, if there is one, as the API takes it.
pub(super) fn declared(value: Option<impl Serialize>) -> Result<Option<Value>, Blocked> {
    Ok(value.map(|value| json!(value)))
}

/// The declared fields of a table, beside the remote values where the object exists.
pub(super) fn fields<S, R>(
    table: &[Row<S, R>],
    spec: &S,
    context: &Context<'_>,
    remote: Option<&R>,
) -> Result<Vec<Field>, Blocked> {
    let mut fields = Vec::with_capacity(table.len());
    for row in table {
        if let Some(desired) = (row.declared)(spec, context, remote)? {
            fields.push(Field {
                observed: row.observed.and_then(|observed| remote.map(observed)),
                comparison: row.comparison,
                access: row.access,
                secret: row.secret,
                ..Field::new(row.name, row.wire, desired, None)
            });
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use schemars::generate::SchemaSettings;
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::api::*;
    use crate::engine::rules::Rules;
    use crate::statuspage::*;

    /// The words of the API for what is written of a kind.
    fn words<W: DeserializeOwned>() -> Vec<String> {
        let refused = serde_json::from_value::<W>(json!({"?": null}))
            .err()
            .unwrap()
            .to_string();
        let quoted = refused.split('`').skip(1).step_by(2).skip(1);
        quoted.map(str::to_owned).collect()
    }

    /// The rows of a kind are fields of its manifest and words of the API, and every word but these has a row.
    fn check<S: Rules + JsonSchema, W: DeserializeOwned>(without_a_row: &[&str]) {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let schema = settings.into_generator().into_root_schema_for::<S>().to_value();
        let words = words::<W>();
        for row in S::FIELDS {
            let place = row
                .name
                .split('.')
                .fold(&schema, |place, key| &place["properties"][key]);
            assert!(
                place.is_object() || place.is_boolean(),
                "the manifest has no {}",
                row.name
            );
            assert!(
                words.iter().any(|word| word == row.wire),
                "the API takes no {}",
                row.wire
            );
        }
        for word in &words {
            let has_row = S::FIELDS.iter().any(|row| row.wire == word);
            assert_eq!(has_row, !without_a_row.contains(&word.as_str()), "{word}");
        }
    }

    #[test]
    fn tables_speak_of_fields_of_the_manifest_in_words_of_the_api() {
        check::<ComponentSpec, ComponentWrite>(&[]);
        // A group repeats its members.
        check::<ComponentGroupSpec, ComponentGroupWrite>(&["components"]);
        check::<IncidentTemplateSpec, IncidentTemplateWrite>(&[]);
        check::<MetricSpec, MetricWrite>(&[]);
        check::<MetricsProviderSpec, MetricsProviderWrite>(&[]);
        // Groups own their members.
        check::<PageAccessUserSpec, PageAccessUserWrite>(&["page_access_group_ids"]);
        check::<PageAccessGroupSpec, PageAccessGroupWrite>(&[]);
        check::<OrganizationUserSpec, OrganizationUserWrite>(&[]);
        // Only a subscriber of an audience-specific page has a page access user.
        check::<SubscriberSpec, SubscriberWrite>(&["page_access_user"]);
        // Updates bring these; tweets and reminders cannot be declared.
        check::<IncidentSpec, IncidentWrite>(&[
            "status",
            "body",
            "components",
            "deliver_notifications",
            "auto_tweet_at_beginning",
            "auto_tweet_on_completion",
            "auto_tweet_on_creation",
            "auto_tweet_one_hour_before",
            "reminder_intervals",
            "metadata",
            "backfilled",
        ]);
    }
}
