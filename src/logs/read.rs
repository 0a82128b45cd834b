//! Reading the events of log groups in the order of their times, once or for ever.
//!
//! `FilterLogEvents` tells what CloudWatch Logs has by then, and it may get something later that is older: so each look
//! begins some way before what was seen last, and what was told is known by its id. Its quota is an account's and region's,
//! who shows logs in the console included. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use aws_sdk_cloudwatchlogs::config::retry::RetryConfig;
use aws_sdk_cloudwatchlogs::error::SdkError;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::time::Instant;

use crate::cloud::Cloud;
use crate::cloud::sdk_error::{code, explain, kind_of};
use crate::error::{Error, ErrorKind, Result};
use crate::report::Reporter;
use crate::wait::{self, Pace, Probe};

/// A log group that is read.
#[derive(Debug, Clone)]
pub(crate) struct Group<'a> {
    /// Where it is.
    pub cloud: &'a Cloud,
    /// Its name.
    pub name: String,
    /// The functions that write into it, by name.
    pub functions: Vec<String>,
}

/// An event of a group.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Which of the groups it is in.
    pub group: usize,
    /// What tells it from all others; emulators may have none.
    pub id: Option<String>,
    /// The stream that it is in.
    pub stream: String,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// What was written.
    pub message: String,
}

/// How far before the last event each look begins: what Lambda writes arrives within seconds.
const LOOK_BACK_MS: i64 = 60_000;
/// How far one look in each [`DEEP_EACH`] does.
const DEEP_MS: i64 = 600_000;
/// See [`DEEP_MS`].
const DEEP_EACH: Duration = Duration::from_secs(30);
/// How wrong this machine's clock may be: AWS refuses signatures that are further off.
const SKEW_MS: i64 = 900_000;

/// The least time between two requests, at AWS: of five a second most are left to others.
const APART: Duration = Duration::from_millis(400);
/// How long a look waits for the one before it.
const ROUND: Duration = Duration::from_secs(2);
/// See [`ROUND`], where nobody else asks.
const ROUND_OFF_AWS: Duration = Duration::from_millis(200);
/// How long to go on where CloudWatch Logs can't answer.
const PATIENCE: Duration = Duration::from_secs(300);
/// As long as anybody follows.
const FOREVER: Duration = Duration::from_secs(400 * 24 * 3600);

/// The most events of a page, and what an emulator without pages ends at.
const PAGE: usize = 10_000;
/// Ids beyond which those are forgotten that can't come again.
const MANY: usize = 200_000;

/// What a look tells of what it found; false if nobody reads on.
pub(crate) type Tell<'t> = dyn FnMut(&[Event]) -> Result<bool> + 't;

/// Reads groups.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    groups: Vec<Group<'a>>,
    filter: Option<&'a str>,
    follows: bool,
    reporter: &'a Reporter,
    since: i64,
    seen: Seen,
    /// Groups that aren't there, as far as that was told.
    missing: BTreeSet<usize>,
    asked: Option<Instant>,
    looked_deep: Option<Instant>,
    in_trouble: bool,
}

/// Which events were told.
#[derive(Debug, Default)]
struct Seen {
    times: HashMap<String, i64>,
    newest: Option<i64>,
}

/// What of a group is still to be told in one look.
struct Pages {
    found: VecDeque<Event>,
    next: Option<Ask>,
    /// Events without an id that are the same but for their place, as often as they came.
    same: HashMap<(String, i64, String), usize>,
}

#[derive(Debug, Clone)]
struct Ask {
    from: i64,
    token: Option<String>,
}

struct Page {
    events: Vec<Event>,
    token: Option<String>,
    is_missing: bool,
}

impl<'a> Reader<'a> {
    /// Reads `groups` from `since` on, in milliseconds since 1970; what fits `filter`, a pattern of CloudWatch Logs.
    pub(crate) fn new(
        groups: Vec<Group<'a>>,
        since: i64,
        filter: Option<&'a str>,
        follows: bool,
        reporter: &'a Reporter,
    ) -> Self {
        Self {
            groups,
            filter,
            follows,
            reporter,
            since,
            seen: Seen::default(),
            missing: BTreeSet::new(),
            asked: None,
            looked_deep: None,
            in_trouble: false,
        }
    }

    /// The groups that are read.
    pub(crate) fn groups(&self) -> &[Group<'a>] {
        &self.groups
    }

