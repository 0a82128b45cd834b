//! Each class of errors that services answer with: what passes by itself is asked again, what doesn't is asked once and told.

use super::causes::failing;
use super::{Account, STACK, each, stack_in};
use crate::support::Proxy;
use crate::support::answers::{Answer, refusal};

/// What passes by itself.
const PASSING: &[(u16, &str)] = &[
    (400, "Throttling"),
    (400, "ThrottlingException"),
    (400, "ThrottledException"),
    (400, "RequestThrottled"),
    (400, "RequestThrottledException"),
    (400, "RequestLimitExceeded"),
    (400, "TooManyRequestsException"),
    (400, "ProvisionedThroughputExceededException"),
    (400, "BandwidthLimitExceeded"),
    (400, "LimitExceededException"),
    (503, "SlowDown"),
    (400, "RequestTimeout"),
    (400, "RequestTimeoutException"),
    (500, "InternalFailure"),
    (500, "InternalError"),
    (502, ""),
    (503, "ServiceUnavailable"),
    (504, ""),
];

/// What doesn't: its status and code, what that is to scripts, and what is said.
const LASTING: &[(u16, &str, &str, &str)] = &[
    (
        403,
        "AccessDenied",
        "access-denied",
        "Give the deploying identity the action",
    ),
    (
        400,
        "AccessDeniedException",
        "access-denied",
        "Give the deploying identity the action",
    ),
    (
        403,
        "AuthorizationError",
        "access-denied",
        "Give the deploying identity the action",
    ),
    (
        403,
        "UnauthorizedOperation",
        "access-denied",
        "Give the deploying identity the action",
    ),
    (
        403,
        "Forbidden",
        "access-denied",
        "Give the deploying identity the action",
    ),
    (403, "ExpiredToken", "credentials-expired", "log in again"),
    (403, "ExpiredTokenException", "credentials-expired", "log in again"),
    (400, "RequestExpired", "credentials-expired", "log in again"),
    (400, "TokenRefreshRequired", "credentials-expired", "log in again"),
    (
        403,
        "InvalidClientTokenId",
        "credentials-invalid",
        "AWS doesn't know these credentials",
    ),
    (
        403,
        "UnrecognizedClientException",
        "credentials-invalid",
        "AWS doesn't know these credentials",
    ),
    (
        403,
        "InvalidAccessKeyId",
        "credentials-invalid",
        "AWS doesn't know these credentials",
    ),
    (
        401,
        "UnauthorizedException",
        "credentials-invalid",
        "AWS doesn't know these credentials",
    ),
    (
        403,
        "SignatureDoesNotMatch",
        "credentials-invalid",
        "this machine's clock",
    ),
    (
        403,
        "InvalidSignatureException",
        "credentials-invalid",
        "this machine's clock",
    ),
    (
        403,
        "RequestTimeTooSkewed",
        "credentials-invalid",
        "this machine's clock",
    ),
    (400, "ValidationError", "service-error", "deployer status"),
    (409, "ConflictException", "service-error", "deployer status"),
    (400, "OptInRequired", "service-error", "deployer status"),
];

/// Answers the first `times` requests for `operation` so; returns how often it was asked, in the end.
fn answering(proxy: &Proxy, operation: &'static str, mut times: usize, answer: Answer) {
    proxy.rule(move |seen| {
        let is_it = seen.operation == operation && (operation != "DescribeStacks" || seen.body.contains(STACK));
        (is_it && times > 0).then(|| {
            times -= 1;
            answer.clone()
        })
    });
}

fn answer(status: u16, code: &str) -> Answer {
    match code {
        "" => (status, "<html>Bad gateway</html>".to_owned()),
        code => refusal(status, code, "the service's own words"),
    }
}

fn account(operation: &'static str, times: usize, status: u16, code: &str) -> Account {
    Account::after(
        |proxy| answering(proxy, operation, times, answer(status, code)),
        |_| Some(stack_in("CREATE_COMPLETE")),
    )
}

fn asked(account: &Account, operation: &str) -> usize {
    let seen = account.proxy.take();
    assert!(!seen.iter().any(|seen| seen.writes()), "{seen:#?}");
    let of_it = seen.iter().filter(|seen| seen.operation == operation);
    of_it
        .filter(|seen| operation != "DescribeStacks" || seen.body.contains(STACK))
        .count()
}

#[test]
fn what_passes_is_asked_again() {
    each(PASSING, |(status, code)| {
        let account = account("DescribeStacks", 2, *status, code);
        let ran = account.run(&["status"]);
        assert_eq!(
            (ran.code, asked(&account, "DescribeStacks")),
            (0, 3),
            "{status} {code}: {ran}"
        );
    });
}

/// A request that changes something says by its token that it is the one from before.
#[test]
fn what_passes_of_a_change_is_asked_again_with_the_same_token() {
    each(PASSING, |(status, code)| {
        let answer = answer(*status, code);
        let rules = |proxy: &Proxy| {
            for operation in ["CreateChangeSet", "ExecuteChangeSet"] {
                answering(proxy, operation, 1, answer.clone());
            }
        };
        let account = failing("it is full", rules);
        let ran = account.run(&["up"]);
        let what = format!("{status} {code}: {ran}");
        assert!(ran.stderr.contains("it is full"), "{what}");
        let seen = account.proxy.take();
        let tokens = |operation: &str, name: &str| -> Vec<String> {
            let of_it = seen.iter().filter(|seen| seen.operation == operation);
            of_it.filter_map(|seen| seen.parameter(name)).collect()
        };
        for (operation, name) in [
            ("CreateChangeSet", "ClientToken"),
            ("ExecuteChangeSet", "ClientRequestToken"),
        ] {
            let tokens = tokens(operation, name);
            assert!(
                matches!(&*tokens, [one, again] if one == again),
                "{operation} {tokens:?} {what}"
            );
        }
        let writes = seen.iter().filter(|seen| seen.writes()).count();
        assert_eq!(writes, 4, "{what}");
    });
}

#[test]
fn a_connection_that_is_reset_is_made_again() {
    let account = Account::new(|_| Some(stack_in("CREATE_COMPLETE")));
    let mut times = 2;
    account.proxy.reset(move |seen| {
        let is_it = seen.operation == "DescribeStacks" && seen.body.contains(STACK) && times > 0;
        times -= usize::from(is_it);
        is_it
    });
    let ran = account.run(&["status"]);
    assert_eq!((ran.code, asked(&account, "DescribeStacks")), (0, 3), "{ran}");
}

#[test]
fn what_lasts_is_asked_once_and_told() {
    each(LASTING, |(status, code, name, words)| {
        // As the first of all nothing is known yet, and the command can't begin.
        for (operation, exit) in [("GetCallerIdentity", 2), ("DescribeStacks", 1)] {
            let account = account(operation, usize::MAX, *status, code);
            let ran = account.run(&["status", "--output", "json"]);
            let what = format!("{operation} {status} {code}: {ran}");
            assert_eq!(asked(&account, operation), 1, "{what}");
            let is_of_credentials = name.starts_with("credentials");
            assert_eq!(ran.code, if is_of_credentials { 2 } else { exit }, "{what}");
            let name = if exit == 2 && !is_of_credentials {
                "identity-unknown"
            } else {
                name
            };
            for words in [*words, code, "the service's own words", &format!("\"code\":\"{name}\"")] {
                assert!(ran.stderr.contains(words), "{words} in {what}");
            }
        }
    });
}
