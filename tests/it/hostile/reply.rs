//! Whatever a service answers with, the client neither panics nor believes what it must not.

use http::HeaderMap;
use statuspage_operator::statuspage::{Budget, Error};

use super::every_operation::all;
use super::in_process::{answering, in_process};

/// Answers every operation with these bytes, under each kind of status.
pub(crate) fn check(bytes: &[u8]) {
    for status in [200, 201, 202, 204, 206, 299, 302, 422, 500] {
        check_status(status, bytes);
    }
}

/// Answers every operation with a status and these bytes. Returns how many of them succeed.
pub(crate) fn check_status(status: u16, body: &[u8]) -> usize {
    let outcomes = in_process(all(&answering(status, HeaderMap::new(), body, Budget::new(0))));
    let mut believed = 0;
    for (operation, result) in outcomes {
        let Err(error) = result else {
            assert!((200..300).contains(&status), "{operation} succeeds with {status}");
            believed += 1;
            continue;
        };
        let shown = format!("{error} {error:?}");
        assert!(shown.len() < 20_000, "{operation}: {} bytes", shown.len());
        match error {
            Error::Undecodable { .. } | Error::TooLarge { .. } => assert!(error.may_have_happened(), "{operation}"),
            Error::Status { .. } => assert_eq!(error.status(), Some(status), "{operation}"),
            _ => panic!("{operation} with {} bytes: {error:?}", body.len()),
        }
    }
    believed
}