    /// Tells what is there, and then what comes, until nobody reads it any more.
    ///
    /// # Errors
    /// Something can't be read that waiting doesn't help.
    pub(crate) async fn follow(&mut self, tell: &mut Tell<'_>) -> Result<()> {
        let is_aws = self.groups.iter().any(|group| group.cloud.endpoint.is_aws());
        let round = if is_aws { ROUND } else { ROUND_OFF_AWS };
        let pace = Pace {
            first: round,
            longest: round,
            deadline: FOREVER,
        };
        let waited = wait::until(pace, async || match self.look(tell).await {
            Ok(true) => Probe::Pending,
            Ok(false) => Probe::Ready(()),
            Err(error) => Probe::Failed(error),
        });
        let late = || Error::new(ErrorKind::TimedOut, "followed the log for more than a year");
        waited.await.in_time(late)
    }

    /// Tells what is there and wasn't told yet; false if nobody reads on.
    ///
    /// # Errors
    /// As [`Reader::follow`].
    pub(crate) async fn look(&mut self, tell: &mut Tell<'_>) -> Result<bool> {
        let from = self.beginning();
        let first = Ask { from, token: None };
        let mut all: Vec<Pages> = (0..self.groups.len())
            .map(|_| Pages {
                found: VecDeque::new(),
                next: Some(first.clone()),
                same: HashMap::new(),
            })
            .collect();
        loop {
            for (group, pages) in all.iter_mut().enumerate() {
                while pages.found.is_empty()
                    && let Some(ask) = pages.next.take()
                {
                    let page = self.page(group, &ask).await?;
                    self.note_missing(group, page.is_missing);
                    let is_aws = self.groups[group].cloud.endpoint.is_aws();
                    pages.take(page, &ask, is_aws, &mut self.seen);
                }
            }
            let mut told = Vec::new();
            // What comes next of a group whose page is empty may be older than what others have.
            while all.iter().all(|pages| pages.next.is_none() || !pages.found.is_empty()) {
                let oldest = all
                    .iter_mut()
                    .filter(|pages| !pages.found.is_empty())
                    .min_by_key(|pages| pages.found.front().map(|event| event.timestamp));
                match oldest.and_then(|pages| pages.found.pop_front()) {
                    Some(event) => told.push(event),
                    None => break,
                }
            }
            if !told.is_empty() && !tell(&told)? {
                return Ok(false);
            }
            if all.iter().all(|pages| pages.next.is_none() && pages.found.is_empty()) {
                break;
            }
        }
        // At first nothing was seen, and all since the beginning was looked for.
        self.seen.newest.get_or_insert(self.since);
        self.seen.forget(self.seen.newest);
        Ok(true)
    }

    fn beginning(&mut self) -> i64 {
        let Some(newest) = self.seen.newest else {
            self.looked_deep = Some(Instant::now());
            return self.since;
        };
        let is_deep = self.looked_deep.is_none_or(|last| last.elapsed() >= DEEP_EACH);
        if is_deep {
            self.looked_deep = Some(Instant::now());
        }
        beginning(self.since, newest, super::now_ms(), is_deep)
    }

    fn note_missing(&mut self, group: usize, is_missing: bool) {
        if !is_missing {
            self.missing.remove(&group);
        } else if self.missing.insert(group) {
            let Group { name, functions, .. } = &self.groups[group];
            let who = functions.join(", ");
            let then = if self.follows { "; it is waited for" } else { "" };
            self.reporter.warn(format!(
                "there is no log group {name}: it is made when {who} first runs, unless its template makes it{then}"
            ));
        }
    }

