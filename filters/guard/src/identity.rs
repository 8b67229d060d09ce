//! From the forwarded payload of a verified token to who asks.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ig_contract::directory::{Facts, FactsRequest};
use ig_contract::snapshot::Head;
use ig_contract::{Deny, DenyCode};
use ig_policy::{Actor, Caller, Claim, Claims};
use serde_json::Value;

/// Who the host's own metadata says the verified token is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedToken {
    /// `iss`
    pub issuer: Vec<u8>,
    /// `sub`
    pub subject: Vec<u8>,
}

impl VerifiedToken {
    fn is_of(&self, claims: &Claims) -> bool {
        let is = |name: &str, value: &[u8]| matches!(claims.get(name), Some(Claim::Text(text)) if text.as_bytes() == value);
        is("iss", &self.issuer) && is("sub", &self.subject)
    }
}

/// An actor, and the number by which decisions about it are remembered.
pub(crate) struct KnownActor {
    pub(crate) number: u64,
    pub(crate) actor: Actor,
}

/// Outcome of reading an actor.
pub(crate) type Identity = Result<Rc<KnownActor>, Deny>;

/// Whom a payload is about.
pub(crate) struct KnownCaller {
    pub(crate) caller: Caller,
    says_who: SaysWho,
}

/// Who says what a caller may do.
enum SaysWho {
    Token(Identity),
    Directory {
        question: Rc<FactsRequest>,
        /// The last answer, and what was made of it.
        last: RefCell<Option<(Rc<Facts>, Identity)>>,
    },
}

/// Callers that were read, and numbers for actors.
#[derive(Default)]
pub(crate) struct Identities {
    known: RefCell<HashMap<String, Result<Rc<KnownCaller>, Deny>>>,
    next_number: Cell<u64>,
}

const NOT_FORWARDED: Deny = Deny::new(
    DenyCode::Unauthenticated,
    "payload-not-forwarded",
    "The gateway does not tell its guard who asks; its operator must let jwt_authn forward the payload.",
);

/// Identities kept per worker; all are forgotten at the limit.
const MAX_IDENTITIES: usize = 1024;
/// Longest payload kept.
const MAX_IDENTITY_BYTES: usize = 8192;

impl Identities {
    /// Reads the caller from the payload that `jwt_authn` forwarded, or finds it
    /// among those read before. `verified` tells issuer and subject by the
    /// host's metadata, which no client can write; it is asked for a payload
    /// not seen before, so that a chain without `jwt_authn`, or one that does
    /// not forward, denies instead of believing a client's header.
    pub(crate) fn read(
        &self,
        head: &Head,
        payload: Option<&str>,
        verified: impl FnOnce() -> Option<VerifiedToken>,
    ) -> Result<Rc<KnownCaller>, Deny> {
        let Some(payload) = payload else {
            // A verified token whose payload is not here is the chain's fault.
            return Err(match verified() {
                Some(_) => NOT_FORWARDED,
                None => Actor::UNAUTHENTICATED,
            });
        };
        if let Some(known) = self.known.borrow().get(payload) {
            return known.clone();
        }
        let claims = claims(payload).ok_or(Actor::UNAUTHENTICATED)?;
        if !verified().is_some_and(|token| token.is_of(&claims)) {
            return Err(Actor::UNAUTHENTICATED);
        }
        let caller = Caller::from_claims(&claims, head).map(|caller| {
            let says_who = match head.directory {
                None => SaysWho::Token(self.number(caller.by_token(head))),
                Some(_) => SaysWho::Directory {
                    question: Rc::new(question(&caller, head)),
                    last: RefCell::default(),
                },
            };
            Rc::new(KnownCaller { caller, says_who })
        });
        if payload.len() <= MAX_IDENTITY_BYTES {
            let mut known = self.known.borrow_mut();
            if known.len() >= MAX_IDENTITIES {
                known.clear();
            }
            known.insert(payload.to_owned(), caller.clone());
        }
        caller
    }

    fn number(&self, actor: Result<Actor, Deny>) -> Identity {
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        actor.map(|actor| Rc::new(KnownActor { number, actor }))
    }
}

fn question(caller: &Caller, head: &Head) -> FactsRequest {
    FactsRequest {
        graph: head.graph.clone(),
        tenant: caller.tenant.clone(),
        issuer: caller.issuer.clone(),
        subject: caller.subject.clone(),
        link: caller.link.clone(),
    }
}

impl KnownCaller {
    /// The actor, where the token says everything.
    pub(crate) fn by_token(&self) -> Option<&Identity> {
        match &self.says_who {
            SaysWho::Token(actor) => Some(actor),
            SaysWho::Directory { .. } => None,
        }
    }

    /// What the directory has to be asked.
    pub(crate) fn question(&self) -> Option<&Rc<FactsRequest>> {
        match &self.says_who {
            SaysWho::Token(_) => None,
            SaysWho::Directory { question, .. } => Some(question),
        }
    }

    /// The actor that these facts make. It keeps its number only as long as they
    /// say the same: decisions are remembered by it.
    pub(crate) fn by_facts(
        &self,
        facts: &Rc<Facts>,
        identities: &Identities,
        head: &Head,
    ) -> Identity {
        let SaysWho::Directory { last, .. } = &self.says_who else {
            return Err(Actor::UNAUTHENTICATED);
        };
        if let Some((known, actor)) = &*last.borrow()
            && (Rc::ptr_eq(known, facts) || says_the_same(known, facts))
        {
            return actor.clone();
        }
        let actor = identities.number(self.caller.by_facts(facts, head));
        last.replace(Some((facts.clone(), actor.clone())));
        actor
    }
}

fn says_the_same(one: &Facts, other: &Facts) -> bool {
    (&one.user, one.active, &one.groups) == (&other.user, other.active, &other.groups)
}

/// Reads a payload. Claims that are neither a string nor an array of strings
/// are left out: no identity is made of them.
fn claims(payload: &str) -> Option<Claims> {
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let Value::Object(members) = serde_json::from_slice(&json).ok()? else {
        return None;
    };
    let claims = members
        .into_iter()
        .filter_map(|(name, value)| Some((name, claim(value)?)));
    Some(claims.collect())
}

/// When the token of a payload ends, in seconds since the epoch; where it does not
/// say so in whole seconds, it has ended.
pub(crate) fn expiry(payload: &str) -> u64 {
    #[derive(serde::Deserialize)]
    struct Expiry {
        exp: Option<f64>,
    }
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('='));
    let read = json
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok());
    match read {
        // Issuers may leave it out; `jwt_authn` has decided whether they may.
        Some(Expiry { exp: None }) => u64::MAX,
        // Saturates, and what is no number of seconds is none.
        Some(Expiry { exp: Some(exp) }) => exp as u64,
        None => 0,
    }
}

fn claim(value: Value) -> Option<Claim> {
    match value {
        Value::String(text) => Some(Claim::Text(text)),
        Value::Array(items) => {
            let text = |item| {
                if let Value::String(text) = item {
                    Some(text)
                } else {
                    None
                }
            };
            items
                .into_iter()
                .map(text)
                .collect::<Option<_>>()
                .map(Claim::List)
        }
        _ => None,
    }
}
