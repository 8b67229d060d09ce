//! What is counted and shown of costs. Names of budgets are a closed set, which
//! owners make; of routes and tenants, which catalogues and owners name, the dearest
//! are shown.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ig_cost::{Seen, Sums};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::budgets::{self, BudgetState};
use crate::app::App;
use crate::error::ApiError;
use crate::store::now;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, EncodeLabelSet)]
struct BudgetLabel {
    budget: String,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, EncodeLabelSet)]
struct RouteLabels {
    graph: String,
    route: String,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, EncodeLabelSet)]
struct TenantLabel {
    tenant: String,
}

type Number = Gauge<f64, AtomicU64>;

/// Gauges of names that come and go.
struct Gauges<L> {
    family: Family<L, Number>,
    shown: Mutex<BTreeSet<L>>,
}

impl<L: Clone + Ord + Hash + EncodeLabelSet + Send + Sync + std::fmt::Debug + 'static> Gauges<L> {
    fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::default();
        registry.register(name, help, family.clone());
        Self {
            family,
            shown: Mutex::default(),
        }
    }

    /// Shows these and no others. One that stays is there all the time.
    fn show(&self, values: impl IntoIterator<Item = (L, f64)>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *shown);
        for (label, value) in values {
            self.family.get_or_create(&label).set(value);
            shown.insert(label);
        }
        for gone in before.difference(&shown) {
            self.family.remove(gone);
        }
    }
}

/// What is counted and shown of costs.
pub(crate) struct CostMetrics {
    pub(super) replayed: Counter,
    pub(super) overflow: Counter,
    pub(super) write_failures: Counter,
    pub(super) spans: Counter,
    pub(super) spans_dropped: Counter,
    used: Gauges<BudgetLabel>,
    amount: Gauges<BudgetLabel>,
    spent: Gauges<BudgetLabel>,
    of_route: Gauges<RouteLabels>,
    of_request: Gauges<RouteLabels>,
    of_tenant: Gauges<TenantLabel>,
    unattributed: Number,
    computed: Number,
    failures: Counter,
}

impl CostMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(format!("cost_{name}"), help, counter.clone());
            counter
        };
        let replayed = counter("replayed", "Requests that access logs told of twice");
        let overflow = counter(
            "overflow",
            "Requests beyond the operations that are told apart in an hour",
        );
        let write_failures = counter(
            "write_failures",
            "Times that counts of requests could not be written; they are kept",
        );
        let spans = counter("spans", "Spans that weigh requests");
        let spans_dropped = counter("spans_dropped", "Spans that weigh nothing");
        let failures = counter(
            "failures",
            "Times that what budgets have used could not be computed; what is shown is older",
        );
        let computed = Number::default();
        registry.register_with_unit(
            "cost_computed_timestamp",
            "When what budgets have used was last computed, since the epoch; 0 until then",
            Unit::Seconds,
            computed.clone(),
        );
        let unattributed = Number::default();
        registry.register(
            "cost_unattributed_ratio",
            "The part of this month's cost that is nobody's",
            unattributed.clone(),
        );
        Self {
            replayed,
            overflow,
            write_failures,
            spans,
            spans_dropped,
            used: Gauges::register(
                registry,
                "cost_budget_used_ratio",
                "What this month has used of a budget",
            ),
            amount: Gauges::register(registry, "cost_budget", "Budgets, in units of the currency"),
            spent: Gauges::register(
                registry,
                "cost_spent",
                "What this month has cost of what a budget is for, in units of the currency",
            ),
            of_route: Gauges::register(
                registry,
                "cost_of_route",
                "What this month's dearest routes have cost, in units of the currency",
            ),
            of_request: Gauges::register(
                registry,
                "cost_of_request",
                "What a request of these routes has cost on average, in units of the currency",
            ),
            of_tenant: Gauges::register(
                registry,
                "cost_of_tenant",
                "What this month's dearest tenants have cost, in units of the currency",
            ),
            unattributed,
            computed,
            failures,
        }
    }

    fn show_budgets(&self, budgets: &[BudgetState]) {
        let label = |one: &BudgetState| BudgetLabel {
            budget: one.name.clone(),
        };
        let rows = || budgets.iter();
        self.amount
            .show(rows().map(|one| (label(one), one.budget.amount.to_f64())));
        self.spent
            .show(rows().map(|one| (label(one), one.spent.to_f64())));
        self.used
            .show(rows().map(|one| (label(one), one.used_ratio)));
    }

    /// Something of everything, for tests of what is shown.
    #[cfg(test)]
    pub(crate) fn show_something(&self) {
        let budget = serde_json::from_str(r#"{"period": "month", "amount": "1"}"#).unwrap();
        self.show_budgets(&[BudgetState {
            name: "b".into(),
            budget,
            spent: ig_cost::Amount::ZERO,
            used_ratio: 0.0,
        }]);
        let key = ig_cost::Key {
            graph: "demo".into(),
            tenant: Some("alpha".into()),
            route: "upstream".into(),
            operation: "Case".into(),
        };
        let counts = ig_cost::Counts {
            requests: 1,
            ..ig_cost::Counts::default()
        };
        let entry = ig_cost::Entry {
            region: "eu".into(),
            key,
            counts,
        };
        let mut sums = Sums::default();
        let hour = ig_cost::Hour {
            entries: vec![entry],
            ..ig_cost::Hour::default()
        };
        sums.add(&hour, &ig_cost::Prices::default());
        self.show_lines(&sums);
    }

    fn show_lines(&self, sums: &Sums) {
        let routes = dearest(sums.routes());
        let labels = |name: &Name| RouteLabels {
            graph: name.0.clone().unwrap_or_default(),
            route: name.1.clone(),
        };
        let costs = routes.iter();
        self.of_route
            .show(costs.map(|(name, seen)| (labels(name), seen.cost().to_f64())));
        let units = routes
            .iter()
            .filter_map(|(name, seen)| Some((labels(name), seen.per_request()?.to_f64())));
        self.of_request.show(units);
        let tenants = dearest(sums.tenants()).into_iter();
        self.of_tenant.show(
            tenants.map(|((_, tenant), seen)| (TenantLabel { tenant }, seen.cost().to_f64())),
        );
        self.unattributed
            .set(budgets::ratio(sums.rest(), sums.total()));
    }
}

