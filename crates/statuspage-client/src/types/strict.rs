//! Rules of the write types: what is absent is not sent, and `null` can be said on purpose.

use serde::{Deserialize, Deserializer, Serializer};

/// Tells an absent key (`None`) from an explicit `null` (`Some(None)`).
pub(super) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Sends whole numbers without a fraction: creation is described with integers, the entity with floats.
pub(super) fn number<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match *value {
        None => serializer.serialize_none(),
        Some(number) if number.fract() == 0.0 && number.abs() < EXACT => serializer.serialize_i64(number as i64),
        Some(number) => serializer.serialize_f64(number),
    }
}
