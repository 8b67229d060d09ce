//! Prices, usage and bills: what is taken, and what is refused.

use serde_json::{Value, json};

use super::bench::{Bench, HOUR, PRICES, REGION, billionths, last_hour};
use crate::databases::Database;

fn prices(change: impl FnOnce(&mut Value)) -> String {
    let mut map: Value = serde_json::from_str(PRICES).unwrap();
    change(&mut map);
    map.to_string()
}

fn used(change: impl FnOnce(&mut Value)) -> String {
    let mut row = json!({
        "hour": last_hour(), "region": REGION, "resource": "cpuSecond", "quantity": "1.5",
    });
    change(&mut row);
    json!({"source": "meter", "usage": [row]}).to_string()
}

#[test]
fn what_is_wrong_is_refused_and_says_what_is_right() {
    let price = |text: &'static str| {
        move |map: &mut Value| {
            map["version"] = "v9".into();
            map["regions"]["*"]["request"] = text.into();
        }
    };
    let budget = |change: &dyn Fn(&mut Value)| {
        let mut budget = json!({"tenant": "alpha", "period": "month", "amount": "10"});
        change(&mut budget);
        budget.to_string()
    };
    let rows = [
        // The same again, in another order.
        ("PUT", "/cost/prices", PRICES.to_owned(), 200, "v1"),
        (
            "PUT",
            "/cost/prices",
            prices(|map| map["currency"] = "euro".into()),
            422,
            "ISO 4217",
        ),
        (
            "PUT",
            "/cost/prices",
            prices(|map| map["effectiveFrom"] = 1.into()),
            422,
            "start of an hour",
        ),
        (
            "PUT",
            "/cost/prices",
            prices(|map| map["regions"] = json!({})),
            422,
            "regions",
        ),
        (
            "PUT",
            "/cost/prices",
            prices(|map| map["regions"]["*"]["disk"] = "1".into()),
            422,
            "disk",
        ),
        (
            "PUT",
            "/cost/prices",
            prices(price("0.0000000000001")),
            422,
            "12 digits",
        ),
        ("PUT", "/cost/prices", prices(price("-1")), 422, "decimal"),
        ("PUT", "/cost/prices", prices(price("10001")), 422, "10000"),
        ("PUT", "/cost/prices", prices(price("1e3")), 422, "decimal"),
        (
            "PUT",
            "/cost/prices",
            prices(|map| map["regions"]["*"]["request"] = "1".into()),
            409,
            "new version",
        ),
        (
            "PUT",
            "/cost/prices",
            prices(|map| {
                map["version"] = "v2".into();
                map["currency"] = "USD".into();
            }),
            409,
            "EUR",
        ),
        ("POST", "/cost/usage", used(|_| ()), 204, ""),
        (
            "POST",
            "/cost/usage",
            used(|row| row["hour"] = (last_hour() + 1).into()),
            422,
            "hour",
        ),
        (
            "POST",
            "/cost/usage",
            used(|row| row["hour"] = (last_hour() + 10 * HOUR).into()),
            422,
            "begun",
        ),
        (
            "POST",
            "/cost/usage",
            used(|row| row["quantity"] = "1.0000001".into()),
            422,
            "0.000001",
        ),
        (
            "POST",
            "/cost/usage",
            used(|row| row["quantity"] = "NaN".into()),
            422,
            "quantity",
        ),
        (
            "POST",
            "/cost/usage",
            used(|row| row["overhead"] = "2".into()),
            422,
            "overhead",
        ),
        (
            "POST",
            "/cost/usage",
            used(|row| row["resource"] = "disk".into()),
            422,
            "disk",
        ),
        (
            "POST",
            "/cost/usage",
            used(|row| row["region"] = "a/b".into()),
            422,
            "region",
        ),
        (
            "POST",
            "/cost/usage",
            json!({"source": "m", "usage": []}).to_string(),
            422,
            "1 to 1000",
        ),
        (
            "PUT",
            "/cost/bills/2026-13",
            r#"{"amount": "1"}"#.to_owned(),
            422,
            "2026-11",
        ),
        (
            "PUT",
            "/cost/bills/2026-01",
            r#"{"amount": "1,50"}"#.to_owned(),
            422,
            "1250.00",
        ),
        (
            "PUT",
            "/cost/bills/2026-01",
            r#"{"amount": "1.50"}"#.to_owned(),
            204,
            "",
        ),
        ("PUT", "/cost/budgets/.a", budget(&|_| ()), 422, "letters"),
        (
            "PUT",
            "/cost/budgets/a",
            budget(&|one| one["amount"] = "0".into()),
            422,
            "above zero",
        ),
        (
            "PUT",
            "/cost/budgets/a",
            budget(&|one| one["period"] = "week".into()),
            422,
            "week",
        ),
        ("PUT", "/cost/budgets/a", budget(&|_| ()), 204, ""),
        ("DELETE", "/cost/budgets/a", String::new(), 204, ""),
        ("DELETE", "/cost/budgets/a", String::new(), 404, "budget a"),
        (
            "GET",
            "/cost/report?from=9000000&to=4000000",
            String::new(),
            422,
            "400 days",
        ),
        ("GET", "/cost/report?from=0", String::new(), 422, "400 days"),
        ("GET", "/cost/report?by=actor", String::new(), 400, "actor"),
        ("POST", "/v1/traces", String::new(), 404, "spans = true"),
    ];
    for database in Database::each() {
        let bench = Bench::start(database);
        let (_, before) = bench.control.call("GET", "/audit", "");
        let count = |audit: &Value| audit["items"].as_array().unwrap().len();
        for (method, path, body, status, word) in &rows {
            let (got, answer) = bench.control.call(method, path, body);
            assert_eq!(got, *status, "{method} {path} {body}: {answer}");
            assert!(answer.to_string().contains(word), "{path} {body}: {answer}");
        }
        let (_, after) = bench.control.call("GET", "/audit", "");
        let entries = after["items"].as_array().unwrap();
        let new: Vec<_> = entries[..count(&after) - count(&before)]
            .iter()
            .map(|one| one["action"].as_str().unwrap())
            .collect();
        // What was refused changed nothing.
        assert_eq!(
            new,
            [
                "cost.budget.delete",
                "cost.budget.put",
                "cost.bill",
                "cost.usage"
            ]
        );
        bench.control.stop().unwrap();
    }
}