/// Each is a time series. What the others cost together is one more.
const MOST_LINES: usize = 50;
const OTHERS: &str = "(others)";

/// Graph, of routes, and name.
type Name = (Option<String>, String);

/// The dearest lines, and the others as one.
fn dearest(all: &BTreeMap<Name, Seen>) -> Vec<(Name, Seen)> {
    let mut lines: Vec<_> = all.iter().collect();
    lines.sort_by_key(|(_, seen)| Reverse(seen.cost()));
    let rest = lines.split_off(lines.len().min(MOST_LINES));
    let lines = lines.into_iter();
    let mut lines: Vec<_> = lines
        .map(|(name, seen)| (name.clone(), seen.clone()))
        .collect();
    if !rest.is_empty() {
        let mut others = Seen::default();
        for (_, seen) in rest {
            others.join(seen);
        }
        lines.push(((None, OTHERS.to_owned()), others));
    }
    lines
}

/// How late a change of another replica is seen.
const LATEST: Duration = Duration::from_secs(30);
/// Pause between two looks: this, and many times what the last one took, so that
/// looking is never what a replica does most.
const PAUSE: Duration = Duration::from_millis(500);
const TIMES: u32 = 20;

/// Keeps the gauges of budgets up to date.
pub(crate) async fn run(app: App) {
    loop {
        let started = Instant::now();
        match look(&app).await {
            Ok(()) => {
                app.metrics.cost.computed.set(seconds(now()));
            }
            Err(error) => {
                app.metrics.cost.failures.inc();
                error.log();
                tracing::warn!("metrics of budgets are old");
            }
        }
        tokio::time::sleep(PAUSE + started.elapsed() * TIMES).await;
        let _ = tokio::time::timeout(LATEST, app.cost.changed.notified()).await;
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds of this age are exact in a double"
)]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

async fn look(app: &App) -> Result<(), ApiError> {
    let (budgets, sums) = budgets::used(app).await?;
    app.metrics.cost.show_budgets(&budgets);
    app.metrics.cost.show_lines(&sums);
    Ok(())
}
