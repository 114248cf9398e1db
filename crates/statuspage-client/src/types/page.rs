//! A status page and its settings.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{lenient, open_enum::open_enum, strict};

open_enum! {
    /// How much of the page its owner may restyle.
    pub enum Branding {
        /// Colours only.
        Basic => "basic",
        /// Own markup and styles.
        Premium => "premium",
    }
}

/// A status page as the remote service describes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Page {
    /// Identity.
    #[serde(deserialize_with = "lenient::code")]
    pub id: String,
    /// When it was made.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// When it last moved; a change of a child moves it as well.
    #[serde(deserialize_with = "lenient::timestamp")]
    pub updated_at: Option<Timestamp>,
    /// Name shown to visitors.
    #[serde(deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// Label below `statuspage.io`.
    #[serde(deserialize_with = "lenient::text")]
    pub subdomain: Option<String>,
    /// Own host name.
    #[serde(deserialize_with = "lenient::text")]
    pub domain: Option<String>,
    /// Site of the owner.
    #[serde(deserialize_with = "lenient::text")]
    pub url: Option<String>,
    /// Kind of styling.
    #[serde(deserialize_with = "lenient::word")]
    pub branding: Option<Branding>,
    /// Colour of background, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub css_body_background_color: Option<String>,
    /// Colour of text, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub css_font_color: Option<String>,
    /// Colour of secondary text, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub css_light_font_color: Option<String>,
    /// Colour of operational, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub css_greens: Option<String>,
    /// Colour of degraded performance, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub css_yellows: Option<String>,
    /// Colour of partial outage, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub css_oranges: Option<String>,
    /// Colour of major outage, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub css_reds: Option<String>,
    /// Colour of maintenance, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub css_blues: Option<String>,
    /// Colour of borders, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub css_border_color: Option<String>,
    /// Colour of graphs, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub css_graph_color: Option<String>,
    /// Colour of links, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub css_link_color: Option<String>,
    /// Colour of days without data, as hexadecimal digits without `#`.
    #[serde(deserialize_with = "lenient::text")]
    pub css_no_data: Option<String>,
    /// Asks search engines to stay away.
    #[serde(deserialize_with = "lenient::flag")]
    pub hidden_from_search: Option<bool>,
    /// Shows the page to members of the team only.
    #[serde(deserialize_with = "lenient::flag")]
    pub viewers_must_be_team_members: Option<bool>,
    /// Lets visitors subscribe to the whole page.
    #[serde(deserialize_with = "lenient::flag")]
    pub allow_page_subscribers: Option<bool>,
    /// Lets visitors subscribe to one incident.
    #[serde(deserialize_with = "lenient::flag")]
    pub allow_incident_subscribers: Option<bool>,
    /// Offers subscription by email.
    #[serde(deserialize_with = "lenient::flag")]
    pub allow_email_subscribers: Option<bool>,
    /// Offers subscription by text message.
    #[serde(deserialize_with = "lenient::flag")]
    pub allow_sms_subscribers: Option<bool>,
    /// Offers the feeds; without effect on audience-specific pages.
    #[serde(deserialize_with = "lenient::flag")]
    pub allow_rss_atom_feeds: Option<bool>,
    /// Offers subscription by webhook.
    #[serde(deserialize_with = "lenient::flag")]
    pub allow_webhook_subscribers: Option<bool>,
    /// Sender of notifications.
    #[serde(deserialize_with = "lenient::text")]
    pub notifications_from_email: Option<String>,
    /// Markdown below every notification.
    #[serde(deserialize_with = "lenient::text")]
    pub notifications_email_footer: Option<String>,
    /// Zone in which times are shown, an IANA or a Rails name.
    #[serde(deserialize_with = "lenient::text")]
    pub time_zone: Option<String>,
    /// Text below the name.
    #[serde(deserialize_with = "lenient::text")]
    pub page_description: Option<String>,
    /// Headline.
    #[serde(deserialize_with = "lenient::text")]
    pub headline: Option<String>,
    /// Where visitors get help.
    #[serde(deserialize_with = "lenient::text")]
    pub support_url: Option<String>,
    /// Account that is linked.
    #[serde(deserialize_with = "lenient::text")]
    pub twitter_username: Option<String>,
    /// Addresses that may see the page.
    #[serde(deserialize_with = "lenient::text")]
    pub ip_restrictions: Option<String>,
    /// City of the owner.
    #[serde(deserialize_with = "lenient::text")]
    pub city: Option<String>,
    /// State of the owner.
    #[serde(deserialize_with = "lenient::text")]
    pub state: Option<String>,
    /// Country of the owner.
    #[serde(deserialize_with = "lenient::text")]
    pub country: Option<String>,
    /// A figure that changes all the time.
    #[serde(deserialize_with = "lenient::number")]
    pub activity_score: Option<f64>,
}