/// Independent of our code: Python's `json.dumps(sort_keys=True)` and `hashlib`.
const HASH: &str = "a7e1afc0516e34de551f3705ee2470cce6e1c452bcb509930467b38b6e98a162";

#[test]
fn prices_are_kept_and_named_by_their_hash() {
    for database in Database::each() {
        let bench = Bench::start(database);
        let dearer = prices(|map| {
            map["version"] = "v2".into();
            map["effectiveFrom"] = last_hour().into();
            map["regions"]["*"]["cpuSecond"] = "1".into();
        });
        assert_eq!(bench.control.call("PUT", "/cost/prices", &dearer).0, 201);
        let listed = bench.get("/cost/prices");
        assert_eq!(listed[1]["hash"], HASH);
        assert_eq!(
            listed[1]["map"],
            serde_json::from_str::<Value>(PRICES).unwrap()
        );
        let hour = |hour: i64, quantity: &str| json!({"hour": hour, "region": "any", "resource": "cpuSecond", "quantity": quantity});
        // Said again, a row replaces what its source said; another source adds.
        bench.usage(&[hour(last_hour() - HOUR, "7"), hour(last_hour(), "5")]);
        bench.usage(&[hour(last_hour(), "2")]);
        let other = json!({"source": "other", "usage": [hour(last_hour(), "1.25")]});
        let (status, _) = bench.control.call("POST", "/cost/usage", other.to_string());
        assert_eq!(status, 204);
        let path = format!("/cost/report?from={}", last_hour() - HOUR);
        let report = bench.get(&path);
        // 7 s by the first map, 3.25 s by the second.
        assert_eq!(billionths(&report["total"]), 93_334 + 3_250_000_000);
        assert_eq!(report["unattributed"], report["total"]);
        let hashes: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["hash"])
            .collect();
        let used = report["prices"].as_array().unwrap();
        assert_eq!(used.len(), 2);
        assert!(used.iter().all(|one| hashes.contains(&&one["hash"])));
        bench.control.stop().unwrap();
    }
}

#[test]
fn what_has_no_price_is_said() {
    let bench = Bench::start(Database::sqlite());
    let local = prices(|map| {
        map["version"] = "v2".into();
        map["regions"] = json!({"eu": map["regions"]["*"]});
    });
    assert_eq!(bench.control.call("PUT", "/cost/prices", &local).0, 201);
    let row = |region: &str| json!({"hour": last_hour(), "region": region, "resource": "replicaHour", "quantity": "3"});
    bench.usage(&[row("eu"), row("us")]);
    let report = bench.report("route");
    assert_eq!(billionths(&report["total"]), 120_000_000);
    assert_eq!(
        report["unpriced"],
        json!([{"region": "us", "resource": "replicaHour", "quantity": "3"}])
    );
    bench.control.stop().unwrap();
}

#[test]
fn a_bill_is_held_against_its_month() {
    for database in Database::each() {
        let bench = Bench::start(database);
        // 2026-01 and the last hour of the month before.
        let (start, end) = (1_767_225_600_000_i64, 1_769_904_000_000_i64);
        let row = |hour: i64, quantity: &str| json!({"hour": hour, "region": "eu", "resource": "replicaHour", "quantity": quantity});
        bench.usage(&[
            row(start - HOUR, "100"),
            row(start, "1"),
            row(end - HOUR, "2"),
        ]);
        let bill = bench
            .control
            .call("PUT", "/cost/bills/2026-01", r#"{"amount": "0.5"}"#);
        assert_eq!(bill.0, 204);
        let report = |from: i64, to: i64, more: &str| {
            bench.get(&format!("/cost/report?from={from}&to={to}{more}"))
        };
        let whole = report(start - HOUR, end, "");
        assert_eq!(whole["total"], "4.12");
        let expected = json!([{
            "month": "2026-01", "billed": "0.50", "total": "0.12", "difference": "0.38",
        }]);
        assert_eq!(whole["bills"], expected);
        // Of a part, of the month or of what was used, there is no bill.
        assert_eq!(report(start + HOUR, end, "")["bills"], json!([]));
        assert_eq!(report(start, end, "&graph=demo")["bills"], json!([]));
        assert_eq!(bench.get("/cost/bills")[0]["amount"], "0.50");
        bench.control.stop().unwrap();
    }
}
