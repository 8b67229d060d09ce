//! From hours of counts and usage to lines that add up.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::key::{Counts, Key, OVERFLOW};
use crate::money::{Amount, share};
use crate::period::Month;
use crate::price::{PriceMap, Prices, Resource};
use crate::work::{Spans, works};

/// What was counted of one key in an hour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Where it was served.
    pub region: String,
    /// Whose it is.
    pub key: Key,
    /// What was counted.
    pub counts: Counts,
}

/// What was used in a region in an hour, whoever says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Usage {
    /// Where.
    pub region: String,
    /// Of what.
    pub resource: Resource,
    /// How much, in the resource's smallest units.
    pub quantity: u64,
    /// The part of it that no request caused.
    pub overhead: u64,
}

/// What spans of an hour say of a key: means only, since spans are a sample.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weight {
    /// Whose. An empty route is any that no other weight names.
    pub key: Key,
    /// How many spans.
    pub spans: u64,
    /// Nanoseconds of CPU, or of time, of all of them.
    pub nanos: u64,
}

/// All that is known of an hour.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hour {
    /// When it began.
    pub start: i64,
    /// What was counted.
    pub entries: Vec<Entry>,
    /// What was used.
    pub usage: Vec<Usage>,
    /// What spans say.
    pub weights: Vec<Weight>,
}

/// Why something is nobody's.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// Requests of nobody that is known: without a valid token, or of another path.
    Anonymous,
    /// Used while nothing was served, or said to be overhead.
    Overhead,
    /// Requests beyond the names that are told apart.
    Overflow,
    /// Reported beyond what was counted: logs that were lost.
    Uncounted,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Anonymous,
        Self::Overhead,
        Self::Overflow,
        Self::Uncounted,
    ];

    /// As reports name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Overhead => "overhead",
            Self::Overflow => "overflow",
            Self::Uncounted => "uncounted",
        }
    }
}

/// Whom a line is charged to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Owner {
    /// A tenant's requests.
    Key(Key),
    /// Nobody: the remainder.
    Rest {
        /// Why.
        reason: Reason,
        /// The graph, if it is one's.
        graph: Option<String>,
    },
}

impl Owner {
    fn of(key: &Key) -> Self {
        if key.tenant.is_some() {
            return Self::Key(key.clone());
        }
        Self::Rest {
            reason: match key.operation.as_str() {
                OVERFLOW => Reason::Overflow,
                _ => Reason::Anonymous,
            },
            graph: Some(key.graph.clone()),
        }
    }

    const fn rest(reason: Reason) -> Self {
        let graph = None;
        Self::Rest { reason, graph }
    }
}

/// What a statement is about; without anything, about all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// One graph.
    pub graph: Option<String>,
    /// One tenant.
    pub tenant: Option<String>,
    /// One route.
    pub route: Option<String>,
}

impl Scope {
    /// Whether it is about all, so that its total is that of a bill.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    fn has(&self, owner: &Owner) -> bool {
        let is = |wanted: &Option<String>, own: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| own == Some(wanted))
        };
        match owner {
            Owner::Key(key) => {
                is(&self.graph, Some(&key.graph))
                    && is(&self.tenant, key.tenant.as_deref())
                    && is(&self.route, Some(&key.route))
            }
            Owner::Rest { graph, .. } => {
                is(&self.graph, graph.as_deref()) && is(&self.tenant, None) && is(&self.route, None)
            }
        }
    }
}

/// One line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The month it is charged in.
    pub month: Month,
    /// Where.
    pub region: String,
    /// Whom.
    pub owner: Owner,
    /// For what.
    pub resource: Resource,
    /// By which prices; none where nothing is paid, since there was no price.
    pub version: Option<String>,
    /// How much, in the resource's smallest units.
    pub quantity: u64,
    /// What it costs.
    pub cost: Amount,
}

type Place = (Month, String, Owner, Resource, Option<String>);

/// What there is no price for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unpriced {
    /// Where.
    pub region: String,
    /// Of what.
    pub resource: Resource,
    /// How much, in the resource's smallest units.
    pub quantity: u64,
}

/// By what lines are added up.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Routes of a graph.
    #[default]
    Route,
    /// Operations of a graph.
    Operation,
    /// Tenants.
    Tenant,
}

/// What one route, operation or tenant was charged.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Quantities, in the smallest units.
    pub quantities: BTreeMap<Resource, u64>,
    /// Costs.
    pub costs: BTreeMap<Resource, Amount>,
}

impl Seen {
    /// All costs.
    pub fn cost(&self) -> Amount {
        self.costs.values().copied().sum()
    }

