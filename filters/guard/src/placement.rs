//! Which region serves a request, and whether it did.

use std::rc::Rc;

use ig_contract::snapshot::{Priority, Route};
use ig_contract::{Deny, DenyCode, Mode, headers};
use ig_residency::{BREACH, Place, Role};

use crate::effect::{Forward, Reply, Step};
use crate::exchange::By;
use crate::record::{Ruling, records};
use crate::{Exchange, Guard, reply};

/// Where a request went.
#[derive(Debug)]
pub(crate) struct Placement {
    /// The region whose host has to answer.
    region: String,
    /// What it has to be there.
    role: Role,
}

/// An answer that came from another region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    /// Its record.
    pub record: String,
    /// What the client gets instead; in shadow, the answer.
    pub reply: Option<Reply>,
}

const CHAINED: Deny = Deny::new(
    DenyCode::RegionMisdirected,
    "region-chain",
    "Your tenant lives in another region, and what went through an allow-list in front cannot be \
     forwarded.",
);

impl Exchange {
    /// Where the guard says that the request is to be served; nothing where it
    /// knows no regions. Whom nobody knows is of no region.
    fn place<'a>(&'a self, guard: &'a Guard) -> Option<Result<Place<'a>, Deny>> {
        let residency = guard.residency.as_ref()?;
        let Some(caller) = self.asker.caller() else {
            return Some(Err(ig_residency::UNTAGGED));
        };
        let place = residency.place(caller.region.as_deref(), self.head.is_forwarded());
        Some(place.and_then(|place| match place {
            Place::Forward(_) if !guard.guards.persisted_query => Err(CHAINED),
            place => Ok(place),
        }))
    }

    /// The step that sends a request away which is not for this region. It is
    /// for the other gateway to decide, so it goes as it came.
    pub(crate) fn leave(&self, guard: &Rc<Guard>) -> Option<Step> {
        if self.mode(By::Residency) == Mode::Shadow {
            return None;
        }
        let region = match self.place(guard)? {
            Ok(Place::Here(_)) => return None,
            Ok(Place::Forward(region)) => region.to_owned(),
            Err(deny) => {
                return Some(self.finish(Some(guard), &[Ruling::deny(By::Residency, deny, None)]));
            }
        };
        let records = records(self, Some(guard), &[Ruling::forwarded()], false);
        let here = guard.residency.as_ref().and_then(|one| one.here());
        let mut forward = Forward {
            records: records.json,
            verdicts: records.verdicts,
            ..Forward::default()
        };
        // Who asks and with which proof is for the other gateway to read.
        let all = self.head.strip().iter();
        forward.remove = all
            .filter(|name| *name != headers::STEP_UP)
            .cloned()
            .collect();
        forward.set = vec![
            (headers::REGION, region.clone()),
            (headers::FORWARDED_BY, here.unwrap_or_default().to_owned()),
        ];
        let priority = self.priority(guard);
        forward
            .set
            .extend(priority.map(|name| (headers::PRIORITY, name.to_owned())));
        let _ = self.placement.set(Placement {
            region,
            role: Role::Gateway,
        });
        Some(Step::Forward(forward))
    }

    /// Whether the tenant of a WebSocket is not served here any more.
    pub(crate) fn has_moved(&self) -> bool {
        let Some(guard) = &self.guard else {
            return false;
        };
        let place = self.place(guard);
        self.mode(By::Residency) == Mode::Enforce
            && place.is_some_and(|place| !matches!(place, Ok(Place::Here(_))))
    }

    /// Why the request would not be served here, where that is only watched.
    pub(crate) fn misplaced(&self, guard: &Guard) -> Option<Deny> {
        if self.mode(By::Residency) == Mode::Enforce {
            return None;
        }
        match self.place(guard)? {
            Ok(Place::Here(_)) => None,
            Ok(Place::Forward(_)) => Some(ig_residency::FOREIGN),
            Err(deny) => Some(deny),
        }
    }

    /// The gateway's region for a request that is served here, where there are
    /// regions; notes which host has to answer. Nothing serves a request that may
    /// not be served here.
    pub(crate) fn stay<'a>(&'a self, guard: &'a Guard, route: Route) -> Option<Option<&'a str>> {
        let residency = guard.residency.as_ref()?;
        let place = self.place(guard)?;
        let is_here = matches!(place, Ok(Place::Here(_)));
        if !is_here && self.mode(By::Residency) == Mode::Enforce {
            return Some(None);
        }
        // In shadow, a tenant of another region is served here; the answer is
        // none of its region.
        let own = self
            .asker
            .caller()
            .and_then(|caller| caller.region.as_deref());
        if let Some(region) = place.ok().map(Place::region).or(own) {
            let _ = self.placement.set(Placement {
                region: region.to_owned(),
                role: match route {
                    Route::Primary => Role::Primary,
                    Route::Replica => Role::Replica,
                },
            });
        }
        Some(residency.here())
    }

    /// The tenant's priority, where it is not everybody's.
    pub(crate) fn priority(&self, guard: &Guard) -> Option<&'static str> {
        let tenants = &guard.snapshot().head().tenants;
        let priority = tenants.get(self.tenant()?)?.priority;
        (priority != Priority::Default).then(|| priority.as_str())
    }

    /// Whether it matters which host answers.
    pub fn is_placed(&self) -> bool {
        self.placement.get().is_some()
    }

    /// Whether another gateway decides, whose decision id the answer has.
    pub fn is_elsewhere(&self) -> bool {
        let placement = self.placement.get();
        placement.is_some_and(|placement| placement.role == Role::Gateway)
    }

    /// Says which host answers, by its address as Envoy spells it and, where
    /// that is asked for, the region of its endpoint.
    pub fn on_answer(
        &self,
        address: &[u8],
        locality: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Option<Breach> {
        let (guard, Placement { region, role }) = (self.guard.as_ref()?, self.placement.get()?);
        let residency = guard.residency.as_ref()?;
        if residency.is_of(region, *role, address, locality) {
            return None;
        }
        let rulings = [Ruling::deny(By::Residency, BREACH, None)];
        let found = records(self, Some(guard), &rulings, true);
        let record = found.json.clone();
        let is_enforced = self.mode(By::Residency) == Mode::Enforce;
        let reply = is_enforced.then(|| {
            let answer = self.head.answer();
            reply::reply(&rulings, false, answer, &self.decision_id, found)
        });
        Some(Breach { record, reply })
    }
}
