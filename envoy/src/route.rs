//! Routes, by what the guard says of a request. It sets its headers before a
//! route is chosen, and removes what a client sends under their names.

use std::time::Duration;

use ig_contract::headers;
use ig_contract::snapshot::{OperationClass, Priority, Route};
use serde_json::{Value, json};

use crate::bootstrap::duration;
use crate::options::{StaticOptions, UPSTREAM, UPSTREAM_PRIMARY, UPSTREAM_REPLICA};
use crate::{LocalRegion, local_reply, upstream};

/// What the guard says of a request for this gateway's own sake. The other
/// gateway's guard says it anew.
pub(crate) const ANNOTATIONS: [&str; 10] = [
    headers::ACTOR,
    headers::TENANT,
    headers::OPERATION,
    headers::REGION,
    headers::ROUTE,
    headers::PRIORITY,
    headers::cost(OperationClass::Query),
    headers::cost(OperationClass::Mutation),
    headers::cost(OperationClass::Subscription),
    headers::cost(OperationClass::Sensitive),
];

pub(crate) fn config(options: &StaticOptions) -> Value {
    let routes = match &options.region {
        None => everywhere(options),
        Some(region) => by_region(options, region),
    };
    json!({
        "name": "ig",
        // They are for the guard, whichever of its guards runs: an upstream could
        // log the token's payload. Another gateway makes its own of both.
        "request_headers_to_remove": [headers::JWT_PAYLOAD, headers::TRACE],
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
    })
}

fn everywhere(options: &StaticOptions) -> Vec<Value> {
    let target = |retries| Target {
        cluster: UPSTREAM.into(),
        // An upstream could replay it.
        remove: &[headers::STEP_UP],
        retries,
    };
    let is_read = exact(headers::ROUTE, Route::Replica.as_str());
    let mut routes = target(Retry::Read).routes(&[is_read], options);
    // Everything else, and what no guard said anything of.
    routes.extend(target(Retry::Write).routes(&[], options));
    routes
}

fn by_region(options: &StaticOptions, region: &LocalRegion) -> Vec<Value> {
    let mut routes = Vec::new();
    let readers = match region.replicas.is_empty() {
        true => Retry::Read,
        false => Retry::ReadElsewhere,
    };
    for (route, cluster, retries) in [
        (Route::Replica, UPSTREAM_REPLICA, readers),
        (Route::Primary, UPSTREAM_PRIMARY, Retry::Write),
    ] {
        let target = Target {
            cluster: cluster.into(),
            remove: &[headers::STEP_UP],
            retries,
        };
        let is_it = [
            exact(headers::REGION, &region.name),
            exact(headers::ROUTE, route.as_str()),
        ];
        routes.extend(target.routes(&is_it, options));
    }
    for name in region.gateways.keys() {
        let target = Target {
            cluster: upstream::gateway(name),
            remove: &ANNOTATIONS,
            // The other gateway has spent tokens and buckets, and retries
            // itself.
            retries: Retry::Write,
        };
        routes.extend(target.routes(&[exact(headers::REGION, name)], options));
    }
    routes.push(local_reply::no_region());
    routes
}

/// Where a request goes, and as what.
struct Target {
    cluster: String,
    remove: &'static [&'static str],
    retries: Retry,
}

/// What may be sent again.
#[derive(Clone, Copy)]
enum Retry {
    /// What cannot have reached the upstream.
    Write,
    /// What changes nothing.
    Read,
    /// So too, in the end by hosts of the next priority.
    ReadElsewhere,
}

impl Target {
    /// The route for tenants of the priority `high`, and that for others.
    fn routes(&self, is_it: &[Value], options: &StaticOptions) -> Vec<Value> {
        let mut high = self.route(is_it, options);
        if let Some(headers) = high
            .pointer_mut("/match/headers")
            .and_then(Value::as_array_mut)
        {
            headers.push(exact(headers::PRIORITY, Priority::High.as_str()));
        }
        high["route"]["priority"] = json!("HIGH");
        let requests = [high, self.route(is_it, options)];
        let upgrades = options.websockets.map(|idle| {
            let upgrades = requests.iter().map(|route| upgrade(route, idle));
            upgrades.collect::<Vec<_>>()
        });
        upgrades.into_iter().flatten().chain(requests).collect()
    }

    fn route(&self, is_it: &[Value], options: &StaticOptions) -> Value {
        json!({
            "match": {"prefix": "/", "headers": is_it},
            "request_headers_to_remove": self.remove,
            "route": {
                "cluster": self.cluster,
                "timeout": duration(options.timeouts.response),
                "idle_timeout": duration(options.timeouts.stream_idle),
                "retry_policy": self.retries.policy(options),
            },
        })
    }
}

impl Retry {
    /// Once headers of an answer went to the client nothing is sent again, so
    /// the events of a stream come once.
    fn policy(self, options: &StaticOptions) -> Value {
        let retries = &options.backpressure.retries;
        let (retry_on, most) = match self {
            Self::Write => ("connect-failure,refused-stream", retries.writes),
            Self::Read | Self::ReadElsewhere => (
                "connect-failure,refused-stream,reset,gateway-error",
                retries.reads,
            ),
        };
        let mut policy = json!({
            "retry_on": retry_on,
            "num_retries": most,
            "retry_back_off": {
                "base_interval": duration(retries.base_interval),
                "max_interval": duration(retries.max_interval),
            },
            "retry_host_predicate": [{
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
                },
            }],
            "host_selection_retry_max_attempts": 3,
        });
        if matches!(self, Self::ReadElsewhere) {
            // The first retry is another replica's, the second a primary's.
            policy["retry_priority"] = json!({
                "name": "envoy.retry_priorities.previous_priorities",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                    "update_frequency": 2,
                },
            });
        }
        policy
    }
}

/// The route of a WebSocket: it may be silent for longer, and is never tried again
/// once anything was sent.
fn upgrade(route: &Value, idle: Duration) -> Value {
    let mut upgrade = route.clone();
    let is_upgrade = json!({
        "name": "upgrade",
        "string_match": {"exact": "websocket", "ignore_case": true},
    });
    if let Some(headers) = upgrade
        .pointer_mut("/match/headers")
        .and_then(Value::as_array_mut)
    {
        headers.push(is_upgrade);
    }
    upgrade["route"]["timeout"] = duration(Duration::ZERO).into();
    upgrade["route"]["idle_timeout"] = duration(idle).into();
    upgrade
}

fn exact(name: &str, value: &str) -> Value {
    json!({"name": name, "string_match": {"exact": value}})
}