    /// A quantity, in the resource's smallest units.
    pub fn quantity(&self, resource: Resource) -> u64 {
        self.quantities.get(&resource).copied().unwrap_or_default()
    }

    /// What a request costs on average.
    pub fn per_request(&self) -> Option<Amount> {
        self.cost().per(self.quantity(Resource::Request))
    }

    /// Adds what another was charged.
    pub fn join(&mut self, other: &Self) {
        for (resource, more) in &other.quantities {
            let quantity = self.quantities.entry(*resource).or_default();
            *quantity = quantity.saturating_add(*more);
        }
        for (resource, more) in &other.costs {
            *self.costs.entry(*resource).or_default() += *more;
        }
    }

    fn add(&mut self, line: &Line) {
        let quantity = self.quantities.entry(line.resource).or_default();
        *quantity = quantity.saturating_add(line.quantity);
        *self.costs.entry(line.resource).or_default() += line.cost;
    }
}

/// What was used and what it costs. Lines add up to the total, to the billionth.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    scope: Scope,
    lines: BTreeMap<Place, (u64, Amount)>,
    /// Version → map, of the prices that were used.
    prices: BTreeMap<String, PriceMap>,
}

impl Statement {
    /// One without lines.
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            ..Self::default()
        }
    }

    /// Adds an hour by the prices of that hour.
    pub fn add(&mut self, hour: &Hour, prices: &Prices) {
        let prices = prices.at(hour.start);
        let spans = Spans::new(&hour.weights);
        let of_entries = hour.entries.iter().map(|one| one.region.as_str());
        let of_usage = hour.usage.iter().map(|one| one.region.as_str());
        let regions: BTreeSet<&str> = of_entries.chain(of_usage).collect();
        for region in regions {
            let is_here = |one: &&Entry| one.region == region;
            let entries: Vec<&Entry> = hour.entries.iter().filter(is_here).collect();
            let works = works(&entries, &spans);
            for resource in Resource::ALL {
                let (reported, overhead) = reported(&hour.usage, region, resource);
                let counted: Option<fn(&Counts) -> u64> = match resource {
                    Resource::Request => Some(|counts| counts.requests),
                    Resource::GbEgress => Some(|counts| counts.egress_bytes),
                    Resource::CpuSecond | Resource::ReplicaHour => None,
                };
                let of_hour = match counted {
                    Some(count) => Portion::counted(&entries, count, reported),
                    None => Portion::weighed(works.clone(), reported, overhead),
                };
                let place = (Month::of(hour.start), region, resource);
                self.charge(place, &entries, &of_hour, prices);
            }
        }
    }

    fn charge(
        &mut self,
        (month, region, resource): (Month, &str, Resource),
        entries: &[&Entry],
        portion: &Portion,
        prices: Option<&PriceMap>,
    ) {
        let price = prices.and_then(|map| Some((map, map.of_region(region)?.of(resource))));
        let total = portion.rest.saturating_add(portion.shared);
        let cost = price.map_or(Amount::ZERO, |(_, price)| price.of(total, resource));
        let version = price.map(|(map, _)| map.version.clone());
        let cost = u128::try_from(cost.billionths()).unwrap_or_default();
        let parts = share(cost, &[portion.rest, portion.shared]).unwrap_or_default();
        let [cost_of_rest, cost_of_shared] = parts.as_slice() else {
            // Nothing was used.
            return;
        };
        let mut used = false;
        let mut line = |owner: Owner, quantity: u128, cost: u128| {
            if quantity == 0 && cost == 0 || !self.scope.has(&owner) {
                return;
            }
            used = true;
            let place = (month, region.to_owned(), owner, resource, version.clone());
            let sum = self.lines.entry(place).or_default();
            let quantity = u64::try_from(quantity).unwrap_or(u64::MAX);
            sum.0 = sum.0.saturating_add(quantity);
            sum.1 += Amount::of_billionths(i128::try_from(cost).unwrap_or(i128::MAX));
        };
        let rest = Owner::rest(portion.reason);
        line(rest, portion.rest.into(), *cost_of_rest);
        let costs = share(*cost_of_shared, &portion.weights).unwrap_or_default();
        let quantities = share(portion.shared.into(), &portion.weights).unwrap_or_default();
        for ((entry, quantity), cost) in entries.iter().zip(quantities).zip(costs) {
            line(Owner::of(&entry.key), quantity, cost);
        }
        if let Some((map, _)) = price.filter(|_| used) {
            let named = self.prices.entry(map.version.clone());
            named.or_insert_with(|| map.clone());
        }
    }

    /// Every line, in order.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        self.lines.iter().map(|(place, (quantity, cost))| {
            let (month, region, owner, resource, version) = place.clone();
            Line {
                month,
                region,
                owner,
                resource,
                version,
                quantity: *quantity,
                cost: *cost,
            }
        })
    }

    /// What it is about.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The prices that were used, by their version.
    pub const fn prices(&self) -> &BTreeMap<String, PriceMap> {
        &self.prices
    }

    /// All costs.
    pub fn total(&self) -> Amount {
        self.lines.values().map(|(_, cost)| *cost).sum()
    }

    /// Costs of a part of it.
    pub fn spent(&self, scope: &Scope) -> Amount {
        let of_scope = self.lines.iter();
        let of_scope = of_scope.filter(|((_, _, owner, _, _), _)| scope.has(owner));
        of_scope.map(|(_, (_, cost))| *cost).sum()
    }

    /// Costs of a month.
    pub fn of_month(&self, month: Month) -> Amount {
        let of_month = self.lines.iter();
        let of_month = of_month.filter(|((of, ..), _)| *of == month);
        of_month.map(|(_, (_, cost))| *cost).sum()
    }

    /// The remainder: costs of nobody, by reason.
    pub fn rest(&self) -> BTreeMap<Reason, Amount> {
        let mut rest = BTreeMap::new();
        for ((_, _, owner, _, _), (_, cost)) in &self.lines {
            if let Owner::Rest { reason, .. } = owner {
                *rest.entry(*reason).or_default() += *cost;
            }
        }
        rest
    }

    /// What is attributed, by graph (none of tenants, who have many) and name.
    pub fn by(&self, group: Group) -> BTreeMap<(Option<String>, String), Seen> {
        let mut groups: BTreeMap<_, Seen> = BTreeMap::new();
        for line in self.lines() {
            let Owner::Key(key) = &line.owner else {
                continue;
            };
            let name = match group {
                Group::Route => (Some(key.graph.clone()), key.route.clone()),
                Group::Operation => (Some(key.graph.clone()), key.operation.clone()),
                Group::Tenant => (None, key.tenant.clone().unwrap_or_default()),
            };
            groups.entry(name).or_default().add(&line);
        }
        groups
    }

    /// What was used that no price is known of: it costs nothing here, which no bill
    /// will say.
    pub fn unpriced(&self) -> Vec<Unpriced> {
        let mut unpriced: BTreeMap<(&str, Resource), u64> = BTreeMap::new();
        for ((_, region, _, resource, version), (quantity, _)) in &self.lines {
            if version.is_none() {
                let sum = unpriced.entry((region, *resource)).or_default();
                *sum = sum.saturating_add(*quantity);
            }
        }
        let one = |((region, resource), quantity): ((&str, Resource), u64)| Unpriced {
            region: region.to_owned(),
            resource,
            quantity,
        };
        unpriced.into_iter().map(one).collect()
    }
}

