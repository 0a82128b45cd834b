//! Calls of a cloud's services, and how many of them wait for one another.

use std::time::Instant;

/// A call, as the proxy saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What was asked: an operation, or method and path where none is named.
    pub name: String,
    /// When the request came.
    pub began: Instant,
    /// When the answer was there.
    pub ended: Instant,
}

/// A chain of calls, each begun after the one before it had ended: what can't be quicker however many calls are made at
/// a time. It is the longest there is, as the next link is always the call that ends first.
#[must_use]
pub fn longest_chain(calls: &[Call]) -> Vec<&Call> {
    let mut by_end: Vec<&Call> = calls.iter().collect();
    by_end.sort_by_key(|call| call.ended);
    let mut chain: Vec<&Call> = Vec::new();
    for call in by_end {
        if chain.last().is_none_or(|last| call.began >= last.ended) {
            chain.push(call);
        }
    }
    chain
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The chain of calls that began and ended at these milliseconds.
    fn chain(times: &[(u64, u64)]) -> Vec<String> {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let calls: Vec<Call> = times
            .iter()
            .map(|(began, ended)| Call {
                name: format!("{began}-{ended}"),
                began: at(*began),
                ended: at(*ended),
            })
            .collect();
        longest_chain(&calls).iter().map(|call| call.name.clone()).collect()
    }

    #[test]
    fn without_calls_there_is_no_chain() {
        assert!(chain(&[]).is_empty());
    }

    #[test]
    fn calls_at_the_same_time_are_one_link() {
        assert_eq!(chain(&[(0, 10), (1, 11), (2, 12)]), ["0-10"]);
    }

    #[test]
    fn a_call_that_begins_as_another_ends_waited_for_it() {
        assert_eq!(chain(&[(10, 20), (0, 10), (20, 30)]), ["0-10", "10-20", "20-30"]);
    }

    #[test]
    fn a_long_call_does_not_hide_a_chain_beside_it() {
        assert_eq!(
            chain(&[(0, 100), (1, 10), (11, 20), (21, 30), (25, 40)]),
            ["1-10", "11-20", "21-30"]
        );
    }
}
