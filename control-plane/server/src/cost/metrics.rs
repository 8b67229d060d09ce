//! What is counted and shown of costs. Names of budgets are a closed set, which
//! owners make.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ig_cost::Amount;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::budgets;
use crate::app::App;
use crate::error::ApiError;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct BudgetLabel {
    budget: String,
}

type Ratio = Gauge<f64, AtomicU64>;

/// What is counted and shown of costs.
pub(crate) struct CostMetrics {
    pub(super) replayed: Counter,
    pub(super) overflow: Counter,
    pub(super) write_failures: Counter,
    pub(super) spans: Counter,
    pub(super) spans_dropped: Counter,
    used: Family<BudgetLabel, Ratio>,
    amount: Family<BudgetLabel, Ratio>,
    spent: Family<BudgetLabel, Ratio>,
    unattributed: Ratio,
    names: Mutex<BTreeSet<String>>,
}

impl CostMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let this = Self {
            replayed: Counter::default(),
            overflow: Counter::default(),
            write_failures: Counter::default(),
            spans: Counter::default(),
            spans_dropped: Counter::default(),
            used: Family::default(),
            amount: Family::default(),
            spent: Family::default(),
            unattributed: Ratio::default(),
            names: Mutex::default(),
        };
        let counters = [
            (
                "replayed",
                "Requests that access logs told of twice",
                &this.replayed,
            ),
            (
                "overflow",
                "Requests beyond the operations that are told apart in an hour",
                &this.overflow,
            ),
            (
                "write_failures",
                "Times that counts of requests could not be written; they are kept",
                &this.write_failures,
            ),
            ("spans", "Spans that weigh requests", &this.spans),
            (
                "spans_dropped",
                "Spans that weigh nothing",
                &this.spans_dropped,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(format!("cost_{name}"), help, counter.clone());
        }
        let of_budgets = [
            (
                "cost_budget_used_ratio",
                "What this month has used of a budget",
                &this.used,
            ),
            (
                "cost_budget",
                "Budgets, in units of the currency",
                &this.amount,
            ),
            (
                "cost_spent",
                "What this month has cost of what a budget is for, in units of the currency",
                &this.spent,
            ),
        ];
        for (name, help, family) in of_budgets {
            registry.register(name, help, family.clone());
        }
        registry.register(
            "cost_unattributed_ratio",
            "The part of this month's cost that is nobody's",
            this.unattributed.clone(),
        );
        this
    }

    pub(crate) fn show(&self, shown: Vec<(String, Amount, Amount)>) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *names);
        for (budget, amount, spent) in shown {
            names.insert(budget.clone());
            let label = BudgetLabel { budget };
            self.amount.get_or_create(&label).set(amount.to_f64());
            self.spent.get_or_create(&label).set(spent.to_f64());
            let ratio = budgets::ratio(spent, amount);
            self.used.get_or_create(&label).set(ratio);
        }
        for budget in before.difference(&names) {
            let label = BudgetLabel {
                budget: budget.clone(),
            };
            for family in [&self.used, &self.amount, &self.spent] {
                family.remove(&label);
            }
        }
    }
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
        if let Err(error) = look(&app).await {
            error.log();
            tracing::warn!("metrics of budgets may be old");
        }
        tokio::time::sleep(PAUSE + started.elapsed() * TIMES).await;
        let _ = tokio::time::timeout(LATEST, app.cost.changed.notified()).await;
    }
}

async fn look(app: &App) -> Result<(), ApiError> {
    let budgets = budgets::all(app).await?;
    let statement = budgets::this_month(app).await?;
    let shown = budgets.into_iter().map(|(name, budget)| {
        let spent = budgets::spent(&statement, &budget);
        (name, budget.amount, spent)
    });
    let metrics = &app.metrics.cost;
    metrics.show(shown.collect());
    let rest: Amount = statement.rest().into_values().sum();
    metrics
        .unattributed
        .set(budgets::ratio(rest, statement.total()));
    Ok(())
}
