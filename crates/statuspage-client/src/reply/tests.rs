use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::types::Component;

fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    Reply {
        operation: "read component",
        effectful: false,
        status,
        body: body.into(),
        request_ids: RequestIds::default(),
        credentials: Arc::new(Credentials::new([])),
        asked: Asked {
            page: "p".to_owned(),
            identity: Some(("id", "c".to_owned())),
        },
    }
}

fn entity(body: &str) -> Result<String, String> {
    let component: Result<Component, Error> = reply(200, body).entity();
    component
        .map(|component| component.id)
        .map_err(|error| error.to_string())
}

#[test]
fn an_entity_is_the_one_that_was_asked_for() {
    for body in [
        r#"{"id":"c"}"#,
        r#"{"id":"c","page_id":"p","message":"of an honest field"}"#,
        r#"{"id":"c","page_id":null}"#,
        r#"{"id":"c","page_id":7}"#,
    ] {
        assert_eq!(entity(body).unwrap(), "c", "{body}");
    }
    for (body, reason) in [
        (r#"{"id":"d"}"#, "its id is d, not c"),
        (r#"{"id":"c","page_id":"q"}"#, "its page_id is q, not p"),
        (r#"{"name":"c"}"#, "it has no id"),
        (r#"{"id":null}"#, "it has no id"),
        (r#"{"id":""}"#, "its id is none"),
        (r#"{"id":{"id":"c"}}"#, "its id is none"),
        (r#"{"id":"../c"}"#, "its id is"),
        (r#"{"message":"please log in"}"#, "a field message"),
        ("null", "it is null"),
        ("[]", "it is not an object"),
        (r#"[{"id":"c"}]"#, "it is not an object"),
        (r#""c""#, "it is not an object"),
        ("", "EOF"),
        ("<html>", "expected value"),
        (r#"{"id":"c"} and more"#, "trailing characters"),
    ] {
        let error = entity(body).unwrap_err();
        assert!(error.contains(reason), "{body}: {error}");
    }
    assert!(reply(206, r#"{"id":"c"}"#).entity::<Component>().is_err());
}

#[test]
fn rows_are_objects_of_the_page() {
    let rows = |body: &str| {
        let mut reply = reply(200, body);
        reply.asked.identity = None;
        let rows: Result<Vec<Component>, Error> = reply.rows();
        rows.map(|rows| rows.len()).map_err(|error| error.to_string())
    };
    assert_eq!(rows("[]").unwrap(), 0);
    assert_eq!(rows(r#" [{"id":"a","page_id":"p"},{"id":"b"}] "#).unwrap(), 2);
    for (body, reason) in [
        ("", "EOF"),
        ("null", "expected a list"),
        (r#"{"id":"a"}"#, "expected a list"),
        (r#""text""#, "expected a list"),
        (r#"{"message":"a proxy speaks"}"#, "expected a list"),
        (r#"[{"name":"no id"}]"#, "row 1: it has no id"),
        (r#"[{"id":"a"},null]"#, "row 2: it is not an object"),
        (r#"[{"id":"a"},["b"]]"#, "row 2: it is not an object"),
        (r#"[{"id":"a","page_id":"q"}]"#, "row 1: its page_id is q, not p"),
        (r#"[{"id":"a"}"#, "EOF"),
        (r#"[{"id":"a"}][]"#, "trailing characters"),
        ("<html>", "expected value"),
    ] {
        let error = rows(body).unwrap_err();
        assert!(error.contains(reason), "{body}: {error}");
    }
    assert!(reply(206, "[]").rows::<Component>().is_err());
}

#[test]
fn too_many_rows_are_not_kept() {
    let body = format!("[{}{{\"id\":\"c\"}}]", "{\"id\":\"c\"},".repeat(MOST_ROWS));
    let error = reply(200, body).rows::<Component>().map(|rows| rows.len()).unwrap_err();
    assert!(error.to_string().contains("so long"), "{error}");
}

#[test]
fn an_end_is_nothing_or_the_object() {
    for (status, body, shown) in [
        (204, "", false),
        (204, "whatever", false),
        (200, "", false),
        (200, " \n", false),
        (202, "", false),
        (200, r#"{"id":"c"}"#, true),
        (202, r#"{"id":"c","page_id":"p"}"#, true),
        (200, "{}", false),
        (200, r#"{"ok":true}"#, false),
    ] {
        let deleted: Option<Component> = reply(status, body).deleted().unwrap();
        assert_eq!(deleted.is_some(), shown, "{status} {body}");
    }
    for (status, body) in [
        (200, "<html>please log in</html>"),
        (202, "accepted"),
        (200, r#""gone""#),
        (200, "[]"),
        (200, "null"),
        (200, r#"{"id":"d"}"#),
        (200, r#"{"id":"c","page_id":"q"}"#),
        (200, r#"{"error":"Not found"}"#),
        (203, ""),
        (206, ""),
        (206, r#"{"id":"c"}"#),
        (299, ""),
    ] {
        let error = reply(status, body).deleted::<Component>().unwrap_err();
        assert!(error.may_have_happened(), "{status} {body}");
    }
}

#[test]
fn an_action_may_say_something_but_not_in_html() {
    for (status, body) in [
        (201, ""),
        (200, ""),
        (204, ""),
        (202, r#"{"abc123":[{"timestamp":1,"value":2}]}"#),
        (201, r#"{"id":"c","page_id":"p"}"#),
        (200, "[]"),
        (200, "null"),
    ] {
        assert!(reply(status, body).done().is_ok(), "{status} {body}");
    }
    for (status, body) in [
        (200, "<html>please log in</html>"),
        (200, "OK"),
        (200, r#"{"message":"please log in"}"#),
        (201, r#"{"id":"d"}"#),
        (203, ""),
    ] {
        let error = reply(status, body).done().unwrap_err();
        assert!(error.may_have_happened(), "{status} {body}");
    }
}

#[test]
fn a_reason_is_never_long() {
    let long = format!("\"{}\"", "x".repeat(100_000));
    for error in [
        reply(200, long.clone())
            .rows::<Component>()
            .map(|rows| rows.len())
            .unwrap_err(),
        reply(200, format!("{{\"id\":{long}}}"))
            .entity::<Component>()
            .unwrap_err(),
    ] {
        assert!(format!("{error} {error:?}").len() < 5_000);
    }
}

proptest! {
    /// Whatever comes, it is either what was asked for or a failure.
    #[test]
    fn nothing_else_passes(id in "[a-z]{1,3}|\\PC{0,3}", page in "[pq]", wrap in 0_u8..4) {
        let object = json!({"id": id, "page_id": page});
        let body = match wrap {
            0 => object.to_string(),
            1 => json!([object]).to_string(),
            2 => json!({"data": object}).to_string(),
            _ => object.to_string() + "x",
        };
        let right = wrap == 0 && id == "c" && page == "p";
        prop_assert_eq!(reply(200, body.clone()).entity::<Component>().is_ok(), right);
        let row = wrap == 1 && is_id(&id) && page == "p";
        let mut rows = reply(200, body);
        rows.asked.identity = None;
        prop_assert_eq!(rows.rows::<Component>().is_ok(), row);
    }
}