/// Quantity and overhead that were reported, from all sources.
fn reported(usage: &[Usage], region: &str, resource: Resource) -> (u64, u64) {
    let is_it = |one: &&Usage| one.region == region && one.resource == resource;
    let all = usage.iter().filter(is_it);
    all.fold((0, 0), |(quantity, overhead): (u64, u64), one| {
        (
            quantity.saturating_add(one.quantity),
            overhead.saturating_add(one.overhead),
        )
    })
}

/// How a resource of an hour is shared.
struct Portion {
    /// What is nobody's, and why.
    rest: u64,
    reason: Reason,
    /// What is shared, and by what.
    shared: u64,
    weights: Vec<u64>,
}

impl Portion {
    /// Of what is counted for each request.
    fn counted(entries: &[&Entry], count: fn(&Counts) -> u64, reported: u64) -> Self {
        let weights: Vec<u64> = entries.iter().map(|one| count(&one.counts)).collect();
        let shared = weights.iter().copied().fold(0, u64::saturating_add);
        Self {
            rest: reported.saturating_sub(shared),
            reason: Reason::Uncounted,
            shared,
            weights,
        }
    }

    /// Of what is known as a total only.
    fn weighed(weights: Vec<u64>, reported: u64, overhead: u64) -> Self {
        let nobody_is_there = weights.iter().all(|weight| *weight == 0);
        let rest = match nobody_is_there {
            true => reported,
            false => overhead.min(reported),
        };
        Self {
            rest,
            reason: Reason::Overhead,
            shared: reported - rest,
            weights,
        }
    }
}
