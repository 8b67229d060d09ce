//! One delta stream as a state machine: what a proxy asks for, has, and
//! refused. Pure, so that every order of events can be tested.

use std::collections::{BTreeMap, BTreeSet};

/// What a proxy says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Request {
    /// Names it wants from now on.
    pub(super) subscribe: Vec<String>,
    /// Names it no longer wants.
    pub(super) unsubscribe: Vec<String>,
    /// Versions it has from before the stream, by name.
    pub(super) initial: BTreeMap<String, String>,
    /// Nonce of the response that this answers; empty for none.
    pub(super) nonce: String,
    /// Why it refused that response.
    pub(super) refusal: Option<String>,
}

/// What of a response became known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// The proxy runs this version of the resource.
    Accepted { name: String, version: String },
    /// It refused the version, and goes on with the one before.
    Refused {
        name: String,
        version: String,
        reason: String,
    },
}

/// A response to send: resources by name and version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Response {
    pub(super) nonce: String,
    pub(super) resources: Vec<(String, String)>,
    pub(super) removed: Vec<String>,
}

/// State of one stream.
#[derive(Debug, Default)]
pub(super) struct Delta {
    subscribed: BTreeSet<String>,
    /// Version that the proxy has, or has been sent.
    sent: BTreeMap<String, String>,
    /// Versions that it refused; they are not sent again.
    refused: BTreeMap<String, String>,
    /// Responses without an answer, by nonce.
    pending: BTreeMap<String, Response>,
    next_nonce: u64,
}

/// Most responses without an answer: a proxy that never answers is not sent
/// more.
const MAX_PENDING: usize = 16;

impl Delta {
    /// Takes what a proxy says. Whether a response was answered is told by the
    /// nonce, whether it was refused by the reason, never by a version.
    pub(super) fn on_request(&mut self, request: Request) -> Vec<Verdict> {
        for name in request.unsubscribe {
            self.subscribed.remove(&name);
            self.sent.remove(&name);
            self.refused.remove(&name);
        }
        for name in request.subscribe {
            // Asking again means that the proxy has lost it.
            if !self.subscribed.insert(name.clone()) {
                self.sent.remove(&name);
            }
        }
        let mut verdicts = Vec::new();
        for (name, version) in request.initial {
            if self.subscribed.contains(&name) {
                self.sent.insert(name.clone(), version.clone());
                // It runs what it brings along.
                verdicts.push(Verdict::Accepted { name, version });
            }
        }
        let answered = self.pending.remove(&request.nonce);
        let resources = answered.into_iter().flat_map(|answered| answered.resources);
        verdicts.extend(resources.map(|(name, version)| match &request.refusal {
            None => Verdict::Accepted { name, version },
            Some(reason) => {
                self.refused.insert(name.clone(), version.clone());
                Verdict::Refused {
                    name,
                    version,
                    reason: reason.clone(),
                }
            }
        }));
        verdicts
    }

    /// What to send, now that these are the current versions. What is `held` stays
    /// as the proxy has it: nothing is sent, and nothing taken away.
    pub(super) fn next(
        &mut self,
        current: &BTreeMap<String, String>,
        held: &BTreeSet<String>,
    ) -> Option<Response> {
        if self.pending.len() >= MAX_PENDING {
            return None;
        }
        let mut resources = Vec::new();
        let mut removed = Vec::new();
        for name in self.subscribed.difference(held) {
            match (current.get(name), self.sent.get(name)) {
                (Some(version), sent) => {
                    let is_new = sent != Some(version) && self.refused.get(name) != Some(version);
                    if is_new {
                        resources.push((name.clone(), version.clone()));
                    }
                }
                (None, Some(_)) => removed.push(name.clone()),
                (None, None) => {}
            }
        }
        if resources.is_empty() && removed.is_empty() {
            return None;
        }
        for (name, version) in &resources {
            self.sent.insert(name.clone(), version.clone());
            self.refused.remove(name);
        }
        for name in &removed {
            self.sent.remove(name);
        }
        self.next_nonce += 1;
        let response = Response {
            nonce: self.next_nonce.to_string(),
            resources,
            removed,
        };
        self.pending
            .insert(response.nonce.clone(), response.clone());
        Some(response)
    }

