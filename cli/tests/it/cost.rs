//! `ig cost`

use serde_json::{Value, json};

use crate::Work;
use crate::control_plane::Remote;

/// 2026-01-31T23:00:00Z
const HOUR: i64 = 1_769_900_400_000;
const RANGE: &str = "--from 2026-01-01 --to 2026-02-01T00:00:00Z";

fn prices() -> Value {
    json!({
        "version": "v1", "currency": "EUR", "effectiveFrom": 0,
        "regions": {"eu": {
            "cpuSecond": "0.5", "request": "0", "gbEgress": "0", "replicaHour": "0.04",
        }},
    })
}

fn used(region: &str, quantity: &str) -> Value {
    let row = json!({
        "hour": HOUR, "region": region, "resource": "cpuSecond", "quantity": quantity,
    });
    json!({"source": "meter", "usage": [row]})
}

/// The files that examples put.
pub(crate) fn with_prices(work: &Work) {
    work.write("prices.json", &prices().to_string());
    work.write("usage.json", &used("eu", "3").to_string());
}

#[test]
fn what_owners_say_is_put_and_listed() {
    let remote = Remote::start();
    with_prices(&remote.work);
    remote.ig("cost prices put prices.json").ok();
    remote.ig("cost prices list").ok().says("v1");
    remote.ig("cost usage usage.json").ok().says("1 row");
    remote.ig("cost bill put 2026-01 1.5").ok();
    let bills = remote.ig("cost bill list --json").ok().json();
    assert_eq!(bills[0]["amount"], "1.50");
    remote.ig("cost budget put eu 500 --tenant alpha").ok();
    remote.ig("cost budget list").ok().says("0.0 %");
    let budgets = remote.ig("cost budget list --json").ok().json();
    assert_eq!(budgets[0]["tenant"], "alpha", "{budgets}");
    remote.ig("cost budget delete eu").ok();
    assert_eq!(remote.ig("cost budget list --json").ok().json(), json!([]));
    // What is not so is said by who knows.
    remote
        .ig("cost bill put 2026-13 1")
        .exits(1)
        .says("not a month");
    remote
        .ig("cost budget put eu -- -1")
        .exits(1)
        .says("above zero");
    remote.work.write("prices.json", "{");
    remote
        .ig("cost prices put prices.json")
        .exits(2)
        .says("is not JSON");
}

#[test]
fn a_report_is_text_json_or_rows_and_says_what_is_missing() {
    let remote = Remote::start();
    let call = |method: &str, path: &str, body: serde_json::Value| {
        let (status, answer) = remote.control.call(method, path, body.to_string());
        assert!(status < 300, "{path}: {answer}");
    };
    call("PUT", "/cost/prices", prices());
    call("POST", "/cost/usage", used("eu", "3"));
    call("PUT", "/cost/bills/2026-01", json!({"amount": "1.5"}));
    let ran = remote.ig(&format!("cost report {RANGE} --exit-code")).ok();
    for line in [
        "total          1.50 EUR",
        "  overhead     1.50 EUR",
        "prices v1 ",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
    let report = remote.ig(&format!("cost report {RANGE} -f json --by tenant"));
    let report = report.ok().json();
    assert_eq!(
        (&report["by"], &report["total"]),
        (&json!("tenant"), &json!("1.50"))
    );
    let rows = remote
        .ig(&format!("cost report {RANGE} --format csv"))
        .ok()
        .stdout;
    let rows: Vec<_> = rows.lines().collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].starts_with("BilledCost,") && rows[1].starts_with("1.50,"));
    // A bill that is another, and then usage without a price.
    call("PUT", "/cost/bills/2026-01", json!({"amount": "1.51"}));
    let other = remote.ig(&format!("cost report {RANGE} --exit-code"));
    other.exits(1).says("1.51, which is 0.01 beyond the total");
    call("PUT", "/cost/bills/2026-01", json!({"amount": "1.5"}));
    call("POST", "/cost/usage", used("us", "2"));
    let missing = remote.ig(&format!("cost report {RANGE} --exit-code"));
    missing.exits(1).says("no price for 2 cpuSecond in us");
    remote.ig(&format!("cost report {RANGE}")).ok();
    let wrong = remote.ig("cost report --from yesterday");
    wrong.exits(2).says("as in 2026-11-01");
    remote
        .ig("cost report --from 2020-01-01")
        .exits(1)
        .says("400 days");
}
