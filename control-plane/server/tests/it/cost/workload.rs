//! A workload of known CPU, bytes and requests.

use serde_json::json;

use super::bench::{Bench, HOUR, REGION, Sent, billionths, last_hour, line, rows};
use crate::databases::Database;

/// Route, microseconds of CPU and bytes of one request, requests of each tenant.
const ROUTES: [(&str, u64, u64, [u64; 2]); 3] = [
    ("upstream_replica", 2_000, 1_500, [60, 25]),
    ("upstream_primary", 5_000, 40_000, [20, 45]),
    ("gateway_us-east-1", 11_000, 900_000, [15, 5]),
];
const TENANTS: [&str; 2] = ["alpha", "bravo"];
/// CPU of no request, in microseconds.
const IDLE: u64 = 300_000;

const CPU_SECOND: f64 = 0.000_013_333_4;
const REQUEST: f64 = 0.000_000_2;
const GB_EGRESS: f64 = 0.09;
const REPLICA_HOUR: f64 = 0.04;

fn requests() -> Vec<Sent> {
    let mut all = Vec::new();
    for (route, cpu, bytes, counts) in ROUTES {
        for (tenant, count) in TENANTS.into_iter().zip(counts) {
            for number in 0..count {
                let mut one = Sent::new(format!("{route}-{tenant}-{number}"), tenant, "Case");
                one.operation = Some(format!("Op{}", number % 4));
                one.route = route;
                one.bytes = bytes;
                // Upstreams wait for others too: from 3 % less than in proportion to
                // their CPU to 3 % more.
                one.upstream_micros = cpu * (97 + number % 7) / 10;
                all.push(one);
            }
        }
    }
    all
}

fn total_cpu() -> u64 {
    ROUTES
        .iter()
        .map(|(_, cpu, _, counts)| cpu * (counts[0] + counts[1]))
        .sum()
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn attributed_and_remainder_are_the_total_and_unit_costs_are_right() {
    for database in Database::each() {
        let bench = Bench::start(database);
        let sent = requests();
        let count = sent.len() as u64;
        bench.tell(sent.iter().map(Sent::entry).collect()).await;
        bench.report_of("route", count).await;
        let hour = last_hour();
        let used = |resource: &str, quantity: String, overhead: String| {
            json!({"hour": hour, "region": REGION, "resource": resource,
                "quantity": quantity, "overhead": overhead})
        };
        bench.usage(&[
            used("cpuSecond", seconds(total_cpu() + IDLE), seconds(IDLE)),
            used("replicaHour", "2".into(), "0.5".into()),
            // One request in the bill that no log told of.
            used("request", (count + 1).to_string(), "0".into()),
        ]);
        let report = bench.report("route");
        assert_eq!(report["lines"].as_array().unwrap().len(), ROUTES.len());
        for (route, cpu, bytes, counts) in ROUTES {
            let line = line(&report, route);
            let requests = counts[0] + counts[1];
            assert_eq!(line["requests"], requests);
            let egress = line["quantities"]["gbEgress"].as_str().unwrap();
            assert_eq!(
                egress.parse::<f64>().unwrap(),
                (bytes * requests) as f64 / 1e9
            );
            // What one request has of the CPU and the replicas that served requests.
            let share = cpu as f64 / total_cpu() as f64;
            let wanted = cpu as f64 / 1e6 * CPU_SECOND
                + REQUEST
                + bytes as f64 / 1e9 * GB_EGRESS
                + share * 1.5 * REPLICA_HOUR;
            let got = billionths(&line["unitCost"]) as f64 / 1e9;
            assert!((got / wanted - 1.0).abs() < 0.05, "{route}: {got} {wanted}");
        }
        // Exactly, whatever it is added up by.
        let total = billionths(&report["total"]);
        let analytic = (total_cpu() + IDLE) as f64 / 1e6 * CPU_SECOND
            + (count + 1) as f64 * REQUEST
            + 2.0 * REPLICA_HOUR
            + ROUTES
                .iter()
                .map(|(_, _, bytes, counts)| (bytes * (counts[0] + counts[1])) as f64)
                .sum::<f64>()
                / 1e9
                * GB_EGRESS;
        // Each of four resources is rounded once.
        assert!(
            (total as f64 / 1e9 - analytic).abs() < 2.5e-9,
            "{total} {analytic}"
        );
        let remainder = report["remainder"].as_object().unwrap();
        let reasons: Vec<_> = remainder.keys().collect();
        assert_eq!(reasons, ["overhead", "uncounted"]);
        for by in ["route", "operation", "tenant"] {
            let report = bench.report(by);
            let lines = report["lines"].as_array().unwrap().iter();
            let lines: i128 = lines.map(|line| billionths(&line["cost"])).sum();
            assert_eq!(billionths(&report["attributed"]), lines);
            assert_eq!(lines + billionths(&report["unattributed"]), total, "{by}");
            let reasons = report["remainder"].as_object().unwrap().values();
            let reasons: i128 = reasons.map(billionths).sum();
            assert_eq!(billionths(&report["unattributed"]), reasons);
            assert_eq!(report["currency"], "EUR");
            assert_eq!(report["prices"][0]["version"], "v1");
        }
        let tenants = bench.report("tenant");
        assert_eq!(line(&tenants, "alpha")["requests"], 95);
        assert_eq!(line(&tenants, "bravo")["requests"], 75);
        let (_, text) = bench.control.call("GET", &bench.focus(), "");
        let rows = rows(text.as_str().unwrap());
        let billed = |row: &std::collections::BTreeMap<String, String>| {
            billionths(&row["BilledCost"].as_str().into())
        };
        assert_eq!(rows.iter().map(billed).sum::<i128>(), total);
        let of_alpha = rows.iter().filter(|row| row["SubAccountId"] == "alpha");
        assert_eq!(
            of_alpha.map(billed).sum::<i128>(),
            billionths(&line(&tenants, "alpha")["cost"])
        );
        bench.control.stop().unwrap();
    }
}

/// What was counted is written before a process ends, and is there after it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_is_there_after_a_restart() {
    for database in Database::each() {
        let config = database.config();
        let bench = Bench::start(database);
        let token = bench.control.token.clone().unwrap();
        let all: Vec<_> = (0..50).map(|id| Sent::new(id, "alpha", "Case")).collect();
        bench.tell(all.iter().map(Sent::entry).collect()).await;
        let Bench {
            control,
            database: _kept,
        } = bench;
        control.stop().unwrap();
        let again = ig_e2e::ControlPlane::start(config).unwrap();
        let (from, header) = (last_hour(), format!("Bearer {token}"));
        let path = format!("/cost/report?by=tenant&from={from}&to={}", from + HOUR);
        let (_, report) = again.call_as(Some(&header), "GET", &path, "");
        assert_eq!(line(&report, "alpha")["requests"], 50, "{report}");
        again.stop().unwrap();
    }
}
