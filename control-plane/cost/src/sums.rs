//! Statements of hours added up to what budgets and gauges need. An hour's statement is
//! made whole, so that its shares are exact, and gone once it is added: what is kept
//! grows with routes and tenants, not with requests' kinds or hours.

use std::collections::BTreeMap;

use crate::money::Amount;
use crate::price::Prices;
use crate::statement::{Group, Hour, Scope, Seen, Statement};

/// Graph, of routes, and name.
type Name = (Option<String>, String);

/// What hours cost together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sums {
    scopes: Vec<Scope>,
    spent: Vec<Amount>,
    routes: BTreeMap<Name, Seen>,
    tenants: BTreeMap<Name, Seen>,
    rest: Amount,
    total: Amount,
}

impl Sums {
    /// Of nothing yet; these parts of it are asked for.
    pub fn new(scopes: Vec<Scope>) -> Self {
        Self {
            spent: vec![Amount::ZERO; scopes.len()],
            scopes,
            ..Self::default()
        }
    }

    /// Adds an hour by the prices of that hour.
    pub fn add(&mut self, hour: &Hour, prices: &Prices) {
        let mut statement = Statement::new(Scope::default());
        statement.add(hour, prices);
        for (spent, scope) in self.spent.iter_mut().zip(&self.scopes) {
            *spent += statement.spent(scope);
        }
        join(&mut self.routes, &statement.by(Group::Route));
        join(&mut self.tenants, &statement.by(Group::Tenant));
        self.rest += statement.rest().into_values().sum::<Amount>();
        self.total += statement.total();
    }

    /// Adds those of other hours, of the same parts.
    pub fn join(&mut self, other: &Self) {
        for (spent, more) in self.spent.iter_mut().zip(&other.spent) {
            *spent += *more;
        }
        join(&mut self.routes, &other.routes);
        join(&mut self.tenants, &other.tenants);
        self.rest += other.rest;
        self.total += other.total;
    }

    /// The parts that were asked for.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Costs of the parts, in their order.
    pub fn spent(&self) -> &[Amount] {
        &self.spent
    }

    /// What is attributed, by graph and route.
    pub const fn routes(&self) -> &BTreeMap<Name, Seen> {
        &self.routes
    }

    /// What is attributed, by tenant.
    pub const fn tenants(&self) -> &BTreeMap<Name, Seen> {
        &self.tenants
    }

    /// The remainder: costs of nobody.
    pub const fn rest(&self) -> Amount {
        self.rest
    }

    /// All costs.
    pub const fn total(&self) -> Amount {
        self.total
    }
}

fn join(sums: &mut BTreeMap<Name, Seen>, more: &BTreeMap<Name, Seen>) {
    for (name, seen) in more {
        match sums.get_mut(name) {
            Some(sum) => sum.join(seen),
            None => {
                sums.insert(name.clone(), seen.clone());
            }
        }
    }
}
