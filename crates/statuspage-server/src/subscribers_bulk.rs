//! Operations on many subscribers at once, and their numbers.

use serde_json::{Map, Value};

use super::errors::ApiError;
use super::fields::{Fields, Given};
use super::records::Subscriber;
use super::request::{Answer, Call, Reply};
use super::state::PageState;
use super::subscribers::{ask_to_confirm, leave, mode_filter, state_filter};
use super::vocabulary::{SubscriberMode, SubscriberState};

/// The most subscribers that one request may remove.
const BULK_LIMIT: usize = 100;

/// How many subscribers of each type there are.
pub(super) fn count(page: &PageState, call: &Call<'_>) -> Answer {
    let mode = mode_filter(call)?;
    let state = state_filter(call.parameter("state"))?;
    let mut counts = Map::new();
    for candidate in SubscriberMode::ALL {
        let number = page
            .subscribers
            .values()
            .filter(|subscriber| subscriber.is_subscribed() && subscriber.mode == *candidate)
            .filter(|_| mode.is_none_or(|mode| mode == *candidate))
            .filter(|subscriber| state.is_none_or(|state| subscriber.state == state))
            .count();
        counts.insert(candidate.as_str().to_owned(), number.into());
    }
    Ok(Reply::ok(Value::Object(counts)))
}

/// How many subscribers of each type are in each state.
pub(super) fn histogram(page: &PageState) -> Reply {
    let mut types = Map::new();
    for mode in SubscriberMode::ALL {
        let mut states = Map::new();
        let mut total = 0_usize;
        for state in SubscriberState::ALL {
            let number = page
                .subscribers
                .values()
                .filter(|subscriber| subscriber.is_subscribed())
                .filter(|subscriber| subscriber.mode == *mode && subscriber.state == *state)
                .count();
            total += number;
            states.insert(state.as_str().to_owned(), number.into());
        }
        states.insert("total".to_owned(), total.into());
        types.insert(mode.as_str().to_owned(), Value::Object(states));
    }
    Reply::ok(Value::Object(types))
}

/// Which subscribers a bulk request means.
fn chosen(
    page: &PageState,
    call: &Call<'_>,
    eligible: impl Fn(&Subscriber) -> bool,
    limited: bool,
) -> Result<Vec<String>, ApiError> {
    let mut fields = Fields::of(call.body);
    let mode = fields.word::<SubscriberMode>("type").value();
    let list = fields.list("subscribers");
    let everybody = matches!(fields.raw("subscribers"), Some(Value::String(text)) if text == "all");
    if matches!(list, Given::Absent | Given::Null) {
        fields.blank("subscribers");
    }
    fields.finish()?;
    let fits = |subscriber: &&Subscriber| {
        subscriber.is_subscribed() && mode.is_none_or(|mode| subscriber.mode == mode) && eligible(subscriber)
    };
    if everybody {
        let all: Vec<String> = page
            .subscribers
            .values()
            .filter(fits)
            .map(|subscriber| subscriber.id.clone())
            .collect();
        if limited && all.len() >= BULK_LIMIT {
            return Err(ApiError::invalid(vec![format!(
                "Subscribers can be \"all\" only when there are fewer than {BULK_LIMIT}"
            )]));
        }
        return Ok(all);
    }
    let list = list.value().unwrap_or_default();
    if limited && list.len() > BULK_LIMIT {
        return Err(ApiError::invalid(vec![format!(
            "Subscribers is too long (maximum is {BULK_LIMIT})"
        )]));
    }
    Ok(list
        .into_iter()
        .filter(|id| page.subscribers.get(id).as_ref().is_some_and(&fits))
        .collect())
}

/// Asks unconfirmed email subscribers again.
pub(super) fn resend_confirmation(page: &mut PageState, call: &Call<'_>) -> Answer {
    let ids = chosen(
        page,
        call,
        |subscriber| subscriber.state == SubscriberState::Unconfirmed && subscriber.mode == SubscriberMode::Email,
        false,
    )?;
    for id in ids {
        if let Some(subscriber) = page.subscribers.get(&id).cloned() {
            ask_to_confirm(page, &subscriber, call.now);
        }
    }
    Ok(Reply::created_empty())
}

/// Removes subscribers.
pub(super) fn unsubscribe(page: &mut PageState, call: &Call<'_>) -> Answer {
    let mut fields = Fields::of(call.body);
    let state = fields.filled("state").value();
    let quiet = fields.flag("skip_unsubscription_notification").value().unwrap_or(false);
    fields.finish()?;
    let named = matches!(call.body.get("subscribers"), Some(Value::Array(_)));
    // A list of identifiers means those, whatever their state; the default state only narrows "all".
    let state = match (state, named) {
        (None, true) => None,
        (state, _) => state_filter(state.as_deref())?,
    };
    let ids = chosen(
        page,
        call,
        |subscriber| state.is_none_or(|state| subscriber.state == state),
        true,
    )?;
    leave(page, &ids, quiet, call.now);
    Ok(Reply::created_empty())
}

/// Ends the quarantine of subscribers.
pub(super) fn reactivate(page: &mut PageState, call: &Call<'_>) -> Answer {
    let ids = chosen(
        page,
        call,
        |subscriber| subscriber.state == SubscriberState::Quarantined,
        false,
    )?;
    for id in ids {
        if let Some(subscriber) = page.subscribers.edit(&id) {
            subscriber.activate();
        }
    }
    Ok(Reply::created_empty())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::records::Page;
    use crate::state::State;

    #[test]
    fn an_empty_page_has_zeroes_for_every_type() {
        let mut state = State::default();
        state.create(Page::new("p".into(), "P".into(), Timestamp::UNIX_EPOCH));
        let reply = histogram(state.page_mut("p").unwrap());
        let body = reply.body.unwrap();
        assert_eq!(
            body["sms"],
            json!({"active": 0, "unconfirmed": 0, "quarantined": 0, "total": 0})
        );
        assert_eq!(body.as_object().unwrap().len(), 6);
    }
}
