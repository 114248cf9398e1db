//! What can go wrong between a process and the page, and when.

use std::fmt;
use std::time::Duration;

use super::chance::Chance;
use super::trace::Request;

/// What becomes of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is carried out and answered.
    Well,
    /// No connection comes about.
    Unconnected,
    /// It never arrives, and the connection breaks.
    Lost,
    /// It is carried out, and the connection breaks before the reply.
    ReplyLost,
    /// It is carried out at once and never answered.
    Withheld,
    /// It is carried out so much later, and never answered.
    Late(Duration),
    /// It is carried out and answered so much later.
    Slow(Duration),
    /// It is not carried out, and answered with this status.
    Refused(u16),
    /// It is not carried out; a gateway answers and repeats the headers of the request.
    Echoed(u16),
    /// It is carried out, and a gateway says that it was not.
    Denied(u16),
    /// It is not carried out; a proxy answers "200" with a page of its own.
    Html,
    /// It is not carried out: too many requests, with this `Retry-After`.
    Throttled(u16, Option<&'static str>),
    /// It is sent elsewhere.
    Redirected,
    /// It is carried out, and the reply is cut off.
    Cut,
    /// A list without rows.
    Empty,
    /// `null` in the place of a list.
    Null,
    /// A list that lacks some of its rows.
    Partly,
}

/// What a spell of weather does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Unconnected,
    Lost,
    ReplyLost,
    Withheld,
    Late,
    Slow,
    Refused,
    Echoed,
    Denied,
    Html,
    Throttled,
    Redirected,
    Cut,
    Empty,
    Null,
    Partly,
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Kind; 16] = [
        Kind::Unconnected,
        Kind::Lost,
        Kind::ReplyLost,
        Kind::Withheld,
        Kind::Late,
        Kind::Slow,
        Kind::Refused,
        Kind::Echoed,
        Kind::Denied,
        Kind::Html,
        Kind::Throttled,
        Kind::Redirected,
        Kind::Cut,
        Kind::Empty,
        Kind::Null,
        Kind::Partly,
    ];

    /// True when it is about what a list shows.
    pub(super) fn is_of_lists(self) -> bool {
        matches!(self, Kind::Empty | Kind::Null | Kind::Partly)
    }
}

/// Which requests it befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Everything,
    Reads,
    Writes,
    Creations,
    /// What begins with this segment below the page: a list and its objects.
    Resource(&'static str),
    /// One list alone.
    List(&'static str),
}

impl Target {
    fn hits(self, request: &Request) -> bool {
        match self {
            Target::Everything => true,
            Target::Reads => !request.writes(),
            Target::Writes => request.writes(),
            Target::Creations => request.method == "POST",
            Target::Resource(resource) => request.segments().first() == Some(&resource),
            Target::List(list) => request.list() == Some(list),
        }
    }
}

/// A fault that lasts for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spell {
    pub(super) from: Duration,
    pub(super) to: Duration,
    pub(super) kind: Kind,
    pub(super) target: Target,
    /// How many requests in a thousand it befalls.
    pub(super) permille: u64,
}

impl fmt::Display for Spell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} of {:?}, {} in 1000", self.kind, self.target, self.permille)
    }
}

const ODD_PAUSES: [Option<&str>; 9] = [
    None,
    Some("0"),
    Some("-5"),
    Some("3"),
    Some("20"),
    Some("90"),
    Some("soon"),
    Some("Thu, 01 Jan 1970 00:00:00 GMT"),
    Some("99999999999999999999"),
];

impl Spell {
    /// What becomes of a request at a time; none when this spell leaves it alone.
    pub(super) fn befall(&self, at: Duration, request: &Request, chance: &mut Chance) -> Option<Fate> {
        if at < self.from || at >= self.to || !self.target.hits(request) {
            return None;
        }
        if self.kind.is_of_lists() && request.list().is_none() || !chance.permille(self.permille) {
            return None;
        }
        Some(match self.kind {
            Kind::Unconnected => Fate::Unconnected,
            Kind::Lost => Fate::Lost,
            Kind::ReplyLost => Fate::ReplyLost,
            Kind::Withheld => Fate::Withheld,
            Kind::Late => Fate::Late(chance.seconds(1, 34)),
            Kind::Slow => Fate::Slow(chance.seconds(1, 25)),
            Kind::Refused => Fate::Refused(*chance.pick(&[500, 502, 503, 504, 403]).unwrap_or(&500)),
            Kind::Echoed => Fate::Echoed(*chance.pick(&[400, 431, 500, 502]).unwrap_or(&500)),
            Kind::Denied => Fate::Denied(*chance.pick(&[500, 502, 504]).unwrap_or(&502)),
            Kind::Html => Fate::Html,
            Kind::Throttled => {
                let status = *chance.pick(&[420, 429]).unwrap_or(&420);
                Fate::Throttled(status, chance.pick(&ODD_PAUSES).copied().flatten())
            }
            Kind::Redirected => Fate::Redirected,
            Kind::Cut => Fate::Cut,
            Kind::Empty => Fate::Empty,
            Kind::Null => Fate::Null,
            Kind::Partly => Fate::Partly,
        })
    }
}