    /// Whether the proxy has, or was sent, a version of it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.sent.contains_key(name)
    }

    /// Names that the proxy wants.
    pub(super) fn subscribed(&self) -> impl Iterator<Item = &str> {
        self.subscribed.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pair = |(name, version): &(&str, &str)| ((*name).to_owned(), (*version).to_owned());
        all.iter().map(pair).collect()
    }

    impl Delta {
        fn next_of(&mut self, current: &[(&str, &str)]) -> Option<Response> {
            self.next(&versions(current), &BTreeSet::new())
        }
    }

    fn subscribe(names: &[&str]) -> Request {
        Request {
            subscribe: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Request::default()
        }
    }

    fn answer(nonce: &str, refusal: Option<&str>) -> Request {
        Request {
            nonce: nonce.into(),
            refusal: refusal.map(Into::into),
            ..Request::default()
        }
    }

    #[test]
    fn what_is_new_is_sent_once() {
        let mut stream = Delta::default();
        assert_eq!(stream.on_request(subscribe(&["a"])), []);
        let first = stream.next_of(&[("a", "1"), ("b", "1")]).unwrap();
        assert_eq!(first.resources, [("a".into(), "1".into())]);
        assert_eq!(stream.next_of(&[("a", "1")]), None);
        let accepted = Verdict::Accepted {
            name: "a".into(),
            version: "1".into(),
        };
        assert_eq!(stream.on_request(answer(&first.nonce, None)), [accepted]);
        let second = stream.next_of(&[("a", "2")]).unwrap();
        assert_ne!(second.nonce, first.nonce);
    }

    #[test]
    fn what_was_refused_is_not_sent_again_until_it_changes() {
        let mut stream = Delta::default();
        stream.on_request(subscribe(&["a"]));
        let first = stream.next_of(&[("a", "bad")]).unwrap();
        let refused = stream.on_request(answer(&first.nonce, Some("no")));
        assert!(matches!(&refused[..], [Verdict::Refused { reason, .. }] if reason == "no"));
        assert_eq!(stream.next_of(&[("a", "bad")]), None);
        assert!(stream.next_of(&[("a", "good")]).is_some());
    }

    #[test]
    fn a_proxy_that_has_it_is_not_sent_it() {
        let mut stream = Delta::default();
        let request = Request {
            initial: versions(&[("a", "1"), ("other", "1")]),
            ..subscribe(&["a"])
        };
        let accepted = Verdict::Accepted {
            name: "a".into(),
            version: "1".into(),
        };
        assert_eq!(stream.on_request(request), [accepted]);
        assert_eq!(stream.next_of(&[("a", "1")]), None);
        // Subscribing again means that it was lost.
        stream.on_request(subscribe(&["a"]));
        assert!(stream.next_of(&[("a", "1")]).is_some());
    }

    #[test]
    fn what_is_gone_is_removed_and_what_is_not_wanted_is_not_sent() {
        let mut stream = Delta::default();
        stream.on_request(subscribe(&["a", "b"]));
        stream.next_of(&[("a", "1"), ("b", "1")]).unwrap();
        let gone = stream.next_of(&[("b", "1")]).unwrap();
        assert_eq!((gone.removed, gone.resources), (vec!["a".into()], vec![]));
        let request = Request {
            unsubscribe: vec!["b".into()],
            ..Request::default()
        };
        stream.on_request(request);
        assert_eq!(stream.next_of(&[("b", "2")]), None);
    }

    #[test]
    fn what_is_held_stays_as_it_is() {
        let mut stream = Delta::default();
        stream.on_request(subscribe(&["a"]));
        let held = BTreeSet::from(["a".to_owned()]);
        assert_eq!(stream.next(&versions(&[("a", "1")]), &held), None);
        assert!(stream.next_of(&[("a", "1")]).is_some());
        // Without its version it would be taken away.
        assert_eq!(stream.next(&versions(&[]), &held), None);
        assert_eq!(stream.next_of(&[("a", "1")]), None);
        assert!(stream.next_of(&[("a", "2")]).is_some());
    }

    #[test]
    fn answers_to_nothing_say_nothing() {
        let mut stream = Delta::default();
        stream.on_request(subscribe(&["a"]));
        let response = stream.next_of(&[("a", "1")]).unwrap();
        assert_eq!(stream.on_request(answer("77", Some("stale"))), []);
        assert_eq!(stream.on_request(answer("", None)), []);
        assert_eq!(stream.on_request(answer(&response.nonce, None)).len(), 1);
        assert_eq!(stream.on_request(answer(&response.nonce, None)), []);
    }

    #[test]
    fn a_proxy_that_never_answers_is_not_sent_everything() {
        let mut stream = Delta::default();
        stream.on_request(subscribe(&["a"]));
        let sent = (0..100)
            .filter_map(|version| stream.next_of(&[("a", &version.to_string())]))
            .count();
        assert_eq!(sent, MAX_PENDING);
    }
}