impl Page {
    /// The host at which visitors find it: its own, or the one below `statuspage.io`.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let below = |label: String| format!("{}.statuspage.io", label.trim_end_matches(".statuspage.io"));
        given(&self.domain).or_else(|| given(&self.subdomain).map(below))
    }
}

/// Changes to the settings of a page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageWrite {
    /// Name shown to visitors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Label below `statuspage.io`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// Own host name.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub domain: Option<Option<String>>,
    /// Site of the owner.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub url: Option<Option<String>>,
    /// Kind of styling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branding: Option<Branding>,
    /// Colour of background.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub css_body_background_color: Option<String>,
    /// Colour of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub css_font_color: Option<String>,
    /// Colour of secondary text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub css_light_font_color: Option<String>,
    /// Colour of operational.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub css_greens: Option<String>,
    /// Colour of degraded performance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub css_yellows: Option<String>,
    /// Colour of partial outage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub css_oranges: Option<String>,
    /// Colour of major outage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub css_reds: Option<String>,
    /// Colour of maintenance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub css_blues: Option<String>,
    /// Colour of borders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub css_border_color: Option<String>,
    /// Colour of graphs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub css_graph_color: Option<String>,
    /// Colour of links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub css_link_color: Option<String>,
    /// Colour of days without data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub css_no_data: Option<String>,
    /// Asks search engines to stay away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_from_search: Option<bool>,
    /// Shows the page to members of the team only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub viewers_must_be_team_members: Option<bool>,
    /// Lets visitors subscribe to the whole page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_page_subscribers: Option<bool>,
    /// Lets visitors subscribe to one incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_incident_subscribers: Option<bool>,
    /// Offers subscription by email.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_email_subscribers: Option<bool>,
    /// Offers subscription by text message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_sms_subscribers: Option<bool>,
    /// Offers the feeds; without effect on audience-specific pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_rss_atom_feeds: Option<bool>,
    /// Offers subscription by webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_webhook_subscribers: Option<bool>,
    /// Sender of notifications.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub notifications_from_email: Option<Option<String>>,
    /// Markdown below every notification.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub notifications_email_footer: Option<Option<String>>,
    /// Zone in which times are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Text below the name. Returned, but absent from the documented update.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub page_description: Option<Option<String>>,
    /// Headline. Returned, but absent from the documented update.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub headline: Option<Option<String>>,
    /// Where visitors get help. Returned, but absent from the documented update.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub support_url: Option<Option<String>>,
    /// Account that is linked. Returned, but absent from the documented update.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub twitter_username: Option<Option<String>>,
    /// Addresses that may see the page. Returned, but absent from the documented update.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub ip_restrictions: Option<Option<String>>,
    /// City of the owner. Returned, but absent from the documented update.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub city: Option<Option<String>>,
    /// State of the owner. Returned, but absent from the documented update.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub state: Option<Option<String>>,
    /// Country of the owner. Returned, but absent from the documented update.
    #[serde(deserialize_with = "strict::nullable", skip_serializing_if = "Option::is_none")]
    pub country: Option<Option<String>>,
}
