//! Lines as rows of FOCUS 1.2, the FinOps Open Cost and Usage Specification
//! (<https://focus.finops.org/focus-specification/v1-2/>): its 21 mandatory columns,
//! those that have something to say here, and ours, which begin with `x_`.

use std::collections::BTreeMap;

use crate::period::timestamp;
use crate::price::{PriceMap, Resource};
use crate::statement::{Line, Owner, Statement};

/// The columns, in the order of a row.
pub const COLUMNS: [&str; 40] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "x_Graph",
    "x_Operation",
    "x_PriceMapHash",
    "x_PriceMapVersion",
    "x_Route",
    "x_UnattributedReason",
];

/// Who is charged, and for when.
#[derive(Clone, Copy, Debug)]
pub struct Invoice<'a> {
    /// The billing account.
    pub account: &'a str,
    /// Who charges: provider, publisher and issuer.
    pub provider: &'a str,
    /// Of all prices: lines for which there is none are in it too. None where there are
    /// no prices at all.
    pub currency: Option<&'a str>,
    /// From when on, in milliseconds since the epoch.
    pub from: i64,
    /// Until when; this is the first moment that is not charged.
    pub to: i64,
}

/// The lines of a statement as CSV (RFC 4180), with a head.
pub fn csv(statement: &Statement, invoice: &Invoice<'_>) -> String {
    let mut text = COLUMNS.join(",");
    text.push_str("\r\n");
    let maps = statement.prices();
    let of_map =
        |(version, map): (&String, &PriceMap)| (version.clone(), (map.clone(), map.hash()));
    let maps: Maps = maps.iter().map(of_map).collect();
    for line in statement.lines() {
        let cells = row(&maps, invoice, &line).map(Cell::escaped);
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// A value of a row.
enum Cell {
    /// Ours: a number, a time, a word.
    Plain(String),
    /// Somebody's name.
    Text(String),
}

impl Cell {
    /// Nothing, which FOCUS calls null.
    const NONE: Self = Self::Plain(String::new());

    fn plain(text: impl ToString) -> Self {
        Self::Plain(text.to_string())
    }

    /// As CSV has it. A spreadsheet takes a text that begins like a formula for one,
    /// so such a text begins with an apostrophe, which spreadsheets do not show.
    fn escaped(self) -> String {
        let text = match self {
            Self::Plain(text) => text,
            Self::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) => {
                format!("'{text}")
            }
            Self::Text(text) => text,
        };
        match text.contains([',', '"', '\r', '\n']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text,
        }
    }
}

/// A resource in FOCUS's words: category of the service, unit, description.
const fn words(resource: Resource) -> (&'static str, &'static str, &'static str) {
    match resource {
        Resource::CpuSecond => ("Compute", "Seconds", "CPU time"),
        Resource::GbEgress => ("Networking", "GB", "Data sent to clients"),
        Resource::ReplicaHour => ("Compute", "Hours", "Replicas"),
        Resource::Request => ("Integration", "Requests", "Requests"),
    }
}

/// Price maps with their hashes, by version.
type Maps = BTreeMap<String, (PriceMap, String)>;

fn row(maps: &Maps, invoice: &Invoice<'_>, line: &Line) -> [Cell; COLUMNS.len()] {
    let (category, unit, description) = words(line.resource);
    let version = line.version.as_deref();
    let prices = version.and_then(|version| maps.get(version));
    let unit_price =
        prices.and_then(|(map, _)| Some(map.of_region(&line.region)?.of(line.resource)));
    let maybe = |value: Option<String>| value.map_or(Cell::NONE, Cell::Plain);
    let unit_price = || maybe(unit_price.map(|price| price.to_string()));
    let text = |value: Option<&str>| value.map_or(Cell::NONE, |text| Cell::Text(text.to_owned()));
    let (key, reason) = match &line.owner {
        Owner::Key(key) => (Some(key), None),
        Owner::Rest { reason, .. } => (None, Some(reason.as_str())),
    };
    let graph = match &line.owner {
        Owner::Key(key) => Some(key.graph.as_str()),
        Owner::Rest { graph, .. } => graph.as_deref(),
    };
    let tenant = key.and_then(|key| key.tenant.as_deref());
    let (month_start, month_end) = (line.month.start(), line.month.end());
    let cost = || Cell::plain(line.cost);
    let quantity = || Cell::Plain(line.resource.show(line.quantity));
    let resource = line.resource.as_str();
    let operation = key.map(|key| key.operation.as_str());
    let route = key.map(|key| key.route.as_str());
    [
        cost(),
        text(Some(invoice.account)),
        text(Some(invoice.account)),
        maybe(invoice.currency.map(ToOwned::to_owned)),
        Cell::Plain(timestamp(month_end)),
        Cell::Plain(timestamp(month_start)),
        Cell::plain("Usage"),
        Cell::NONE,
        Cell::plain(description),
        Cell::plain("Usage-Based"),
        Cell::Plain(timestamp(month_end.min(invoice.to))),
        Cell::Plain(timestamp(month_start.max(invoice.from))),
        quantity(),
        Cell::plain(unit),
        cost(),
        unit_price(),
        cost(),
        text(Some(invoice.provider)),
        cost(),
        unit_price(),
        Cell::plain("Standard"),
        quantity(),
        Cell::plain(unit),
        text(Some(invoice.provider)),
        text(Some(invoice.provider)),
        text(Some(&line.region)),
        text(Some(&line.region)),
        Cell::plain(category),
        Cell::plain("GraphQL gateway"),
        Cell::plain(resource),
        text(
            version
                .map(|version| format!("{version}/{}/{resource}", line.region))
                .as_deref(),
        ),
        text(tenant),
        text(tenant),
        Cell::Plain(tags(graph, route, operation)),
        text(graph),
        text(operation),
        maybe(prices.map(|(_, hash)| hash.clone())),
        text(version),
        text(route),
        maybe(reason.map(ToOwned::to_owned)),
    ]
}

/// `Tags`: an object of JSON, with texts as values.
fn tags(graph: Option<&str>, route: Option<&str>, operation: Option<&str>) -> String {
    let members = [("graph", graph), ("operation", operation), ("route", route)];
    let members = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    let object: serde_json::Map<String, serde_json::Value> = members.collect();
    serde_json::Value::from(object).to_string()
}
