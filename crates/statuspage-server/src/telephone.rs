//! Telephone numbers of subscribers: given as they are dialled in their country, shown as people write them abroad.

use phonenumber::Mode;
use phonenumber::country::Id;

/// The country of a two-letter code.
pub(super) fn country(code: &str) -> Option<Id> {
    code.trim().to_ascii_uppercase().parse().ok()
}

/// A number with the code of its country, in groups of digits.
pub(super) fn international(country: Id, number: &str) -> Option<String> {
    let parsed = phonenumber::parse(Some(country), number).ok()?;
    Some(parsed.format().mode(Mode::International).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(code: &str, number: &str) -> Option<String> {
        international(country(code)?, number)
    }

    #[test]
    fn numbers_are_shown_as_they_are_dialled_abroad() {
        assert_eq!(shown("US", "5125551234").as_deref(), Some("+1 512-555-1234"));
        assert_eq!(shown("us", "(512) 555-1234").as_deref(), Some("+1 512-555-1234"));
        assert_eq!(shown("CH", "044 668 18 00").as_deref(), Some("+41 44 668 18 00"));
        assert_eq!(shown("GB", "+44 7911 123456").as_deref(), Some("+44 7911 123456"));
        for (code, number) in [
            ("US", "call me"),
            ("US", ""),
            ("CH", "123456789012345678901"),
            ("XX", "1"),
            ("", "1"),
        ] {
            assert_eq!(shown(code, number), None, "{code} {number}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_number_or_not(text in any::<String>(), digits in "[0-9+()x;. -]{0,40}") {
            for number in [&text, &digits] {
                if let Some(shown) = shown("US", number) {
                    prop_assert!(shown.starts_with('+'), "{}", shown);
                }
            }
        }
    }
}