    async fn page(&mut self, group: usize, ask: &Ask) -> Result<Page> {
        let Group { cloud, name, .. } = &self.groups[group];
        let what = format!("could not read the log group {name}");
        let pace = Pace {
            deadline: if self.follows { FOREVER } else { PATIENCE },
            ..cloud.pace(PATIENCE)
        };
        let least = if cloud.endpoint.is_aws() { APART } else { Duration::ZERO };
        let request = cloud
            .logs
            .filter_log_events()
            .log_group_name(name)
            .start_time(ask.from)
            .set_next_token(ask.token.clone())
            .set_filter_pattern(self.filter.map(str::to_owned));
        let (asked, reporter, in_trouble) = (&mut self.asked, self.reporter, &mut self.in_trouble);
        let mut last = None;
        let waited = wait::until(pace, async || {
            wait::apart(asked, least).await;
            // What is tried again, and when, is decided here.
            let once = aws_sdk_cloudwatchlogs::Config::builder().retry_config(RetryConfig::disabled());
            let answer = request.clone().customize().config_override(once).send().await;
            match answer {
                Ok(answer) => {
                    *in_trouble = false;
                    let events = answer.events.unwrap_or_default().into_iter();
                    let events = events.map(|event| Event {
                        group,
                        id: event.event_id.filter(|id| !id.is_empty()),
                        stream: event.log_stream_name.unwrap_or_default(),
                        timestamp: event.timestamp.unwrap_or_default(),
                        message: event.message.unwrap_or_default(),
                    });
                    Probe::Ready(Page {
                        events: events.collect(),
                        token: answer.next_token,
                        is_missing: false,
                    })
                }
                Err(error) if code(&error) == "ResourceNotFoundException" => Probe::Ready(Page {
                    events: Vec::new(),
                    token: None,
                    is_missing: true,
                }),
                Err(error) if passes(&error) => {
                    let error = explain(error, &what);
                    if !std::mem::replace(in_trouble, true) {
                        reporter.warn(format!("{error}; it is tried again"));
                    }
                    last = Some(error);
                    Probe::Pending
                }
                Err(error) => {
                    let is_refused = code(&error) == "InvalidParameterException" && self.filter.is_some();
                    let error = explain(error, &what);
                    Probe::Failed(if is_refused {
                        error.of_kind(ErrorKind::InvalidUsage).hint_first(
                            "--filter takes a pattern of CloudWatch Logs: `timeout`, `\"two words\"`, `?ERROR ?WARN`, \
                             `{ $.level = \"ERROR\" }`.",
                        )
                    } else {
                        error
                    })
                }
            }
        })
        .await;
        waited.in_time(|| last.unwrap_or_else(|| Error::new(ErrorKind::TimedOut, what.clone())))
    }
}

/// Whether an answer of this kind may be another one later.
fn passes(error: &SdkError<FilterLogEventsError, HttpResponse>) -> bool {
    match error {
        SdkError::ServiceError(_) => {
            let is_theirs = error
                .raw_response()
                .is_some_and(|response| response.status().is_server_error());
            is_theirs || kind_of(code(error)) == ErrorKind::Throttled
        }
        SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout(),
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        _ => false,
    }
}

/// Where a look begins that isn't the first.
fn beginning(since: i64, newest: i64, now: i64, is_deep: bool) -> i64 {
    let back = if is_deep { DEEP_MS } else { LOOK_BACK_MS };
    // Where nothing has come for long, no more is searched each time than what can be new.
    since.max(newest.max(now - SKEW_MS) - back)
}

impl Pages {
    /// Takes in what wasn't seen of a page that `ask` was answered with, and what is to be asked next.
    fn take(&mut self, page: Page, ask: &Ask, is_aws: bool, seen: &mut Seen) {
        let Page { events, token, .. } = page;
        let last = events.last().map(|event| event.timestamp);
        let is_full = events.len() >= PAGE;
        self.next = match (token, last) {
            // The same token again would be the same page again.
            (Some(token), _) => (ask.token.as_ref() != Some(&token)).then_some(Ask {
                from: ask.from,
                token: Some(token),
            }),
            // An emulator that ends where a page would.
            (None, Some(last)) if is_full && !is_aws && last > ask.from => Some(Ask {
                from: last,
                token: None,
            }),
            (None, _) => None,
        };
        for event in events {
            if seen.is_new(&event, &mut self.same) {
                self.found.push_back(event);
            }
        }
        if let Some(Ask { from, token: None }) = self.next {
            // These come again, and count from the beginning.
            self.same.retain(|(_, time, _), _| *time < from);
        }
    }
}

impl Seen {
    /// Whether an event was seen for the first time; `same` counts those of this look.
    fn is_new(&mut self, event: &Event, same: &mut HashMap<(String, i64, String), usize>) -> bool {
        let Event {
            group,
            stream,
            timestamp,
            message,
            ..
        } = event;
        let id = event.id.clone().unwrap_or_else(|| {
            let key = (stream.clone(), *timestamp, message.clone());
            let count = same.entry(key).or_insert(0);
            *count += 1;
            format!("{group}\n{stream}\n{timestamp}\n{count}\n{message}")
        });
        self.newest = Some(self.newest.map_or(*timestamp, |newest| newest.max(*timestamp)));
        let is_new = self.times.insert(id, *timestamp).is_none();
        if self.times.len() > MANY {
            self.forget(Some(*timestamp));
        }
        is_new
    }

