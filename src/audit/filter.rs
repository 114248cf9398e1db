//! What is asked of the event log.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::event::AuditEvent;
use super::value::TraitValue;
use super::view::View;

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

impl Operator {
    /// All operators, in the order in which messages list them.
    pub const ALL: [Operator; 6] = [
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Equal,
        Operator::NotEqual,
        Operator::GreaterOrEqual,
        Operator::Greater,
    ];

    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Operator::Less => "lt",
            Operator::LessOrEqual => "le",
            Operator::Equal => "eq",
            Operator::NotEqual => "ne",
            Operator::GreaterOrEqual => "ge",
            Operator::Greater => "gt",
        }
    }

    /// The operator of this word; case matters.
    pub fn parse(word: &str) -> Option<Operator> {
        Operator::ALL.into_iter().find(|operator| operator.as_str() == word)
    }

    /// True when `value` compares so with `other`. Values of two types never do.
    fn holds(self, value: &TraitValue, other: &TraitValue) -> bool {
        match self {
            Operator::Less => value < other,
            Operator::LessOrEqual => value <= other,
            Operator::Equal => value.partial_cmp(other).is_some_and(Ordering::is_eq),
            Operator::NotEqual => value.partial_cmp(other).is_some_and(Ordering::is_ne),
            Operator::GreaterOrEqual => value >= other,
            Operator::Greater => value > other,
        }
    }

    pub(super) fn sql(self) -> &'static str {
        match self {
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Equal => "=",
            Operator::NotEqual => "<>",
            Operator::GreaterOrEqual => ">=",
            Operator::Greater => ">",
        }
    }
}

/// A condition on one trait: the event has one of this name and type, and its value compares so.
#[derive(Clone, Debug, PartialEq)]
pub struct TraitFilter {
    /// Name of the trait.
    pub name: String,
    pub operator: Operator,
    /// With what; its type is the type of the trait.
    pub value: TraitValue,
}

impl TraitFilter {
    /// True when an event has such a trait.
    pub fn matches(&self, event: &AuditEvent) -> bool {
        event
            .traits
            .iter()
            .any(|known| known.name == self.name && self.operator.holds(&known.value, &self.value))
    }
}

/// What events are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// When they happened.
    Generated,
    /// Their ids.
    MessageId,
}

/// One key of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    pub key: SortKey,
    /// True for the greatest first.
    pub descending: bool,
}

/// Which events, in which order. Everything that is given has to hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Which of them may be seen.
    pub view: View,
    pub event_type: Option<String>,
    pub message_id: Option<String>,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub traits: Vec<TraitFilter>,
    /// The order; the time, then the id, where it leaves something open.
    pub sort: Vec<Sort>,
    /// At most so many; none is all of them.
    pub limit: Option<u32>,
    /// Only those after the event of this id in the order.
    pub marker: Option<String>,
    /// Refuses to look at more events than this in search of those that match; none looks at all of them.
    pub examine: Option<u32>,
}

impl Filter {
    /// The order without gaps: ids are unique, so that nothing is lost between two pages.
    pub(super) fn order(&self) -> Vec<Sort> {
        let mut order: Vec<Sort> = Vec::new();
        for sort in &self.sort {
            if !order.iter().any(|known| known.key == sort.key) {
                order.push(*sort);
            }
        }
        let descending = order.first().is_some_and(|sort| sort.descending);
        if order.is_empty() {
            order.push(Sort {
                key: SortKey::Generated,
                descending,
            });
        }
        if !order.iter().any(|sort| sort.key == SortKey::MessageId) {
            order.push(Sort {
                key: SortKey::MessageId,
                descending,
            });
        }
        // Nothing is left to order after a unique key.
        if let Some(end) = order.iter().position(|sort| sort.key == SortKey::MessageId) {
            order.truncate(end + 1);
        }
        order
    }
}
