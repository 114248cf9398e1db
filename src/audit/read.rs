//! Reading: questions, one event after the other in the order asked, and what came after a number.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::AuditError;
use super::event::{AuditEvent, read_traits};
use super::filter::Filter;
use super::question::{COLUMNS, Question, Source};
use super::statement::{Sql, list};
use super::store::EventStore;
use super::value::TraitValue;
use super::view::{Tenants, View};

/// A source with fewer rows is read whole; up to so many are counted before the way of a question is chosen.
const SMALL: i64 = 2_000;
/// Rows of an index that are looked through to see how few of them are of the types and the time that are asked for.
const SCANNED: i64 = 20_000;
/// Rows of the first window of a walk, doubled up to the largest: the first answer is often near.
const FIRST_WINDOW: i64 = 500;
const LARGEST_WINDOW: i64 = 4_000;
/// Numbers that one statement goes through when the log is followed.
const TAIL_WINDOW: i64 = 4_000;

/// Columns of an event: its number, id, type, time, tenant, traits and body.
pub(super) type EventRow = (i64, String, i64, i64, i64, String, String);
/// An event with its number.
type Found = (i64, AuditEvent);

impl EventStore {
    /// The events that a filter describes, in its order.
    ///
    /// # Errors
    /// The marker is unknown, too many events would have to be looked at, or the database fails.
    pub async fn query(&self, filter: &Filter) -> Result<Vec<AuditEvent>, AuditError> {
        let Some(question) = self.question(filter).await? else {
            return Ok(Vec::new());
        };
        let (source, small) = self.choose(&question, None).await?;
        let mut found = if small || question.is_exact(source) {
            let statement = question.events(source, &question.bounds(), filter.limit);
            self.decide(&question, statement).await?
        } else {
            self.walk(&question, source).await?
        };
        if let Some(limit) = filter.limit {
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        if question.leaves_bodies_out(source) {
            self.add_bodies(&mut found).await?;
        }
        Ok(found.into_iter().map(|(_, event)| event).collect())
    }

    /// The way that [`EventStore::query`] takes, in the database's words: a line for each step of each statement.
    ///
    /// # Errors
    /// As [`EventStore::query`].
    pub async fn explain(&self, filter: &Filter) -> Result<Vec<String>, AuditError> {
        let Some(question) = self.question(filter).await? else {
            return Ok(Vec::new());
        };
        let mut lines = Vec::new();
        let (source, small) = self.choose(&question, Some(&mut lines)).await?;
        let bounds = question.bounds();
        let mut statements = vec![question.events(source, &bounds, filter.limit)];
        if !small && !question.is_exact(source) {
            statements.push(question.end_of_window(source, &bounds, FIRST_WINDOW));
        }
        for statement in statements {
            lines.extend(self.plan_of(statement).await?);
        }
        Ok(lines)
    }

    /// Looks up all words of a filter; none when nothing can match.
    async fn question<'a>(&self, filter: &'a Filter) -> Result<Option<Question<'a>>, AuditError> {
        let marker = match &filter.marker {
            Some(id) => {
                let (_, event) = self.find(id, &filter.view).await?;
                Some((event.generated.as_microsecond(), id.clone()))
            }
            None => None,
        };
        let mut traits = Vec::new();
        for test in &filter.traits {
            // The databases disagree about what is no number: nothing matches it.
            let nothing = matches!(test.value, TraitValue::Float(number) if number.is_nan());
            let Some(name) = self.word(&test.name).await?.filter(|_| !nothing) else {
                return Ok(None);
            };
            traits.push((name, test));
        }
        let tenants = self.tenant_ids(&filter.view.tenants()).await?;
        let types = match &filter.event_type {
            Some(word) => match self.word(word).await? {
                Some(id) => Some(vec![id]),
                None => return Ok(None),
            },
            None if filter.view.is_by_kind() => Some(self.visible_types(&filter.view, tenants.as_deref()).await?),
            None => None,
        };
        let nothing = |ids: &Option<Vec<i64>>| ids.as_ref().is_some_and(Vec::is_empty);
        if nothing(&tenants) || nothing(&types) {
            return Ok(None);
        }
        Ok(Some(Question {
            filter,
            tenants,
            types,
            traits,
            marker,
        }))
    }

    /// The ids of tenants of whom there is something; none means all of them and nobody.
    pub(super) async fn tenant_ids(&self, tenants: &Tenants) -> Result<Option<Vec<i64>>, AuditError> {
        let mut ids = Vec::new();
        match tenants {
            Tenants::All => return Ok(None),
            Tenants::Owned => {
                for tenant in self.tenants().await? {
                    ids.extend(self.word(&tenant).await?);
                }
            }
            Tenants::Only(names) => {
                for name in names {
                    ids.extend(self.word(name).await?);
                }
            }
        }
        Ok(Some(ids))
    }

    /// The source of a question, and whether it is small enough to be read whole.
    async fn choose(
        &self,
        question: &Question<'_>,
        mut plans: Option<&mut Vec<String>>,
    ) -> Result<(Source, bool), AuditError> {
        let narrow = question.narrow();
        if let [only] = narrow.as_slice()
            && question.is_ordered(*only)
        {
            return Ok((*only, *only == Source::Id));
        }
        let mut least: Option<(i64, Source)> = None;
        for source in narrow {
            if let Some(plans) = &mut plans {
                plans.extend(self.plan_of(question.count(source, SMALL)).await?);
            }
            let counted: Vec<(i64,)> = self.rows(question.count(source, SMALL)).await?;
            let count = counted.first().map_or(0, |(count,)| *count);
            if least.is_none_or(|(known, _)| count < known) {
                least = Some((count, source));
            }
            if count == 0 {
                break;
            }
        }
        if let Some((count, source)) = least
            && count < SMALL
        {
            return Ok((source, true));
        }
        let walkable = question.walkable();
        let narrow = question.narrow();
        // To go through everything in the order asked is worth a closer look before.
        let is_walked = narrow.contains(&walkable);
        let looked_at = narrow
            .into_iter()
            .filter(|source| matches!(source, Source::Trait(_)) && !is_walked);
        for source in looked_at {
            if let Some(plans) = &mut plans {
                plans.extend(self.plan_of(question.count_matching(source, SCANNED)).await?);
            }
            let counted: Vec<(i64, i64)> = self.rows(question.count_matching(source, SCANNED)).await?;
            let (scanned, matching) = counted.first().copied().unwrap_or_default();
            if scanned < SCANNED && matching < SMALL {
                return Ok((source, true));
            }
        }
        Ok((walkable, false))
    }

    /// Goes through a source in the order asked, window by window: between two of them others have their turn.
    async fn walk(&self, question: &Question<'_>, source: Source) -> Result<Vec<Found>, AuditError> {
        let filter = question.filter;
        let wanted = filter
            .limit
            .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let descending = question.is_descending();
        let mut rest = question.bounds();
        let mut found = Vec::new();
        let mut window = FIRST_WINDOW;
        let mut examined = 0;
        loop {
            let end = self
                .end(question, question.end_of_window(source, &rest, window))
                .await?;
            let mut part = rest.clone();
            if let Some(end) = &end {
                part.end(descending, end.clone());
            }
            let left = u32::try_from(wanted - found.len()).ok();
            let statement = question.events(source, &part, left);
            found.extend(self.decide(question, statement).await?);
            let Some(end) = end.filter(|_| found.len() < wanted) else {
                return Ok(found);
            };
            examined += window;
            if filter.examine.is_some_and(|most| examined >= i64::from(most)) {
                return Err(AuditError::TooMany(examined));
            }
            rest.start(descending, end, false);
            window = (window * 2).min(LARGEST_WINDOW);
        }
    }

    /// The first key of the order, where a window ends.
    async fn end(&self, question: &Question<'_>, sql: Sql) -> Result<Option<TraitValue>, AuditError> {
        Ok(if question.is_by_id() {
            let ids: Vec<(String,)> = self.rows(sql).await?;
            ids.into_iter().next().map(|(id,)| TraitValue::String(id))
        } else {
            let times: Vec<(i64,)> = self.rows(sql).await?;
            times.first().map(|(time,)| TraitValue::Integer(*time))
        })
    }

    /// Reads events and keeps those that are asked for.
    async fn decide(&self, question: &Question<'_>, sql: Sql) -> Result<Vec<Found>, AuditError> {
        let mut found = self.events(sql).await?;
        found.retain(|(_, event)| question.admits(event));
        Ok(found)
    }

    async fn add_bodies(&self, found: &mut [Found]) -> Result<(), AuditError> {
        for chunk in found.chunks_mut(500) {
            let mut sql = Sql::new("SELECT sequence, raw FROM events WHERE sequence IN ");
            let sequences: Vec<i64> = chunk.iter().map(|(sequence, _)| *sequence).collect();
            list(&mut sql, &sequences);
            let bodies: Vec<(i64, String)> = self.rows(sql).await?;
            for (sequence, raw) in bodies {
                if let Some((_, event)) = chunk.iter_mut().find(|(known, _)| *known == sequence) {
                    event.raw = body(raw);
                }
            }
        }
        Ok(())
    }

    /// Events stored after the one of this number, in the order in which they were stored, and the number up to which
    /// was looked.
    pub(super) async fn tail(&self, filter: &Filter, after: i64) -> Result<(Vec<AuditEvent>, i64), AuditError> {
        let last = self.last_sequence().await?;
        let until = last.min(after.saturating_add(TAIL_WINDOW));
        if until <= after {
            return Ok((Vec::new(), last));
        }
        // Words are made with events: a question that could not match before may match now.
        let Some(question) = self.question(filter).await? else {
            return Ok((Vec::new(), until));
        };
        let found = self.decide(&question, question.tail(after, until)).await?;
        Ok((found.into_iter().map(|(_, event)| event).collect(), until))
    }

    /// The number of the event that was stored last.
    pub(super) async fn last_sequence(&self) -> Result<i64, AuditError> {
        let last = sqlx::query_scalar("SELECT COALESCE(MAX(sequence), 0) FROM events");
        Ok(last.fetch_one(&self.pool).await?)
    }

    /// The event with this id, and its number. One that may not be seen is as unknown as one that does not exist.
    pub(super) async fn find(&self, id: &str, view: &View) -> Result<Found, AuditError> {
        let mut sql = Sql::new(format!("SELECT {COLUMNS} FROM events e WHERE e.message_id = "));
        sql.push_bind(id.to_owned());
        let mut found = self.events(sql).await?;
        found.retain(|(_, event)| {
            let tenant = event.tenant.as_deref().unwrap_or_default();
            view.admits(tenant, &event.event_type, event.get("page").as_deref())
        });
        found.pop().ok_or_else(|| AuditError::UnknownMarker(id.to_owned()))
    }

    async fn events(&self, sql: Sql) -> Result<Vec<Found>, AuditError> {
        let rows: Vec<EventRow> = self.rows(sql).await?;
        let mut events = Vec::with_capacity(rows.len());
        let mut words: HashMap<i64, String> = HashMap::new();
        for (sequence, message_id, event_type, generated, tenant, traits, raw) in rows {
            for id in [event_type, tenant] {
                if let Entry::Vacant(place) = words.entry(id) {
                    place.insert(self.spelled(id).await?);
                }
            }
            let word = |id: i64| words.get(&id).cloned().unwrap_or_default();
            let event = AuditEvent {
                message_id,
                event_type: word(event_type),
                generated: microseconds(generated),
                tenant: Some(word(tenant)).filter(|tenant| !tenant.is_empty()),
                traits: read_traits(&traits),
                raw: body(raw),
            };
            events.push((sequence, event));
        }
        Ok(events)
    }
}

fn body(raw: String) -> serde_json::Value {
    serde_json::from_str(&raw).unwrap_or(serde_json::Value::String(raw))
}

pub(super) fn microseconds(since_epoch: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(since_epoch).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
