//! What errors say and what they mean.

use std::time::Duration;

use statuspage_operator::statuspage::{
    BaseUrl, Budget, Client, ComponentWrite, Error, ErrorClass, IncidentWrite, SubscriberSelection,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::every_operation::{beside_the_page, on_one_object};
use super::remote::{Remote, base_url, client_of, reply, token};

async fn create(client: &Client) -> Error {
    let write = ComponentWrite::default();
    client.page("p").components().create(&write).await.unwrap_err()
}

async fn read(client: &Client) -> Error {
    client.page("p").get().await.unwrap_err()
}

#[tokio::test]
async fn a_refusal_has_the_remote_words_and_the_request_ids() {
    let remote = Remote::start(|_| {
        let mut response = reply(422, r#"{"error":["Name can't be blank"]}"#);
        response
            .headers_mut()
            .insert("x-request-id", "request-7".parse().unwrap());
        response.headers_mut().insert("atl-traceid", "trace-8".parse().unwrap());
        response
    })
    .await;
    let error = create(&remote.client()).await;
    assert_eq!(error.class(), ErrorClass::Terminal);
    assert_eq!(error.operation(), Some("create component"));
    assert_eq!(
        error.to_string(),
        "create component: Statuspage answered 422: Name can't be blank; correct the declaration"
    );
    let ids = error.request_ids().unwrap();
    assert_eq!(ids.request_id.as_deref(), Some("request-7"));
    assert_eq!(ids.trace_id.as_deref(), Some("trace-8"));
}

#[tokio::test]
async fn each_status_means_something() {
    for (status, read_class, create_class) in [
        (401, ErrorClass::Unauthorized, ErrorClass::Unauthorized),
        (403, ErrorClass::Terminal, ErrorClass::Terminal),
        (404, ErrorClass::NotFound, ErrorClass::NotFound),
        (500, ErrorClass::Transient, ErrorClass::Ambiguous),
        (503, ErrorClass::Transient, ErrorClass::Ambiguous),
    ] {
        let client = Remote::answering(status, "<html>gone</html>").await.client();
        assert_eq!(read(&client).await.class(), read_class, "{status}");
        assert_eq!(create(&client).await.class(), create_class, "{status}");
    }
}

#[tokio::test]
async fn a_patch_that_publishes_is_not_repeated_blindly() {
    let incidents = Remote::answering(502, "").await.client().page("p").incidents();
    let rename = IncidentWrite {
        name: Some("n".to_owned()),
        ..IncidentWrite::default()
    };
    let publish = IncidentWrite {
        body: Some("b".to_owned()),
        ..IncidentWrite::default()
    };
    let class = async |write| incidents.update("i", write).await.unwrap_err().class();
    assert_eq!(class(&rename).await, ErrorClass::Transient);
    assert_eq!(class(&publish).await, ErrorClass::Ambiguous);
}

#[tokio::test]
async fn success_that_is_not_from_the_service_creates_nothing() {
    for body in ["<html>please log in</html>", "", "null", r#"{"message":"hello"}"#, "[]"] {
        let client = Remote::answering(201, body).await.client();
        let error = create(&client).await;
        assert!(matches!(error, Error::Undecodable { status: 201, .. }), "{error:?}");
        assert_eq!(error.class(), ErrorClass::Ambiguous, "{body}");
        assert_eq!(read(&client).await.class(), ErrorClass::Transient, "{body}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let remote = Remote::start(|_| {
        let mut response = reply(302, "");
        response.headers_mut().insert("location", "/login".parse().unwrap());
        response
    })
    .await;
    let error = read(&remote.client()).await;
    assert_eq!((error.status(), error.class()), (Some(302), ErrorClass::Terminal));
    assert_eq!(remote.seen().len(), 1);
}

#[tokio::test]
async fn a_refused_connection_has_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = create(&client_of(address, Budget::new(0))).await;
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Transient);
    let said = format!("create component: cannot reach http://{address}/v1: connection refused; ");
    assert!(error.to_string().starts_with(&said), "{error}");
}

#[tokio::test]
async fn without_tls_on_the_other_side_nothing_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let base_url = BaseUrl::parse(&format!("https://{address}/v1"), false).unwrap();
    let client = Client::builder(base_url, token()).build().unwrap();
    let error = create(&client).await;
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Transient);
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}

