use ig_cost::{COLUMNS, Entry, Hour, Invoice, Resource, Scope, Statement, csv};

use super::statement::{entry, key, prices, usage};

/// The mandatory columns of FOCUS 1.2, as its specification lists them.
const MANDATORY: [&str; 21] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
];

#[test]
fn the_mandatory_columns_are_there_once_and_others_are_ours() {
    let mut sorted = COLUMNS.to_vec();
    sorted.dedup();
    assert_eq!(sorted.len(), COLUMNS.len());
    for column in MANDATORY {
        assert!(COLUMNS.contains(&column), "{column}");
    }
}

fn rows(route: &str, operation: &str) -> Vec<String> {
    let mut statement = Statement::new(Scope::default());
    let hour = Hour {
        entries: vec![entry(
            key(Some("alpha"), route, operation),
            3,
            1_500_000_000,
            9,
        )],
        usage: vec![usage(Resource::CpuSecond, 2_500_000, 500_000)],
        ..Hour::default()
    };
    statement.add(&hour, &prices());
    let invoice = Invoice {
        account: "account",
        provider: "IntelGraph Guard",
        currency: Some("EUR"),
        from: 0,
        to: 3_600_000,
    };
    let text = csv(&statement, &invoice);
    assert!(text.ends_with("\r\n"));
    text.trim_end()
        .split("\r\n")
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn a_row_says_who_what_when_and_by_which_price() {
    let rows = rows("upstream", "Case");
    assert_eq!(rows[0], COLUMNS.join(","));
    let egress = rows.iter().find(|row| row.contains("Data sent")).unwrap();
    let expected = "0.135,account,account,EUR,1970-02-01T00:00:00Z,1970-01-01T00:00:00Z,Usage,,\
        Data sent to clients,Usage-Based,1970-01-01T01:00:00Z,1970-01-01T00:00:00Z,1.5,GB,0.135,\
        0.09,0.135,IntelGraph Guard,0.135,0.09,Standard,1.5,GB,IntelGraph Guard,IntelGraph Guard,\
        eu,eu,Networking,GraphQL gateway,gbEgress,v1/eu/gbEgress,alpha,alpha,\
        \"{\"\"graph\"\":\"\"demo\"\",\"\"operation\"\":\"\"Case\"\",\"\"route\"\":\"\"upstream\"\"}\",\
        demo,Case,";
    assert!(egress.starts_with(expected), "{egress}");
    assert!(egress.ends_with(",v1,upstream,"), "{egress}");
    let overhead: Vec<_> = rows
        .iter()
        .filter(|row| row.ends_with("overhead"))
        .collect();
    assert_eq!(overhead.len(), 1, "{rows:?}");
}

/// `BillingCurrency` is never null in FOCUS, also where a line has no price.
#[test]
fn a_line_without_a_price_has_the_currency_of_all() {
    let mut statement = Statement::new(Scope::default());
    let hour = Hour {
        entries: vec![Entry {
            region: "elsewhere".into(),
            ..entry(key(Some("alpha"), "r", "o"), 3, 0, 9)
        }],
        ..Hour::default()
    };
    statement.add(&hour, &prices());
    assert!(statement.prices().is_empty());
    let prices = prices();
    let invoice = Invoice {
        account: "account",
        provider: "IntelGraph Guard",
        currency: prices.currency(),
        from: 0,
        to: 3_600_000,
    };
    let text = csv(&statement, &invoice);
    let rows: Vec<&str> = text.trim_end().split("\r\n").skip(1).collect();
    assert!(!rows.is_empty());
    for row in rows {
        assert!(row.starts_with("0.00,account,account,EUR,"), "{row}");
    }
}

#[test]
fn no_name_is_a_formula_or_another_cell() {
    for (name, cell) in [
        ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM", "'@SUM"),
        ("\tx", "'\tx"),
        ("a,b", "\"a,b\""),
        ("plain", "plain"),
    ] {
        let rows = rows("upstream", name);
        let named = rows
            .iter()
            .filter(|row| row.contains(&format!(",demo,{cell},")));
        // Three resources are attributed.
        assert_eq!(named.count(), 3, "{name}: {rows:?}");
    }
}
