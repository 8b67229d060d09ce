//! What gateways say of their breakers, again and again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use ig_e2e::{Connection, LoadRequest};
use serde_json::Value;

use super::Shared;
use crate::history::{Breakers, Event};

/// From one question to the next.
const GAP: Duration = Duration::from_millis(250);

/// A gateway that is stopped says nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Breakers of clusters, and how many hosts each has and serves.
const STATS: &str = "/stats?format=json&filter=%28_open%7Cmembership_%28total%7Chealthy%29%29%24";

/// Looks until the workload is over.
pub(super) async fn watch(admins: Vec<SocketAddr>, shared: Arc<Shared>) {
    while !shared.is_over() {
        for (gateway, admin) in admins.iter().enumerate() {
            let asked = tokio::time::timeout(PATIENCE, stats(*admin)).await;
            let Some(stats) = asked.ok().flatten() else {
                continue;
            };
            let (open, hosts_out) = read(&stats);
            shared.saw_breakers(gateway, !open.is_empty());
            shared.history.push(Event::Breakers(Breakers {
                gateway,
                open,
                hosts_out,
                at: shared.history.now(),
            }));
        }
        tokio::time::sleep(GAP).await;
    }
}

async fn stats(admin: SocketAddr) -> Option<Value> {
    let mut request = LoadRequest::new(Full::new(Bytes::new()));
    *request.uri_mut() = http::Uri::from_static(STATS);
    let host = http::HeaderValue::from_static("admin");
    request.headers_mut().insert("host", host);
    let (_, body) = Connection::new(admin).send(request).await.ok()?;
    serde_json::from_slice(&body).ok()
}

/// Open breakers of upstreams and gateways, and hosts of theirs that are left out.
fn read(stats: &Value) -> (Vec<String>, u64) {
    let (mut open, mut total, mut healthy) = (Vec::new(), 0, 0);
    for one in stats["stats"].as_array().into_iter().flatten() {
        let (Some(name), Some(value)) = (one["name"].as_str(), one["value"].as_u64()) else {
            continue;
        };
        let Some(name) = name.strip_prefix("cluster.") else {
            continue;
        };
        if !name.starts_with("upstream-") && !name.starts_with("gateway-") {
            continue;
        }
        if name.ends_with("_open") && value > 0 {
            open.push(name.replace(".circuit_breakers.", " "));
        } else if name.ends_with(".membership_total") {
            total += value;
        } else if name.ends_with(".membership_healthy") {
            healthy += value;
        }
    }
    open.sort();
    (open, total.saturating_sub(healthy))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn open_breakers_and_hosts_that_are_out_are_read() {
        let stat = |name: &str, value: u64| json!({"name": name, "value": value});
        let stats = json!({"stats": [
            stat("cluster.upstream-primary.circuit_breakers.default.rq_open", 1),
            stat("cluster.upstream-primary.circuit_breakers.high.rq_open", 0),
            stat("cluster.control-plane.circuit_breakers.default.rq_open", 1),
            stat("cluster.upstream-replica.membership_total", 3),
            stat("cluster.upstream-replica.membership_healthy", 1),
            stat("listener_manager.workers_open", 1),
        ]});
        let (open, out) = super::read(&stats);
        assert_eq!(open, ["upstream-primary default.rq_open"]);
        assert_eq!(out, 2);
    }
}