#[tokio::test]
async fn a_reply_that_is_lost_is_ambiguous_for_a_create() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Takes each request and hangs up without a word.
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
        }
    });
    let budget = Budget::new(60);
    let client = client_of(address, budget.clone());
    let error = create(&client).await;
    assert!(matches!(error, Error::Lost { timed_out: false, .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Ambiguous);
    assert_eq!(read(&client).await.class(), ErrorClass::Transient);
    assert_eq!(budget.stats().used, 2, "a lost request counts");
}

#[tokio::test]
async fn silence_ends_with_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limit = Duration::from_millis(200);
    let client = Client::builder(base_url(listener.local_addr().unwrap()), token())
        .timeouts(limit, limit)
        .build()
        .unwrap();
    // The system accepts connections for the listener, and nobody ever reads from them.
    let error = create(&client).await;
    assert!(matches!(error, Error::Lost { timed_out: true, .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Ambiguous);
    assert!(error.to_string().contains("gave up after 0.2 s"), "{error}");
}

#[tokio::test]
async fn a_deletion_is_done_when_the_reply_says_so() {
    for (status, body) in [
        (204, ""),
        (200, ""),
        (202, ""),
        (200, r#"{"id":"m"}"#),
        (200, r#"{"id":"m","page_id":"p"}"#),
    ] {
        let page = Remote::answering(status, body).await.client().page("p");
        page.components().delete("m").await.unwrap();
        let deleted = page.metrics().delete("m").await.unwrap();
        assert_eq!(deleted.is_some(), body.starts_with('{'), "{body}");
    }
    let remote = Remote::answering(404, r#"{"error":"Not found"}"#).await;
    let error = remote.client().page("p").components().delete("c").await.unwrap_err();
    assert!(error.is_not_found());
}

/// What a proxy, a login page or a cache says in the place of the service.
#[tokio::test]
async fn a_deletion_is_not_believed_to_anybody_else() {
    for (status, body) in [
        (200, "<html>please log in</html>"),
        (202, "accepted"),
        (200, r#"{"message":"please log in"}"#),
        (200, r#"{"id":"another"}"#),
        (200, r#"{"id":"m","page_id":"another"}"#),
        (200, "null"),
        (200, "[]"),
        (206, ""),
    ] {
        let page = Remote::answering(status, body).await.client().page("p");
        for error in [
            page.components().delete("m").await.unwrap_err(),
            page.metrics().delete("m").await.unwrap_err(),
            page.page_access_users().delete("m").await.unwrap_err(),
        ] {
            assert!(matches!(error, Error::Undecodable { .. }), "{body}: {error:?}");
            assert_eq!(
                (error.class(), error.may_have_happened()),
                (ErrorClass::Transient, true)
            );
        }
    }
}

#[tokio::test]
async fn what_tells_people_is_not_done_because_a_proxy_says_so() {
    for (status, body, done) in [
        (201, "", true),
        (200, "{}", true),
        (200, "<html>please log in</html>", false),
        (200, r#"{"error":"please log in"}"#, false),
    ] {
        let page = Remote::answering(status, body).await.client().page("p");
        for result in [
            page.subscribers().resend_confirmation("s").await,
            page.incidents().subscribers("i").resend_confirmation("s").await,
            page.subscribers().resend_confirmations(&SubscriberSelection::All).await,
        ] {
            assert_eq!(result.is_ok(), done, "{body}");
            if let Err(error) = result {
                assert_eq!(error.class(), ErrorClass::Ambiguous, "{body}");
            }
        }
    }
}

/// Each call about one object, answered with another object, or with the right one of another page.
#[tokio::test]
async fn another_object_is_no_answer() {
    let another = Remote::answering(200, r#"{"id":"z","user_id":"z","pages":[]}"#)
        .await
        .client();
    let elsewhere = Remote::answering(200, r#"{"id":"x","page_id":"q"}"#).await.client();
    let mut outcomes = on_one_object(&another).await;
    outcomes.extend(beside_the_page(&another).await);
    outcomes.extend(on_one_object(&elsewhere).await);
    for (operation, result) in outcomes {
        let Err(error) = result else {
            panic!("{operation} passes")
        };
        assert!(matches!(error, Error::Undecodable { .. }), "{operation}: {error:?}");
    }
    // What is new has no id to be compared, but a page.
    let page = elsewhere.page("p");
    page.components().create(&ComponentWrite::default()).await.unwrap_err();
    page.status_embed_config().await.unwrap_err();
}
