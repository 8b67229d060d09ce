//! Who sees which costs.

use serde_json::json;

use super::bench::{Bench, REGION, Sent, billionths, last_hour, line, rows};
use crate::databases::Database;

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_admin_sees_what_the_tenant_cost() {
    for database in Database::each() {
        let bench = Bench::start(database);
        let mut all = Vec::new();
        for number in 0..30 {
            let tenant = ["alpha", "bravo", "bravo"][number % 3];
            all.push(Sent::new(number, tenant, "Case").entry());
        }
        let mut stranger = Sent::new("stranger", "alpha", "Case");
        (stranger.tenant, stranger.outcome) = (None, "deny");
        all.push(stranger.entry());
        bench.tell(all).await;
        bench.usage(&[json!({
            "hour": last_hour(), "region": REGION, "resource": "cpuSecond", "quantity": "9",
        })]);
        bench.report_of("tenant", 31).await;
        let everybody = bench.report("tenant");
        let new = json!({"name": "a", "role": "tenant-admin", "tenant": "alpha"});
        let (_, made) = bench.control.call("POST", "/tokens", new.to_string());
        let token = format!("Bearer {}", made["token"].as_str().unwrap());
        let ask = |path: &str| bench.control.call_as(Some(&token), "GET", path, "");
        let path = format!("/cost/report?by=tenant&from={}", last_hour());
        let (status, own) = ask(&path);
        assert_eq!(status, 200, "{own}");
        assert_eq!(own["lines"], json!([line(&everybody, "alpha")]));
        assert_eq!(own["total"], line(&everybody, "alpha")["cost"]);
        assert_eq!((&own["remainder"], &own["bills"]), (&json!({}), &json!([])));
        assert_eq!(
            ask(&format!("{path}&tenant=alpha")).1["total"],
            own["total"]
        );
        assert_eq!(ask(&format!("{path}&tenant=bravo")).0, 404);
        let (status, text) = ask(&bench.focus());
        let rows = rows(text.as_str().unwrap());
        assert_eq!(status, 200);
        assert!(!rows.is_empty() && rows.iter().all(|row| row["SubAccountId"] == "alpha"));
        assert_eq!(ask(&bench.focus().replace('?', "?tenant=bravo&")).0, 404);
        for path in ["/cost/prices", "/cost/bills", "/cost/budgets"] {
            assert_eq!(ask(path).0, 403, "{path}");
        }
        bench.control.stop().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_tenant_of_the_name_has_no_costs_of_the_one_before() {
    for database in Database::each() {
        let bench = Bench::start(database);
        let all = (0..4).map(|id| Sent::new(id, "alpha", "Case").entry());
        bench.tell(all.collect()).await;
        let before = bench.report_of("tenant", 4).await;
        assert_eq!(bench.control.call("DELETE", "/tenants/alpha", "").0, 204);
        let region = r#"{"region": "eu-west-1"}"#;
        assert_eq!(bench.control.call("PUT", "/tenants/alpha", region).0, 204);
        bench
            .tell(vec![Sent::new("new", "alpha", "Case").entry()])
            .await;
        let after = bench.report_of("tenant", 5).await;
        assert_eq!(line(&after, "alpha")["requests"], 1);
        // It is in the bill all the same.
        let old = after["lines"].as_array().unwrap().iter();
        let old: Vec<_> = old.filter(|line| line["name"] != "alpha").collect();
        assert_eq!(old.len(), 1);
        assert!(old[0]["name"].as_str().unwrap().starts_with("alpha@"));
        assert_eq!(old[0]["cost"], before["total"]);
        assert!(billionths(&after["total"]) > billionths(&before["total"]));
        bench.control.stop().unwrap();
    }
}
