//! What a request costs, and who pays.

use ig_contract::{Deny, Mode, headers};
use ig_persisted_query::{Item, Request};
use ig_rate_limit::{Caller, Costs, Reason, Refusal, Scope};

use crate::effect::Forward;
use crate::exchange::{By, Selected};
use crate::{Exchange, Guard};

/// What was taken for a request, once.
pub(crate) struct Charged {
    costs: Costs,
    outcome: Result<(), Refusal>,
}

impl Exchange {
    /// Takes what a request costs from its caller's buckets, the first time it
    /// is asked. Answers with the refusal, if there is one.
    pub(crate) fn charge(
        &self,
        guard: &Guard,
        items: &[Item<'_>],
        selected: &[Result<Selected, Deny>],
    ) -> Option<&Refusal> {
        guard.snapshot().head().rate_limit.as_ref()?;
        let caller = self.asker.caller();
        let charged = self.charged.get_or_init(|| {
            let mut costs = Costs::default();
            for (item, selected) in items.iter().zip(selected) {
                if let (Ok(request), Ok(Selected { operation, .. })) = (item, selected) {
                    let cost = operation.cost_with(|name| size(request, name));
                    costs.add(operation.class(), cost);
                }
            }
            let outcome = self.spend(guard, caller, &costs);
            Charged { costs, outcome }
        });
        charged.outcome.as_ref().err()
    }

    fn spend(
        &self,
        guard: &Guard,
        caller: Option<&ig_policy::Caller>,
        costs: &Costs,
    ) -> Result<(), Refusal> {
        let Some((class, _)) = costs.iter().next() else {
            return Ok(());
        };
        let tenant = caller.and_then(|one| guard.snapshot().head().tenants.get(&one.tenant));
        let percent = tenant.and_then(|tenant| tenant.rate_percent);
        // Where policy only watches, those whom nobody knows share one bucket.
        let text = |of: fn(&ig_policy::Caller) -> &String| caller.map_or("", |one| of(one));
        let caller = Caller {
            tenant: text(|one| &one.tenant),
            issuer: text(|one| &one.issuer),
            subject: text(|one| &one.subject),
            client: caller.and_then(|one| one.client.as_deref()),
            percent: percent.unwrap_or(100),
        };
        match (&guard.limiter, self.now) {
            (Some((limiter, slots)), Some(now)) => {
                let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
                limiter.spend(slots.as_ref(), caller, costs, now)
            }
            _ => Err(Refusal {
                scope: Scope::Subject,
                class,
                reason: Reason::Unavailable,
            }),
        }
    }

    /// Whether buckets refuse the request, and that counts.
    pub(crate) fn is_refused(&self) -> bool {
        let outcome = self.charged.get().map(|charged| &charged.outcome);
        matches!(outcome, Some(Err(_))) && self.mode(By::RateLimit) == Mode::Enforce
    }

    /// Says what a request costs to whoever limits the fleet.
    pub(crate) fn annotate_cost(&self, guard: &Guard, forward: &mut Forward) {
        let limits = guard.snapshot().head().rate_limit.as_ref();
        if !limits.is_some_and(|limits| limits.is_global()) {
            return;
        }
        let Some(Charged { costs, .. }) = self.charged.get() else {
            return;
        };
        for (class, cost) in costs.iter() {
            let cost = cost.min(MAX_HITS).to_string();
            forward.set.push((headers::cost(class), cost));
        }
    }
}

/// Most that Envoy counts; of more it would not ask at all.
const MAX_HITS: u32 = 1_000_000_000;

/// How many items a variable asks for, as the most lenient server reads it: any
/// number, also one in a string. What asks for less than nothing may ask for
/// everything, so it counts as if it asked for nothing in particular; and what is
/// no number at all for as much as there can be.
fn size(request: &Request<'_>, name: &str) -> Option<u64> {
    let mut variables = request.variables.iter();
    let (_, value) = variables.find(|(known, _)| known == name)?;
    let text = value.get().trim();
    if text == "null" {
        return None;
    }
    let number = text.trim_matches('"').trim();
    let Ok(number) = number.parse::<f64>() else {
        return Some(u64::MAX);
    };
    match number {
        number if number < 0.0 => None,
        // Saturates; what is no number at all is more than any.
        number if number.is_finite() => Some(number.ceil() as u64),
        _ => Some(u64::MAX),
    }
}
