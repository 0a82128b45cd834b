//! A sign of life in logs: what is worked on, when nothing has been said of it for a minute. CloudFront alone takes several, and
//! nobody can tell slow from stuck by silence; CI systems end what is silent.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Event;

/// How long nothing may be said.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// What is worked on.
#[derive(Debug, Default)]
pub(super) struct Pulse(Mutex<BTreeMap<String, Work>>);

#[derive(Debug)]
struct Work {
    message: String,
    since: Instant,
    told: Instant,
}

impl Pulse {
    /// Takes note of what is told.
    pub(super) fn saw(&self, event: &Event, now: Instant) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Working { part, message } => {
                let work = parts.entry(part.clone()).or_insert_with(|| Work {
                    message: String::new(),
                    since: now,
                    told: now,
                });
                work.message.clone_from(message);
                work.told = now;
            }
            Event::Finished { part, .. } | Event::Stopped { part, .. } => {
                parts.remove(part);
            }
            Event::Resource(resource) => {
                if let Some(work) = parts.get_mut(&resource.id) {
                    work.told = now;
                }
            }
            // Whoever is asked knows that it waits.
            Event::Losing { .. } => parts.values_mut().for_each(|work| work.told = now),
            Event::Target { .. } | Event::Plan { .. } | Event::Parts { .. } | Event::Log(_) | Event::Warning { .. } => {
            }
        }
    }

    /// What is to be told again by now.
    pub(super) fn due(&self, now: Instant) -> Vec<Event> {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = parts
            .iter_mut()
            .filter(|(_, work)| now.saturating_duration_since(work.told) >= SILENCE);
        silent
            .map(|(part, work)| {
                work.told = now;
                let minutes = now.saturating_duration_since(work.since).as_secs() / 60;
                Event::Working {
                    part: part.clone(),
                    message: format!("{}, for {minutes} min", work.message),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn working(message: &str) -> Event {
        Event::Working {
            part: "web".to_owned(),
            message: message.to_owned(),
        }
    }

    fn told(events: &[Event]) -> Vec<String> {
        let messages = events.iter().filter_map(|event| match event {
            Event::Working { part, message } => Some(format!("{part}: {message}")),
            _ => None,
        });
        messages.collect()
    }

    #[test]
    fn what_is_silent_for_a_minute_is_told_each_minute_until_it_ends() {
        let (pulse, start) = (Pulse::default(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        pulse.saw(&working("creating web"), at(0));
        assert!(pulse.due(at(59)).is_empty());
        assert_eq!(told(&pulse.due(at(60))), ["web: creating web, for 1 min"]);
        assert!(pulse.due(at(110)).is_empty());
        assert_eq!(told(&pulse.due(at(121))), ["web: creating web, for 2 min"]);
        // What has something to say itself isn't silent, and has begun when it began.
        pulse.saw(&working("Distribution CREATE_IN_PROGRESS"), at(150));
        assert!(pulse.due(at(200)).is_empty());
        assert_eq!(
            told(&pulse.due(at(211))),
            ["web: Distribution CREATE_IN_PROGRESS, for 3 min"]
        );
        let end = Event::Finished {
            part: "web".to_owned(),
            message: "created".to_owned(),
            changed: true,
        };
        pulse.saw(&end, at(212));
        assert!(pulse.due(at(1000)).is_empty());
    }
}
