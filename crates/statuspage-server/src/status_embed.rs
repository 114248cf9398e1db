//! How the status looks inside other pages: one object per page, which is always there.

use serde_json::Value;

use super::errors::ApiError;
use super::fields::{Fields, read};
use super::records::StatusEmbed;
use super::reply::reply;
use super::request::{Answer, Call, Reply, Verb};
use super::state::PageState;

impl Default for StatusEmbed {
    fn default() -> Self {
        Self {
            position: "bottom-left".to_owned(),
            incident_background_color: "BF2600".to_owned(),
            incident_text_color: "FFFFFF".to_owned(),
            maintenance_background_color: "0747A6".to_owned(),
            maintenance_text_color: "FFFFFF".to_owned(),
        }
    }
}

fn render(page: &PageState, embed: &StatusEmbed) -> Value {
    reply! { embed;
        page_id = page.id, position, incident_background_color, incident_text_color, maintenance_background_color,
        maintenance_text_color,
    }
}

/// The operations of the configuration.
pub(super) fn route(page: &mut PageState, verb: Verb, call: &Call<'_>) -> Answer {
    let mut document = page.document()?.clone();
    match verb {
        Verb::Get => Ok(Reply::ok(render(page, &document.embed))),
        Verb::Patch | Verb::Put => {
            let mut fields = Fields::envelope(call.body, "status_embed_config")?;
            let embed = &mut document.embed;
            read! { fields => embed;
                keep filled: position;
                keep colour: incident_background_color, incident_text_color, maintenance_background_color,
                    maintenance_text_color;
            }
            fields.finish()?;
            let rendered = render(page, &document.embed);
            let id = page.id.clone();
            page.page.put(&id, document);
            Ok(Reply::ok(rendered))
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}
