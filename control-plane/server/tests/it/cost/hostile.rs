//! What is sent by strangers, twice, or in too many names.

use super::bench::{Bench, Sent, billionths, entry, line};
use crate::databases::Database;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_is_one_operation_and_nobodys_if_nobody_is_known() {
    for database in Database::each() {
        let bench = Bench::start(database);
        let mut entries = Vec::new();
        for number in 0..50 {
            let mut one = Sent::new(number, "alpha", &format!("Made up {number}"));
            one.outcome = "deny";
            one.tenant = (number % 2 == 0).then_some("alpha");
            entries.push(one.entry());
        }
        // Before any guard: a token that is none.
        entries.push(entry(&Sent::new("none", "alpha", "Case"), &[]));
        // In shadow, what is not in the catalogue passes.
        let mut unnamed = Sent::new("shadow", "alpha", "Case");
        (unnamed.outcome, unnamed.operation) = ("shadow-deny", None);
        entries.push(unnamed.entry());
        bench.tell(entries).await;
        let report = bench.report_of("operation", 52).await;
        assert_eq!(report["lines"].as_array().unwrap().len(), 2, "{report}");
        assert_eq!(line(&report, "(denied)")["requests"], 25);
        assert_eq!(line(&report, "(unnamed)")["requests"], 1);
        assert!(billionths(&report["remainder"]["anonymous"]) > 0);
        assert_eq!(report["remainder"].as_object().unwrap().len(), 1);
        bench.control.stop().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_one_request() {
    let bench = Bench::start(Database::sqlite());
    let one = Sent::new("batch", "alpha", "Case");
    let record = |operation: &str, outcome: &str| {
        let mut record = one.record();
        record["operation"] = operation.into();
        record["outcome"] = outcome.into();
        record
    };
    let mixed = [
        record("A", "allow"),
        record("B", "allow"),
        record("C", "deny"),
    ];
    let mut same = Sent::new("same", "alpha", "Case");
    same.bytes = 0;
    let same = [same.record(), same.record()];
    bench
        .tell(vec![
            entry(&one, &mixed),
            entry(&Sent::new("same", "alpha", "Case"), &same),
        ])
        .await;
    let report = bench.report_of("operation", 2).await;
    assert_eq!(line(&report, "(batch)")["requests"], 1);
    assert_eq!(line(&report, "Case")["requests"], 1);
    bench.control.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_twice_counts_once() {
    let bench = Bench::start(Database::sqlite());
    let all: Vec<_> = (0..10).map(|id| Sent::new(id, "alpha", "Case")).collect();
    let entries: Vec<_> = all.iter().map(Sent::entry).collect();
    bench.tell(entries.clone()).await;
    bench.tell(entries).await;
    // The end of a long request, after entries that tell that it goes on.
    let mut periodic = Sent::new("long", "alpha", "Case").entry();
    if let Some(common) = periodic.common_properties.as_mut() {
        common.access_log_type = 5;
    }
    let end = Sent::new("long", "alpha", "Case").entry();
    bench.tell(vec![periodic.clone(), periodic, end]).await;
    let report = bench.report_of("operation", 11).await;
    assert_eq!(line(&report, "Case")["requests"], 11);
    assert_eq!(bench.metric("ig_cost_replayed_total"), Some(10.0));
    bench.control.stop().unwrap();
}

/// Names are told apart up to a limit; what is beyond is in the total still.
#[tokio::test(flavor = "multi_thread")]
async fn names_without_end_are_the_remainder() {
    let bench = Bench::start(Database::sqlite());
    for part in 0..6 {
        let numbers = part * 2000..(part + 1) * 2000;
        let all = numbers.map(|id| Sent::new(id, "alpha", &format!("Op{id}")).entry());
        bench.tell(all.collect()).await;
    }
    let report = bench.report_of("operation", 12_000).await;
    let lines = report["lines"].as_array().unwrap().len();
    assert!((9_000..=10_000).contains(&lines), "{lines}");
    assert!(billionths(&report["remainder"]["overflow"]) > 0);
    let beyond = bench.metric("ig_cost_overflow_total").unwrap();
    assert_eq!(beyond as usize + lines, 12_000);
    let total = billionths(&report["attributed"]) + billionths(&report["unattributed"]);
    assert_eq!(billionths(&report["total"]), total);
    bench.control.stop().unwrap();
}
