//! Raw bytes as a request of HTTP, through the whole guard.
//!
//! Whatever is sent, in `enforce`: what goes on is canonical JSON made of a
//! catalogued text, for a purpose the actor holds, and never the client's text.
#![no_main]

mod fixture;
mod input;
mod oracle;

use std::rc::Rc;

use fixture::Fixture;
use ig_guard::{Exchange, Guard, RequestHead, Step};
use input::Input;
use libfuzzer_sys::fuzz_target;

thread_local! {
    /// One for all inputs, as one worker has it: caches may not change answers.
    static FIXTURE: Fixture = Fixture::new();
}

fuzz_target!(|input: Input| {
    FIXTURE.with(|fixture| {
        let guard = fixture.guard(input.guard);
        let first = run(&guard, fixture, &input);
        let second = run(&guard, fixture, &input);
        // A text that was in the cache may have to be fetched the next time.
        if !oracle::lacks_text(&first) && !oracle::lacks_text(&second) {
            assert_eq!(first, second, "the same request has the same answer");
        }
        match first {
            Step::Forward(forward) if fixture.is_enforcing(&guard) => {
                oracle::check_enforced(fixture, &input, &forward);
            }
            Step::Forward(forward) => oracle::check_forward(&forward),
            Step::Reply(reply) => oracle::check_reply(&reply),
            Step::AwaitBody | Step::FetchTexts(_) | Step::FetchFacts(_) => {
                panic!("the request is still held")
            }
        }
    });
});

/// Drives one exchange as the adapter does.
fn run(guard: &Rc<Guard>, fixture: &Fixture, input: &Input) -> Step {
    let headers = input.headers(fixture);
    let head = RequestHead::read(headers.iter().map(|(name, value)| (&name[..], &value[..])));
    let mut exchange = Exchange::new(Some(guard.clone()), fixture::DECISION_ID.to_owned(), head);
    exchange.identify(|| input.claims.verified());
    let body = input.body(fixture);
    let mut step = exchange.on_head(input.end_of_stream);
    if step == Step::AwaitBody {
        step = match exchange.on_body_size(body.len()) {
            Some(step) => step,
            None => exchange.on_body(body),
        };
    }
    // Each round fetches every text that is missing, so a few must suffice.
    for _ in 0..4 {
        let Step::FetchTexts(hashes) = &step else {
            break;
        };
        assert!(!hashes.is_empty());
        let mut next = None;
        for hash in hashes.clone() {
            assert!(
                fixture.is_remote(&hash),
                "only what the catalogue lacks is fetched"
            );
            assert!(next.is_none(), "no step before every text has come");
            next = exchange.on_text(hash, input.text(fixture, &hash));
        }
        step = next.expect("every text has come");
    }
    step
}