    /// Forgets what no look that is still to come can find.
    fn forget(&mut self, newest: Option<i64>) {
        if let Some(newest) = newest {
            self.times.retain(|_, time| *time >= newest - DEEP_MS - LOOK_BACK_MS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: Option<&str>, timestamp: i64, message: &str) -> Event {
        Event {
            group: 0,
            id: id.map(str::to_owned),
            stream: "s".to_owned(),
            timestamp,
            message: message.to_owned(),
        }
    }

    fn taken(seen: &mut Seen, events: &[Event]) -> Vec<String> {
        let mut pages = Pages {
            found: VecDeque::new(),
            next: None,
            same: HashMap::new(),
        };
        let page = Page {
            events: events.to_vec(),
            token: None,
            is_missing: false,
        };
        let ask = Ask { from: 0, token: None };
        pages.take(page, &ask, false, seen);
        pages.found.into_iter().map(|event| event.message).collect()
    }

    #[test]
    fn nothing_is_told_twice_and_what_is_the_same_is_told_as_often_as_it_was_written() {
        let mut seen = Seen::default();
        let with_ids = [event(Some("1"), 5, "a"), event(Some("2"), 5, "a")];
        assert_eq!(taken(&mut seen, &with_ids), ["a", "a"]);
        assert_eq!(taken(&mut seen, &with_ids), [""; 0]);
        let without = [event(None, 7, "b"), event(None, 7, "b"), event(None, 8, "b")];
        assert_eq!(taken(&mut seen, &without[..1]), ["b"]);
        assert_eq!(taken(&mut seen, &without), ["b", "b"]);
        assert_eq!(taken(&mut seen, &without), [""; 0]);
    }

    #[test]
    fn a_look_begins_before_what_was_seen_and_never_before_what_is_wanted() {
        let now = 100_000_000;
        assert_eq!(beginning(0, now - 10, now, false), now - 10 - LOOK_BACK_MS);
        assert_eq!(beginning(0, now - 10, now, true), now - 10 - DEEP_MS);
        assert_eq!(beginning(now - 20, now - 10, now, true), now - 20);
        // Nothing has come for a day.
        assert_eq!(beginning(0, now - 86_400_000, now, false), now - SKEW_MS - LOOK_BACK_MS);
    }

    #[test]
    fn what_can_come_again_is_remembered() {
        let mut seen = Seen::default();
        taken(
            &mut seen,
            &[event(Some("old"), 0, "a"), event(Some("new"), DEEP_MS, "b")],
        );
        seen.forget(seen.newest);
        assert_eq!(seen.times.len(), 2);
        taken(&mut seen, &[event(Some("newer"), 2 * DEEP_MS, "c")]);
        seen.forget(seen.newest);
        assert!(!seen.times.contains_key("old"));
        assert!(seen.times.contains_key("new"));
    }

    #[test]
    fn pages_end_where_their_tokens_do() {
        let ask = |token: Option<&str>| Ask {
            from: 3,
            token: token.map(str::to_owned),
        };
        let next = |events: Vec<Event>, token: Option<&str>, asked: Option<&str>, is_aws| {
            let mut pages = Pages {
                found: VecDeque::new(),
                next: None,
                same: HashMap::new(),
            };
            let page = Page {
                events,
                token: token.map(str::to_owned),
                is_missing: false,
            };
            pages.take(page, &ask(asked), is_aws, &mut Seen::default());
            pages.next.map(|next| (next.from, next.token))
        };
        assert_eq!(next(vec![], Some("a"), None, true), Some((3, Some("a".to_owned()))));
        assert_eq!(next(vec![], Some("a"), Some("a"), true), None);
        assert_eq!(next(vec![event(None, 9, "x")], None, None, false), None);
        let full: Vec<Event> = (0..10_000).map(|time| event(None, time, "x")).collect();
        assert_eq!(next(full.clone(), None, None, true), None);
        assert_eq!(next(full, None, None, false), Some((9_999, None)));
    }
}
