//! A guard of one snapshot revision, shared by the requests of a worker.

use std::rc::Rc;

use ig_contract::snapshot::{Limits, Modes, OperationIndex, Subscriptions, Text, TextStore};
use ig_contract::{InvalidSnapshot, Snapshot};
use ig_persisted_query::Prepared;
#[cfg(feature = "policy")]
use ig_policy::{InvalidProgram, Policy};
#[cfg(feature = "policy")]
use ig_rate_limit::{Limiter, Slots};
#[cfg(feature = "policy")]
use ig_residency::Residency;
#[cfg(feature = "policy")]
use ig_step_up::{InvalidKey, StepUp};

#[cfg(feature = "policy")]
use crate::Directory;
#[cfg(feature = "policy")]
use crate::identity::Identities;
use crate::operations::Operations;
#[cfg(feature = "policy")]
use crate::presence::UsedTokens;

/// Which guards an instance runs. Two instances of a chain may share the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guards {
    /// The allow-list and canonical re-emission.
    pub persisted_query: bool,
    /// Identity, purpose, Rego, proofs of presence, regions and token buckets.
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
    /// A key of step-up tokens is none.
    #[cfg(feature = "policy")]
    #[error("step-up is not valid")]
    StepUp(#[from] InvalidKey),
}

/// A guard of one snapshot revision.
pub struct Guard {
    pub(crate) guards: Guards,
    pub(crate) snapshot: Snapshot,
    pub(crate) operations: Operations,
    #[cfg(feature = "policy")]
    pub(crate) policy: Policy,
    #[cfg(feature = "policy")]
    pub(crate) step_up: Option<StepUp>,
    #[cfg(feature = "policy")]
    pub(crate) used: UsedTokens,
    #[cfg(feature = "policy")]
    pub(crate) residency: Option<Residency>,
    #[cfg(feature = "policy")]
    pub(crate) limiter: Option<(Limiter, Rc<dyn Slots>)>,
    #[cfg(feature = "policy")]
    pub(crate) identities: Identities,
    #[cfg(feature = "policy")]
    directory: Option<Rc<Directory>>,
    pub(crate) is_traced: bool,
}

/// Prepared texts kept per worker when the snapshot names no text store.
const DEFAULT_PREPARED_BYTES: usize = 8 << 20;
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
            step_up: match &head.step_up {
                Some(settings) => Some(StepUp::new(settings, &head.graph)?),
                None => None,
            },
            #[cfg(feature = "policy")]
            used: UsedTokens::default(),
            #[cfg(feature = "policy")]
            residency: match &head.residency {
                Some(settings) if guards.policy => Some(Residency::new(settings, None)),
                _ => None,
            },
            #[cfg(feature = "policy")]
            limiter: None,
            #[cfg(feature = "policy")]
            identities: Identities::default(),
            #[cfg(feature = "policy")]
            directory: match (guards.policy, &head.directory) {
                (true, Some(settings)) => Some(Rc::new(Directory::new(settings))),
                _ => None,
            },
            is_traced: false,
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

    /// Whether and how WebSockets are let in. An instance that runs behind the
    /// allow-list lets in none: what it would see is not what was decided on.
    pub fn subscriptions(&self) -> Option<&Subscriptions> {
        let settings = self.snapshot.head().subscriptions.as_ref();
        settings.filter(|_| self.guards.persisted_query)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.snapshot.head().limits
    }

    pub(crate) fn modes(&self, tenant: Option<&str>) -> Modes {
        let head = self.snapshot.head();
        let of_tenant = tenant.and_then(|tenant| head.tenants.get(tenant)?.modes);
        of_tenant.unwrap_or(head.modes)
    }

    /// What this worker knows of the directory, where policy asks one.
    #[cfg(feature = "policy")]
    pub fn directory(&self) -> Option<&Rc<Directory>> {
        self.directory.as_ref()
    }

    /// Makes the guard use what other revisions know of its directory. Without
    /// this it begins with nothing.
    #[cfg(feature = "policy")]
    pub fn share_directory(&mut self, known: Rc<Directory>) {
        if let (Some(own), Some(settings)) = (&mut self.directory, &self.snapshot.head().directory)
        {
            known.adopt(settings);
            *own = known;
        }
    }

    /// Says that the gateway writes [`headers::TRACE`](ig_contract::headers::TRACE), over
    /// whatever a client has sent. Without this nothing of it is believed.
    pub fn set_traced(&mut self) {
        self.is_traced = true;
    }

    /// Says in which region the gateway is. Without this it serves nobody, where
    /// there are regions.
    #[cfg(feature = "policy")]
    pub fn set_region(&mut self, region: Option<&str>) {
        if let Some(residency) = &mut self.residency
            && let Some(settings) = &self.snapshot.head().residency
        {
            *residency = Residency::new(settings, region);
        }
    }

    /// Gives buckets their table, and the seed that all have who share it.
    /// Without this nobody passes, where there are limits.
    #[cfg(feature = "policy")]
    pub fn set_slots(&mut self, slots: Rc<dyn Slots>, seed: [u8; 16]) {
        let head = self.snapshot.head();
        if let (true, Some(settings)) = (self.guards.policy, &head.rate_limit) {
            self.limiter = Some((Limiter::new(settings, &head.graph, seed), slots));
        }
    }

    /// Whether there are regions.
    #[cfg(feature = "policy")]
    pub fn has_regions(&self) -> bool {
        self.residency.is_some()
    }

    /// Whether there are limits.
    #[cfg(feature = "policy")]
    pub fn is_limited(&self) -> bool {
        self.guards.policy && self.snapshot.head().rate_limit.is_some()
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
