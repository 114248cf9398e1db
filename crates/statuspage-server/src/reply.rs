//! How the members of objects appear in replies: their type decides it.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value};

use super::instants::seconds;

/// What a reply can show.
pub(super) trait Shown {
    /// The value of the wire.
    fn shown(&self) -> Value;
}

macro_rules! shown_as_it_is {
    ($($type:ty),+) => { $(impl Shown for $type { fn shown(&self) -> Value { self.to_owned().into() } })+ };
}
shown_as_it_is!(bool, i64, usize, f64, str, Value, Map<String, Value>);

impl Shown for String {
    fn shown(&self) -> Value {
        self.as_str().shown()
    }
}

impl Shown for Timestamp {
    fn shown(&self) -> Value {
        seconds(*self).into()
    }
}

impl Shown for Date {
    fn shown(&self) -> Value {
        self.to_string().into()
    }
}

impl<T: Shown + ?Sized> Shown for &T {
    fn shown(&self) -> Value {
        (*self).shown()
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::shown)
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(&self) -> Value {
        self.iter().map(T::shown).collect()
    }
}

/// An object that shows members of a record, in this order. A name with a value is no member, or not shown as it is.
macro_rules! reply {
    (@value $record:expr, $key:ident) => { $crate::reply::Shown::shown(&$record.$key) };
    (@value $record:expr, $key:ident, $value:expr) => { $crate::reply::Shown::shown(&$value) };
    ($record:expr; $($key:ident $(= $value:expr)?),+ $(,)?) => {
        ::serde_json::Value::Object(
            [$((stringify!($key).to_owned(), $crate::reply::reply!(@value $record, $key $(, $value)?))),+].into_iter().collect(),
        )
    };
}
pub(super) use reply;
