//! Clusters of the GraphQL service and of other regions' gateways, and what
//! keeps a failing one from taking others with it.

use ig_contract::headers;
use serde_json::{Value, json};

use crate::bootstrap::duration;
use crate::cluster::{Group, cluster};
use crate::options::{
    GATEWAY_PREFIX, HttpVersion, StaticOptions, UPSTREAM, UPSTREAM_PRIMARY, UPSTREAM_REPLICA,
};
use crate::{AdmissionControl, HealthCheck, OutlierDetection};

/// Of the proxy's own region only, and of others their gateways.
pub(crate) fn clusters(options: &StaticOptions) -> Vec<Value> {
    let Some(region) = &options.region else {
        let addresses = &options.upstream.endpoints.addresses;
        return vec![service(UPSTREAM, &[Group::anywhere(addresses)], options)];
    };
    let primary = || Group::of_region(&region.name, &region.primary);
    let replicas = Group::of_region(&region.name, &region.replicas);
    // Reads fall back within the region.
    let readers = match region.replicas.is_empty() {
        true => vec![primary()],
        false => vec![replicas, primary()],
    };
    let mut clusters = vec![
        service(UPSTREAM_PRIMARY, &[primary()], options),
        service(UPSTREAM_REPLICA, &readers, options),
    ];
    for (name, addresses) in &region.gateways {
        let gateways = [Group::of_region(name, addresses)];
        let name = gateway(name);
        let tls = region.gateway_tls.as_ref();
        let mut gateway = cluster(&name, &gateways, tls, options, HttpVersion::Http1);
        protect(&mut gateway, &gateways, options);
        clusters.push(gateway);
    }
    clusters
}

/// Name of the cluster of a region's gateways.
pub(crate) fn gateway(region: &str) -> String {
    format!("{GATEWAY_PREFIX}{region}")
}

fn service(name: &str, groups: &[Group<'_>], options: &StaticOptions) -> Value {
    let upstream = &options.upstream;
    let tls = upstream.endpoints.tls.as_ref();
    let mut cluster = cluster(name, groups, tls, options, upstream.http_version);
    protect(&mut cluster, groups, options);
    if let Some(check) = &options.backpressure.health_check {
        cluster["health_checks"] = json!([health_check(check, upstream.http_version)]);
    }
    cluster
}

fn protect(cluster: &mut Value, groups: &[Group<'_>], options: &StaticOptions) {
    let upstream = &options.upstream;
    let retries = &options.backpressure.retries;
    let threshold = |priority: &str, max: u32| {
        json!({
            "priority": priority,
            "max_connections": max,
            "max_pending_requests": max,
            "max_requests": max,
            "track_remaining": true,
            "retry_budget": {
                "budget_percent": {"value": retries.budget_percent},
                "min_retry_concurrency": retries.budget_min,
            },
        })
    };
    cluster["circuit_breakers"] = json!({"thresholds": [
        threshold("DEFAULT", upstream.max_requests),
        threshold("HIGH", upstream.max_requests_high),
    ]});
    // To leave out the only host would be to fail after it is back.
    let hosts: Vec<_> = groups.iter().flat_map(Group::addresses).collect();
    if !matches!(*hosts, [only] if only.is_ip()) {
        let outliers = &options.backpressure.outliers;
        cluster["outlier_detection"] = outlier_detection(outliers);
    }
    // Where few hosts are healthy, Envoy would send to those that are not, and
    // reads would never leave dead replicas.
    cluster["common_lb_config"] = json!({"healthy_panic_threshold": {"value": 0}});
}

fn outlier_detection(outliers: &OutlierDetection) -> Value {
    json!({
        "interval": duration(outliers.interval),
        "base_ejection_time": duration(outliers.base_ejection),
        "max_ejection_time": duration(outliers.max_ejection),
        // So that hosts do not come back all at once.
        "max_ejection_time_jitter": "1s",
        "max_ejection_percent": outliers.max_ejection_percent,
        "split_external_local_origin_errors": true,
        "consecutive_gateway_failure": outliers.consecutive_failures,
        // Answers say nothing of the host: one poisonous query would take all out.
        "enforcing_consecutive_gateway_failure": 0,
        "consecutive_local_origin_failure": outliers.consecutive_failures,
        "enforcing_consecutive_local_origin_failure": 100,
        // A 500 is an answer. Rates are admission control's.
        "enforcing_consecutive_5xx": 0,
        "enforcing_success_rate": 0,
        "enforcing_local_origin_success_rate": 0,
    })
}

fn health_check(check: &HealthCheck, version: HttpVersion) -> Value {
    json!({
        "interval": duration(check.interval),
        "timeout": duration(check.timeout),
        "interval_jitter_percent": 10,
        // By default a minute, also for what a cluster's first requests meet.
        "no_traffic_interval": duration(check.interval),
        "unhealthy_threshold": check.unhealthy_threshold,
        "healthy_threshold": check.healthy_threshold,
        "http_health_check": {
            "path": check.path,
            "codec_client_type": match version {
                HttpVersion::Http1 => "HTTP1",
                HttpVersion::Http2 => "HTTP2",
            },
        },
    })
}

/// The filter; none where nothing is to be refused.
pub(crate) fn admission_control(options: &StaticOptions) -> Option<Value> {
    const NAME: &str = "envoy.filters.http.admission_control";
    let filter = admission(options.backpressure.admission.as_ref()?);
    let Some(region) = &options.region else {
        return Some(json!({"name": NAME, "typed_config": filter}));
    };
    // Failures of another region's gateways must not refuse this region's
    // requests. Filters are chosen before the guard has run, so no route could
    // say this; the matcher is asked when the filter's turn comes.
    Some(json!({
        "name": NAME,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher",
            "extension_config": {"name": NAME, "typed_config": filter},
            "xds_matcher": {"matcher_list": {"matchers": [{
                "predicate": {"not_matcher": {"single_predicate": {
                    "input": {
                        "name": "region",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
                            "header_name": headers::REGION,
                        },
                    },
                    "value_match": {"exact": region.name},
                }}},
                "on_match": {"action": {
                    "name": "skip",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter",
                    },
                }},
            }]}},
        },
    }))
}

fn admission(control: &AdmissionControl) -> Value {
    let percent = |key: &str, value: u8| json!({"default_value": {"value": value}, "runtime_key": format!("ig.admission.{key}")});
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.admission_control.v3.AdmissionControl",
        "success_criteria": {
            // Ranges without their end: all but 502, 503 and 504.
            "http_criteria": {"http_success_status": [
                {"start": 100, "end": 502},
                {"start": 505, "end": 600},
            ]},
            "grpc_criteria": {"grpc_success_status": [0]},
        },
        "sampling_window": duration(control.window),
        "sr_threshold": percent("success", control.success_percent),
        "max_rejection_probability": percent("rejection", control.max_rejection_percent),
        "rps_threshold": {
            "default_value": control.min_requests_per_second,
            "runtime_key": "ig.admission.requests",
        },
    })
}
