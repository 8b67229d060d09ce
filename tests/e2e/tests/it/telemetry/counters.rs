//! What the module counts, as Prometheus reads it of Envoy.

use std::collections::BTreeSet;

use ig_contract::{DenyCode, Outcome};

use crate::gateway::Gateway;
use crate::skip;

type Labels = BTreeSet<(String, String)>;

/// Name, labels and value.
type Series = (String, Labels, f64);

/// Each series that begins so.
fn series(page: &str, begins: &str) -> Vec<Series> {
    let lines = page.lines().filter(|line| line.starts_with(begins));
    let parsed = lines.map(|line| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap();
        let labels = labels
            .trim_end_matches('}')
            .split(',')
            .filter(|one| !one.is_empty());
        let labels = labels.map(|label| {
            let (name, value) = label.split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('"').to_owned())
        });
        (name.to_owned(), labels.collect(), value.parse().unwrap())
    });
    parsed.collect()
}

fn labels(all: &[(&str, &str)]) -> Labels {
    let all = all.iter();
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn every_decision_is_counted_under_closed_labels() {
    if !skip::ready() {
        return;
    }
    let mut fixture = ig_e2e::demo().await.unwrap();
    // A name with dots is one label still.
    fixture.head.graph = "eu.code.test".into();
    let gateway = Gateway::with_options(fixture, |_| ()).await;
    for _ in 0..3 {
        assert_eq!(gateway.send_id("Case").await.response.status, 200);
    }
    assert_eq!(gateway.send_text("{ secret }").await.response.status, 400);
    assert_eq!(gateway.send_id("Remote").await.response.status, 200);
    let batch = format!("[{0},{0}]", gateway.id("Case"));
    assert_eq!(
        gateway.send(gateway.request(&batch)).await.response.status,
        200
    );

    let page = gateway.envoy.get_admin("/stats/prometheus").await.unwrap();
    let found = series(&page, "ig_guard_");
    let value = |name: &str, of: &[(&str, &str)]| {
        let wanted = labels(of);
        let mut all = found.iter();
        all.find(|(known, labels, _)| known == name && *labels == wanted)
            .map(|(_, _, value)| *value)
    };
    let graph = ("graph", "eu.code.test");
    let decisions = "ig_guard_decisions_total";
    let allowed = [("outcome", "allow"), ("code", "none"), graph];
    assert_eq!(value(decisions, &allowed), Some(6.0), "{found:#?}");
    let code = DenyCode::PersistedQueryIdRequired.as_str();
    let denied = [("outcome", "deny"), ("code", code), graph];
    assert_eq!(value(decisions, &denied), Some(1.0), "{found:#?}");
    let texts = [("call", "texts"), ("result", "answered"), graph];
    assert_eq!(
        value("ig_guard_callouts_total", &texts),
        Some(1.0),
        "{found:#?}"
    );

    let outcomes = Outcome::ALL.map(Outcome::as_str);
    for (name, labels, _) in &found {
        for (label, value) in labels {
            let is_known = match label.as_str() {
                "outcome" => outcomes.contains(&value.as_str()),
                "code" => {
                    value == "none" || DenyCode::ALL.iter().any(|code| code.as_str() == value)
                }
                "graph" => value == "eu.code.test",
                "call" => ["facts", "spend", "texts"].contains(&value.as_str()),
                "result" => ["answered", "failed"].contains(&value.as_str()),
                _ => false,
            };
            assert!(is_known, "{name}: {label}={value}");
        }
    }
}

/// The bounds of the service's objectives are counted, not interpolated.
#[tokio::test]
async fn the_objectives_have_buckets() {
    if !skip::ready() {
        return;
    }
    let gateway = Gateway::with_options(ig_e2e::demo().await.unwrap(), |_| ()).await;
    assert_eq!(gateway.send_id("Case").await.response.status, 200);
    let page = gateway.envoy.get_admin("/stats/prometheus").await.unwrap();
    for histogram in [
        "envoy_http_downstream_rq_time",
        "envoy_cluster_upstream_rq_time",
    ] {
        let buckets = series(&page, &format!("{histogram}_bucket{{"));
        for bound in ["350", "900"] {
            let has =
                |(_, labels, _): &Series| labels.contains(&("le".to_owned(), bound.to_owned()));
            assert!(buckets.iter().any(has), "{histogram}, {bound}: {buckets:?}");
        }
    }
}
