use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const SECRET: &str = r#"a+b/c"d\e f&g<h>ä😀'i"#;

fn as_json(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn as_units(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect()
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn as_form(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn as_html(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&#39;".to_owned(),
            other if other.is_ascii() => other.to_string(),
            other => format!("&#x{:X};", u32::from(other)),
        })
        .collect()
}

fn as_is(text: &str) -> String {
    text.to_owned()
}

type Way = fn(&str) -> String;

const WAYS: [(&str, Way); 6] = [
    ("plain", as_is),
    ("json", as_json),
    ("units", as_units),
    ("percent", percent_encoded),
    ("form", as_form),
    ("html", as_html),
];

#[test]
fn a_secret_is_found_however_it_is_written() {
    let credentials = Credentials::new([SECRET]);
    for (name, way) in WAYS {
        let text = format!("before {} after", way(SECRET));
        assert_eq!(
            credentials.text(&text),
            format!("before {MARK} after"),
            "{name}: {text}"
        );
    }
    for (name, twice) in [
        ("json", as_json(&as_json(SECRET))),
        ("json in json in json", as_json(&as_json(&as_json(SECRET)))),
        ("form", as_form(&as_form(SECRET))),
        ("html", as_html(&as_html(SECRET))),
    ] {
        assert_eq!(credentials.text(&twice), MARK, "{name}: {twice}");
    }
}

#[test]
fn a_secret_that_was_wrapped_is_found() {
    let secret = "correct-horse-battery-staple";
    let credentials = Credentials::new([secret]);
    for gap in [
        " ",
        "\n",
        "\r\n        ",
        "\t",
        "\\n",
        "\\r\\n  ",
        "%0A",
        "%0D%0A",
        "&#10;",
        "+",
    ] {
        for place in 1..secret.len() {
            let text = format!("the header {}{gap}{} was odd", &secret[..place], &secret[place..]);
            assert_eq!(
                credentials.text(&text),
                format!("the header {MARK} was odd"),
                "{text:?}"
            );
        }
        let spaced: Vec<String> = secret.chars().map(String::from).collect();
        assert_eq!(credentials.text(&spaced.join(gap)), MARK);
    }
    let encoded = STANDARD.encode(format!("u:{secret}"));
    let (one, other) = encoded.split_at(20);
    let clean = credentials.text(&format!("{one}\n{other}"));
    assert!(clean.contains(MARK) && clean.len() < 30, "{clean}");
    let body = credentials.body(br#"{"error":"correct-horse\n  -battery-staple"}"#.to_vec());
    assert_eq!(String::from_utf8(body).unwrap(), format!(r#"{{"error":"{MARK}"}}"#));
    assert_eq!(
        credentials.text("correct -horse-bat"),
        format!("{MARK}"),
        "the end of the text ends it too"
    );
    assert_eq!(credentials.text("correct horse"), "correct horse");
}

#[test]
fn base64_hides_nothing() {
    let credentials = Credentials::new(["correct-horse?>"]);
    for before in ["", "u:", "OAuth ", "user:"] {
        for after in ["", ":x", ":xy"] {
            let text = format!("{before}correct-horse?>{after}");
            for encoded in [STANDARD.encode(&text), URL_SAFE.encode(&text)] {
                let clean = credentials.text(&format!("<{encoded}>"));
                assert!(clean.contains(MARK) && clean.len() < 30, "{text}: {clean}");
            }
        }
    }
}

#[test]
fn half_a_secret_at_the_end_is_cut_too() {
    let credentials = Credentials::new(["correct-horse"]);
    assert_eq!(credentials.text("OAuth correct-ho"), format!("OAuth {MARK}"));
    assert_eq!(credentials.text("OAuth corr"), format!("OAuth {MARK}"));
    assert_eq!(credentials.text("OAuth correct%2"), format!("OAuth {MARK}"));
    assert_eq!(credentials.text("OAuth correct\\u00"), format!("OAuth {MARK}"));
    assert_eq!(credentials.text("OAuth cor"), "OAuth cor");
    assert_eq!(credentials.text("correct spelling"), "correct spelling");
}

#[test]
fn what_is_json_stays_json() {
    let credentials = Credentials::new(["correct-horse", "7777"]);
    let body = br#"{"id":"x","a":["OAuth c\u006frrect-horse",777701],"correct-horse":1,"b":12}"#;
    let clean: Value = serde_json::from_slice(&credentials.body(body.to_vec())).unwrap();
    let expected = json!({"id": "x", "a": [format!("OAuth {MARK}"), null], MARK: 1, "b": 12});
    assert_eq!(clean, expected);
    let untouched = br#"{ "spaces" : "stay" }"#.to_vec();
    assert_eq!(credentials.body(untouched.clone()), untouched);
}

#[test]
fn short_ones_are_left_alone() {
    assert_eq!(Credentials::new(["abc", ""]).text("abcabc"), "abcabc");
    assert_eq!(Credentials::new(["abcd"]).text("abcdabcd"), MARK.repeat(2));
    assert_eq!(Credentials::new([" abcd\n"]).text("(abcd)"), format!("({MARK})"));
}

#[test]
fn the_secrets_of_a_body_are_known_by_their_names() {
    let credentials = Arc::new(Credentials::new(["the-token"]));
    let body = json!({"metrics_provider": {
        "type": "Datadog", "api_key": "the-api-key", "application_key": "the-app-key", "email": "a@example.com",
    }});
    let all = credentials.and_those_in(&body);
    let text = all.text("the-token the-api-key the-app-key a@example.com Datadog");
    assert_eq!(text, format!("{MARK} {MARK} {MARK} a@example.com Datadog"));
    let harmless = json!({"component": {"name": "the-name"}});
    assert!(Arc::ptr_eq(&credentials.and_those_in(&harmless), &credentials));
}

/// Every field that the wire types call a secret has a name that says so.
#[test]
fn no_secret_field_is_forgotten() {
    let types = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/types");
    let mut names = Vec::new();
    for file in std::fs::read_dir(types).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let fields = text.lines().filter_map(|line| line.trim().strip_prefix("pub "));
        let secret = fields.filter_map(|field| field.split_once(": "));
        names.extend(
            secret
                .filter(|(_, kind)| kind.contains("Secret") && !kind.contains('('))
                .map(|(name, _)| name.to_owned()),
        );
    }
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        assert!(is_secret(&name), "{name}");
    }
}

#[test]
fn nothing_prints_them() {
    assert!(!format!("{:?}", Credentials::new(["correct-horse"])).contains("horse"));
}

/// Nothing but escapes, for as long as a reply may be: no quadratic work.
#[test]
fn a_hostile_text_costs_no_more_than_its_length() {
    for unit in [
        "\\",
        "%",
        "&",
        "%25",
        "&amp;",
        "\\u005c",
        "correct",
        "aaaa",
        " ",
        "a ",
        "a\n ",
        "c                    ",
        "\\n",
        "a+",
    ] {
        let secrets = [
            r"\\\\\\\\\\\\",
            "%%%%%%%%",
            "&&&&&&",
            "aaaaaaaaaaaaaab",
            "correct-horse",
        ];
        let credentials = Credentials::new(secrets);
        let text = unit.repeat((16 << 10) / unit.len());
        assert!(credentials.text(&text).len() <= text.len() * MARK.len());
    }
}

prop_compose! {
    /// A secret as people have them: of letters, of anything.
    fn secret()(text in prop_oneof!["[a-zA-Z0-9-]{4,40}", "[ -~äß€😀]{4,20}"]) -> String {
        text
    }
}

proptest! {
    /// Each character in a way of its own, in the middle of anything.
    #[test]
    fn no_mixture_of_escapes_hides_a_secret(
        secret in secret(),
        choices in prop::collection::vec(0_usize..6, 40),
        wrapped_at in 1_usize..40,
        gap in "[ \n\t]{0,8}",
        before in ".{0,12}",
        after in ".{0,12}",
    ) {
        prop_assume!(secret.trim().chars().count() >= SHORTEST);
        let written: String = secret
            .trim()
            .chars()
            .zip(choices.iter().cycle())
            .enumerate()
            .map(|(at, (character, choice))| {
                let gap = if at == wrapped_at { gap.as_str() } else { "" };
                format!("{gap}{}", (WAYS[*choice].1)(&character.to_string()))
            })
            .collect();
        let credentials = Credentials::new([secret.as_str()]);
        let clean = credentials.text(&format!("{before}{written}{after}"));
        prop_assert!(clean.contains(MARK), "{clean}");
        prop_assert!(!clean.contains(secret.trim()), "{clean}");
        prop_assert!(!clean.contains(&written), "{clean}");
    }

    #[test]
    fn anything_can_be_cleaned(secret in ".{0,20}", text in prop::collection::vec(any::<u8>(), 0..200)) {
        let credentials = Credentials::new([secret.as_str()]);
        let clean = credentials.body(text.clone());
        if secret.trim().chars().count() >= SHORTEST {
            let found = clean.windows(secret.trim().len()).any(|window| window == secret.trim().as_bytes());
            prop_assert!(!found);
        } else {
            prop_assert_eq!(clean, text);
        }
    }
}
