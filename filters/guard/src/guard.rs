//! A guard of one snapshot revision, shared by the requests of a worker.

#[cfg(feature = "policy")]
use std::cell::RefCell;
#[cfg(feature = "policy")]
use std::collections::HashMap;
use std::rc::Rc;

use ig_contract::snapshot::{Limits, Modes, OperationIndex, Text, TextStore};
#[cfg(feature = "policy")]
use ig_contract::{Deny, DenyCode};
use ig_contract::{InvalidSnapshot, Snapshot};
use ig_persisted_query::Prepared;
#[cfg(feature = "policy")]
use ig_policy::{Actor, InvalidProgram, Policy};

#[cfg(feature = "policy")]
use crate::identity::{self, VerifiedToken};
use crate::operations::Operations;

/// Which guards an instance runs. Two instances of a chain may share the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guards {
    /// The allow-list and canonical re-emission.
    pub persisted_query: bool,
    /// Identity, purpose and Rego.
    #[cfg(feature = "policy")]
    pub policy: bool,
}

/// Why an instance cannot be made of a configuration.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfiguration {
    /// The snapshot does not decode.
    #[error("snapshot is not valid")]
    Snapshot(#[from] InvalidSnapshot),
    /// The policy program does not load.
    #[cfg(feature = "policy")]
    #[error("policy is not valid")]
    Policy(#[from] InvalidProgram),
}

/// An actor, and the number by which decisions about it are remembered.
#[cfg(feature = "policy")]
pub(crate) struct KnownActor {
    pub(crate) number: u64,
    pub(crate) actor: Actor,
}

/// Outcome of reading an identity.
#[cfg(feature = "policy")]
pub(crate) type Identity = Result<Rc<KnownActor>, Deny>;

/// A guard of one snapshot revision.
pub struct Guard {
    pub(crate) guards: Guards,
    pub(crate) snapshot: Snapshot,
    pub(crate) operations: Operations,
    #[cfg(feature = "policy")]
    pub(crate) policy: Policy,
    #[cfg(feature = "policy")]
    identities: RefCell<Identities>,
}

#[cfg(feature = "policy")]
#[derive(Default)]
struct Identities {
    known: HashMap<String, Identity>,
    next_number: u64,
}

#[cfg(feature = "policy")]
const NOT_FORWARDED: Deny = Deny::new(
    DenyCode::Unauthenticated,
    "payload-not-forwarded",
    "The gateway does not tell its guard who asks; its operator must let jwt_authn forward the payload.",
);

/// Prepared texts kept per worker when the snapshot names no text store.
const DEFAULT_PREPARED_BYTES: usize = 8 << 20;
/// Identities kept per worker; all are forgotten at the limit.
#[cfg(feature = "policy")]
const MAX_IDENTITIES: usize = 1024;
/// Longest payload kept.
#[cfg(feature = "policy")]
const MAX_IDENTITY_BYTES: usize = 8192;

impl Guard {
    /// Makes a guard of a snapshot's bytes.
    ///
    /// # Errors
    /// See [`InvalidConfiguration`]; deterministic, since hosts remember the
    /// outcome per configuration.
    pub fn new(snapshot: Vec<u8>, guards: Guards) -> Result<Self, InvalidConfiguration> {
        let snapshot = Snapshot::decode(snapshot)?;
        let head = snapshot.head();
        let prepared_bytes = head
            .texts
            .as_ref()
            .map_or(DEFAULT_PREPARED_BYTES, |store| store.cache_bytes as usize);
        Ok(Self {
            guards,
            operations: Operations::new(prepared_bytes),
            #[cfg(feature = "policy")]
            policy: Policy::load(head, snapshot.program())?,
            #[cfg(feature = "policy")]
            identities: RefCell::default(),
            snapshot,
        })
    }

    /// Which guards this instance runs.
    pub fn guards(&self) -> Guards {
        self.guards
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Where texts are fetched from.
    pub fn text_store(&self) -> Option<&TextStore> {
        self.snapshot.head().texts.as_ref()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.snapshot.head().limits
    }

    pub(crate) fn modes(&self, tenant: Option<&str>) -> Modes {
        let head = self.snapshot.head();
        let of_tenant = tenant.and_then(|tenant| head.tenants.get(tenant)?.modes);
        of_tenant.unwrap_or(head.modes)
    }

    /// Reads the actor from the payload that `jwt_authn` forwarded, or finds it
    /// among those read before. `verified` tells issuer and subject by the
    /// host's metadata, which no client can write; it is asked for a payload
    /// not seen before, so that a chain without `jwt_authn`, or one that does
    /// not forward, denies instead of believing a client's header.
    #[cfg(feature = "policy")]
    pub(crate) fn identify(
        &self,
        payload: Option<&str>,
        verified: impl FnOnce() -> Option<VerifiedToken>,
    ) -> Identity {
        let Some(payload) = payload else {
            // A verified token whose payload is not here is the chain's fault.
            return Err(match verified() {
                Some(_) => NOT_FORWARDED,
                None => Actor::UNAUTHENTICATED,
            });
        };
        let mut identities = self.identities.borrow_mut();
        if let Some(identity) = identities.known.get(payload) {
            return identity.clone();
        }
        let claims = identity::claims(payload).ok_or(Actor::UNAUTHENTICATED)?;
        if !verified().is_some_and(|token| token.is_of(&claims)) {
            return Err(Actor::UNAUTHENTICATED);
        }
        let number = identities.next_number;
        identities.next_number += 1;
        let identity = Actor::from_claims(&claims, self.snapshot.head())
            .map(|actor| Rc::new(KnownActor { number, actor }));
        if payload.len() <= MAX_IDENTITY_BYTES {
            if identities.known.len() >= MAX_IDENTITIES {
                identities.known.clear();
            }
            identities
                .known
                .insert(payload.to_owned(), identity.clone());
        }
        identity
    }

    /// The prepared text of an operation, if it is here. `fetched` is a text
    /// that has just come from the store.
    pub(crate) fn prepared(
        &self,
        document: &ig_contract::snapshot::Document,
        index: OperationIndex,
        operation: &ig_contract::snapshot::Operation,
        fetched: Option<&str>,
    ) -> Option<Rc<Prepared>> {
        if let Some(prepared) = self.operations.prepared(index) {
            return Some(prepared);
        }
        let text = match self.snapshot.text(document)? {
            Text::Embedded(text) => text,
            Text::Remote { .. } => fetched?,
        };
        let prepared = Rc::new(Prepared::new(operation, text));
        self.operations.keep(index, &prepared);
        Some(prepared)
    }
}
